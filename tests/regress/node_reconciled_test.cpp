// Reconciliation: what is written down of the centre's word about a provisional answer, and what is not.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/regress/reconcile_bench.h"

using namespace holdfast;
using namespace holdfast::sim;
using Bench = ReconcileBench;

namespace {

void centre(Bench& b, CentreMode mode, Nanos latency, Verdict says_of_user_1) {
    CentrePlan plan = b.one.central.plan();
    plan.mode = mode;
    plan.latency_min = plan.latency_max = latency;
    plan.outcomes["user-1"] = says_of_user_1;
    b.one.central.apply(plan);
}

// An outage with one provisional answer, `o-1`, and reconciliation's call about it under way: the centre will answer
// it so, after half a second.
void ask_slowly(Bench& b, const std::string& scene, CentreMode mode, Verdict says) {
    b.outage();
    b.provisional("o-1", "user-1", scene);
    b.one.run_for(15s);
    centre(b, mode, 500ms, says);
    b.order(Mode::automatic);
    REQUIRE(b.why_refused().empty());
    REQUIRE(b.one.until([&b] { return b.one.central.calls().size() == 1; }));
}

}  // namespace

TEST_CASE("reconcile: a pass answers its order and no other, and a revocation since hides it") {
    for (const bool revoked : {false, true}) {
        Bench b;
        b.outage();
        b.provisional("o-1", "user-1", "LOGIN");
        b.provisional("o-2", "user-fail", "LOGIN");
        if (revoked) {
            bool stands = false;
            Operators(b.one.node(), "test").revoke("user-1", [&stands](Result<void> done) {
                stands = done.has_value();
            });
            REQUIRE(b.one.until([&stands] { return stands; }));
        }
        b.one.run_for(9s);
        b.order(Mode::automatic);
        REQUIRE(b.settled());
        CHECK(b.count(Reconciled::confirmed) == 1);
        const Now now = b.one.parts().loop.now();
        CHECK_FALSE(b.one.parts().storage.outcomes().find({"app-a", "user-1", "LOGIN", ""}, now));
        const auto fail = b.one.parts().storage.outcomes().find({"app-a", "user-fail", "LOGIN", ""}, now);
        REQUIRE(fail);
        CHECK(fail->outcome.verdict == Verdict::fail);
        const auto order = b.one.parts().storage.orders().find("app-a", "o-1", now);
        REQUIRE(order);
        CHECK(b.one.parts().storage.outcomes().hidden("user-1", "LOGIN", order->epoch) == revoked);
    }
}

TEST_CASE("reconcile: an order that the centre has decided by notification is not asked about") {
    Bench b;
    b.outage();
    b.provisional("o-1", "user-1");
    b.notify("o-1", "fail");
    b.order(Mode::automatic);
    REQUIRE(b.settled());
    CHECK(b.one.central.calls().empty());
    CHECK(b.count(Reconciled::reversed) == 1);
    CHECK(b.order_of("o-1")->outcome == Outcome::fail);
}

TEST_CASE("reconcile: of the call's word and a notification that came meanwhile the one that permits less is told") {
    struct Case {
        const char* notified;
        Verdict said;
        Reconciled result;
        Outcome stands;
    };
    for (const Case& c : {Case{"fail", Verdict::pass, Reconciled::reversed, Outcome::fail},
                          Case{"review", Verdict::pass, Reconciled::unknown, Outcome::review},
                          Case{"pass", Verdict::pass, Reconciled::confirmed, Outcome::pass},
                          Case{"pass", Verdict::fail, Reconciled::reversed, Outcome::fail},
                          Case{"fail", Verdict::review, Reconciled::reversed, Outcome::fail}}) {
        INFO(c.notified << " and " << name(c.said));
        Bench b;
        ask_slowly(b, "LOGIN", CentreMode::healthy, c.said);
        b.notify("o-1", c.notified);
        REQUIRE(b.settled());
        for (const auto result : {Reconciled::confirmed, Reconciled::reversed, Reconciled::unknown})
            CHECK(b.count(result) == (result == c.result ? 1U : 0U));
        CHECK(b.entries(fmt::format(R"("orderNo":"o-1","result":"{}")", name(c.result))) == 1);
        REQUIRE(b.order_of("o-1"));
        CHECK(b.order_of("o-1")->outcome == c.stands);
        CHECK(b.one.central.calls().size() == 1);
    }
}

TEST_CASE("reconcile: of the call's word and one that its caller was given meanwhile the one about the order is told") {
    for (const bool whole : {true, false}) {
        INFO(whole);
        Bench b;
        ask_slowly(b, whole ? "OPEN" : "CLOSED", CentreMode::healthy, Verdict::pass);
        CentrePlan plan = b.one.central.plan();
        plan.forgets = true;
        b.one.central.apply(plan);
        centre(b, CentreMode::healthy, 5ms, Verdict::fail);
        CHECK(b.one.ask("o-1", whole ? "OPEN" : "CLOSED", "user-1").text("outcome") == "fail");
        REQUIRE(b.settled());
        CHECK(b.count(Reconciled::reversed) == 1);
        CHECK(b.count(Reconciled::confirmed) == 0);
        CHECK(b.order_of("o-1")->outcome == Outcome::fail);
    }
}

