// What a node did not say to who looked at it: that its clock had jumped, that callers were turned away, why a rung
// did not answer, that an answer was given again, who a refused request claims to be of.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "edge/admin_service.h"
#include "tests/regress/node_bench.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

// Signed now, and asked when the node's clock has jumped by `late`.
OneNode::Got asked_late(OneNode& one, const std::string& order, Nanos late) {
    OneNode::Got got;
    std::string bytes = one.verification_bytes(order, "LOGIN", "user-1");
    one.view.jump_wall(late);
    one.send(got, std::move(bytes));
    REQUIRE(one.until([&got] { return got.status != 0; }));
    one.view.jump_wall(-late);
    return got;
}

const RequestTrace& trace_of(OneNode& one, const OneNode::Got& got) {
    const RequestTrace* trace = one.parts().recent.find(got.text("requestId"));
    REQUIRE(trace != nullptr);
    return *trace;
}

// What explain shows of a rung; "": nothing.
std::string rung_of(OneNode& one, const OneNode::Got& got, const std::string& rung) {
    json::Document doc;
    const auto root = doc.parse(to_json(trace_of(one, got)));
    REQUIRE(root);
    for (json::Value r = (*root)["rungs"].first(); r; r = r.next())
        if (text(r["rung"]) == rung) return text(r["why"]);
    return {};
}

}  // namespace

TEST_CASE("node: a jump of its clock is in the verdict and among the events, until it is taken back") {
    OneNode one;
    REQUIRE(one.start());
    one.run_for(3s);
    REQUIRE(verdict_of(one) == "ok: live");
    one.view.jump_wall(900s);
    one.run_for(3s);
    CHECK(verdict_of(one).find("impaired: the wall clock jumped by +900 s ") == 0);
    CHECK(status_json(one.node()).find("the wall clock has jumped by +900.0 s") != std::string::npos);
    CHECK(status_json(one.node()).find("\"jumpSeconds\":900") != std::string::npos);
    one.view.jump_wall(-900s);
    one.run_for(3s);
    CHECK(verdict_of(one) == "ok: live");
    one.view.jump_wall(-5s);
    one.run_for(3s);
    CHECK(verdict_of(one).find("jumped by -5 s ") != std::string::npos);
    one.run_for(ClockWatch::kSaidFor);
    CHECK(verdict_of(one) == "ok: live");
}

TEST_CASE("node: a refused timestamp is told by how far it is from the node's clock, and by whom it is claimed") {
    OneNode one;
    REQUIRE(one.start());
    const auto got = asked_late(one, "o-1", 900s);
    REQUIRE(got.text("code") == "RequestExpired");
    CHECK(trace_of(one, got).skew == Seconds(-900));
    CHECK(trace_of(one, got).claimed == "app-a");
    const std::string shown = to_json(trace_of(one, got));
    CHECK(shown.find("\"claimed\":\"app-a\",\"skewSeconds\":-900") != std::string::npos);
    std::string forged = one.verification_bytes("o-2", "LOGIN", "user-1");
    exchange(forged, "\"o-2\"", "\"o-3\"");
    OneNode::Got refused;
    one.send(refused, forged);
    REQUIRE(one.until([&refused] { return refused.status != 0; }));
    REQUIRE(refused.text("code") == "InvalidSignature");
    CHECK(trace_of(one, refused).claimed == "app-a");
    CHECK_FALSE(trace_of(one, refused).skew);
    CHECK(trace_of(one, refused).credential.empty());
}

TEST_CASE("node: the verdict tells that most requests are refused, as what, and what to do") {
    OneNode one;
    REQUIRE(one.start());
    for (int i = 0; i < 19; ++i) asked_late(one, fmt::format("o-{}", i), 900s);
    CHECK(verdict_of(one) == "ok: live");  // too few to say anything
    asked_late(one, "o-19", 900s);
    CHECK(verdict_of(one).find("ok: live; 20 of the 20 requests of the last minute were refused, 20 as RequestExpired "
                               "(the last timestamp was 900 s behind this node's clock): compare the clocks") == 0);
    for (int i = 0; i < 20; ++i) REQUIRE(one.ask(fmt::format("good-{}", i), "LOGIN", "user-1").status == 200);
    CHECK(verdict_of(one) == "ok: live");  // half of them are served
    one.run_for(70s);
    for (int i = 0; i < 30; ++i) {
        OneNode::Got got;
        one.send(got, "GET /v1/verifications/o-1 HTTP/1.1\r\nHost: edge.example\r\n\r\n");
        one.send(got, "GET /nothing HTTP/1.1\r\nHost: edge.example\r\n\r\n");
        one.run_for(100ms);
    }
    CHECK(verdict_of(one) == "ok: live");  // nobody asked for a verification
}

