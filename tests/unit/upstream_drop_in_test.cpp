// Calls of Alipay SDKs that come to us: what is let through, what is refused and how, what we say ourselves.
#include <catch2/catch.hpp>

#include <map>

#include "tests/support/alipay_settings.h"
#include "tests/support/alipay_vectors.h"
#include "upstream/alipay_envelope.h"
#include "upstream/drop_in.h"
#include "upstream/drop_in_answer.h"

using namespace holdfast;
namespace av = holdfast::alipay_vectors;

namespace {

const WallTime kNow = *parse_alipay_timestamp("2026-11-23 10:20:30");
const std::string kBiz = R"({"outer_order_no":"o-1","verify_scene":"LOGIN","user_id":"u-1"})";

DropInSettings settings() {
    DropInSettings out;
    auto alipay = std::make_shared<AlipaySettings>(av::settings("alipay.user.faceverify.verify"));
    out.method = alipay->method;
    alipay->request.fields.push_back({"biz_code", "=FACE"});
    alipay->request.fields.push_back({"identity_param.cert_no", "attributes.certNo"});
    alipay->request.fields.push_back({"identity_param.cert_type", "=IDENTITY_CARD"});
    out.request = inverted(alipay->request);
    out.constants = constants_of(alipay->request);
    out.key = av::private_key("other_private_pkcs1");
    DropInApp app;
    app.app_id = "2021000000000001";
    app.credential = "shop";
    app.key = std::make_shared<const rsa2::PublicKey>(av::public_key("app_public"));
    app.settings = std::move(alipay);
    out.apps.push_back(std::move(app));
    out.sign_refusals();
    return out;
}

const DropInSettings& site() {
    static const DropInSettings one = settings();
    return one;
}

struct Sent {
    std::map<std::string, std::string> params = {
        {"method", "alipay.user.faceverify.verify"}, {"app_id", "2021000000000001"}, {"charset", "utf-8"},
        {"version", "1.0"}, {"sign_type", "RSA2"}, {"timestamp", "2026-11-23 10:20:30"}, {"biz_content", kBiz}};
    std::string key = "app_private_pkcs8";
    SignEmpty empty = SignEmpty::keep;
    std::string more_query, more_body;
    bool is_form = true;

    DropInCall read(WallTime now = kNow) const {
        Form form;
        for (const auto& [name, value] : params) form.add(name, value);
        const std::string sign = av::private_key(key).sign(sign_content(form, empty, SignTypeField::keep));
        std::string query, body;
        for (const auto& [name, value] : params) append_form_field(name == "biz_content" ? body : query, name, value);
        append_form_field(query, "sign", sign);
        return read_drop_in(site(), {query + more_query, body + more_body, is_form}, now, 300s);
    }
};

std::string member(std::string_view json, std::string_view name) {
    json::Document doc;
    const auto root = doc.parse(json);
    REQUIRE(root);
    return av::text((*root)[name]);
}

}  // namespace

TEST_CASE("drop-in: a call of the own app is made anew as its caller asked, by the node's key and clock") {
    Sent sent;
    sent.params["biz_content"] =
        R"({"outer_order_no":"o-1","verify_scene":"LOGIN","user_id":"u-1","face":"a+b/c=","not_mapped":"& =%"})";
    sent.params["app_auth_token"] = "of the merchant";
    sent.params["notify_url"] = "https://shop.example/told?a=b";
    sent.params["app_cert_sn"] = "of the caller's certificate";
    sent.params["terminal_type"] = "phone";
    sent.params["prod_code"] = "";
    const DropInCall call = sent.read();
    REQUIRE(call.fault == DropInFault::none);
    REQUIRE(call.forward->own_app);
    AlipaySettings node = *call.forward->settings;
    node.app_auth_token = "of the node";
    for (const std::string url : {"", "https://edge.example/v1/notifications/alipay"}) {
        node.notify_url = url;
        const auto kept = parse_form(kept_call(*call.forward));
        REQUIRE(kept);
        const AlipayRequest made = alipay_request_anew(node, *kept, kNow + 6h);
        Form out;
        REQUIRE(parse_form(made.target.substr(1), out));
        REQUIRE(parse_form(made.body, out));
        const std::string signed_text = sign_content(out, SignEmpty::keep, SignTypeField::keep);
        CHECK(av::public_key("app_public").verify(signed_text, out.get("sign")));
        CHECK(out.get("timestamp") == "2026-11-23 16:20:30");
        CHECK(out.get("biz_content") == sent.params["biz_content"]);
        CHECK(out.get("app_auth_token") == "of the merchant");
        CHECK(out.get("notify_url") == (url.empty() ? "https://shop.example/told?a=b" : url));
        CHECK(out.get("terminal_type") == "phone");
        CHECK(out.get("app_id") == node.app_id);
        CHECK(out.find("app_cert_sn") == nullptr);
        CHECK(out.find("prod_code") == nullptr);
        CHECK(made.target.find("biz_content") == std::string::npos);
    }
}

