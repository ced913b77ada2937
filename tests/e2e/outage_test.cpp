// The main job without a centre: the ladder, its budgets and its journal, and the way back.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "edge/base/bytes.h"
#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

std::string scenes(const std::string& provisional, const std::string& payment_age = "2m") {
    return fmt::format(
        "[scene.LOGIN]\ndegrade = [\"cache\", \"provisional\"]\ncache = {{ max_age = \"15m\" }}\n"
        "provisional = {{ {} }}\n[scene.PAYMENT]\ndegrade = [\"cache\"]\ncache = {{ max_age = \"{}\" }}\n",
        provisional, payment_age);
}

// An open circuit that stays open for the whole test, or so long: nobody is let through as a probe.
void stay_open(Terms& terms, const std::string& wait = "60s") {
    const std::string from = "open_wait = \"1s\"";
    terms.circuit.replace(terms.circuit.find(from), from.size(), "open_wait = \"" + wait + "\"");
}

// Asks until the probes have closed the circuit and the ramp of this fixture is over.
bool recovers(Site& site, const std::string& subject) {
    const auto closed = [&] {
        site.ask(verify_ask(site.order(), "PAYMENT", subject));
        return site.circuit() == "closed";
    };
    if (!eventually(12s, closed)) return false;
    pause_for(500ms);
    return site.ask(verify_ask(site.order(), "PAYMENT", subject)).json().text("source") == "live";
}

}  // namespace

TEST_CASE("e2e: without the centre the memory answers, marked degraded, within its limits", "[alone]") {
    Terms terms;
    terms.scenes = scenes("after = \"20m\", budget_per_minute = 3, per_subject_per_hour = 1", "2s");
    stay_open(terms);
    Site site(std::move(terms));
    for (const char* scene : {"LOGIN", "PAYMENT"})
        REQUIRE(site.ask(verify_ask(site.order(), scene, "known", R"(,"device":"d1")")).json().text("source") ==
                "live");
    const MonoTime asked = MonoClock::read();
    site.centre(R"({"mode":"blackhole"})");
    REQUIRE(site.break_circuit());
    const auto before = site.centre_requests();

    const HttpAnswer cached = site.ask(verify_ask(site.order(), "LOGIN", "known", R"(,"device":"d1")"));
    INFO(cached.body);
    REQUIRE(cached.status == 200);
    const Json json = cached.json();
    CHECK(json.text("source") == "cache");
    CHECK(json.text("outcome") == "pass");
    CHECK(json["degraded"].boolean() == true);
    CHECK(json.number("ageSeconds") >= 0);
    CHECK(json.text("expiresAt") > json.text("decidedAt"));
    CHECK(cached.header("Cache-Status").starts_with("holdfast; hit; ttl="));
    CHECK(cached.header("Cache-Status").ends_with("; detail=degraded"));
    CHECK(cached.header("Proxy-Status").find("circuit open") != std::string::npos);
    CHECK(cached.header("Cache-Control") == "no-store");

    const auto refused = [&](const Ask& ask) {
        const HttpAnswer answer = site.ask(ask);
        INFO(answer.body);
        CHECK(answer.status == 503);
        CHECK(answer.code() == "VerificationUnavailable");
    };
    refused(verify_ask(site.order(), "LOGIN", "known", R"(,"device":"d2")"));
    refused(verify_ask(site.order(), "LOGIN", "unknown", R"(,"device":"d1")"));
    refused(verify_ask(site.order(), "LOGIN", "known", R"(,"device":"d1","terms":{"degraded":false})"));
    Ask other = verify_ask(site.order(), "LOGIN", "known", R"(,"device":"d1")");
    other.secret_id = "other";
    refused(other);
    pause_for(asked + 2100ms - MonoClock::read());
    refused(verify_ask(site.order(), "PAYMENT", "known", R"(,"device":"d1")"));
    CHECK(
        site.ask(verify_ask(site.order(), "LOGIN", "known", R"(,"device":"d1","terms":{"maxAgeSeconds":1})")).status ==
        503);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "known", R"(,"device":"d1","terms":{"maxAgeSeconds":600})"))
              .status == 200);
    CHECK(site.centre_requests() == before);
}

