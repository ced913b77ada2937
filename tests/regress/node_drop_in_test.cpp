// Calls of an Alipay SDK whose answer waits for its signature: what may happen meanwhile. Each through one whole node.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "edge/base/bytes.h"
#include "edge/base/crypto.h"
#include "edge/net/http_writer.h"
#include "edge/operators.h"
#include "tests/sim/one_node.h"
#include "tests/support/alipay_settings.h"
#include "upstream/alipay_envelope.h"

using namespace holdfast;
using namespace holdfast::sim;
namespace av = holdfast::alipay_vectors;

namespace {

constexpr std::string_view kApp = "2021000000000001";

// A node that an operator has degraded for long enough, so that every call gets an answer that it signs itself.
struct Bench {
    explicit Bench(const std::string& more = {}) {
        for (const auto& [file, key] : {std::pair{"app.pem", "app_private_pkcs8"},
                                        {"app-public.pem", "app_public"},
                                        {"alipay.pem", "alipay_public"},
                                        {"edge.pem", "other_private_pkcs1"}})
            one.folder.write(file, av::key(key));
        one.config.insert(one.config.find("[upstream]\n") + 11, "kind = \"alipay\"\n");
        one.config += fmt::format(
            "[upstream.alipay]\napp_id = \"{0}\"\nprivate_key_file = \"{1}/app.pem\"\n"
            "alipay_public_key_file = \"{1}/alipay.pem\"\n[gateway]\nsigning_key_file = \"{1}/edge.pem\"\n"
            "[[gateway.app]]\napp_id = \"{0}\"\ncredential = \"app-a\"\npublic_key_file = \"{1}/app-public.pem\"\n",
            kApp, one.folder.path());
        one.config += more;
        const bool started = one.start();
        INFO(one.why());
        REQUIRE(started);
        ordered([this](Operators& by, auto done) { by.degrade(Mode::degraded, "", 1h, "test", done); });
        one.run_for(6s);  // the outage is old enough for a provisional answer
    }
    void ordered(const std::function<void(Operators&, std::function<void(Result<void>)>)>& order) {
        bool stands = false;
        Operators by(one.node(), "test");
        order(by, [&stands](Result<void> done) { stands = done.has_value(); });
        REQUIRE(one.until([&stands] { return stands; }));
    }
    // Every job off the loop that begins from now on takes so long.
    void jobs_take(Nanos time) {
        OffloadPlan plan;
        plan.work_min = plan.work_max = time;
        one.offload.set_plan(plan);
    }
    // A call of the SDK, without waiting.
    void begin(OneNode::Got& got, const std::string& order, const std::string& image = {},
               const std::string& merchant = {}) {
        Form form;
        form.add("app_id", std::string(kApp));
        form.add("method", "alipay.user.faceverify.verify");
        form.add("charset", "utf-8");
        form.add("version", "1.0");
        form.add("sign_type", "RSA2");
        form.add("timestamp", alipay_timestamp(one.view.now().wall));
        if (!merchant.empty()) form.add("app_auth_token", merchant);
        form.add("biz_content",
                 fmt::format(R"({{"outer_order_no":"{}","verify_scene":"{}","user_id":"user-1","face":"{}"}})", order,
                             scene, image));
        std::string body;
        for (const FormField& f : form.fields()) append_form_field(body, f.name, f.value);
        append_form_field(
            body, "sign",
            av::private_key("app_private_pkcs8").sign(sign_content(form, SignEmpty::keep, SignTypeField::keep)));
        // As short as a form may be: we write it longer.
        std::string brief;
        for (std::size_t at = 0; at < body.size(); at += brief.back() == '/' ? 3 : 1)
            brief += body.compare(at, 3, "%2F") == 0 ? '/' : body[at];
        body = std::move(brief);
        std::string bytes;
        append_request_head(
            bytes, {"POST", "/gateway.do", "edge.example", "application/x-www-form-urlencoded", body.size(), true});
        one.send(got, bytes + body);
    }
    OneNode::Got ask(const std::string& order, const std::string& merchant = {}) {
        OneNode::Got got;
        begin(got, order, {}, merchant);
        REQUIRE(one.until([&got] { return got.status != 0; }));
        CHECK(got.status == 200);
        return got;
    }
    // The same: it is verified, decided, and its answer's signature takes so long.
    void begin_and_sign_for(Nanos time, OneNode::Got& got, const std::string& order) {
        jobs_take(50ms);
        begin(got, order);
        one.run_for(40ms);
        jobs_take(time);
        one.run_for(40ms);
        REQUIRE(got.status == 0);
    }
    Nanos deadline() { return one.node().config().upstream.deadline; }
    static void is_refusal(const OneNode::Got& got) {
        CHECK(got.status == 200);
        CHECK(says(got, "code") == "20000");
        CHECK(says(got, "sub_code") == "isp.unknow-error");
        CHECK(says(got, "edge_outcome").empty());
    }
    // A member of the node in an answer.
    static std::string says(const OneNode::Got& got, std::string_view member) {
        json::Document document;
        const auto root = document.parse(got.body);
        return root ? std::string(root->first()[member].text().value_or("")) : std::string();
    }