TEST_CASE("node: explain shows why each rung did not answer, and that an answer was given again") {
    OneNode one;
    REQUIRE(one.start());
    plan(one, [](CentrePlan&) {});
    const auto live = one.ask("o-0", "LOGIN", "known");
    REQUIRE(live.text("source") == "live");
    CHECK(rung_of(one, live, "cache").empty());
    CHECK_FALSE(trace_of(one, live).repeated);
    CHECK(trace_of(one, one.ask("o-0", "LOGIN", "known")).repeated);
    degrade(one);
    const auto unknown = one.ask("o-1", "LOGIN", "nobody");
    REQUIRE(unknown.status == 503);
    CHECK(rung_of(one, unknown, "cache") == "absent");
    CHECK(rung_of(one, unknown, "provisional") == "outage_too_young");
    const auto known = one.ask("o-2", "LOGIN", "known");
    REQUIRE(known.text("source") == "cache");
    CHECK(rung_of(one, known, "cache") == "answers");
    CHECK(rung_of(one, known, "provisional").empty());
    CHECK(trace_of(one, one.ask("o-2", "LOGIN", "known")).repeated);
    bool revoked = false;
    Operators(one.node(), "test").revoke("known", [&revoked](Result<void> done) { revoked = done.has_value(); });
    REQUIRE(one.until([&revoked] { return revoked; }));
    const auto met = [&one] { return one.parts().storage.outcomes().stats().hidden; };
    const std::uint64_t before = met();
    CHECK(rung_of(one, one.ask("o-3", "LOGIN", "known"), "cache") == "revoked");
    CHECK(met() == before + 1);  // one look at the memory serves both, the ladder and who explains it
    VerifyRequest again;
    again.order_no = "o-5";
    again.scene = "LOGIN";
    again.subject = "known";
    const Credential* app = one.parts().snapshot->credentials.find("app-a");
    REQUIRE(app != nullptr);
    const std::string tested = policy_test_json(one.node(), *app, {}, again);
    CHECK(tested.find(R"("why":"revoked")") != std::string::npos);
    CHECK(met() == before + 2);
    const auto forbids = one.ask("o-4", "LOGIN", "nobody", R"(,"terms":{"degraded":false})");
    CHECK(to_json(trace_of(one, forbids)).find("\"ladder\":\"caller_forbids\"") != std::string::npos);
    CHECK(rung_of(one, forbids, "cache").empty());
}

TEST_CASE("node: a centre that fails for the few who ask is in the verdict, though no circuit opens for them") {
    OneNode one;
    REQUIRE(one.start());
    plan(one, [](CentrePlan&) {});
    one.central.set_mode(CentreMode::error);
    for (int i = 0; i < 4; ++i) one.ask(fmt::format("o-{}", i), "CLOSED", "user-1");
    CHECK(verdict_of(one).find("no outcome") == std::string::npos);
    for (int i = 4; i < 6; ++i) one.ask(fmt::format("o-{}", i), "CLOSED", "user-1");
    REQUIRE(one.parts().upstream.circuit().state() == CircuitState::closed);
    CHECK(verdict_of(one).find("impaired: 6 of the 6 requests of the last minute got no outcome, 6 as Upstream") == 0);
    one.run_for(70s);
    CHECK(verdict_of(one).find("no outcome") == std::string::npos);
}

TEST_CASE("node: what a drain refused is the drain's own affair once it has ended, and no fault of the centre") {
    OneNode one;
    REQUIRE(one.start());
    plan(one, [](CentrePlan&) {});
    one.node().drain("test");
    REQUIRE(one.until([&one] { return one.parts().refusing; }, 1min));
    for (int i = 0; i < 8; ++i) REQUIRE(one.ask(fmt::format("o-{}", i), "LOGIN", "user-1").text("code") == "Draining");
    REQUIRE(one.node().undrain("test"));
    CHECK(verdict_of(one) == "ok: live");
}