TEST_CASE("drop-in: a call of an app for itself is not made anew for the merchant that the node acts for") {
    const DropInCall call = Sent{}.read();
    AlipaySettings node = *call.forward->settings;
    node.app_auth_token = "of the node";
    const auto kept = parse_form(kept_call(*call.forward));
    REQUIRE(kept);
    CHECK(alipay_request_anew(node, *kept, kNow).target.find("app_auth_token") == std::string::npos);
}

TEST_CASE("drop-in: what is kept of a call without its evidence asks by the mapping of our own calls") {
    Sent sent;
    sent.params["biz_content"] =
        R"({"outer_order_no":"o-1","verify_scene":"LOGIN","user_id":"u-1","face":"SEEN","not_mapped":"SEEN"})";
    sent.params["app_auth_token"] = "of the merchant";
    sent.params["terminal_type"] = "SEEN";
    const DropInCall call = sent.read();
    REQUIRE(call.fault == DropInFault::none);
    json::Document doc;
    const auto bare = doc.parse(R"({"orderNo":"another","scene":"LOGIN","subject":"u-1","attributes":{}})");
    REQUIRE(bare);
    const std::string text = kept_call(*call.forward, *bare);
    CHECK(text.find("SEEN") == std::string::npos);
    const auto kept = parse_form(text);
    REQUIRE(kept);
    CHECK(kept->get("app_auth_token") == "of the merchant");
    CHECK(member(kept->get("biz_content"), "outer_order_no") == "another");
    CHECK(member(kept->get("biz_content"), "user_id") == "u-1");
}

TEST_CASE("drop-in: a signed call becomes a verification, and goes on as it was signed") {
    const DropInCall call = Sent{}.read();
    REQUIRE(call.fault == DropInFault::none);
    CHECK(call.named);
    CHECK(call.credential == "shop");
    CHECK(member(call.request, "orderNo") == "o-1");
    CHECK(member(call.request, "scene") == "LOGIN");
    CHECK(member(call.request, "subject") == "u-1");
    CHECK(call.digest == Sha256::of(call.request));
    REQUIRE(call.forward);
    const auto question = call.forward->request.target.find('?');
    Form again;
    REQUIRE(parse_form(std::string_view(call.forward->request.target).substr(question + 1), again));
    REQUIRE(parse_form(call.forward->request.body, again));
    CHECK(again.get("biz_content") == kBiz);
    CHECK(av::public_key("app_public").verify(sign_content(again, SignEmpty::keep, SignTypeField::keep),
                                              again.get("sign")));
}

TEST_CASE("drop-in: the same thing asked at another time is the same request, anything else is not") {
    const DropInCall first = Sent{}.read();
    Sent sent;
    sent.params["timestamp"] = "2026-11-23 10:22:00";
    CHECK(sent.read().digest == first.digest);
    sent.params["notify_url"] = "https://shop.example/n";
    CHECK(sent.read().digest != first.digest);
    sent = Sent{};
    sent.params["biz_content"] = R"({"outer_order_no":"o-1","verify_scene":"LOGIN","user_id":"u-1","more":"x"})";
    CHECK(sent.read().digest != first.digest);
}

TEST_CASE("drop-in: fields without a value may be signed or not, and are passed on as they came") {
    Sent sent;
    sent.params["auth_token"] = "";
    sent.params["encrypt_type"] = "";
    for (const SignEmpty empty : {SignEmpty::keep, SignEmpty::drop}) {
        sent.empty = empty;
        const DropInCall call = sent.read();
        REQUIRE(call.fault == DropInFault::none);
        CHECK(call.forward->request.target.find("&auth_token=&") != std::string::npos);
    }
}