TEST_CASE("e2e: a provisional answer waits for the outage to last, is journalled first, and keeps its budgets",
          "[alone]") {
    Terms terms;
    terms.scenes = scenes("after = \"1500ms\", budget_per_minute = 3, per_subject_per_hour = 1");
    stay_open(terms);
    Site site(std::move(terms), R"({"mode":"error"})");
    REQUIRE(site.break_circuit());
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "early")).code() == "VerificationUnavailable");
    pause_for(1600ms);
    const Ask ask = verify_ask("provisional-1", "LOGIN", "first");
    const HttpAnswer answer = site.ask(ask);
    const std::string journal = site.journal();
    INFO(answer.body);
    REQUIRE(answer.status == 200);
    CHECK(answer.json().text("outcome") == "provisional");
    CHECK(answer.json().text("source") == "policy");
    CHECK(answer.json()["degraded"].boolean() == true);
    CHECK(journal.find(answer.json().text("requestId")) != std::string::npos);
    CHECK(journal.find("\"provisional\"") != std::string::npos);
    CHECK(journal.find("\"first\"") == std::string::npos);

    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "first")).code() == "VerificationUnavailable");
    const HttpAnswer again = site.ask(ask);
    CHECK(again.json().text("outcome") == "provisional");
    CHECK(again.json().text("decidedAt") == answer.json().text("decidedAt"));
    CHECK(site.ask(lookup_ask("provisional-1")).json()["final"].boolean() == false);
    for (const char* subject : {"second", "third"})
        CHECK(site.ask(verify_ask(site.order(), "LOGIN", subject)).json().text("outcome") == "provisional");
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "fourth")).code() == "VerificationUnavailable");
    CHECK(site.ask(ask).json().text("outcome") == "provisional");
    CHECK(site.metric("holdfast_reconcile_pending") == 3);

    pause_for(200ms);  // an order is durable within 100 ms
    REQUIRE(site.stop_node(SIGKILL) == 128 + SIGKILL);
    REQUIRE(site.start_node());
    CHECK(site.circuit() == "open");
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "fifth")).code() == "VerificationUnavailable");
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "first")).code() == "VerificationUnavailable");
    CHECK(site.ask(ask).json().text("outcome") == "provisional");
    CHECK(site.admin_get("/v1/journal/verify")["ok"].boolean() == true);
}

TEST_CASE("e2e: an outage older than the hard stop has no provisional answers until the operator renews it",
          "[alone]") {
    Terms terms;
    terms.scenes = scenes("after = \"0s\", budget_per_minute = 100, per_subject_per_hour = 5, hard_stop = \"2s\"");
    Site site(std::move(terms));
    REQUIRE(site.ctl({"degrade", "on", "--reason", "planned work"}).status == 0);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "s1")).json().text("outcome") == "provisional");
    pause_for(2100ms);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "s2")).code() == "VerificationUnavailable");
    REQUIRE(site.ctl({"degrade", "on", "--reason", "still planned work"}).status == 0);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "s3")).json().text("outcome") == "provisional");
    REQUIRE(site.ctl({"degrade", "auto", "--reason", "done"}).status == 0);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "s4")).json().text("source") == "live");
}

TEST_CASE("e2e: who was let through in an outage is put to the centre after it, and an operator sees what it says",
          "[beside]") {
    Terms terms;
    terms.scenes = scenes("after = \"0s\", budget_per_minute = 100, per_subject_per_hour = 5");
    Site site(std::move(terms), R"({"failPercent":0,"reviewPercent":0,"outcomes":{"bad":"fail"}})");
    REQUIRE(site.ctl({"degrade", "on", "--reason", "planned work"}).status == 0);
    const Ask good = verify_ask("good", "LOGIN", "good"), bad = verify_ask("bad", "LOGIN", "bad");
    const std::string id = site.ask(bad).json().text("requestId");
    REQUIRE(site.ask(good).json().text("outcome") == "provisional");
    const auto refused = site.ctl({"reconcile", "run"});
    CHECK(refused.status == 1);
    CHECK(refused.err.find("an order of an operator") != std::string::npos);
    CHECK(site.ctl({"reconcile", "status"}).out.find("2\n") != std::string::npos);
    const std::int64_t before = site.centre_requests();
    REQUIRE(site.ctl({"degrade", "auto", "--reason", "done"}).status == 0);
    CHECK(eventually(20s, [&] { return site.metric("holdfast_reconcile_pending") == 0; }));
    CHECK(site.centre_requests() == before + 2);
    CHECK(site.metric("holdfast_reconciled_total{result=\"confirmed\"}") == 1);
    CHECK(site.metric("holdfast_reconciled_total{result=\"reversed\"}") == 1);
    CHECK(site.ask(lookup_ask("bad")).json().text("outcome") == "fail");
    CHECK(site.ask(lookup_ask("bad")).json()["final"].boolean() == true);
    CHECK(site.ask(lookup_ask("good")).json().text("outcome") == "pass");
    CHECK(eventually(2s, [&] { return site.journal().find("\"why\":\"reconciled\"") != std::string::npos; }));
    const std::string journal = site.journal();
    CHECK(journal.find("\"requestId\":\"" + id +
                       "\",\"credential\":\"app\",\"orderNo\":\"bad\",\"result\":\"reversed\"") != std::string::npos);
    const auto status = site.ctl({"status"});
    CHECK(status.out.find("0 pending, 1 confirmed, 1 reversed, 0 unknown") != std::string::npos);
    CHECK(status.out.find("the centre says fail") != std::string::npos);
}