TEST_CASE("node: it is told how old the outage is, when provisional answers begin and end, and how many are left") {
    OneNode one;
    REQUIRE(one.start());
    plan(one, [](CentrePlan&) {});
    const auto budget = [&one](const char* key) {
        json::Document doc;
        const auto root = doc.parse(status_json(one.node()));
        REQUIRE(root);
        for (json::Value b = (*root)["budgets"].first(); b; b = b.next())
            if (text(b["scene"]) == "OPEN") return b[key].number().value_or(-1);
        return -2.0;
    };
    const auto about = [](double seconds) { return Approx(seconds).margin(1.5); };
    using N = NodeNumbers;
    const std::string left = "holdfast_provisional_remaining{scene=",
                      ends = "holdfast_provisional_remaining_seconds{scene=";
    CHECK(budget("left") == N::kBudgetPerMinute);
    CHECK(budget("outageSeconds") == -1);
    CHECK(metric(one, "holdfast_outage_seconds") == 0);
    CHECK(metric(one, left + "\"OPEN\"}") == N::kBudgetPerMinute);
    CHECK(metric(one, left + "\"CLOSED\"}") == 0);
    CHECK(metric(one, ends + "\"OPEN\"}") == 0);
    degrade(one);
    CHECK(budget("beginsInSeconds") == about(in_seconds(N::kAfter)));
    CHECK(budget("endsInSeconds") == about(in_seconds(N::kHardStop)));
    one.run_for(N::kAfter + 1s);
    CHECK(budget("beginsInSeconds") == 0);
    CHECK(budget("outageSeconds") == about(in_seconds(N::kAfter + 1s)));
    REQUIRE(one.ask("o-1", "OPEN", "user-1").text("source") == "policy");
    CHECK(budget("left") == N::kBudgetPerMinute - 1);
    CHECK(metric(one, left + "\"OPEN\"}") == N::kBudgetPerMinute - 1);
    CHECK(metric(one, "holdfast_outage_seconds") == about(in_seconds(N::kAfter + 1s)));
    CHECK(metric(one, ends + "\"OPEN\"}") == about(in_seconds(N::kHardStop - N::kAfter - 1s)));
    one.run_for(N::kHardStop);
    CHECK(budget("endsInSeconds") == 0);
}

TEST_CASE("node: a circuit that probes in vain tells since when it has not been closed") {
    OneNode one;
    REQUIRE(one.start());
    plan(one, [](CentrePlan&) {});
    one.central.set_mode(CentreMode::error);
    for (int i = 0; i < 12; ++i) one.ask(fmt::format("o-{}", i), "CLOSED", fmt::format("user-{}", i));
    REQUIRE(one.parts().upstream.circuit().state() == CircuitState::open);
    const MonoTime opened = one.view.now().mono;
    const auto shown = [&one](const char* key) {
        json::Document doc;
        const auto root = doc.parse(circuit_json(one.node()));
        REQUIRE(root);
        return (*root)["circuits"].first()[key].number().value_or(-1);
    };
    for (int i = 0; i < 40; ++i) {
        one.ask(fmt::format("p-{}", i), "CLOSED", fmt::format("user-{}", i));
        one.run_for(500ms);
    }
    CHECK(shown("outageSeconds") == Approx(in_seconds(one.view.now().mono - opened)).margin(1.5));
    CHECK(shown("sinceSeconds") < shown("outageSeconds") - 5);
}

TEST_CASE("node: the verdict names a certificate that ends within a week, and one that has ended") {
    OneNode one;
    REQUIRE(one.start());
    const auto ends_in = [&one](Nanos left) {
        one.node().metrics().tls_certificate_expiry_seconds().Set(double(unix_seconds(one.view.now().wall + left)));
        return verdict_of(one);
    };
    CHECK(ends_in(7 * 24h + 1min) == "ok: live");
    CHECK(ends_in(50h).find("ok: live; the listener's certificate ends in ") == 0);
    CHECK(ends_in(-2h).find("impaired: the listener's certificate ended 2h00m ago: nobody connects") == 0);
}

TEST_CASE("node: the verdict of a draining node says whether requests are still served, and what else is wrong") {
    OneNode one;
    const std::string table = "[drain]\n";
    one.config.insert(one.config.find(table) + table.size(), "lame_duck = \"30s\"\n");
    REQUIRE(one.start());
    one.node().drain("test");
    one.run_for(1s);
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").status == 200);
    CHECK(verdict_of(one) == "draining: requests are still served, until the lame duck is over");
    one.view.jump_wall(900s);
    one.run_for(3s);
    CHECK(verdict_of(one).find("draining: requests are still served, until the lame duck is over; the wall clock "
                               "jumped by +900 s ") == 0);
    one.run_for(30s);
    CHECK(verdict_of(one).find("draining: no new requests; the wall clock jumped") == 0);
}
