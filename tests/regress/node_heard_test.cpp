// What is said against somebody stands in the memory against every pass that was asked before it was heard here,
// whatever the clocks say of it and however it came. Each through one whole node, with the exact order of events.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "tests/regress/notified_bench.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

struct Bench : NotifiedBench {
    using NotifiedBench::NotifiedBench;
    // A call of user-1 that takes 500 ms and passes; returns once the centre has it.
    void begin_slow(const std::string& order) {
        const std::size_t calls = one.central.calls().size();
        centre(CentreMode::healthy, 500ms);
        one.begin(slow, order, "LOGIN", "user-1");
        REQUIRE(asked(calls + 1));
    }
    void end_slow() {
        REQUIRE(slow.status == 0);
        REQUIRE(one.until([this] { return slow.status != 0; }));
        CHECK(slow.text("outcome") == "pass");  // it answers who has asked all the same
    }
    void refuse(const std::string& order) {
        centre(CentreMode::healthy, 5ms, Verdict::fail);
        OneNode::Got got;  // beside a slow one
        one.begin(got, order, "LOGIN", "user-1");
        REQUIRE(one.until([&got] { return got.status != 0; }));
        REQUIRE(got.text("outcome") == "fail");
    }
    // An order whose answer never came.
    void leave_open(const std::string& order) {
        centre(CentreMode::hang);
        REQUIRE(one.ask(order, "LOGIN", "user-1").status == 504);
    }
    std::string number_of(const OneNode::Got& got) {
        return fmt::format(R"(,"verificationId":"{}")", got.text("verificationId"));
    }
    OneNode::Got slow;
};

}  // namespace

TEST_CASE("heard: a fail that says again what was said just before stands against a pass that was asked in between") {
    Bench b;
    b.refuse("o-1");
    b.one.run_for(100ms);
    b.begin_slow("o-2");
    b.refuse("o-3");
    b.end_slow();
    b.degrade();
    CHECK(b.outcome_of("o-4") == "fail");
}

TEST_CASE("heard: a fail that says again what was said just before stands against a pass decided in between") {
    for (const bool restarted : {false, true}) {
        Bench b;
        b.leave_open("o-1");
        b.refuse("o-2");
        b.one.run_for(200ms);
        const WallTime decided = b.one.view.now().wall;
        b.one.run_for(200ms);
        b.refuse("o-3");
        b.one.run_for(500ms);
        if (restarted) b.crash_and_start();
        CHECK(b.notify("n-1", "o-1", "pass", b.one.view.now().wall - decided) == "success");
        b.degrade();
        CHECK(b.outcome_of("o-4") == "fail");
    }
}

TEST_CASE("heard: a fail that was decided earlier does not make a later one older than a pass") {
    for (const char* later : {"fail", "review"}) {
        Bench b;
        b.leave_open("o-1");
        b.leave_open("o-2");
        b.leave_open("o-3");
        CHECK(b.notify("n-3", "o-3", later) == "success");
        b.one.run_for(1s);
        CHECK(b.notify("n-1", "o-1", "fail", 30s) == "success");
        CHECK(b.notify("n-2", "o-2", "pass", 20s) == "success");
        b.degrade();
        CHECK(b.outcome_of("o-4") == "fail");
    }
}

TEST_CASE("heard: a word counts from when it came, however far behind the clock of the centre is") {
    for (const Nanos behind : {Nanos(0), Nanos(3s), Nanos(1min)}) {
        Bench b;
        REQUIRE(b.outcome_of("o-1") == "pass");
        b.begin_slow("o-2");
        b.one.run_for(100ms);
        CHECK(b.notify("n-1", "o-1", "fail", behind) == "success");
        b.end_slow();
        b.degrade();
        CHECK(b.outcome_of("o-3") == (behind < 5s ? "fail" : ""));  // which is answered for 5 s
    }
}

TEST_CASE("heard: a fail stands against a pass that was asked before although our clock was set ahead meanwhile") {
    Bench b;
    REQUIRE(b.outcome_of("o-1") == "pass");
    b.begin_slow("o-2");
    b.refuse("o-3");
    b.one.view.jump_wall(10s);
    b.end_slow();
    b.degrade();
    CHECK(b.outcome_of("o-4").empty());  // too old by one of the clocks
}

TEST_CASE("heard: a word against the verification that is remembered outlives a pass that was asked before it came") {
    for (const bool before : {true, false}) {
        Bench b;
        const auto first = b.one.ask("o-1", "LOGIN", "user-1");
        REQUIRE(first.text("outcome") == "pass");
        b.one.run_for(2s);
        if (before) b.begin_slow("o-2");
        CHECK(b.notify("n-1", "o-9", "fail", 0s, b.number_of(first)) == "success");
        if (!before) b.begin_slow("o-2");
        b.end_slow();
        b.degrade();
        CHECK(b.outcome_of("o-3") == (before ? "fail" : "pass"));
    }
}

TEST_CASE("heard: a word against the verification that is remembered outlives a pass that was decided before it") {
    for (const Nanos ago : {Nanos(3s), Nanos(0)}) {
        Bench b;
        b.leave_open("o-2");
        b.centre(CentreMode::healthy);
        const auto first = b.one.ask("o-1", "LOGIN", "user-1");
        REQUIRE(first.text("outcome") == "pass");
        b.one.run_for(4s);
        CHECK(b.notify("n-1", "o-9", "fail", 1s, b.number_of(first)) == "success");
        CHECK(b.notify("n-2", "o-2", "pass", ago) == "success");
        b.degrade();
        CHECK(b.outcome_of("o-3") == (ago > 1s ? "fail" : "pass"));
    }
}

TEST_CASE("heard: a word of an order unknown here is outdone by a newer one about the verification it names") {
    for (const bool newer : {true, false}) {
        Bench b;
        const auto first = b.one.ask("o-1", "LOGIN", "user-1");
        REQUIRE(first.text("outcome") == "pass");
        CHECK(b.notify("n-1", "o-9", "fail", 0s, b.number_of(first)) == "success");
        b.one.run_for(1s);
        CHECK(b.notify("n-2", "o-1", "pass", newer ? Nanos(0) : Nanos(2s), b.number_of(first)) == "success");
        b.degrade();
        CHECK(b.outcome_of("o-2") == (newer ? "pass" : "fail"));
        CHECK(b.outcome_of("o-1") == (newer ? "pass" : "fail"));
    }
}

TEST_CASE("heard: a word counts from when it came, not from when it is on disk") {
    Bench b;
    b.leave_open("o-1");
    b.begin_slow("o-2");
    b.one.run_for(300ms);
    OffloadPlan slow_disk;
    slow_disk.work_min = slow_disk.work_max = 1s;
    b.one.offload.set_plan(slow_disk);
    OneNode::Got told;
    b.one.notify(told, b.text("n-1", "o-1", "fail"));
    b.end_slow();
    CHECK(told.status == 0);
    REQUIRE(b.one.until([&told] { return told.status != 0; }));
    CHECK(told.body == "success");
    b.one.offload.set_plan({});
    b.degrade();
    CHECK(b.outcome_of("o-4") == "fail");
}

TEST_CASE("heard: a pass that comes by notification while its order is asked was asked before what came since") {
    Bench b;
    b.begin_slow("o-2");
    b.refuse("o-3");
    b.one.run_for(100ms);
    CHECK(b.notify("n-2", "o-2", "pass") == "success");
    b.end_slow();
    b.degrade();
    CHECK(b.outcome_of("o-4") == "fail");
}
