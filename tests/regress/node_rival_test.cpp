// A pass that does not say whose it is, where several callers' orders may be meant: it is nobody's, whoever reads
// first and whatever came first. Each through one whole node.
#include <catch2/catch.hpp>

#include "edge/live_record.h"
#include "edge/notified.h"
#include "tests/regress/notified_bench.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

struct RivalBench : NotifiedBench {
    // The caller's order is taken by the centre, which gives it this number; empty: it has given none yet.
    void pend(const std::string& credential, const std::string& order, const std::string& id) {
        const std::string subject = credential + "-user";
        Parts& parts = one.parts();
        const LiveRecord record{
            credential, subject, "LOGIN", "", order, Sha256::of(credential + order), parts.storage.outcomes().epoch()};
        record_pending(parts, record, id, parts.loop.now());
    }
    // As a POST or a GET of the order does first.
    void read(const std::string& credential, const std::string& order) {
        hear_numbered(one.parts(), credential, order, one.parts().loop.now());
    }
    std::string seen_by(const std::string& credential, const std::string& order = "z-1") {
        one.ask_as(credential);
        const auto got = one.look(order);
        return got.status == 200 ? got.text("outcome") : std::to_string(got.status);
    }
    std::string_view say(Verdict verdict, const std::string& order = "z-1", const std::string& number = "C-1") {
        return say_to(one, verdict == Verdict::pass ? "n-pass" : "n-fail", order, verdict, number);
    }
    bool remembered(const std::string& credential) {
        const std::string subject = credential + "-user";
        return one.parts().storage.outcomes().find({credential, subject, "LOGIN", ""}, one.view.now()).has_value();
    }
    std::size_t taken() {
        one.run_for(1s);
        return count_in(one.journal(), R"("result":"taken")");
    }
};

const char* const kRivals[] = {"app-a", "app-b"};

}  // namespace

TEST_CASE("rivals: a pass for the number of two pending orders is nobody's, over a kill, and a fail is theirs both") {
    RivalBench b;
    for (const char* who : kRivals) b.pend(who, "z-1", "C-1");
    CHECK(b.say(Verdict::pass) == "unknown");
    CHECK(b.say(Verdict::pass) == "duplicate");
    for (const char* who : kRivals) CHECK(b.seen_by(who) == "202");
    b.one.run_for(1s);
    b.crash_and_start();
    for (const char* who : kRivals) {
        CHECK(b.seen_by(who) == "202");
        CHECK_FALSE(b.remembered(who));
    }
    CHECK(b.taken() == 0);
    CHECK(b.say(Verdict::fail) == "taken");
    for (const char* who : kRivals) CHECK(b.seen_by(who) == "fail");
    CHECK(b.taken() == 2);
}

TEST_CASE("rivals: of a pass that names the verification alone the same is so") {
    RivalBench b;
    for (const char* who : kRivals) b.pend(who, "z-1", "C-1");
    CHECK(b.say(Verdict::pass, "") == "unknown");
    for (const char* who : kRivals) b.read(who, "z-1");
    for (const char* who : kRivals) CHECK(b.seen_by(who) == "202");
    CHECK(b.taken() == 0);
}

TEST_CASE("rivals: a pass from before the orders is that of the one that the centre has numbered, not a later one's") {
    for (const bool at_once : {false, true}) {
        for (const bool killed : {false, true}) {
            RivalBench b;
            CHECK(b.say(Verdict::pass) == "unknown");
            b.pend("app-a", "z-1", "C-1");
            b.read("app-a", "z-1");
            if (!at_once) b.one.run_for(1s);
            b.pend("app-b", "z-1", "C-1");
            b.read("app-b", "z-1");
            if (killed) {
                b.one.run_for(1s);
                b.crash_and_start();
            }
            CHECK(b.seen_by("app-a") == "pass");
            CHECK(b.seen_by("app-b") == "202");
            CHECK_FALSE(b.remembered("app-b"));
            CHECK(b.taken() == 1);
        }
    }
}

TEST_CASE("rivals: a pass from before two orders that are both there when the first is read is nobody's") {
    RivalBench b;
    CHECK(b.say(Verdict::pass) == "unknown");
    for (const char* who : kRivals) b.pend(who, "z-1", "C-1");
    for (const char* who : kRivals) CHECK(b.seen_by(who) == "202");
    CHECK(b.taken() == 0);
}

TEST_CASE("rivals: an order under way, or without a number yet, may be the one that is meant") {
    for (const bool before : {false, true}) {
        RivalBench b;
        b.centre(CentreMode::hang);
        if (before) CHECK(b.say(Verdict::pass) == "unknown");
        OneNode::Got got;
        b.one.ask_as("app-b");
        b.one.begin(got, "z-1", "LOGIN", "app-b-user");
        REQUIRE(b.asked(1));
        b.pend("app-a", "z-1", "C-1");
        if (before) b.read("app-a", "z-1");
        REQUIRE(b.one.until([&got] { return got.status != 0; }));
        REQUIRE(got.status == 504);
        if (!before) CHECK(b.say(Verdict::pass) == "unknown");
        CHECK(b.seen_by("app-a") == "202");
        CHECK(b.taken() == 0);
    }
}

TEST_CASE("rivals: an order of that number to which the centre gave another number of its own is not meant") {
    for (const bool before : {false, true}) {
        RivalBench b;
        if (before) CHECK(b.say(Verdict::pass) == "unknown");
        b.pend("app-b", "z-1", "C-2");
        b.pend("app-a", "z-1", "C-1");
        if (!before) CHECK(b.say(Verdict::pass) == "taken");
        CHECK(b.seen_by("app-b") == "202");
        CHECK(b.seen_by("app-a") == "pass");
        CHECK(b.taken() == 1);
    }
}

TEST_CASE("rivals: of one caller's two orders of one verification the first that is read has its pass, not both") {
    RivalBench b;
    CHECK(b.say(Verdict::pass, "") == "unknown");
    for (const char* order : {"z-1", "z-2"}) b.pend("app-a", order, "C-1");
    for (const char* order : {"z-1", "z-2"}) b.read("app-a", order);
    CHECK(b.seen_by("app-a", "z-1") == "pass");
    CHECK(b.seen_by("app-a", "z-2") == "202");
    CHECK(b.taken() == 1);
}

TEST_CASE("rivals: a kill before the order has its pass on disk loses it for nobody") {
    RivalBench b;
    CHECK(b.say(Verdict::pass) == "unknown");
    b.pend("app-a", "z-1", "C-1");
    b.one.run_for(1s);
    b.read("app-a", "z-1");
    b.crash_and_start();
    CHECK(b.seen_by("app-a") == "pass");
    CHECK(b.taken() == 1);
}