TEST_CASE("drop-in: what is wrong with a call is said in the gateway's order and words") {
    struct Case {
        std::string name, value;  // value empty: the field is left out
        DropInFault fault;
    };
    const Case cases[] = {{"app_id", "", DropInFault::missing_app_id},
                          {"app_id", "1", DropInFault::invalid_app_id},
                          {"method", "", DropInFault::missing_method},
                          {"method", "alipay.trade.pay", DropInFault::invalid_method},
                          {"charset", "", DropInFault::invalid_charset},
                          {"charset", "GBK", DropInFault::invalid_charset},
                          {"version", "", DropInFault::missing_version},
                          {"version", "2.0", DropInFault::invalid_version},
                          {"format", "xml", DropInFault::invalid_format},
                          {"timestamp", "", DropInFault::missing_timestamp},
                          {"timestamp", "2026-11-23T10:20:30", DropInFault::invalid_timestamp},
                          {"sign_type", "", DropInFault::missing_signature_type},
                          {"sign_type", "RSA", DropInFault::invalid_signature_type},
                          {"sign_type", "HMAC-SHA256", DropInFault::invalid_signature_type},
                          {"encrypt_type", "AES", DropInFault::invalid_encrypt_type},
                          {"biz_content", "", DropInFault::illegal_json},
                          {"biz_content", "[]", DropInFault::illegal_json},
                          {"biz_content", R"({"user_id":"a","user_id":"b"})", DropInFault::illegal_json},
                          {"biz_content", R"({"user_id":7})", DropInFault::invalid_content}};
    for (const Case& one : cases) {
        INFO(one.name << " = " << one.value);
        Sent sent;
        if (one.value.empty())
            sent.params.erase(one.name);
        else
            sent.params[one.name] = one.value;
        const DropInCall call = sent.read();
        CHECK(call.fault == one.fault);
        CHECK(call.forward == nullptr);
        CHECK(call.credential.empty());
    }
}

