// What once let somebody in, or left something lying, when it should not have: each through one whole node.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "edge/base/bytes.h"
#include "tests/regress/node_bench.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

// So that no outcome can be written down: the first batch of them takes `work`, and what is queued behind it waits.
void fill_queue(OneNode& one, Nanos work) {
    OffloadPlan slow;
    slow.work_min = slow.work_max = work;
    one.offload.set_plan(slow);
    OutcomeRecord filler;
    filler.outcome.verdict = Verdict::pass;
    filler.decided = one.view.now();
    std::size_t fillers = 0;
    for (PutOutcome put = PutOutcome::queued; put != PutOutcome::refused && fillers < 200'000; ++fillers) {
        put = one.parts().storage.outcomes().put({"app-a", fmt::format("filler-{}", fillers), "LOGIN", ""}, filler, 12s,
                                                 12s, one.view.now());
        if (fillers == 0) one.run_for(100ms);
    }
    REQUIRE(fillers < 200'000);
}

std::string with_feature_of(const std::string& subject) {
    const std::vector<float> feature = subject_feature(subject);
    const std::string_view bytes(reinterpret_cast<const char*>(feature.data()), feature.size() * sizeof(float));
    std::string text;
    append_base64(text, as_bytes(bytes));
    return fmt::format(R"(,"evidence":{{"feature":"{}","featureModel":"{}"}})", text, CentrePlan{}.feature_model);
}

}  // namespace

TEST_CASE("node: an answer that must not be remembered takes the older pass with it") {
    for (const bool forbids : {false, true}) {
        OneNode one;
        REQUIRE(one.start());
        plan(one, [](CentrePlan& p) { p.max_age = Seconds(600); });
        REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "pass");
        if (forbids) {
            plan(one, [](CentrePlan& p) { p.max_age = Seconds(0); });
            const auto again = one.ask("o-2", "LOGIN", "user-1");
            REQUIRE(again.text("source") == "live");
        }
        degrade(one);
        const auto got = one.ask("o-3", "LOGIN", "user-1");
        CHECK(got.status == (forbids ? 503 : 200));
        CHECK(got.text("source") == (forbids ? "" : "cache"));
    }
}

TEST_CASE("node: a refusal that could not be written down hides the older pass") {
    OneNode one;
    REQUIRE(one.start());
    plan(one, [](CentrePlan&) {});
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "pass");
    degrade(one);
    REQUIRE(one.ask("o-before", "LOGIN", "user-1").text("source") == "cache");
    degrade(one, Mode::automatic);
    one.run_for(1s);
    fill_queue(one, 24h);
    one.offload.set_plan({});
    plan(one, [](CentrePlan& p) { p.outcomes["user-1"] = Verdict::fail; });
    REQUIRE(one.ask("o-2", "LOGIN", "user-1").text("outcome") == "fail");
    degrade(one);
    const auto got = one.ask("o-3", "LOGIN", "user-1");
    CHECK(got.text("outcome") == "fail");
    CHECK(got.text("source") == "cache");
    CHECK(one.ask("o-before", "LOGIN", "user-1").text("outcome") != "pass");
}

TEST_CASE(
    "node: a refusal that could not be written down is known all the same, and buys nobody a provisional answer") {
    for (const bool revoked : {false, true}) {
        OneNode one;
        REQUIRE(one.start());
        plan(one, [](CentrePlan& p) { p.outcomes["user-1"] = Verdict::fail; });
        one.run_for(1s);
        fill_queue(one, 24h);
        one.offload.set_plan({});
        REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "fail");
        degrade(one);
        one.run_for(NodeNumbers::kAfter + 200ms);
        if (revoked) {
            bool stands = false;
            Operators(one.node(), "test").revoke("user-1", [&stands](Result<void> r) { stands = r.has_value(); });
            REQUIRE(one.until([&stands] { return stands; }));
        }
        const auto got = one.ask("o-2", "LOGIN", "user-1");
        CHECK(got.text("outcome") == (revoked ? "provisional" : "fail"));
        CHECK(got.text("source") == (revoked ? "policy" : "cache"));
        one.run_for(1s);  // it is too old to be answered
        CHECK(one.ask("o-3", "LOGIN", "user-1").text("outcome") != "fail");
    }
}

TEST_CASE("node: a clock that is set back makes no refusal of this boot unknown, and no pass known") {
    OneNode one;
    REQUIRE(one.start());
    plan(one, [](CentrePlan& p) { p.outcomes["user-1"] = Verdict::fail; });
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "fail");
    REQUIRE(one.ask("o-2", "LOGIN", "user-2").text("outcome") == "pass");
    degrade(one);
    one.run_for(NodeNumbers::kAfter + 200ms);
    one.view.jump_wall(-60s);
    CHECK(one.ask("o-3", "LOGIN", "user-1").text("outcome") == "fail");
    CHECK(one.ask("o-4", "LOGIN", "user-2").text("outcome") == "provisional");
    one.run_for(1s);  // it is too old to be answered
    CHECK(one.ask("o-5", "LOGIN", "user-1").text("outcome") == "provisional");
}

