// What a notification leaves as it is: an answer that it only confirms, a later word about somebody, an order that has
// its number from another one. Each through one whole node, with the exact order of events.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/regress/notified_bench.h"

using namespace holdfast;
using namespace holdfast::sim;
using Bench = NotifiedBench;

namespace {

void grant(Bench& b, std::optional<Seconds> max_age) {
    CentrePlan plan = b.one.central.plan();
    plan.max_age = max_age;
    b.one.central.apply(plan);
}

// That writes may be missing, as a failed commit says it.
void doubt(Bench& b) {
    std::fstream guard(b.one.data("cache.guard"), std::ios::in | std::ios::out | std::ios::binary);
    guard.seekp(-2, std::ios::end);
    guard.put('1');
}

std::string score_of(const std::string& body) {
    const auto at = body.find(R"("score":)");
    return at == std::string::npos ? "none" : body.substr(at, body.find(',', at) - at);
}

}  // namespace

TEST_CASE("word: one heard of an order says nothing of another that has its number later") {
    for (const bool told_of_the_second : {false, true}) {
        Bench b;
        REQUIRE(b.outcome_of("o-1") == "pass");
        CHECK(b.notify("n-1", "o-1", "pass") == "success");
        b.one.run_for(b.one.node().config().orders.retain + 1s);
        b.centre(CentreMode::hang);
        REQUIRE(b.one.ask("o-1", "LOGIN", "user-2").status == 504);
        if (told_of_the_second) CHECK(b.notify("n-2", "o-1", "fail") == "success");
        CHECK(b.notify("n-1", "o-1", "pass") == "success");
        CHECK(b.notify("n-1", "o-1", "pass", 7h) == "success");
        CHECK(b.one.ask("o-1", "LOGIN", "user-2").text("outcome") == (told_of_the_second ? "fail" : ""));
    }
}

TEST_CASE("word: what confirms an answer takes nothing of it") {
    Bench b;
    grant(b, 0s);
    const auto before = b.one.ask("o-1", "LOGIN", "user-1");
    REQUIRE(before.text("outcome") == "pass");
    b.one.run_for(1s);
    for (int copy = 0; copy < 2; ++copy) CHECK(b.notify("n-1", "o-1", "pass") == "success");
    b.crash_and_start();
    const auto after = b.one.ask("o-1", "LOGIN", "user-1");
    for (const char* member : {"outcome", "decidedAt", "expiresAt", "verificationId"})
        CHECK(after.text(member) == before.text(member));
    CHECK(score_of(after.body) == score_of(before.body));
    b.degrade();
    CHECK(b.one.ask("o-2", "LOGIN", "user-1").status == 503);  // the centre has said: never again
}

TEST_CASE("word: its own score and grant count") {
    Bench b;
    b.centre(CentreMode::hang);
    REQUIRE(b.one.ask("o-1", "LOGIN", "user-1").status == 504);
    CHECK(b.notify("n-1", "o-1", "pass", 0s, R"(,"score":0.25,"maxAgeSeconds":10)") == "success");
    CHECK(score_of(b.one.ask("o-1", "LOGIN", "user-1").body) == R"("score":0.25)");
    CHECK(b.notify("n-2", "o-1", "pass", 0s, R"(,"maxAgeSeconds":5)") == "success");
    b.one.run_for(1s);
    b.crash_and_start();
    b.degrade();
    b.one.run_for(1s);
    CHECK(b.outcome_of("o-2") == "pass");
    b.one.run_for(4s);
    CHECK(b.outcome_of("o-3") != "pass");
}

TEST_CASE("word: one about an order under way outlives a kill at once, for whoever asks next") {
    Bench b(300ms);
    REQUIRE(b.outcome_of("o-0") == "pass");
    b.one.run_for(1s);
    OneNode::Got got;
    b.one.begin(got, "o-1", "LOGIN", "user-1");
    REQUIRE(b.asked(2));
    CHECK(b.notify("n-1", "o-1", "fail") == "success");
    b.crash_and_start();
    b.degrade();
    CHECK(b.outcome_of("o-2") != "pass");
    CHECK(b.outcome_of("o-1") == "fail");
}

TEST_CASE("word: a reversal outlives a kill and hours without the node") {
    Bench b;
    REQUIRE(b.outcome_of("o-1") == "pass");
    b.one.run_for(1s);
    CHECK(b.notify("n-1", "o-1", "fail") == "success");
    b.one.crash();
    const auto retain = b.one.config.find("retain = \"1h\"");
    REQUIRE(retain != std::string::npos);
    b.one.config.replace(retain, 13, "retain = \"6h\"");
    b.one.run_for(3h);
    REQUIRE(b.one.start());
    CHECK(b.outcome_of("o-1") == "fail");
}