TEST_CASE("drop-in: what prechecks read cannot be hidden in a text, and no other check is asked for than ours") {
    const std::map<std::string, DropInFault> cases{
        {R"("identity_param":{"cert_no":"1","cert_type":"IDENTITY_CARD"})", DropInFault::none},
        {R"("identity_param":{},"biz_code":"FACE")", DropInFault::none},
        {R"("identity_param":"{\"cert_no\":\"1\"}")", DropInFault::invalid_content},
        {R"("identity_param":[{"cert_no":"1"}])", DropInFault::invalid_content},
        {R"("identity_param":null)", DropInFault::invalid_content},
        {R"("identity_param":{"cert_no":["1"]})", DropInFault::invalid_content},
        {R"("biz_code":"CERT_PHOTO")", DropInFault::another_check},
        {R"("biz_code":"")", DropInFault::another_check},
        {R"("biz_code":7)", DropInFault::another_check},
        {R"("identity_param":{"cert_type":"PASSPORT"})", DropInFault::another_check}};
    for (const auto& [more, fault] : cases) {
        INFO(more);
        Sent sent;
        sent.params["biz_content"] = kBiz.substr(0, kBiz.size() - 1) + "," + more + "}";
        const DropInCall call = sent.read();
        CHECK(call.fault == fault);
        CHECK((call.forward == nullptr) == (fault != DropInFault::none));
    }
}

TEST_CASE("drop-in: a timestamp counts within its window, both ends included") {
    CHECK(Sent{}.read(kNow + 300s).fault == DropInFault::none);
    CHECK(Sent{}.read(kNow + 301s).fault == DropInFault::invalid_timestamp);
    CHECK(Sent{}.read(kNow + 301s).skew == Seconds(-301));
    CHECK(Sent{}.read(kNow - 301s).skew == Seconds(301));
    CHECK_FALSE(Sent{}.read(kNow).skew);
    CHECK(Sent{}.read(kNow - 300s).fault == DropInFault::none);
    CHECK(Sent{}.read(kNow - 301s).fault == DropInFault::invalid_timestamp);
}

TEST_CASE("drop-in: nothing that is not signed by the app's key over all of it is believed") {
    Sent sent;
    sent.key = "other_private_pkcs1";
    CHECK(sent.read().fault == DropInFault::invalid_signature);
    sent = Sent{};
    sent.more_query = "&notify_url=http%3A%2F%2Fevil";
    CHECK(sent.read().fault == DropInFault::invalid_signature);
    sent.more_query = "&method=alipay.user.faceverify.verify";
    CHECK(sent.read().fault == DropInFault::invalid_form);
    sent.more_query = "";
    sent.more_body = "&app_id=2021000000000001";
    CHECK(sent.read().fault == DropInFault::invalid_form);
    sent.more_body = "&a=%zz";
    CHECK(sent.read().fault == DropInFault::invalid_form);
    sent = Sent{};
    sent.is_form = false;
    CHECK(sent.read().fault == DropInFault::invalid_form);
    const DropInCall empty = read_drop_in(site(), {"", "", true}, kNow, 300s);
    CHECK(empty.fault == DropInFault::missing_app_id);
    CHECK_FALSE(empty.named);
}

TEST_CASE("drop-in: the recorded calls of the official SDK verify here, the bad ones do not") {
    const av::Vectors v("alipay_requests.json");
    for (const bool good : {true, false})
        for (json::Value one = v[good ? "good" : "bad"].first(); one; one = one.next()) {
            INFO(av::text(one["name"]));
            std::string query;
            for (json::Value p = one["params"].first(); p; p = p.next())
                append_form_field(query, p.key(), av::text(p));
            if (good) append_form_field(query, "sign", av::text(one["sign"]));
            const DropInFault fault = read_drop_in(site(), {query, "", true}, kNow, 86400s).fault;
            const std::string sub(text_of(fault).sub_code);
            if (good)
                CHECK((fault == DropInFault::none || fault == DropInFault::invalid_method ||
                       fault == DropInFault::invalid_encrypt_type || fault == DropInFault::illegal_json));
            else
                CHECK(sub == av::text(one["expect_sub_code"]));
        }
}

TEST_CASE("drop-in: refusals are signed by us over their own bytes, under the method's name or as an error") {
    const rsa2::PublicKey ours = site().key->public_half();
    for (std::size_t i = 1; i < static_cast<std::size_t>(DropInFault::count_); ++i)
        for (const bool named : {true, false}) {
            const auto fault = static_cast<DropInFault>(i);
            json::Document doc;
            const auto envelope = open_envelope(site().refusal(fault, named), site().method, doc);
            REQUIRE(envelope);
            CHECK(envelope->is_error == !named);
            CHECK(ours.verify(envelope->node, envelope->sign.value_or("")));
            CHECK(member(envelope->node, "code") == text_of(fault).code);
            CHECK(member(envelope->node, "sub_code") == text_of(fault).sub_code);
        }
}

TEST_CASE("drop-in: an answer of our own says what it is, and only a pass looks like one") {
    DropInSettings s = settings();
    Answer answer;
    answer.source = Source::cache;
    answer.age = Seconds(7);
    answer.score = 0.5;
    for (const auto& [outcome, passed] : {std::pair(Outcome::pass, "T"), std::pair(Outcome::fail, "F"),
                                          std::pair(Outcome::review, ""), std::pair(Outcome::provisional, "")}) {
        answer.outcome = outcome;
        const std::string node = drop_in_node(s, answer, "o-1", false);
        CHECK(member(node, "passed") == passed);
        CHECK(member(node, "edge_outcome") == name(outcome));
        CHECK(member(node, "edge_degraded") == "true");
        CHECK(member(node, "edge_source") == "cache");
        CHECK(member(node, "edge_age_seconds") == "7");
        CHECK(member(node, "outer_order_no") == "o-1");
        CHECK(member(node, "score") == "0.5");
    }
    s.provisional = "P";
    CHECK(member(drop_in_node(s, answer, "o-1", false), "passed") == "P");
}

TEST_CASE("drop-in: each refusal of ours is a code that SDKs know") {
    CHECK(drop_in_refusal(ApiCode::precheck_denied, "x").code == "40004");
    CHECK(drop_in_refusal(ApiCode::scene_forbidden, "x").code == "40006");
    CHECK(drop_in_refusal(ApiCode::rate_limited, "x").code == "40005");
    CHECK(drop_in_refusal(ApiCode::order_conflict, "x").code == "40002");
    for (const ApiCode code : {ApiCode::overloaded, ApiCode::draining, ApiCode::verification_unavailable,
                               ApiCode::upstream_timeout, ApiCode::upstream_invalid_response, ApiCode::internal_error})
        CHECK(drop_in_refusal(code, "x").sub_code == "isp.unknow-error");
}
