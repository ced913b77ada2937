// Reconciliation of provisional answers that Alipay SDKs were given at /gateway.do: what is put to the gateway again,
// and what becomes of its word.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "edge/net/http_writer.h"
#include "tests/regress/notified_bench.h"
#include "tests/regress/reconcile_bench.h"
#include "tests/support/alipay_settings.h"
#include "upstream/alipay_envelope.h"
#include "upstream/alipay_request.h"

using namespace holdfast;
using namespace holdfast::sim;
namespace av = holdfast::alipay_vectors;

namespace {

constexpr std::string_view kOwnApp = "2021000000000001", kOtherApp = "2021000000000002";

// What an SDK is answered, and whose signature it has.
struct Said {
    std::string outcome;  // of the node, where it says one
    std::string passed;   // Alipay's own field
    bool by_alipay = false;
};

// A node in front of a gateway, its own app and another's among those that may call it.
struct AppsBench : ReconcileBench {
    explicit AppsBench(const std::string& more = {}) {
        one.crash();
        for (const auto& [file, key] : {std::pair{"app.pem", "app_private_pkcs8"},
                                        {"app-public.pem", "app_public"},
                                        {"alipay.pem", "alipay_public"},
                                        {"edge.pem", "other_private_pkcs1"},
                                        {"shop-public.pem", "other_public"}})
            one.folder.write(file, av::key(key));
        one.config.insert(one.config.find("[upstream]\n") + 11, "kind = \"alipay\"\n");
        const auto url = one.config.find("url = \"http://") + 7;
        one.config.insert(one.config.find('"', url), "/gateway.do");
        one.config += fmt::format(
            "[upstream.alipay]\napp_id = \"{0}\"\nprivate_key_file = \"{2}/app.pem\"\n"
            "alipay_public_key_file = \"{2}/alipay.pem\"\n{3}[gateway]\nsigning_key_file = \"{2}/edge.pem\"\n"
            "[[gateway.app]]\napp_id = \"{0}\"\ncredential = \"app-a\"\npublic_key_file = \"{2}/app-public.pem\"\n"
            "[[gateway.app]]\napp_id = \"{1}\"\ncredential = \"app-a\"\npublic_key_file = \"{2}/shop-public.pem\"\n",
            kOwnApp, kOtherApp, one.folder.path(), more);
        AlipaySetup setup;
        setup.app_id = kOwnApp;
        setup.app_key = av::key("app_public");
        setup.key = av::key("alipay_private_pkcs1");
        auto gateway = AlipayGateway::make(std::move(setup));
        REQUIRE(gateway);
        gateway_ = gateway->get();
        one.central.centre().serve_alipay(std::move(*gateway), one.host);
        const bool started = one.start();
        INFO(one.why());
        REQUIRE(started);
    }

    // A call of the app's SDK at /gateway.do.
    Said call(const std::string& order_no, const std::string& subject, const std::string& scene = "OPEN",
              std::string_view app = kOwnApp, const std::string& merchant = {}) {
        Form form;
        form.add("app_id", std::string(app));
        form.add("method", "alipay.user.faceverify.verify");
        form.add("charset", "utf-8");
        form.add("version", "1.0");
        form.add("sign_type", "RSA2");
        form.add("timestamp", alipay_timestamp(one.view.now().wall));
        form.add("notify_url", "https://shop.example/told");
        if (!merchant.empty()) form.add("app_auth_token", merchant);
        form.add("biz_content",
                 fmt::format(R"({{"outer_order_no":"{}","verify_scene":"{}","user_id":"{}","face":"a+b/c="}})",
                             order_no, scene, subject));
        const std::string key = app == kOwnApp ? "app_private_pkcs8" : "other_private_pkcs1";
        std::string body;
        for (const FormField& f : form.fields()) append_form_field(body, f.name, f.value);
        append_form_field(body, "sign",
                          av::private_key(key).sign(sign_content(form, SignEmpty::keep, SignTypeField::keep)));
        std::string bytes;
        append_request_head(
            bytes, {"POST", "/gateway.do", "edge.example", "application/x-www-form-urlencoded", body.size(), true});
        OneNode::Got got;
        one.send(got, bytes + body);
        REQUIRE(one.until([&got] { return got.status != 0; }));
        INFO(got.body);
        json::Document envelope_of, node_of;
        const auto envelope = open_envelope(got.body, "alipay.user.faceverify.verify", envelope_of);
        REQUIRE(envelope);
        const auto node = node_of.parse(envelope->node);
        REQUIRE(node);
        one.run_for(10ms);  // ids of the same millisecond have no order
        return {av::text((*node)["edge_outcome"]), av::text((*node)["passed"]),
                av::public_key("alipay_public").verify(envelope->node, envelope->sign.value_or(""))};
    }
    void recover() {
        one.run_for(15s);
        order(Mode::automatic);
        REQUIRE(why_refused().empty());
    }
    // The oldest of what is kept for reconciliation.
    std::string kept() {
        EvidenceVault& vault = *one.parts().storage.evidence();
        std::optional<Result<std::string>> out;
        vault.read(vault.after("")->id, [&out](Result<std::string> read) { out = std::move(read); });
        REQUIRE(one.until([&out] { return out.has_value(); }));
        REQUIRE(*out);
        return **out;
    }
    const std::vector<CentreCall>& asked() const { return one.central.calls(); }
    const AlipayGateway& gateway() const { return *gateway_; }

  private:
    AlipayGateway* gateway_ = nullptr;
};

}  // namespace

