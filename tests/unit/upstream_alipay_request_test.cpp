// What the node sends to Alipay, byte for byte as the official SDK would.
#include "upstream/alipay_request.h"

#include <catch2/catch.hpp>

#include "tests/support/alipay_settings.h"

using namespace holdfast;
namespace av = holdfast::alipay_vectors;

namespace {

// 2026-11-23 10:20:30 in GMT+8, the time of the recorded requests.
const WallTime kThen = *parse_rfc3339("2026-11-23T02:20:30Z");

Form params_of(json::Value one) {
    Form form;
    for (json::Value p = one["params"].first(); p; p = p.next()) form.add(std::string(p.key()), av::text(p));
    return form;
}

std::string sorted_fields(std::string_view form) {
    const auto parsed = parse_form(form);
    REQUIRE(parsed);
    return sign_content(*parsed, SignEmpty::keep, SignTypeField::keep);
}

constexpr std::string_view kClient =
    R"({"orderNo":"O-1","scene":"LOGIN","subject":"u-1","evidence":{"image":"/9j/AAE="},)"
    R"("attributes":{"certifyId":"C1","certName":"张三","certNo":"110"}})";

AlipayRequest made(const AlipaySettings& s, std::string_view client = kClient) {
    json::Document doc;
    const auto root = doc.parse(client);
    REQUIRE(root);
    auto out = alipay_request_v2(s, *root, kThen, "n0");
    REQUIRE(out);
    return std::move(*out);
}

std::string content_of(const std::string& method, std::string_view client = kClient) {
    json::Document doc;
    return biz_content(av::settings(method).request, *doc.parse(client));
}

}  // namespace

TEST_CASE("alipay request: recorded calls are signed and laid out as the official SDK did") {
    const av::Vectors v("alipay_requests.json");
    const auto key = av::private_key("app_private_pkcs1");
    std::size_t exact = 0;
    for (json::Value one = v["good"].first(); one; one = one.next()) {
        INFO(av::text(one["name"]));
        const Form params = params_of(one);
        const std::string text = sign_content(params, SignEmpty::drop, SignTypeField::keep);
        CHECK(text == av::text(one["sign_string"]));
        CHECK(key.sign(text) == av::text(one["sign"]));
        const json::Value wire = one["wire"];
        if (!wire) continue;
        const AlipayRequest request = lay_out_v2(params, av::text(one["sign"]));
        CHECK("/gateway.do" + request.target == av::text(wire["path_and_query"]));
        CHECK(request.content_type == av::text(wire["content_type"]));
        CHECK(sorted_fields(request.body) == sorted_fields(av::text(wire["body"])));
        exact += request.body == av::text(wire["body"]) ? 1 : 0;
    }
    CHECK(exact >= 4);
}

TEST_CASE("alipay request: recorded bad calls do not verify") {
    const av::Vectors v("alipay_requests.json");
    std::size_t n = 0;
    for (json::Value one = v["bad"].first(); one; one = one.next(), ++n) {
        INFO(av::text(one["name"]));
        const Form params = params_of(one);
        CHECK_FALSE(av::public_key("app_public")
                        .verify(sign_content(params, SignEmpty::drop, SignTypeField::keep), params.get("sign")));
    }
    CHECK(n >= 5);
}

TEST_CASE("alipay request: a call holds the public parameters and the mapped fields, and verifies") {
    AlipaySettings s = av::settings();
    s.notify_url = "https://edge.example.cn/v1/notifications/alipay?a=1&b=2";
    s.app_auth_token = "tok";
    av::use_certificates(s);
    const AlipayRequest r = made(s);
    Form form;
    REQUIRE(parse_form(r.target.substr(1), form));
    REQUIRE(parse_form(r.body, form));
    CHECK(form.get("timestamp") == "2026-11-23 10:20:30");
    CHECK(form.get("sign_type") == "RSA2");
    CHECK(form.get("charset") == "utf-8");
    CHECK(form.get("notify_url") == s.notify_url);
    CHECK(form.get("app_cert_sn") == av::key("app_cert_sn"));
    CHECK(form.get("alipay_root_cert_sn") == av::key("alipay_root_cert_sn"));
    CHECK(form.get("biz_content") ==
          R"({"face_image":"/9j/AAE=","outer_order_no":"O-1","user_id":"u-1","verify_scene":"LOGIN"})");
    CHECK(av::public_key("app_public")
              .verify(sign_content(form, SignEmpty::keep, SignTypeField::keep), form.get("sign")));
}

