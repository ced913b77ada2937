// What operators were shown of a node was not so: records counted that were not purged, rungs that would never be
// asked, a node "live" whose scene was forced degraded.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "edge/admin_service.h"
#include "edge/operators.h"
#include "tests/sim/one_node.h"

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

std::string text(json::Value value) {
    return std::string(value.text().value_or(""));
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

TEST_CASE("node: the verdict names each scene that an operator steers") {
    OneNode one;
    REQUIRE(one.start());
    const auto verdict = [&one] {
        json::Document doc;
        const auto root = doc.parse(status_json(one.node()));
        REQUIRE(root);
        return text((*root)["verdict"]) + ": " + text((*root)["summary"]);
    };
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