    OneNode one;
    std::string scene = "OPEN";
};

}  // namespace

TEST_CASE("drop-in: an answer that is not signed by the deadline is refused then and given when it is asked again") {
    Bench b;
    REQUIRE(b.says(b.ask("o-1"), "edge_outcome") == "provisional");
    OneNode::Got got;
    b.begin_and_sign_for(60s, got, "o-1");
    b.one.run_for(b.deadline() - 200ms);
    CHECK(got.status == 0);
    b.one.run_for(300ms);
    b.is_refusal(got);
    b.jobs_take(0s);
    CHECK(b.says(b.ask("o-1"), "edge_outcome") == "provisional");
}

TEST_CASE("drop-in: what is remembered of one merchant's user answers for no other merchant's, a revocation for all") {
    Bench b;
    b.scene = "LOGIN";
    const std::string mark = to_hex(Sha256::of("merchant-1")).substr(0, kMerchantMarkBytes);
    for (const std::string& device : {std::string(), device_for(mark, "")}) {
        OutcomeRecord record;
        record.outcome.verdict = Verdict::pass;
        record.decided = b.one.view.now();
        const SubjectKey key{"app-a", "user-1", b.scene, device};
        REQUIRE(b.one.parts().storage.outcomes().put(key, record, 0s, 1h, b.one.view.now()) == PutOutcome::queued);
        const bool by_merchant = !device.empty();
        const std::string n = by_merchant ? "b" : "a";
        CHECK(b.says(b.ask("o-" + n + "1"), "edge_outcome") == "pass");
        CHECK((b.says(b.ask("o-" + n + "2", "merchant-1"), "edge_outcome") == "pass") == by_merchant);
        CHECK(b.says(b.ask("o-" + n + "3", "merchant-2"), "edge_outcome") != "pass");
    }
    b.ordered([](Operators& by, auto done) { by.revoke("user-1", done); });
    CHECK(b.says(b.ask("o-1"), "edge_outcome") != "pass");
    CHECK(b.says(b.ask("o-2", "merchant-1"), "edge_outcome") != "pass");
}

TEST_CASE("drop-in: an order that had a provisional answer has it again after the outage was renewed") {
    Bench b;
    REQUIRE(b.says(b.ask("o-1"), "edge_outcome") == "provisional");
    b.one.run_for(16s);
    b.is_refusal(b.ask("o-1"));  // the hard stop
    b.ordered([](Operators& by, auto done) { by.degrade(Mode::degraded, "", 1h, "test", done); });
    CHECK(b.says(b.ask("o-1"), "edge_outcome") == "provisional");
}

TEST_CASE("drop-in: a node that is going away says so signed as Alipay says that it cannot serve") {
    Bench b;
    b.one.parts().refusing = true;
    const auto got = b.ask("o-1");
    b.is_refusal(got);
    CHECK_FALSE(got.headers_retry_after.empty());
    json::Document document;
    const auto envelope = open_envelope(got.body, "alipay.user.faceverify.verify", document);
    REQUIRE(envelope);
    CHECK_FALSE(envelope->is_error);  // under the method's name, where SDKs verify it
    CHECK(av::public_key("other_public").verify(envelope->node, envelope->sign.value_or("")));
}

