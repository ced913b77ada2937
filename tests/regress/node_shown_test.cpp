// What operators were shown of a node was not so: records counted that were not purged, rungs that would never be
// asked, a node "live" whose scene was forced degraded.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "edge/admin_service.h"
#include "edge/operators.h"
#include "tests/regress/node_bench.h"
#include "tests/regress/notified_bench.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

const std::string kRules =
    "[[precheck]]\nname = \"no-embargo\"\nscenes = [\"*\"]\nattribute = \"country\"\ndeny = [\"XX\"]\n"
    "[[precheck]]\nname = \"once\"\nkind = \"rate\"\nby = \"subject\"\nrate = { per_second = 0.001, burst = 1 }\n";

Result<void> done_by(OneNode& one, const std::function<void(Operators&, Operators::Done)>& act) {
    std::optional<Result<void>> out;
    Operators operators(one.node(), "test");
    act(operators, [&out](Result<void> done) { out = std::move(done); });
    REQUIRE(one.until([&out] { return out.has_value(); }));
    return std::move(*out);
}

// What `policy test` answers.
json::Value tested(OneNode& one, json::Document& doc, const std::string& scene, const std::string& subject,
                   const std::string& country = "JP") {
    VerifyRequest request;
    request.order_no = "o";
    request.scene = scene;
    request.subject = subject;
    request.attributes.emplace_back("country", country);
    const Credential* credential = one.parts().snapshot->credentials.find("app-a");
    REQUIRE(credential != nullptr);
    const auto root = doc.parse(policy_test_json(one.node(), *credential, "127.0.0.1", request));
    REQUIRE(root);
    return *root;
}

std::size_t count(json::Value list) {
    std::size_t n = 0;
    for (json::Value v = list.first(); v; v = v.next()) ++n;
    return n;
}

}  // namespace

TEST_CASE("node: a purge of a scene that is not configured is refused, and hides nothing") {
    OneNode one;
    REQUIRE(one.start());
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").status == 200);
    const std::uint64_t epoch = one.parts().storage.outcomes().epoch();
    const auto refused = done_by(one, [](Operators& o, auto done) { o.purge("NOPE", std::move(done)); });
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::invalid);
    CHECK(refused.error().detail == "scene \"NOPE\" is not configured");
    CHECK(one.parts().storage.outcomes().epoch() == epoch);
    CHECK(one.journal().find("NOPE") == std::string::npos);
    for (const char* scene : {"LOGIN", ""})
        CHECK(done_by(one, [scene](Operators& o, auto done) { o.purge(scene, std::move(done)); }));
}

TEST_CASE("node: a policy test gives the code of the refusal, and no rung where none would be asked") {
    OneNode one(kRules);
    REQUIRE(one.start());
    json::Document doc;
    const json::Value passes = tested(one, doc, "LOGIN", "user-1");
    CHECK(passes["allowed"].boolean() == true);
    CHECK_FALSE(passes["code"]);
    CHECK(passes["live"]["admitted"].boolean() == true);
    CHECK(count(passes["degraded"]["rungs"]) == 2);
    REQUIRE(one.ask("o-1", "LOGIN", "often").status == 200);
    const auto refused = [&](const std::string& scene, const std::string& subject, const std::string& country) {
        const json::Value root = tested(one, doc, scene, subject, country);
        INFO(scene << " " << subject);
        CHECK(root["allowed"].boolean() == false);
        CHECK(root["live"]["admitted"].boolean() == false);
        CHECK(text(root["live"]["why"]) == "precheck");
        CHECK(text(root["degraded"]["answer"]) == "deny");
        CHECK(text(root["degraded"]["why"]) == "precheck");
        CHECK(root["degraded"]["rungs"].is(json::Kind::array));
        CHECK(count(root["degraded"]["rungs"]) == 0);
        return text(root["code"]) + " " + text(root["message"]);
    };
    CHECK(refused("LOGIN", "user-1", "XX") == "PrecheckDenied no-embargo: is on the deny list");
    CHECK(refused("LOGIN", "often", "JP") == "RateLimited once: too many requests");
    CHECK(refused("NOPE", "user-1", "JP") == "SceneForbidden credential-scene: the credential may not use this scene");
}