TEST_CASE("node: a refusal that could not be written down hides the older pass over a kill, too") {
    for (const bool in_time : {true, false}) {
        OneNode one;
        const auto size = one.config.find("16MiB");
        REQUIRE(size != std::string::npos);
        one.config.replace(size, 5, "256MiB");  // room for all that fills the queue
        REQUIRE(one.start());
        plan(one, [](CentrePlan&) {});
        REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "pass");
        REQUIRE(one.ask("o-2", "LOGIN", "user-2").text("outcome") == "pass");
        one.run_for(1s);
        fill_queue(one, 100ms);
        one.offload.set_plan({});
        plan(one, [](CentrePlan& p) { p.outcomes["user-1"] = Verdict::fail; });
        REQUIRE(one.ask("o-3", "LOGIN", "user-1").text("outcome") == "fail");
        one.run_for(in_time ? Nanos(3s) : Nanos(13s));  // the disk takes all that is queued, and more
        if (!in_time) REQUIRE(one.ask("o-4", "LOGIN", "user-2").text("outcome") == "pass");
        one.run_for(1s);
        one.crash();
        REQUIRE(one.start());
        degrade(one);
        CHECK(one.ask("o-5", "LOGIN", "user-1").text("outcome") != "pass");
        CHECK(one.ask("o-6", "LOGIN", "user-2").text("source") == "cache");  // everybody else is believed
    }
}

TEST_CASE("node: a refusal behind a commit that hangs hides the older pass over a kill and over an end, too") {
    enum class How { queue_full, one_hangs, ended };
    for (const How how : {How::queue_full, How::one_hangs, How::ended}) {
        INFO(static_cast<int>(how));
        OneNode one;
        REQUIRE(one.start());
        plan(one, [](CentrePlan&) {});
        REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "pass");
        one.run_for(1s);
        if (how == How::queue_full) {
            fill_queue(one, 24h);
        } else {
            OffloadPlan hangs;
            hangs.work_min = hangs.work_max = 24h;
            one.offload.set_plan(hangs);
            REQUIRE(one.ask("o-2", "LOGIN", "user-2").text("outcome") == "pass");
            one.run_for(100ms);
        }
        one.offload.set_plan({});
        plan(one, [](CentrePlan& p) { p.outcomes["user-1"] = Verdict::fail; });
        REQUIRE(one.ask("o-3", "LOGIN", "user-1").text("outcome") == "fail");
        bool ended = false;
        if (how == How::one_hangs) one.run_for(1500ms);
        if (how == How::ended) {
            one.node().shut_down(true, [&ended](const Result<void>& synced) { ended = !synced; });
            REQUIRE(one.until([&ended] { return ended; }));
        }
        one.crash();
        REQUIRE(one.start());
        degrade(one);
        CHECK(one.ask("o-5", "LOGIN", "user-1").text("outcome") != "pass");
    }
}

TEST_CASE("node: an order's pass from memory is not given again once the centre has said otherwise of its subject") {
    OneNode one;
    REQUIRE(one.start());
    plan(one, [](CentrePlan&) {});
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "pass");
    degrade(one);
    REQUIRE(one.ask("o-2", "LOGIN", "user-1").text("source") == "cache");
    CHECK(one.ask("o-2", "LOGIN", "user-1").text("outcome") == "pass");
    degrade(one, Mode::automatic);
    plan(one, [](CentrePlan& p) { p.outcomes["user-1"] = Verdict::fail; });
    REQUIRE(one.ask("o-3", "LOGIN", "user-1").text("outcome") == "fail");
    degrade(one);
    CHECK(one.ask("o-2", "LOGIN", "user-1").text("outcome") == "fail");
    one.run_for(6s);  // the fail is too old to be answered, the pass would not be
    CHECK(one.ask("o-2", "LOGIN", "user-1").text("outcome") != "pass");
}

TEST_CASE("node: the late answer of an order's first call is the answer of its second one, which failed") {
    OneNode one;
    REQUIRE(one.start());
    plan(one, [&one](CentrePlan& p) {
        p.latency_min = p.latency_max = one.node().config().upstream.deadline;
        p.outcomes["user-1"] = Verdict::fail;
    });
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").status == 504);
    plan(one, [](CentrePlan& p) { p.mode = CentreMode::hang; });
    CHECK(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "fail");
}