TEST_CASE("drop-in: a call whose signature is not verified by the deadline is refused then") {
    Bench b;
    b.jobs_take(60s);
    OneNode::Got got;
    b.begin(got, "o-1");
    b.one.run_for(b.deadline() - 100ms);
    CHECK(got.status == 0);
    b.one.run_for(300ms);
    b.is_refusal(got);
}

TEST_CASE("drop-in: a degraded answer that is revoked while it is being signed does not leave") {
    for (const bool revoked : {false, true}) {
        Bench b;
        REQUIRE(b.says(b.ask("o-1"), "edge_outcome") == "provisional");
        OneNode::Got got;
        b.begin_and_sign_for(500ms, got, "o-1");
        b.jobs_take(0s);
        if (revoked) b.ordered([](Operators& by, auto done) { by.revoke("user-1", done); });
        REQUIRE(got.status == 0);  // it is still being signed
        REQUIRE(b.one.until([&got] { return got.status != 0; }, 1s));
        if (revoked)
            b.is_refusal(got);
        else
            CHECK(b.says(got, "edge_outcome") == "provisional");
    }
}

TEST_CASE("drop-in: a degraded answer that ends while it is being signed does not leave") {
    for (const bool ends : {false, true}) {
        Bench b;
        const auto first = b.ask("o-1");
        REQUIRE(b.says(first, "edge_outcome") == "provisional");
        const auto end = parse_rfc3339(b.says(first, "edge_expires_at"));
        REQUIRE(end);
        b.one.run_for(*end - b.one.view.now().wall - (ends ? 300ms : 800ms));
        OneNode::Got got;
        b.begin_and_sign_for(500ms, got, "o-1");
        REQUIRE(b.one.until([&got] { return got.status != 0; }, 1s));
        if (ends)
            b.is_refusal(got);
        else
            CHECK(b.says(got, "edge_outcome") == "provisional");
    }
}

TEST_CASE("drop-in: what a call goes on as is counted against limits.memory, and shed above it") {
    for (const auto& [memory, is_called] : {std::pair{"4MiB", false}, std::pair{"16MiB", true}}) {
        INFO(memory);
        Bench b(fmt::format("[limits]\nmemory = \"{}\"\n", memory));
        b.ordered([](Operators& by, auto done) { by.degrade(Mode::automatic, "", 1h, "test", done); });
        OneNode::Got got;
        b.begin(got, "o-1", std::string(1'200'000, '/'));  // three times as long once it is written again, twice
        REQUIRE(b.one.until([&got] { return got.status != 0; }));
        b.is_refusal(got);  // the centre of this world is not Alipay
        CHECK((b.one.parts().upstream.status().endpoints.at(0).idle > 0) == is_called);  // its connection is kept
    }
}

TEST_CASE("drop-in: why a call was refused is told to operators by its own name") {
    Bench b;
    b.one.crash();
    const std::string path = b.one.log_access();
    REQUIRE(b.one.start());
    std::ifstream file(path);
    const auto refused = [&b, &file](const std::string& form) {
        std::string bytes;
        append_request_head(
            bytes, {"POST", "/gateway.do", "edge.example", "application/x-www-form-urlencoded", form.size(), true});
        OneNode::Got got;
        b.one.send(got, bytes + form);
        REQUIRE(b.one.until([&got] { return got.status != 0; }));
        b.one.run_for(2s);
        std::string line;
        json::Document document;
        REQUIRE(std::getline(file, line));
        const auto root = document.parse(line);
        REQUIRE(root);
        return std::string((*root)["reason"].text().value_or(""));
    };
    const std::string named = fmt::format("app_id={}&method=alipay.user.faceverify.verify", kApp);
    CHECK(refused("method=alipay.user.faceverify.verify") == "missing_app_id");
    CHECK(refused(named + "&charset=utf-8&version=1.0&sign_type=RSA2") == "missing_timestamp");
    CHECK(refused(named + "&charset=gbk&version=1.0&sign_type=RSA2") == "invalid_charset");
    CHECK(refused(named + "&a=1&a=2") == "invalid_form");
}