TEST_CASE("e2e: the way back is by itself, and an order answered degraded goes live after it", "[alone]") {
    Terms terms;
    stay_open(terms, "5s");  // longer than the calls that open it may take, with their retries
    Site site(std::move(terms));
    REQUIRE(site.ask(verify_ask(site.order(), "LOGIN", "known")).status == 200);
    site.centre(R"({"mode":"blackhole"})");
    REQUIRE(site.break_circuit());
    const Ask cached = verify_ask("cached", "LOGIN", "known"), provisional = verify_ask("provisional", "LOGIN", "new");
    REQUIRE(site.ask(cached).json().text("source") == "cache");
    REQUIRE(site.ask(provisional).json().text("source") == "policy");
    CHECK(site.ask(cached).json().text("source") == "cache");
    site.centre(R"({"mode":"healthy"})");
    REQUIRE(recovers(site, "prober"));
    for (const Ask* ask : {&cached, &provisional}) {
        const HttpAnswer answer = site.ask(*ask);
        INFO(answer.body);
        CHECK(answer.json().text("source") == "live");
        CHECK(answer.json()["degraded"].boolean() == false);
    }
    CHECK(site.ask(lookup_ask("provisional")).json()["final"].boolean() == true);
    CHECK(site.journal().find("\"circuit\"") != std::string::npos);
    CHECK(site.metric("holdfast_circuit_transitions_total{to=\"open\",upstream=\"central\"}") >= 1);
    CHECK(site.metric("holdfast_circuit_state{upstream=\"central\"}") == 0);
}

TEST_CASE("e2e: the feature rung compares, and below its threshold says review and nothing lower", "[alone]") {
    Terms terms;
    terms.scenes =
        "[scene.LOGIN]\ndegrade = [\"feature\", \"provisional\"]\ncache = { max_age = \"15m\" }\n"
        "feature = { max_age = \"1h\", threshold = 0.8 }\n"
        "provisional = { after = \"0s\", budget_per_minute = 9, per_subject_per_hour = 9 }\n"
        "[scene.PAYMENT]\ndegrade = []\n";
    Site site(std::move(terms), R"({"feature":true})");
    REQUIRE(site.ask(verify_ask(site.order(), "LOGIN", "known")).status == 200);
    REQUIRE(site.ctl({"degrade", "on", "--reason", "test"}).status == 0);
    std::string ones;  // far from what is enrolled, of the same length
    for (int i = 0; i < 128; ++i) ones += std::string("\0\0\x80\x3f", 4);
    std::string text;
    append_base64(text, as_bytes(ones));
    const HttpAnswer review = site.ask(verify_ask(
        site.order(), "LOGIN", "known", R"(,"evidence":{"feature":")" + text + "\",\"featureModel\":\"stand-in-1\"}"));
    INFO(review.body);
    CHECK(review.json().text("outcome") == "review");
    CHECK(review.json().text("source") == "feature");
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "known")).json().text("source") == "policy");
    CHECK(site.ask(verify_ask(site.order(), "PAYMENT", "known")).code() == "VerificationUnavailable");
}

TEST_CASE("e2e: a poisoned request never becomes its victim's cached pass", "[alone]") {
    Site site;
    REQUIRE(site.ask(verify_ask(site.order(), "LOGIN", "victim")).json().text("outcome") == "pass");
    for (int i = 0; i < 40; ++i) {
        const HttpAnswer answer =
            site.ask(verify_ask(site.order(), "LOGIN", "victim", R"(,"attributes":{"poison":"1"})"));
        REQUIRE(answer.status == 502);
        CHECK(answer.code() == "UpstreamInvalidResponse");
        if (i % 10 == 0)
            CHECK(site.ask(verify_ask(site.order(), "LOGIN", "u" + std::to_string(i))).json().text("source") == "live");
    }
    CHECK(site.circuit() == "closed");
    CHECK(site.metric("holdfast_circuit_transitions_total{to=\"open\",upstream=\"central\"}") == 0);
    CHECK(site.journal().find("\"provisional\"") == std::string::npos);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "victim")).json().text("source") == "live");
}