TEST_CASE("alipay request: what is there and empty stays in the contents, and is no parameter of its own") {
    constexpr std::string_view kEmpty =
        R"({"orderNo":"O","scene":"","subject":"u","evidence":{"image":"/9j/AAE="},"attributes":{"certNo":"","n":7}})";
    AlipaySettings s = av::settings();
    s.request.fields = {{"a.no", "attributes.certNo"}, {"a.name", "attributes.certName"}, {"n", "attributes.n"},
                        {"scene", "scene"}, {"user", "subject"}};
    const auto form = parse_form(made(s, kEmpty).body);
    REQUIRE(form);
    CHECK(form->get("biz_content") == R"({"a":{"no":""},"scene":"","user":"u"})");
    AlipaySettings file = av::settings("datadigital.fincloud.generalsaas.face.source.certify");
    const AlipayRequest parts = made(file, kEmpty);
    CHECK(parts.body.find("cert_type") != std::string::npos);
    CHECK(parts.body.find("cert_no") == std::string::npos);
    json::Document doc;
    const auto none = doc.parse(R"({"orderNo":"O","evidence":{"image":""},"attributes":{"certNo":"1"}})");
    CHECK_FALSE(alipay_request_v2(file, *none, kThen, "n"));
}

TEST_CASE("alipay request: what is absent is not sent") {
    const AlipayRequest r = made(av::settings(), R"({"orderNo":"O","scene":"LOGIN","subject":"u"})");
    CHECK(r.target.find("notify_url") == std::string::npos);
    CHECK(r.target.find("cert_sn") == std::string::npos);
    const auto form = parse_form(r.body);
    CHECK(form->get("biz_content") == R"({"outer_order_no":"O","user_id":"u","verify_scene":"LOGIN"})");
}

