// What an operator can see move: every metric of the contract after the event that it counts, the state of the node in
// `status`, and who looked at whom.
#include <fmt/format.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

std::string requests(const std::string& code, const std::string& outcome, const std::string& scene,
                     const std::string& source) {
    return fmt::format("holdfast_requests_total{{code=\"{}\",outcome=\"{}\",scene=\"{}\",source=\"{}\"}}", code,
                       outcome, scene, source);
}

// Each series with the least that it must have grown by since `before`.
struct Moves {
    explicit Moves(const Site& site) : site_(site) {}
    void from(const std::vector<std::string>& series) {
        for (const std::string& one : series) {
            INFO(one);
            const double value = site_.metric(one);
            REQUIRE(value >= 0);  // it exists before anything happens
            before_.emplace_back(one, value);
        }
    }
    void all_moved() const {
        for (const auto& [series, value] : before_) {
            INFO(series << " was " << value);
            CHECK(eventually(5s, [&] { return site_.metric(series) > value; }));  // a commit takes its time
        }
    }

  private:
    const Site& site_;
    std::vector<std::pair<std::string, double>> before_;
};

std::string endpoint_label(const Site& site) {
    const std::string all = site.monitor("/metrics").body;
    const auto at = all.find("endpoint=\"http://");
    return all.substr(at, all.find('"', at + 10) + 1 - at);
}

}  // namespace

TEST_CASE("e2e: what is counted moves when it happens, from a node that is healthy to one in an outage") {
    Terms terms;
    terms.more = "[[precheck]]\nname = \"residency\"\nscenes = [\"*\"]\nattribute = \"country\"\nallow = [\"JP\"]\n";
    terms.more += "optional = true\n";
    const std::string wait = "open_wait = \"1s\"";
    terms.circuit.replace(terms.circuit.find(wait), wait.size(), "open_wait = \"60s\"");
    Site site(std::move(terms));
    const std::string endpoint = endpoint_label(site);
    Moves moves(site);
    moves.from({requests("OK", "pass", "LOGIN", "live"), requests("OK", "pass", "LOGIN", "cache"),
                requests("OK", "provisional", "LOGIN", "policy"), requests("PrecheckDenied", "none", "LOGIN", "none"),
                requests("VerificationUnavailable", "none", "PAYMENT", "none"),
                R"(holdfast_request_duration_seconds_count{scene="LOGIN",source="live"})",
                R"(holdfast_precheck_denied_total{rule="residency"})",
                R"(holdfast_auth_failures_total{code="InvalidSignature"})",
                "holdfast_upstream_calls_total{" + endpoint + R"(,result="ok",upstream="central"})",
                "holdfast_upstream_duration_seconds_count{" + endpoint + R"(,upstream="central"})",
                R"(holdfast_upstream_retries_total{upstream="central"})",
                R"(holdfast_circuit_state{upstream="central"})",
                R"(holdfast_circuit_transitions_total{to="open",upstream="central"})",
                R"(holdfast_mode{scene="PAYMENT"})", "holdfast_override_remaining_seconds", "holdfast_cache_entries",
                "holdfast_cache_bytes", "holdfast_cache_hits_total", "holdfast_cache_misses_total",
                "holdfast_commit_duration_seconds_count",
                R"(holdfast_journal_entries_total{kind="override"})",
                R"(holdfast_journal_entries_total{kind="circuit"})",
                R"(holdfast_journal_entries_total{kind="provisional"})", "holdfast_reconcile_pending",
                "holdfast_loop_lag_seconds_count", R"(holdfast_connections{state="idle"})"});
    CHECK(site.metric("holdfast_lease_valid") == 0);
    CHECK(site.metric("holdfast_coordination_shared") == 0);
    CHECK(site.metric("holdfast_lease_remaining_seconds") == 0);
    CHECK(site.metric("holdfast_config_last_reload_successful") == 1);
    CHECK(site.metric(R"(holdfast_connections{state="admin"})") >= 1);  // the one that asks

    const std::string known = R"(,"attributes":{"country":"JP"})";
    REQUIRE(site.ask(verify_ask(site.order(), "LOGIN", "known", known)).status == 200);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "known", R"(,"attributes":{"country":"US"})")).status == 403);
    Ask forged = verify_ask(site.order(), "LOGIN", "known");
    forged.secret = "not the secret of this caller";
    CHECK(site.ask(forged).code() == "InvalidSignature");
    site.centre(R"({"mode":"error"})");
    CHECK(site.ask(verify_ask(site.order(), "PAYMENT", "known")).status == 502);  // after its retry
    REQUIRE(site.break_circuit());
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "known", known)).json().text("source") == "cache");
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "new")).json().text("source") == "policy");
    REQUIRE(site.ctl({"degrade", "on", "--scene", "PAYMENT", "--reason", "x"}).status == 0);
    CHECK(site.ask(verify_ask(site.order(), "PAYMENT", "new")).status == 503);
    Client idle = site.connect();
    idle.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    REQUIRE(idle.answer());
    moves.all_moved();
}