TEST_CASE("word: said again, or read at a start, it does not undo what the centre has said of somebody since") {
    Bench b;
    REQUIRE(b.outcome_of("o-1") == "pass");
    CHECK(b.notify("n-1", "o-1", "fail") == "success");
    b.one.run_for(5s);
    REQUIRE(b.outcome_of("o-2") == "pass");
    b.one.run_for(5s);
    CHECK(b.notify("n-1", "o-1", "fail", 10s) == "success");
    b.crash_and_start();
    CHECK(b.outcome_of("o-1") == "fail");
    b.degrade();
    CHECK(b.outcome_of("o-3") == "pass");
}

TEST_CASE("word: of before a revocation, or too long ago, it does not stand against a live answer") {
    for (const bool revoked : {true, false}) {
        Bench b;
        REQUIRE(b.outcome_of("o-1") == "pass");
        CHECK(b.notify("n-1", "o-1", "fail") == "success");
        REQUIRE(b.outcome_of("o-1") == "fail");
        if (revoked)
            b.revoke("user-1");
        else
            b.one.run_for(b.one.node().config().orders.retain + 1s);
        CHECK(b.outcome_of("o-1") == "pass");
        CHECK(b.one.central.calls().size() == 2);
    }
}

TEST_CASE("word: a pass that a start finds without its order answers that order, and nobody from memory") {
    for (const bool failed_since : {true, false}) {
        Bench b;
        if (!failed_since) grant(b, 0s);  // the centre has said: never again
        REQUIRE(b.outcome_of("o-1") == "pass");
        CHECK(b.notify("n-1", "o-1", "pass") == "success");
        if (failed_since) {
            b.centre(CentreMode::healthy, 5ms, Verdict::fail);
            REQUIRE(b.outcome_of("o-2") == "fail");
        }
        b.one.crash();
        std::filesystem::remove_all(b.one.data("cache"));
        REQUIRE(b.one.start());
        CHECK(b.outcome_of("o-1") == "pass");
        b.degrade();
        CHECK(b.outcome_of("o-3") != "pass");
    }
}

TEST_CASE("word: the score of an answer is that of whoever has said it, also after a start") {
    for (const Verdict live : {Verdict::pass, Verdict::fail}) {
        Bench b(300ms, live);
        OneNode::Got got;
        b.one.begin(got, "o-1", "LOGIN", "user-1");
        REQUIRE(b.asked(1));
        CHECK(b.notify("n-1", "o-1", live == Verdict::pass ? "fail" : "pass", 0s, R"(,"score":0.5)") == "success");
        REQUIRE(b.one.until([&got] { return got.status != 0; }));
        CHECK(got.text("outcome") == "fail");
        CHECK((score_of(got.body) == R"("score":0.5)") == (live == Verdict::pass));
        b.crash_and_start();
        CHECK(score_of(b.one.ask("o-1", "LOGIN", "user-1").body) == score_of(got.body));
    }
}

TEST_CASE("word: one that could not be given its order is not journalled as taken each time it is met") {
    Bench b;
    CHECK(b.notify("n-1", "o-1", "fail") == "success");
    b.one.parts().notify.orders_max = 0;
    for (int i = 0; i < 5; ++i) CHECK(b.outcome_of("o-1") == "fail");
    b.one.run_for(1s);
    CHECK(b.one.journal().find(R"("result":"taken")") == std::string::npos);
}

TEST_CASE("word: a start writes nothing again that no rung would answer any more") {
    Bench b;
    REQUIRE(b.outcome_of("o-1") == "pass");
    CHECK(b.notify("n-1", "o-1", "fail") == "success");
    b.one.run_for(1min);
    const auto before = b.one.parts().storage.orders().entries();
    b.crash_and_start();
    b.one.run_for(1s);
    CHECK(b.one.parts().storage.orders().entries() == before);
    CHECK(b.outcome_of("o-1") == "fail");
}

TEST_CASE("word: of two that are from the future, or do not say when they are of, the less permissive stands") {
    for (const bool fails_first : {true, false}) {
        Bench b;
        b.centre(CentreMode::hang);
        REQUIRE(b.one.ask("o-1", "LOGIN", "user-1").status == 504);
        CHECK(b.notify("n-1", "o-1", fails_first ? "fail" : "pass", -1min) == "success");
        CHECK(b.notify("n-2", "o-1", fails_first ? "pass" : "fail", -2min) == "success");
        CHECK(b.outcome_of("o-1") == "fail");
    }
}

TEST_CASE("word: a pass does not undo the live fail unless it is later by the centre's own time") {
    for (const auto& [ago, stands] : {std::pair<Nanos, std::string>{900ms, "fail"}, {600ms, "fail"}, {0ms, "pass"}}) {
        INFO(ago.count());
        Bench b(5ms, Verdict::fail);
        b.one.run_for(1s);
        REQUIRE(b.outcome_of("o-1") == "fail");
        b.one.run_for(500ms);
        CHECK(b.notify("n-1", "o-1", "pass", ago) == "success");
        CHECK(b.outcome_of("o-1") == stands);
    }
}