TEST_CASE("alipay request: presets know the face APIs") {
    CHECK(
        content_of("alipay.user.certify.open.initialize") ==
        R"({"biz_code":"FACE","face_contrast_picture":"/9j/AAE=","identity_param":{"cert_name":"张三","cert_no":"110",)"
        R"("cert_type":"IDENTITY_CARD","identity_type":"CERT_INFO"},"outer_order_no":"O-1"})");
    CHECK(
        content_of("alipay.user.certify.open.initialize",
                   R"({"orderNo":"O-1","attributes":{"certNo":"110","returnUrl":"https://shop/?a=1"}})") ==
        R"({"biz_code":"FACE","identity_param":{"cert_no":"110","cert_type":"IDENTITY_CARD",)"
        R"("identity_type":"CERT_INFO"},"merchant_config":{"return_url":"https://shop/?a=1"},"outer_order_no":"O-1"})");
    CHECK(content_of("alipay.user.certify.open.query") == R"({"certify_id":"C1"})");
    CHECK(content_of("datadigital.fincloud.generalsaas.face.verification.initialize") ==
          R"({"biz_code":"DATA_DIGITAL_BIZ_CODE_FACE_VERIFICATION","cert_name":"张三","cert_no":"110",)"
          R"("cert_type":"IDENTITY_CARD","identity_type":"CERT_INFO","outer_order_no":"O-1"})");
    for (const char* rest : {"certify.initialize", "certify.query", "verification.query", "source.certify"})
        CHECK(alipay_preset(std::string("datadigital.fincloud.generalsaas.face.") + rest));
    CHECK_FALSE(alipay_preset("alipay.trade.pay"));
    for (const char* source : {"orderNo", "evidence.image", "attributes.x", "=FACE"}) CHECK(is_alipay_source(source));
    for (const char* source : {"", "=", "attributes.", "evidence", "terms.degraded", "order"})
        CHECK_FALSE(is_alipay_source(source));
}

TEST_CASE("alipay request: encrypted contents are encrypted first, then signed") {
    AlipaySettings s = av::settings();
    s.cipher = *rsa2::ContentCipher::make("AAECAwQFBgcICQoLDA0ODw==");
    const AlipayRequest r = made(s);
    Form form;
    REQUIRE(parse_form(r.target.substr(1), form));
    REQUIRE(parse_form(r.body, form));
    CHECK(form.get("encrypt_type") == "AES");
    CHECK(s.cipher->decrypt(form.get("biz_content"))->find("outer_order_no") != std::string::npos);
    CHECK(av::public_key("app_public")
              .verify(sign_content(form, SignEmpty::keep, SignTypeField::keep), form.get("sign")));
}

TEST_CASE("alipay request: contents that are too long to be encrypted are their caller's fault, and sent in clear") {
    AlipaySettings s = av::settings();
    s.request.fields = {{"a", "attributes.x"}, {"b", "attributes.x"}};  // twice what the caller sent
    const std::string text = R"({"attributes":{"x":")" + std::string(rsa2::kContentMax / 2, 'x') + R"("}})";
    json::Document doc;
    const auto root = doc.parse(text);
    REQUIRE(root);
    CHECK(alipay_request_v2(s, *root, kThen, "n"));
    s.cipher = *rsa2::ContentCipher::make("AAECAwQFBgcICQoLDA0ODw==");
    const auto refused = alipay_request_v2(s, *root, kThen, "n");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::invalid);
    CHECK(refused.error().origin == Origin::client);
    s.protocol = AlipayProtocol::v3;  // which encrypts nothing
    CHECK(alipay_request_v3(s, *root, kThen, "n").body.size() > rsa2::kContentMax);
}

TEST_CASE("alipay request: an API that takes a file signs the texts and not the file") {
    AlipaySettings s = av::settings("datadigital.fincloud.generalsaas.face.source.certify");
    const AlipayRequest r = made(s);
    CHECK(r.content_type == "multipart/form-data; boundary=holdfast-n0");
    CHECK(r.body.find("name=\"outer_biz_no\"\r\n\r\nO-1\r\n") != std::string::npos);
    CHECK(r.body.find("\xff\xd8\xff\x00\x01\r\n--holdfast-n0--\r\n", 0, 5) != std::string::npos);
    CHECK(r.target.find("biz_content") == std::string::npos);
    CHECK(r.body.find("biz_content") == std::string::npos);
    Form form;
    REQUIRE(parse_form(r.target.substr(1), form));
    for (const auto& [name, value] : {std::pair("cert_name", "张三"), std::pair("cert_no", "110"),
                                      std::pair("cert_type", "IDENTITY_CARD"), std::pair("outer_biz_no", "O-1")})
        form.add(name, value);
    CHECK(av::public_key("app_public")
              .verify(sign_content(form, SignEmpty::keep, SignTypeField::keep), form.get("sign")));
    json::Document doc;
    CHECK_FALSE(alipay_request_v2(s, *doc.parse(R"({"orderNo":"O"})"), kThen, "n"));
}

TEST_CASE("alipay request: recorded v3 calls have the strings that the official SDK signed") {
    const av::Vectors v("alipay_v3.json");
    std::size_t n = 0;
    for (json::Value one = v["cases"].first(); one; one = one.next(), ++n) {
        INFO(av::text(one["name"]));
        AlipaySettings s = av::settings();
        const json::Value request = one["request"];
        s.app_auth_token = av::text(request["headers"]["alipay-app-auth-token"]);
        if (request["headers"]["alipay-root-cert-sn"]) av::use_certificates(s);
        const std::string auth = av::text(one["auth_string"]);
        const auto nonce_at = auth.find("nonce=") + 6, time_at = auth.find(",timestamp=");
        const std::string nonce = auth.substr(nonce_at, time_at - nonce_at);
        const WallTime when{Millis(std::stoll(auth.substr(time_at + 11)))};
        CHECK(v3_auth_string(s, when, nonce) == auth);
        const std::string text = v3_sign_string(
            s, auth, {av::text(request["method"]), av::text(request["path_and_query"]), av::text(request["body"])});
        CHECK(text == av::text(one["sign_string"]));
        CHECK(s.key->sign(text) == av::text(one["sign"]));
    }
    CHECK(n >= 5);
}

TEST_CASE("alipay request: a v3 call carries its signature in the head") {
    AlipaySettings s = av::settings("alipay.user.certify.open.query");
    s.protocol = AlipayProtocol::v3;
    s.app_auth_token = "tok";
    av::use_certificates(s);
    json::Document doc;
    const AlipayRequest r = alipay_request_v3(s, *doc.parse(kClient), kThen, "nonce-1");
    CHECK(r.target == "/v3/alipay/user/certify/open/query");
    CHECK(r.body == R"({"certify_id":"C1"})");
    CHECK(r.headers.find("alipay-app-auth-token: tok\r\n") != std::string::npos);
    CHECK(r.headers.find("alipay-root-cert-sn: " + av::key("alipay_root_cert_sn")) != std::string::npos);
    const std::string auth = v3_auth_string(s, kThen, "nonce-1");
    const auto at = r.headers.find(auth + ",sign=");
    REQUIRE(at != std::string::npos);
    const auto from = at + auth.size() + 6;
    const std::string sign = r.headers.substr(from, r.headers.find("\r\n", from) - from);
    CHECK(av::public_key("app_public").verify(v3_sign_string(s, auth, {"POST", r.target, r.body}), sign));
}

TEST_CASE("alipay request: times are in GMT+8") {
    CHECK(alipay_timestamp(kThen) == "2026-11-23 10:20:30");
    CHECK(alipay_timestamp(*parse_rfc3339("2025-12-31T16:00:00Z")) == "2026-01-01 00:00:00");
    CHECK(parse_alipay_timestamp("2026-11-23 10:20:30") == kThen);
    for (const char* text : {"", "2026-11-23T10:20:30", "2026-11-23 10:20", "2026-13-23 10:20:30"})
        CHECK_FALSE(parse_alipay_timestamp(text));
}