TEST_CASE("node: the access log names the rule that denied a request, and none where none did") {
    OneNode one(kRules);
    const std::string path = one.log_access();
    REQUIRE(one.start());
    CHECK(one.ask("o-1", "LOGIN", "user-1", R"(,"attributes":{"country":"XX"})").text("code") == "PrecheckDenied");
    CHECK(one.ask("o-2", "LOGIN", "user-1", R"(,"attributes":{"country":"JP"})").status == 200);
    one.run_for(2s);
    std::ifstream file(path);
    std::string denied, passed;
    REQUIRE(std::getline(file, denied));
    REQUIRE(std::getline(file, passed));
    CHECK(denied.find(R"("rule":"no-embargo")") != std::string::npos);
    CHECK(passed.find("\"rule\"") == std::string::npos);
}

TEST_CASE("node: a notification has a line of the access log, with the address of who sent it") {
    NotifiedBench b;
    b.one.crash();
    const std::string path = b.one.log_access();
    REQUIRE(b.one.start());
    CHECK(b.notify("n-1", "o-1", "pass") == "success");
    CHECK(b.notify("n-1", "o-1", "pass") == "success");
    CHECK(b.notify("n-2", "o-2", "miracle") == "fail");
    b.one.run_for(2s);
    std::ifstream file(path);
    for (const char* reason : {"unknown", "duplicate", "refused"}) {
        std::string line;
        REQUIRE(std::getline(file, line));
        INFO(line);
        CHECK(line.find(fmt::format("\"reason\":\"{}\"", reason)) != std::string::npos);
        CHECK(line.find(R"("route":"/v1/notifications/central")") != std::string::npos);
        CHECK(line.find(R"("client":")") != std::string::npos);
        CHECK(line.find("o-1") == std::string::npos);
    }
}

TEST_CASE("node: the circuit's probes that failed are shown while it is half-open") {
    OneNode one;
    REQUIRE(one.start());
    CentrePlan plan = one.central.plan();
    plan.fail_percent = plan.review_percent = 0;
    one.central.apply(plan);
    one.central.set_mode(CentreMode::error);
    for (int i = 0; i < 12; ++i) one.ask(fmt::format("o-{}", i), "CLOSED", fmt::format("user-{}", i));
    REQUIRE(one.parts().upstream.circuit().state() == CircuitState::open);
    REQUIRE(one.until([&one] { return one.parts().upstream.circuit().state() == CircuitState::half_open; }));
    const auto shown = [&one](const char* key) {
        json::Document doc;
        const auto root = doc.parse(circuit_json(one.node()));
        REQUIRE(root);
        return (*root)["circuits"].first()["halfOpen"][key].number().value_or(-1);
    };
    CHECK(shown("done") == 0);
    CHECK(shown("failed") == 0);
    OneNode::Got got;
    one.begin(got, "probe", "CLOSED", "user-probe");
    REQUIRE(one.until([&shown] { return shown("done") == 1; }));
    CHECK(shown("failed") == 1);
    REQUIRE(one.until([&got] { return got.status != 0; }));
}

TEST_CASE("node: a circuit that stays closed since all failures are one caller's says so") {
    OneNode one;
    REQUIRE(one.start());
    const Now now = one.world.now();
    Rng rng(1);
    const auto tried = [&](Caller caller, CallKind kind) {
        auto asked = one.parts().upstream.circuit().admit(caller, now, rng);
        REQUIRE(asked.admitted());
        asked.permit.report({kind, false, 1ms}, now);
    };
    const auto shown = [&one] {
        json::Document doc;
        const auto root = doc.parse(circuit_json(one.node()));
        REQUIRE(root);
        return text((*root)["circuits"].first()["notOpened"]);
    };
    tried({1000, 2}, CallKind::success);
    CHECK(shown().empty());
    for (std::uint64_t subject = 0; subject < 200; ++subject) tried({subject, 1}, CallKind::failure);
    CHECK(shown() == "one_credential");
}

TEST_CASE("node: the verdict names each scene that an operator steers") {
    OneNode one;
    REQUIRE(one.start());
    const auto verdict = [&one] { return verdict_of(one); };
    const auto order = [&one](Mode mode, const char* scene) {
        REQUIRE(done_by(one, [&](Operators& o, auto done) { o.degrade(mode, scene, 1h, "test", std::move(done)); }));
    };
    CHECK(verdict() == "ok: live");
    order(Mode::degraded, "PAYMENT");
    CHECK(verdict() == "degraded: an operator's order stands for scene PAYMENT (degraded)");
    order(Mode::live, "LOGIN");
    CHECK(verdict() == "degraded: an operator's order stands for scenes LOGIN (live), PAYMENT (degraded)");
    order(Mode::degraded, "");
    CHECK(verdict() ==
          "degraded: an operator's order stands: degraded; for scenes LOGIN (live), PAYMENT (degraded)");
    order(Mode::automatic, "");
    order(Mode::automatic, "PAYMENT");
    order(Mode::automatic, "LOGIN");
    CHECK(verdict() == "ok: live");
}

TEST_CASE("node: the verdict names an order on the circuit with what remains of it, and what comes of it") {
    OneNode one;
    REQUIRE(one.start());
    const auto force = [&one](CircuitForce state) {
        REQUIRE(done_by(one, [&](Operators& o, auto done) { o.circuit(state, 4h, "drill", std::move(done)); }));
    };
    force(CircuitForce::closed);
    CHECK(verdict_of(one) == "degraded: an operator's order holds the circuit closed for 4h00m more");
    CentrePlan plan = one.central.plan();
    plan.fail_percent = plan.review_percent = 0;
    one.central.apply(plan);
    one.central.set_mode(CentreMode::error);
    for (int i = 0; i < 12; ++i) one.ask(fmt::format("o-{}", i), "CLOSED", fmt::format("user-{}", i));
    REQUIRE(one.parts().upstream.circuit().state() == CircuitState::closed);
    const WindowCounts counts = one.parts().upstream.circuit().view(one.world.now()).window;
    REQUIRE(counts.failures >= 12);
    CHECK(verdict_of(one).find(fmt::format("; {} of the last {} calls failed", counts.failures, counts.calls())) !=
          std::string::npos);
    one.run_for(3h + 1min);
    INFO(verdict_of(one));
    CHECK(verdict_of(one).find("holds the circuit closed for 59m") != std::string::npos);
    one.run_for(1h);
    CHECK(verdict_of(one).find("order") == std::string::npos);
    force(CircuitForce::open);
    CHECK(verdict_of(one) ==
          "degraded: an operator's order holds the circuit open for 4h00m more; circuit open: answers come from the "
          "ladder");
    REQUIRE(done_by(one, [](Operators& o, auto done) { o.degrade(Mode::live, "", 1h, "test", std::move(done)); }));
    CHECK(verdict_of(one) ==
          "degraded: an operator's order stands: live; an operator's order holds the circuit open for 4h00m more");
}

TEST_CASE("node: the verdict names a clock that is not trusted and a store of nonces that is full") {
    bool synchronised = false;
    OneNode one("[clock]\nrequire_sync = true\n");
    one.clock_synchronised = [&synchronised] { return synchronised; };
    REQUIRE(one.start());
    CHECK(verdict_of(one) == "impaired: the clock is not synchronised: no cached pass");
    synchronised = true;
    one.run_for(2s);
    CHECK(verdict_of(one) == "ok: live");
    NonceWindow& nonces = one.parts().nonces;
    const Now now = one.world.now();
    std::size_t used = 0;
    const auto use = [&] {
        return nonces.insert(nonces.fingerprint("app-a", fmt::format("nonce-{:010}", ++used)), now.wall + 30s, now);
    };
    while (use() == NonceWindow::Insert::fresh) REQUIRE(used < 30'000);
    REQUIRE(nonces.size() < nonces.capacity());  // what is left is the share of the other caller
    CHECK(verdict_of(one) == "impaired: auth.nonces is full: callers get 503");
    CHECK(one.ask("o-1", "LOGIN", "user-1").status == 503);
    REQUIRE(done_by(one, [](Operators& o, auto done) { o.degrade(Mode::live, "", 1h, "test", std::move(done)); }));
    CHECK(verdict_of(one) ==
          "impaired: auth.nonces is full: callers get 503; an operator's order stands: live");
    one.run_for(2min);
    CHECK(verdict_of(one) == "degraded: an operator's order stands: live");
}

TEST_CASE("node: the mode of the node as a whole is shown beside those of its scenes") {
    OneNode one;
    REQUIRE(one.start());
    const auto mode = [&one](const std::string& scene) {
        return metric(one, "holdfast_mode{scene=\"" + scene + "\"}");
    };
    const auto order = [&one](Mode wanted, const char* scene) {
        REQUIRE(done_by(one, [&](Operators& o, auto done) { o.degrade(wanted, scene, 1h, "test", std::move(done)); }));
    };
    CHECK(mode("*") == 0);
    order(Mode::degraded, "");
    CHECK(mode("*") == 1);
    CHECK(mode("LOGIN") == 1);
    order(Mode::live, "LOGIN");
    CHECK(mode("*") == 1);
    CHECK(mode("LOGIN") == 2);
    order(Mode::automatic, "");
    CHECK(mode("*") == 0);
    CHECK(mode("LOGIN") == 2);
    // An order to the fleet, which the node has heard.
    Override fleet;
    fleet.scope.kind = Scope::Kind::fleet;
    fleet.mode = Mode::live;
    fleet.ends = one.world.now().mono + 1h;
    REQUIRE(one.parts().overrides.stand(fleet));
    one.node().orders_changed();
    CHECK(mode("*") == 2);
}

TEST_CASE("node: evidence that cannot be kept is seen in the status and in its metric") {
    OneNode one;
    REQUIRE(one.start());
    CHECK(metric(one, "holdfast_store_up{store=\"evidence\"}") == 1);
    one.stop();
    std::filesystem::remove_all(one.data("journal/evidence"));
    one.folder.write("data/journal/evidence", "a file where a folder should be");
    REQUIRE(one.start());
    CHECK(metric(one, "holdfast_store_up{store=\"evidence\"}") == 0);
    for (const char* store : {"cache", "state", "journal"})
        CHECK(metric(one, fmt::format("holdfast_store_up{{store=\"{}\"}}", store)) == 1);
    json::Document doc;
    const auto root = doc.parse(status_json(one.node()));
    REQUIRE(root);
    CHECK((*root)["evidence"]["healthy"].boolean() == false);
    CHECK_FALSE(text((*root)["evidence"]["detail"]).empty());
    CHECK(verdict_of(one).starts_with("impaired: storage: "));
}

TEST_CASE("node: a journal that was cut off, or had entries removed, is no node that is well") {
    const std::string segment = "journal/journal-00000000000000000001.jsonl";
    for (const bool removed : {false, true}) {
        INFO(removed);
        OneNode one;
        REQUIRE(one.start());
        CHECK(metric(one, "holdfast_journal_entries_total{kind=\"damage\"}") == 0);
        one.run_for(1s);
        one.stop();
        std::string lines = one.journal();
        if (removed) {
            lines.erase(lines.rfind('\n', lines.size() - 2) + 1);
        } else {
            lines[lines.size() / 2] = '~';
        }
        one.folder.write("data/" + segment, lines);
        REQUIRE(one.start());
        CHECK(metric(one, "holdfast_journal_entries_total{kind=\"damage\"}") >= 1);
        const std::string seen = verdict_of(one);
        CHECK(seen.starts_with("impaired: the audit journal is damaged ("));
        CHECK((seen.find("*.cut-*") != std::string::npos) != removed);
        CHECK(seen.find("which state/ remembers, is missing") != std::string::npos);
        one.run_for(1s);
        one.stop();
        // Until somebody has taken away what was cut off.
        REQUIRE(one.start());
        CHECK(verdict_of(one).starts_with("impaired") != removed);
        one.parts().storage.set_aside(0);
        CHECK(verdict_of(one) == "ok: live");
    }
}

TEST_CASE("node: the status says of each provisional budget what is used of how much") {
    OneNode one;
    REQUIRE(one.start());
    one.parts().sharing = 2;  // nodes
    for (const std::uint64_t subject : {1, 2, 3})
        REQUIRE(one.parts().budget.try_spend("LOGIN", subject, {100, 1}, one.view.now()));
    json::Document doc;
    const auto root = doc.parse(status_json(one.node()));
    REQUIRE(root);
    std::vector<std::string> scenes;
    for (json::Value b = (*root)["budgets"].first(); b; b = b.next()) {
        const auto number = [&b](const char* key) { return b[key].unsigned_integer().value_or(9999); };
        scenes.push_back(text(b["scene"]));
        const auto& all = one.node().config().scenes;
        const auto scene =
            std::find_if(all.begin(), all.end(), [&scenes](const auto& s) { return s.name == scenes.back(); });
        REQUIRE(scene != all.end());
        CHECK(scene->policy.ladder.has(Rung::provisional));
        const std::uint64_t configured = scene->policy.provisional.budget_per_minute;
        CHECK(number("used") == (scenes.back() == "LOGIN" ? 3 : 0));
        CHECK(number("perMinute") == configured / 2);
        CHECK(number("configuredPerMinute") == configured);
    }
    CHECK(std::count(scenes.begin(), scenes.end(), "LOGIN") == 1);
    one.run_for(61s);
    const auto later = doc.parse(status_json(one.node()));
    REQUIRE(later);
    CHECK((*later)["budgets"].first()["used"].unsigned_integer() == 0u);
}
