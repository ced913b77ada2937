// The end of a node used to wait for its disk for ever, and for what was in flight however often it was asked to end.
#include <catch2/catch.hpp>

#include "edge/operators.h"
#include "tests/sim/one_node.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

// Asks the node to end; `took` and `how` are filled in when it has.
struct End {
    void ask(OneNode& one, bool skip_lame_duck = true) {
        began = one.view.now().mono;
        one.node().shut_down(skip_lame_duck, [this, &one](Result<void> synced) {
            ended = true;
            took = one.view.now().mono - began;
            how = std::move(synced);
        });
    }
    MonoTime began{};
    bool ended = false;
    Nanos took{0};
    Result<void> how;
};

OffloadPlan hung() {
    OffloadPlan plan;
    plan.work_min = plan.work_max = 24h;
    return plan;
}

}  // namespace

TEST_CASE("node: an end over a disk that hangs takes drain.timeout and a bound, and says so") {
    OneNode one;
    REQUIRE(one.start());
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").status == 200);
    one.offload.set_plan(hung());
    REQUIRE(one.ask("o-2", "LOGIN", "user-2").status == 200);  // it serves without its disk
    End end;
    end.ask(one);
    one.run_for(20s);
    REQUIRE(end.ended);
    CHECK(end.took <= 3s + Node::kSyncMax);  // drain.timeout of this node is 3 s
    REQUIRE_FALSE(end.how);
    CHECK(end.how.error().code == Code::timeout);
    one.crash();
    one.offload.set_plan({});
    REQUIRE(one.start());  // it knows that something was lost: nonces of before are refused, orders asked again
    one.run_for(2s);
    CHECK(one.ask("o-1", "LOGIN", "user-1").text("source") == "live");
}

TEST_CASE("node: an end with a healthy disk loses nothing and says so") {
    OneNode one;
    REQUIRE(one.start());
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").status == 200);
    End end;
    end.ask(one);
    one.run_for(2s);
    REQUIRE(end.ended);
    CHECK(end.how);
}

TEST_CASE("node: an undrain is refused by a node that is ending, and takes back a drain before that") {
    OneNode one;
    REQUIRE(one.start());
    Operators operators(one.node(), "test");
    const auto undrain = [&] {
        std::optional<Result<void>> got;
        operators.undrain([&got](Result<void> done) { got = done; });
        REQUIRE(one.until([&got] { return got.has_value(); }));
        return *got;
    };
    CHECK(undrain());  // of what does not drain: nothing to do
    operators.drain([](const Result<void>&) {});
    REQUIRE(one.node().draining());
    REQUIRE(undrain());
    CHECK_FALSE(one.node().draining());
    End end;
    end.ask(one, false);
    const auto refused = undrain();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::exists);
    CHECK(refused.error().detail == "the node is ending");
    CHECK(one.node().draining());
    one.run_for(20s);
    CHECK(end.ended);
}

TEST_CASE("node: asked again to end it waits for nothing in flight, and for the disk only shortly") {
    OneNode one;
    REQUIRE(one.start());
    one.central.set_mode(CentreMode::hang);
    OneNode::Got got;
    one.begin(got, "o-1", "LOGIN", "user-1");
    one.run_for(100ms);
    REQUIRE(one.node().exchanges().size() == 1);
    End end;
    end.ask(one);
    one.run_for(10ms);
    CHECK_FALSE(end.ended);
    one.node().shut_down(true, {});
    one.run_for(300ms);
    CHECK(end.ended);
    CHECK(end.how);
    CHECK(got.status == -1);  // cut, not answered

    OneNode stuck;
    REQUIRE(stuck.start());
    REQUIRE(stuck.ask("o-1", "LOGIN", "user-1").status == 200);
    stuck.offload.set_plan(hung());
    REQUIRE(stuck.ask("o-2", "LOGIN", "user-2").status == 200);
    End second;
    second.ask(stuck);
    stuck.run_for(10ms);
    for (int i = 0; i < 3; ++i) stuck.node().shut_down(true, {});
    stuck.run_for(Node::kHurriedSyncMax + 100ms);
    REQUIRE(second.ended);
    CHECK_FALSE(second.how);
}

TEST_CASE("node: told to end while it answers before a hand-over it takes that back, and lets in who waits") {
    OneNode one;
    REQUIRE(one.start());
    one.central.set_mode(CentreMode::hang);
    OneNode::Got owed;
    one.begin(owed, "o-1", "LOGIN", "user-1");
    one.run_for(100ms);
    one.node().hand_over([](const Result<void>&) { FAIL("it is taken back"); });
    REQUIRE(one.until([&one] { return !one.node().server().listens(); }));
    CHECK_FALSE(one.node().draining());
    const auto told_twice = GENERATE(false, true);
    End end;
    end.ask(one);
    CHECK(one.node().draining());
    CHECK(one.node().server().listens());
    if (told_twice) one.node().shut_down(true, [](const Result<void>&) { FAIL("the first end is the only one"); });
    one.run_for(told_twice ? 300ms : Node::kFirstAskMax - 100ms);
    CHECK(end.ended == told_twice);
    CHECK(one.node().server().listens() != told_twice);
    one.run_for(Node::kFirstAskMax + 4s);  // drain.timeout of this node is 3 s
    REQUIRE(end.ended);
    CHECK(end.how);
}

TEST_CASE(
    "node: told to end while its state is synced for a successor it gives the disk its time, told again it hurries") {
    OneNode one;
    REQUIRE(one.start());
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").status == 200);
    OffloadPlan slow;
    slow.work_min = slow.work_max = 600ms;
    one.offload.set_plan(slow);
    const auto told_twice = GENERATE(false, true);
    std::optional<Result<void>> let_go;
    one.node().hand_over([&let_go](const Result<void>& synced) { let_go = synced; });
    REQUIRE(one.until([&one] { return one.parts().refusing; }));
    CHECK_FALSE(one.node().draining());
    for (int i = 0; i < (told_twice ? 2 : 1); ++i)
        one.node().shut_down(false, [](const Result<void>&) { FAIL("the hand-over's end is the only one"); });
    CHECK(one.node().draining());  // not ready any more
    REQUIRE_FALSE(let_go);
    one.run_for(told_twice ? Node::kHurriedSyncMax + 100ms : Node::kSyncMax - 100ms);
    REQUIRE(let_go);
    CHECK(let_go->has_value() != told_twice);
}