TEST_CASE("word: where the centre's clock is ahead, an older pass does not undo a fail that came before it") {
    for (const bool fails_first : {true, false}) {
        Bench b;
        b.centre(CentreMode::hang);
        REQUIRE(b.one.ask("o-1", "LOGIN", "user-1").status == 504);
        CHECK(b.notify("n-1", "o-1", fails_first ? "fail" : "pass", -3s) == "success");
        b.one.run_for(2600ms);
        CHECK(b.notify("n-2", "o-1", fails_first ? "pass" : "fail", 600ms) == "success");
        CHECK(b.outcome_of("o-1") == "fail");
        if (!fails_first) continue;
        b.crash_and_start();
        CHECK(b.notify("n-3", "o-1", "pass", 2s) == "success");  // still older than what was stamped first
        CHECK(b.outcome_of("o-1") == "fail");
    }
}

TEST_CASE("word: each that comes before its order is in the journal as taken") {
    Bench b;
    CHECK(b.notify("n-1", "o-1", "fail") == "success");
    CHECK(b.notify("n-2", "o-1", "review") == "success");
    CHECK(b.outcome_of("o-1") == "review");
    b.one.run_for(1s);
    for (const char* id : {"n-1", "n-2"})
        CHECK(b.one.journal().find(R"("notification":")" + std::string(id) + R"(","orderNo":"o-1","result":"taken")") !=
              std::string::npos);
}

TEST_CASE("word: a pass of before a run that could not write answers its order, and nobody from memory") {
    Bench b;
    b.centre(CentreMode::hang);
    REQUIRE(b.one.ask("o-1", "LOGIN", "user-1").status == 504);
    CHECK(b.notify("n-1", "o-1", "pass") == "success");
    b.centre(CentreMode::healthy, 5ms, Verdict::fail);
    REQUIRE(b.outcome_of("o-2") == "fail");
    b.one.run_for(1s);
    b.one.crash();
    doubt(b);
    REQUIRE(b.one.start());
    CHECK(b.outcome_of("o-1") == "pass");
    b.degrade();
    CHECK(b.outcome_of("o-3") != "pass");
}

TEST_CASE("word: it reaches an order of before a run that could not write, also one without an answer") {
    for (const bool in_an_outage : {false, true}) {
        Bench b;
        b.centre(CentreMode::hang);
        REQUIRE(b.one.ask("o-1", "OPEN", "user-1").status == 504);
        b.one.run_for(1s);
        b.one.crash();
        doubt(b);
        REQUIRE(b.one.start());
        CHECK(b.notify("n-1", "o-1", "fail") == "success");
        if (in_an_outage) {
            b.degrade();
            b.one.run_for(6s);  // it is old enough for provisional answers
        }
        CHECK(b.one.ask("o-1", "OPEN", "user-1").text("outcome") == "fail");
        CHECK(b.one.ask("o-1", "OPEN", "user-2").status == 409);
    }
}

TEST_CASE("word: one against somebody stands in the memory against a pass that was asked before it came") {
    for (const bool by_second : {false, true}) {
        Bench b;
        REQUIRE(b.outcome_of("o-1") == "pass");
        const auto into_second = [&b] { return b.one.view.now().wall.time_since_epoch() % 1s; };
        b.one.run_for(1100ms - into_second());
        b.centre(CentreMode::healthy, 500ms);
        OneNode::Got slow;
        b.one.begin(slow, "o-2", "LOGIN", "user-1");
        REQUIRE(b.asked(2));
        b.one.run_for(100ms);
        REQUIRE(into_second() < 900ms);
        CHECK(b.notify("n-1", "o-1", "fail", by_second ? Nanos(into_second()) : Nanos(0)) == "success");
        REQUIRE(b.one.until([&slow] { return slow.status != 0; }));
        CHECK(slow.text("outcome") == "pass");
        b.degrade();
        CHECK(b.outcome_of("o-3") == "fail");
    }
}

TEST_CASE("word: against the verification that is remembered, of an order unknown here, it is the answer from memory") {
    for (const char* outcome : {"fail", "review"}) {
        Bench b;
        const auto first = b.one.ask("o-1", "LOGIN", "user-1");
        REQUIRE(first.text("outcome") == "pass");
        b.degrade();
        b.one.run_for(5s);  // the outage is old enough for provisional answers
        const std::string number = fmt::format(R"(,"verificationId":"{}")", first.text("verificationId"));
        CHECK(b.notify("n-1", "o-9", outcome, 1s, number) == "success");
        const auto got = b.one.ask("o-2", "LOGIN", "user-1");
        CHECK(got.text("outcome") == outcome);
        CHECK(got.text("source") == "cache");
        b.one.run_for(6s);  // it is too old to be answered, the pass would not be
        CHECK(b.outcome_of("o-3") == "provisional");
    }
}