TEST_CASE("reconcile: a call that brings no outcome leaves the word that came meanwhile") {
    for (const auto mode : {CentreMode::error, CentreMode::reject}) {
        INFO(name(mode));
        Bench b;
        ask_slowly(b, "OPEN", mode, Verdict::pass);
        b.notify("o-1", "fail");
        REQUIRE(b.settled(2s));
        CHECK(b.count(Reconciled::reversed) == 1);
        CHECK(b.count(Reconciled::unknown) == 0);
        CHECK(b.one.central.calls().size() == 1);
    }
}

TEST_CASE("reconcile: a call that its caller has signed is nobody else's to make") {
    Bench b;
    Replay replay;
    replay.credential = "app-a";
    replay.order_no = replay.asked_order = "o-1";
    replay.generation = b.one.parts().storage.generation();
    replay.repeatable = false;
    replay.whole = true;
    replay.request = R"({"orderNo":"o-1","scene":"OPEN","subject":"user-1"})";
    b.one.parts().storage.evidence()->keep("req-1", encode(replay), b.one.view.now().wall, [](const Result<void>&) {});
    REQUIRE(b.settled());
    CHECK(b.count(Reconciled::unknown) == 1);
    CHECK(b.one.central.calls().empty());
    CHECK(b.entries(R"("requestId":"req-1")") == 1);
}

TEST_CASE("reconcile: a call that its caller has signed and has made again is settled by what the centre said to it") {
    for (const auto& [subject, result] :
         {std::pair{"user-1", Reconciled::confirmed}, {"user-fail", Reconciled::reversed}}) {
        Bench b;
        REQUIRE(b.one.ask("o-1", "OPEN", subject).text("source") == "live");
        Replay replay;
        replay.credential = "app-a";
        replay.order_no = replay.asked_order = "o-1";
        replay.scene = "OPEN";
        replay.subject = subject;
        replay.body_sha256 = b.one.parts().storage.orders().find("app-a", "o-1", b.one.view.now())->body;
        replay.generation = b.one.parts().storage.generation();
        replay.repeatable = false;
        replay.whole = true;
        replay.request = "its own";
        b.one.parts().storage.evidence()->keep("req-1", encode(replay), b.one.view.now().wall,
                                               [](const Result<void>&) {});
        REQUIRE(b.settled());
        CHECK(b.count(result) == 1);
        CHECK(b.count(Reconciled::unknown) == 0);
        CHECK(b.one.central.calls().size() == 1);
    }
}

TEST_CASE("reconcile: when state/ was lost in between, with its revocations, nothing is written down") {
    Bench b;
    b.outage();
    b.provisional("o-1", "user-1", "LOGIN");
    b.one.crash();
    std::filesystem::remove_all(b.one.data("state"));
    REQUIRE(b.one.start());
    REQUIRE(b.settled());
    CHECK(b.count(Reconciled::confirmed) == 1);
    CHECK_FALSE(b.order_of("o-1"));
    CHECK_FALSE(b.one.parts().storage.outcomes().find({"app-a", "user-1", "LOGIN", ""}, b.one.parts().loop.now()));
}

TEST_CASE("reconcile: without its evidence a request's outcome is journalled, and is nobody's answer") {
    Bench b;
    b.outage();
    b.provisional("o-1", "user-1", "CLOSED");
    b.one.run_for(10s);
    b.order(Mode::automatic);
    REQUIRE(b.settled());
    CHECK(b.count(Reconciled::confirmed) == 1);
    CHECK(b.entries(R"("kind":"reconciled")") == 1);
    REQUIRE(b.order_of("o-1"));
    CHECK(b.order_of("o-1")->outcome == Outcome::provisional);
    // Nor does the centre keep it as that order's.
    REQUIRE(b.one.central.calls().size() == 1);
    CHECK(b.one.central.calls()[0].order_no.starts_with("req-"));
    CHECK(b.one.central.calls_with_key("app-a.o-1") == 0);
}

TEST_CASE("reconcile: an order that has had the centre's word since keeps it") {
    Bench b;
    b.outage();
    b.provisional("o-1", "user-1");
    b.order(Mode::automatic);
    const auto live = b.one.ask("o-1", "OPEN", "user-1");
    REQUIRE(live.text("source") == "live");
    const std::string id = live.text("verificationId");
    REQUIRE(b.settled());
    CHECK(b.count(Reconciled::confirmed) == 1);
    REQUIRE(b.order_of("o-1"));
    CHECK(b.order_of("o-1")->verification_id == id);
}

TEST_CASE("reconcile: evidence that does not verify is left alone, and the others are asked") {
    Bench b;
    b.outage();
    b.provisional("o-1", "user-1");
    b.provisional("o-2", "user-2");
    const auto first = b.one.parts().storage.evidence()->after({});
    REQUIRE(first);
    const std::string path = b.one.data("journal/evidence/" + first->id + ".sealed");
    REQUIRE(std::filesystem::exists(path));
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
    b.one.run_for(15s);
    b.order(Mode::automatic);
    CHECK(b.one.until([&b] { return b.count(Reconciled::confirmed) == 1; }));
    b.one.run_for(60s);
    CHECK(b.one.parts().storage.evidence()->count() == 1);
    CHECK(std::filesystem::exists(path));
}