TEST_CASE("drop-in: a provisional answer to a call of the own app is replayed under its number, and its word counts") {
    AppsBench b;
    b.outage();
    REQUIRE(b.call("g-1", "user-1").outcome == "provisional");
    REQUIRE(b.call("g-2", "user-fail").outcome == "provisional");
    b.one.run_for(10min);  // their own signatures hold no longer
    b.recover();
    REQUIRE(b.settled());
    REQUIRE(b.asked().size() == 2);
    CHECK(b.asked()[0].order_no == "g-1");
    CHECK(b.asked()[1].order_no == "g-2");
    CHECK(b.gateway().refused().empty());
    CHECK(b.count(Reconciled::confirmed) == 1);
    CHECK(b.count(Reconciled::reversed) == 1);
    CHECK(b.entries(R"("orderNo":"g-1","result":"confirmed")") == 1);
    CHECK(b.entries(R"("orderNo":"g-2","result":"reversed")") == 1);
    REQUIRE(b.order_of("g-2"));
    CHECK(b.order_of("g-2")->outcome == Outcome::fail);
    CHECK(b.order_of("g-2")->source == Source::live);
}

TEST_CASE("drop-in: who asks again for a replayed order gets what Alipay has signed, and no second call") {
    for (const std::string merchant : {"", "merchant-1"}) {
        INFO(merchant);
        AppsBench b;
        b.outage();
        REQUIRE(b.call("g-1", "user-1", "OPEN", kOwnApp, merchant).outcome == "provisional");
        b.recover();
        REQUIRE(b.settled());
        CHECK(b.asked().size() == 1);
        const Said said = b.call("g-1", "user-1", "OPEN", kOwnApp, merchant);
        CHECK(said.passed == "T");
        CHECK(said.by_alipay);
        CHECK(b.asked().size() == 1);
    }
}

TEST_CASE("drop-in: a replay survives a kill in the outage") {
    AppsBench b;
    b.outage();
    REQUIRE(b.call("g-1", "user-1").outcome == "provisional");
    b.one.crash();
    REQUIRE(b.one.start());
    b.recover();
    REQUIRE(b.settled());
    CHECK(b.count(Reconciled::confirmed) == 1);
    CHECK(b.order_of("g-1")->outcome == Outcome::pass);
}

TEST_CASE("drop-in: where no evidence is kept, a replay is made under another number, and is not the order's outcome") {
    AppsBench b;
    b.outage();
    REQUIRE(b.call("g-1", "user-1", "CLOSED", kOwnApp, "merchant-1").outcome == "provisional");
    b.recover();
    REQUIRE(b.settled());
    REQUIRE(b.asked().size() == 1);
    CHECK(b.asked()[0].order_no != "g-1");
    CHECK(b.asked()[0].subject == "user-1");
    CHECK(b.gateway().refused().empty());
    CHECK(b.count(Reconciled::confirmed) == 1);
    CHECK(b.order_of("g-1")->outcome == Outcome::provisional);
}

TEST_CASE(
    "drop-in: what a gateway decides later of a replay comes to the order by notification, at the node's own URL") {
    AppsBench b("notify_url = \"https://edge.example/v1/notifications/alipay\"\n");
    b.outage();
    REQUIRE(b.call("g-1", "user-1").outcome == "provisional");
    plan(b.one, [](CentrePlan& p) { p.alipay.pending = true; });
    b.recover();
    REQUIRE(b.one.until([&b] { return b.asked().size() == 1; }, 60s));
    b.one.run_for(1s);
    CHECK(b.gateway().notify_url("g-1") == "https://edge.example/v1/notifications/alipay");
    CHECK(say_to(b.one, "n-1", "g-1", Verdict::pass, certify_id_of("g-1")) == "taken");
    REQUIRE(b.settled(2min));
    CHECK(b.count(Reconciled::confirmed) == 1);
}

TEST_CASE("drop-in: a provisional answer to another app's call ends unknown, and the gateway is not asked") {
    AppsBench b;
    b.outage();
    REQUIRE(b.call("g-1", "user-1", "OPEN", kOtherApp).outcome == "provisional");
    CHECK(b.kept().find("user-1") != std::string::npos);
    CHECK(b.kept().find("a+b/c=") == std::string::npos);  // what nobody can use is not kept
    b.recover();
    REQUIRE(b.settled());
    CHECK(b.asked().empty());
    CHECK(b.count(Reconciled::unknown) == 1);
    CHECK(b.entries(R"("result":"unknown")") == 1);
    CHECK(b.order_of("g-1")->outcome == Outcome::provisional);
}

TEST_CASE("drop-in: a replay waits while its app is not the node's own") {
    AppsBench b;
    b.outage();
    REQUIRE(b.call("g-1", "user-1").outcome == "provisional");
    b.one.crash();
    const std::string own = fmt::format("[upstream.alipay]\napp_id = \"{}\"", kOwnApp);
    const std::string another = "[upstream.alipay]\napp_id = \"2021000000000009\"";
    exchange(b.one.config, own, another);
    REQUIRE(b.one.start());
    b.recover();
    b.one.run_for(1min);
    CHECK(b.asked().empty());
    CHECK(b.one.parts().storage.evidence()->count() == 1);
    b.one.crash();
    exchange(b.one.config, another, own);
    REQUIRE(b.one.start());
    REQUIRE(b.settled());
    CHECK(b.count(Reconciled::confirmed) == 1);
}