TEST_CASE("node: the late refusal of a try that was to be tried again takes the older pass with it") {
    for (const char* second : {"none", "hangs", "passes"}) {
        INFO(second);
        OneNode one;
        REQUIRE(one.start());
        plan(one, [](CentrePlan& p) { p.forgets = true; });
        REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "pass");
        const Nanos limit = one.node().config().upstream.options.timeout.max;
        plan(one, [limit](CentrePlan& p) {
            p.latency_min = p.latency_max = limit + 10ms;
            p.outcomes["user-1"] = Verdict::fail;
        });
        OneNode::Got got;
        one.begin(got, "o-2", "LOGIN", "user-1");
        one.run_for(limit - 20ms);  // it has been asked, and is not yet asked again
        if (second == std::string("none")) degrade(one);
        plan(one, [second](CentrePlan& p) {
            p.latency_min = p.latency_max = 2ms;
            p.outcomes["user-1"] = Verdict::pass;
            if (second == std::string("hangs")) p.mode = CentreMode::hang;
        });
        REQUIRE(one.until([&got] { return got.status != 0; }));
        CHECK(got.text("outcome") == "fail");
        if (second != std::string("none")) degrade(one);
        CHECK(one.ask("o-3", "LOGIN", "user-1").text("outcome") != "pass");
    }
}

TEST_CASE("node: a refusal takes the older pass with it also while its scene answers nothing from memory") {
    OneNode one;
    const std::string ladder = one.config;
    std::string none = ladder;
    const auto at = none.find("[\"cache\"");
    REQUIRE(at != std::string::npos);
    none.replace(at, none.find(']', at) + 1 - at, "[]");
    REQUIRE(one.start());
    plan(one, [](CentrePlan&) {});
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "pass");
    one.run_for(1s);
    for (const bool remembers : {false, true}) {
        one.crash();
        one.config = remembers ? ladder : none;
        REQUIRE(one.start());
        plan(one, [](CentrePlan& p) { p.outcomes["user-1"] = Verdict::fail; });
        if (!remembers) REQUIRE(one.ask("o-2", "LOGIN", "user-1").text("outcome") == "fail");
        one.run_for(1s);
    }
    degrade(one);
    CHECK(one.ask("o-3", "LOGIN", "user-1").text("outcome") != "pass");
}

TEST_CASE("node: the face of somebody whom the centre refused does not let him in later") {
    OneNode one({}, true);
    REQUIRE(one.start());
    plan(one, [](CentrePlan& p) {
        p.feature = true;
        p.outcomes["impostor"] = Verdict::fail;
        p.outcomes["unsure"] = Verdict::review;
    });
    REQUIRE(one.ask("o-1", "LOGIN", "impostor").text("outcome") == "fail");
    REQUIRE(one.ask("o-2", "LOGIN", "unsure").text("outcome") == "review");
    REQUIRE(one.ask("o-3", "LOGIN", "user-1").text("outcome") == "pass");
    one.run_for(13s);  // no rung answers from memory any more
    degrade(one);
    const auto own = one.ask("o-4", "LOGIN", "user-1", with_feature_of("user-1"));
    CHECK(own.text("source") == "feature");
    CHECK(own.text("outcome") == "pass");
    for (const char* refused : {"impostor", "unsure"}) {
        const auto got = one.ask(fmt::format("o-{}", refused), "LOGIN", refused, with_feature_of(refused));
        CHECK(got.status == 503);
    }
}

TEST_CASE("node: an answer by comparison holds no longer than its caller's terms say") {
    OneNode one({}, true);
    REQUIRE(one.start());
    plan(one, [](CentrePlan& p) { p.feature = true; });
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "pass");
    one.run_for(13s);
    degrade(one);
    const auto got = one.ask("o-2", "LOGIN", "user-1", with_feature_of("user-1") + R"(,"terms":{"maxAgeSeconds":20})");
    REQUIRE(got.text("source") == "feature");
    CHECK(*parse_rfc3339(got.text("expiresAt")) - *parse_rfc3339(got.text("decidedAt")) <= 7s);
}

TEST_CASE("node: evidence of a provisional answer that was withheld is erased, and the budget given back") {
    OneNode one;
    REQUIRE(one.start());
    degrade(one);
    one.run_for(5s);  // the outage is old enough
    OffloadPlan slow;
    slow.work_min = slow.work_max = 3s;
    one.offload.set_plan(slow);
    const auto withheld = one.ask("o-1", "LOGIN", "user-1");
    CHECK(withheld.status == 503);
    one.offload.set_plan({});
    EvidenceVault* vault = one.parts().storage.evidence();
    REQUIRE(vault != nullptr);
    CHECK(vault->count() == 1);  // still being written
    REQUIRE(one.until([vault] { return vault->count() == 0; }, 20s));
    one.run_for(1s);
    CHECK(one.journal().find(R"("why":"withheld")") != std::string::npos);
    CHECK(one.journal().find(R"("kind":"provisional")") == std::string::npos);
    CHECK(one.ask("o-2", "LOGIN", "user-1").text("source") == "policy");
    CHECK(vault->count() == 1);
}