TEST_CASE("e2e: status shows the region, the first generation, and the circuit's state as the contract spells it") {
    Terms terms;
    terms.node = "region = \"ap-northeast-1\"";
    terms.circuit = "minimum_calls = 10\nopen_wait = \"300ms\"\nopen_wait_max = \"300ms\"\nthrottle_below = 0";
    Site site(std::move(terms));
    const Json status = site.admin_get("/v1/status");
    CHECK(status["node"]["region"].text() == "ap-northeast-1");
    CHECK(status["config"]["generation"].number() == 1);
    CHECK(site.monitor("/metrics").body.find("generation=\"1\"") != std::string::npos);
    CHECK(site.circuit() == "closed");
    site.centre(R"({"mode":"error"})");
    REQUIRE(site.break_circuit());
    CHECK(eventually(3s, [&] { return site.circuit() == "half-open"; }));
    CHECK(site.metric(R"(holdfast_circuit_state{upstream="central"})") == 1);
    CHECK(site.ctl({"circuit", "show"}).out.find("half-open") != std::string::npos);
}

TEST_CASE("e2e: a look at an order counts once, whether it is answered or refused") {
    Site site;
    const std::string order = site.order();
    REQUIRE(site.ask(verify_ask(order, "LOGIN", "user-1")).status == 200);
    const std::string looked = requests("OK", "none", "other", "none");
    CHECK(site.metric(looked) == 0);
    CHECK(site.ask(lookup_ask(order)).status == 200);
    CHECK(site.metric(looked) == 1);
    CHECK(site.ask(lookup_ask("never-heard-of")).status == 404);
    CHECK(site.metric(requests("NotFound", "none", "other", "none")) == 1);
    Ask forged = lookup_ask(order);
    forged.secret = "not the secret of this caller";
    for (int i = 0; i < 5; ++i) CHECK(site.ask(forged).code() == "InvalidSignature");
    CHECK(site.metric(R"(holdfast_auth_failures_total{code="InvalidSignature"})") == 5);
    CHECK(site.metric(requests("InvalidSignature", "none", "other", "none")) == 5);
    CHECK(site.metric(requests("OK", "pass", "LOGIN", "live")) == 1);
}

TEST_CASE("e2e: lines of the access log that are lost are counted") {
    Terms terms;
    terms.tls = false;
    Site site(std::move(terms));
    CHECK(site.metric("holdfast_access_log_dropped_total") == 0);
    std::filesystem::remove(site.dir() + "/access.log");
    std::filesystem::create_symlink("/dev/full", site.dir() + "/access.log");
    site.node().signal(SIGHUP);
    std::string batch;
    for (int i = 0; i < 200; ++i) batch += "GET /none HTTP/1.1\r\nHost: x\r\n\r\n";
    Client flood = site.connect();
    for (int i = 0; i < 120; ++i) {  // more lines than the buffer holds
        REQUIRE(flood.send(batch));
        for (int k = 0; k < 200; ++k) REQUIRE(flood.answer().value_or(HttpAnswer{}).status == 404);
    }
    CHECK(eventually(3s, [&] { return site.metric("holdfast_access_log_dropped_total") > 0; }));
}

TEST_CASE("e2e: lines of the log that a flood of refusals would have written are counted") {
    Site site;
    CHECK(site.metric("holdfast_log_suppressed_total") == 0);
    for (int i = 0; i < 30; ++i) {
        Client client = site.connect();
        client.send("NOT HTTP\r\n\r\n");
        client.answer(1s);
    }
    CHECK(site.metric("holdfast_log_suppressed_total") > 0);
}

TEST_CASE("e2e: who looked at a subject or a request is in the journal, without the subject") {
    Site site;
    const HttpAnswer answer = site.ask(verify_ask(site.order(), "LOGIN", "subject-SEEN"));
    REQUIRE(answer.status == 200);
    write_file(site.dir() + "/request.json", verification("o", "LOGIN", "subject-SEEN"));
    REQUIRE(site.ctl({"cache", "get", "--credential", "app", "--subject", "subject-SEEN", "--scene", "LOGIN"}).status ==
            0);
    REQUIRE(site.ctl({"explain", answer.json().text("requestId")}).status == 0);
    REQUIRE(site.ctl({"policy", "test", site.dir() + "/request.json", "--credential", "app"}).status == 0);
    CHECK(site.metric(R"(holdfast_journal_entries_total{kind="looked"})") == 3);
    const auto entry_of = [&site](const std::string& what) {
        const std::string all = site.journal();
        const auto at = all.find("\"what\":\"" + what + "\"");
        if (at == std::string::npos) return std::string();
        const auto begin = all.rfind('\n', at) + 1;
        return all.substr(begin, all.find('\n', at) - begin);
    };
    for (const char* what : {"cache get", "explain", "policy test"}) {
        INFO(what);
        REQUIRE(eventually(2s, [&] { return !entry_of(what).empty(); }));
        CHECK(entry_of(what).find(fmt::format("uid {}", ::getuid())) != std::string::npos);
    }
    CHECK(entry_of("explain").find(answer.json().text("requestId")) != std::string::npos);
    CHECK(site.journal().find("subject-SEEN") == std::string::npos);
    CHECK(site.admin_get("/v1/journal/verify")["ok"].boolean() == true);
}
