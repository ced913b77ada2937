// The Alipay double against recorded traffic of the official SDK: it must accept what that sends, refuse each wrong
// call with the real code, and sign so that the recorded rules verify it. No line of the product's codec takes part.
#include <catch2/catch.hpp>

#include <fstream>
#include <set>
#include <sstream>
#include <tuple>

#include "tests/support/alipay_gateway.h"

using namespace holdfast;

namespace {

json::Document vectors(const std::string& name) {
    std::ifstream in(HOLDFAST_SOURCE_DIR "/tests/vectors/" + name + ".json");
    std::ostringstream text;
    text << in.rdbuf();
    json::Document out(200'000);
    REQUIRE(out.parse(text.str()));
    return out;
}

std::string text(json::Value value) {
    return std::string(value.text().value_or(""));
}

constexpr const char* kApp = "2021000000000001";
constexpr const char* kAes = "AAECAwQFBgcICQoLDA0ODw==";

AlipaySetup setup(bool certificates = false) {
    const auto doc = vectors("alipay_keys");
    const json::Value keys = doc.root()["keys"], certs = doc.root()["certs"];
    AlipaySetup out{kApp, text(keys["app_public"]), text(keys["alipay_private_pkcs1"]), {}, {}, kAes};
    if (!certificates) return out;
    out.app_key = text(certs["app_crt"]);
    out.certificate = text(certs["alipay_crt"]);
    out.roots = text(certs["root_bundle"]);
    return out;
}

std::unique_ptr<AlipayGateway> gateway(bool certificates = false) {
    auto made = AlipayGateway::make(setup(certificates));
    REQUIRE(made);
    return std::move(*made);
}

RsaKey alipay_key() {
    const auto doc = vectors("alipay_keys");
    return *RsaKey::read(text(doc.root()["keys"]["alipay_public"]));
}
RsaKey app_key() {
    const auto doc = vectors("alipay_keys");
    return *RsaKey::read(text(doc.root()["keys"]["app_private_pkcs8"]));
}

const WallTime kNow = *read_beijing_time("2026-11-23 10:20:30");

AlipayPlan plan(Forge forge = Forge::none) {
    AlipayPlan out;
    out.forge = forge;
    return out;
}

MiniRequest request_of(json::Value wire, const std::string& method) {
    MiniRequest out;
    out.method = method;
    const std::string target = text(wire["path_and_query"]);
    out.path = target.substr(0, target.find('?'));
    if (target.size() > out.path.size()) out.query = target.substr(out.path.size() + 1);
    out.body = text(wire["body"]);
    if (wire["content_type"]) out.headers.emplace_back("Content-Type", text(wire["content_type"]));
    for (auto h = wire["headers"].first(); h; h = h.next()) out.headers.emplace_back(std::string(h.key()), text(h));
    return out;
}

// Code and sub-code of every row of the recorded table.
const std::set<std::string>& recorded_codes() {
    static const std::set<std::string> all = [] {
        std::set<std::string> out;
        const auto codes = vectors("alipay_codes");
        for (auto one = codes.root()["v2_gateway"].first(); one; one = one.next())
            out.insert(text(one["code"]) + " " + text(one["sub_code"]));
        return out;
    }();
    return all;
}

// Whatever it refuses of its own accord, it refuses with a code and a sub-code that belong together.
AlipayReply ask(AlipayGateway& at, const MiniRequest& request, const AlipayPlan& plan = {}) {
    AlipayReply reply = at.answer(request, plan, kNow, [](const AlipayAsk& a) {
        return a.subject == "bob" ? Verdict::fail : Verdict::pass;
    });
    if (reply.sub_code.empty() || !plan.code.empty() || request.path.starts_with("/v3/")) return reply;
    const std::string mark = R"("code":")";
    const auto code = reply.body.find(mark);
    REQUIRE(code != std::string::npos);
    INFO(reply.body);
    CHECK(recorded_codes().contains(reply.body.substr(code + mark.size(), 5) + " " + reply.sub_code));
    return reply;
}

// Of an answer: its score, as a text inside the node.
double score_in(const AlipayReply& reply) {
    const std::string mark = R"("score":")";
    const auto at = reply.body.find(mark);
    REQUIRE(at != std::string::npos);
    return std::stod(reply.body.substr(at + mark.size()));
}

std::map<std::string, std::string> good_fields() {
    return {{"app_id", kApp},
            {"method", "alipay.user.faceverify.verify"},
            {"charset", "utf-8"},
            {"version", "1.0"},
            {"timestamp", beijing_time(kNow)},
            {"format", "JSON"},
            {"sign_type", "RSA2"},
            {"notify_url", "http://127.0.0.1:1/n"},
            {"biz_content", R"({"outer_order_no":"o-1","verify_scene":"login","user_id":"ann"})"}};
}

MiniRequest signed_call(std::map<std::string, std::string> fields) {
    MiniRequest out{"POST", "/gateway.do", {}, {{"Content-Type", "application/x-www-form-urlencoded"}}, {}};
    fields["sign"] = app_key().sign(sign_string(fields, {}));
    out.body = form_encoded(fields);
    return out;
}

// The first node of a body and its signature, by their names alone.
struct Parts {
    std::string node, sign;
};
Parts parts_of(const std::string& body, const std::string& name) {
    const std::string mark = "\"" + name + "\":", sign_mark = "\"sign\":\"";
    const auto at = body.find(mark), sign = body.find(sign_mark);
    Parts out;
    if (sign != std::string::npos)
        out.sign =
            body.substr(sign + sign_mark.size(), body.find('"', sign + sign_mark.size()) - sign - sign_mark.size());
    REQUIRE(at != std::string::npos);
    out.node = body.substr(at + mark.size());
    out.node.resize(out.node.find('}') + 1);  // these nodes hold no braces
    return out;
}
constexpr const char* kNode = "alipay_user_faceverify_verify_response";

}  // namespace

TEST_CASE("alipay double: it verifies whatever the official SDK signs") {
    const auto doc = vectors("alipay_requests");
    int good = 0;
    for (auto one = doc.root()["good"].first(); one; one = one.next(), ++good) {
        INFO(text(one["name"]));
        const auto params = one["params"];
        AlipayForm form;
        const auto wire = one["wire"] ? request_of(one["wire"], "POST") : MiniRequest{};
        if (one["wire"]) {
            REQUIRE(read_form(wire.query, form));
            REQUIRE(read_form(wire.body, form));
            const auto at = gateway(!form["app_cert_sn"].empty());
            const auto reply = ask(*at, wire, plan());
            // What is wrong with some of them is their business, never their signature.
            INFO(reply.body);
            CHECK(reply.sub_code != "isv.invalid-signature");
            CHECK((reply.sub_code.empty() || reply.sub_code == "isv.invalid-method" ||
                   reply.sub_code == "INVALID_PARAMETER"));
        } else {
            for (auto p = params.first(); p; p = p.next()) form.fields[std::string(p.key())] = text(p);
        }
        CHECK(sign_string(form.fields, {}) == text(one["sign_string"]));
        CHECK(app_key().verify(sign_string(form.fields, {}), text(one["sign"])));
    }
    CHECK(good == 7);
    for (auto one = doc.root()["bad"].first(); one; one = one.next()) {
        INFO(text(one["name"]));
        MiniRequest request{"POST", "/gateway.do", {}, {{"Content-Type", "application/x-www-form-urlencoded"}}, {}};
        std::map<std::string, std::string> fields;
        for (auto p = one["params"].first(); p; p = p.next()) fields[std::string(p.key())] = text(p);
        request.body = form_encoded(fields);
        CHECK(ask(*gateway(), request, plan()).sub_code == text(one["expect_sub_code"]));
    }
}

TEST_CASE("alipay double: the serial numbers are those of the official SDK") {
    const auto doc = vectors("alipay_keys");
    const auto certs = doc.root()["certs"];
    CHECK(certificate_sn(text(certs["app_crt"])) == text(certs["app_cert_sn"]));
    CHECK(certificate_sn(text(certs["alipay_crt"])) == text(certs["alipay_cert_sn"]));
    CHECK(root_certificate_sn(text(certs["root_bundle"])) == text(certs["alipay_root_cert_sn"]));
    const auto aes = vectors("alipay_aes");
    for (auto one = aes.root()["cases"].first(); one; one = one.next()) {
        CHECK(aes_encrypt(text(one["key_base64"]), text(one["plaintext"])) == text(one["ciphertext_base64"]));
        CHECK(aes_decrypt(text(one["key_base64"]), text(one["ciphertext_base64"])) == text(one["plaintext"]));
    }
}

TEST_CASE("alipay double: each wrong parameter has the real code, and the app is looked at before the signature") {
    struct Row {
        const char *name, *value, *sub_code;  // value nullptr: left out
    };
    static constexpr Row kRows[] = {{"app_id", nullptr, "isv.missing-app-id"},
                                    {"app_id", "2021000000000002", "isv.invalid-app-id"},
                                    {"method", nullptr, "isv.missing-method"},
                                    {"method", "alipay.user.nothing", "isv.invalid-method"},
                                    {"charset", "gbk", "isv.invalid-charset"},
                                    {"version", nullptr, "isv.missing-version"},
                                    {"format", "XML", "isv.invalid-format"},
                                    {"timestamp", nullptr, "isv.missing-timestamp"},
                                    {"timestamp", "2026-11-23T10:20:30Z", "isv.invalid-timestamp"},
                                    {"timestamp", "2026-02-30 10:20:30", "isv.invalid-timestamp"},
                                    {"timestamp", "2026-11-23 02:20:30", "isv.invalid-timestamp"},  // UTC, not GMT+8
                                    {"sign_type", nullptr, "isv.missing-signature-type"},
                                    {"sign_type", "RSA", "isv.invalid-signature-type"},
                                    {"encrypt_type", "DES", "isv.invalid-encrypt-type"},
                                    {"encrypt_type", "AES", "isv.decryption-error-unknown"},
                                    {"biz_content", "{", "isv.illegal-json"},
                                    {"biz_content", "{}", "INVALID_PARAMETER"}};
    for (const Row& row : kRows) {
        auto fields = good_fields();
        fields.erase(row.name);
        if (row.value != nullptr) fields[row.name] = row.value;
        INFO(row.name << " = " << (row.value == nullptr ? "(none)" : row.value));
        auto request = signed_call(fields);
        CHECK(ask(*gateway(), request).sub_code == row.sub_code);
    }
    auto request = signed_call(good_fields());
    request.body += "&passed=T";  // after it was signed
    CHECK(ask(*gateway(), request).sub_code == "isv.invalid-signature");
    request = signed_call(good_fields());
    request.query = "method=alipay.user.faceverify.verify";
    CHECK(ask(*gateway(), request).sub_code == "isv.invalid-parameter");  // twice
    auto fields = good_fields();
    fields["app_id"] = "1";
    const auto reply = ask(*gateway(), signed_call(fields));
    CHECK(reply.body.find("\"sign\"") == std::string::npos);
    CHECK(ask(*gateway(true), signed_call(good_fields())).sub_code == "isv.missing-app-cert-sn");
    for (const auto& [app, root, sub_code] : {std::tuple{"1", "", "isv.missing-alipay-root-cert-sn"},
                                              std::tuple{"1", "1", "isv.app-cert-expired"}}) {
        fields = good_fields();
        fields["app_cert_sn"] = app;
        fields["alipay_root_cert_sn"] = root;
        CHECK(ask(*gateway(true), signed_call(fields)).sub_code == sub_code);
    }
    auto without = setup();
    without.aes_key.clear();
    fields = good_fields();
    fields["encrypt_type"] = "AES";
    const auto no_key = AlipayGateway::make(without);
    REQUIRE(no_key);
    CHECK(ask(**no_key, signed_call(fields)).sub_code == "isv.decryption-error-not-valid-encrypt-key");
}

TEST_CASE("alipay double: a good answer verifies over its raw node, and every forgery is what it says") {
    const auto at = gateway();
    const auto request = signed_call(good_fields());
    const RsaKey key = alipay_key();
    json::Document doc;
    for (std::size_t i = 0; i < kForges; ++i) {
        const auto forge = static_cast<Forge>(i);
        INFO(name(forge));
        CHECK(parse_forge(name(forge)) == forge);
        const std::string body = ask(*at, request, plan(forge)).body;
        const bool readable = doc.parse(body).has_value();
        CHECK(readable == (forge != Forge::duplicate_node));
        if (forge == Forge::wrong_node) {
            CHECK(body.find(kNode) == std::string::npos);
            continue;
        }
        if (forge == Forge::whitespace) {
            const auto from = body.find("{ \"code\""), to = body.find("\n }");
            REQUIRE(from != std::string::npos);
            CHECK(key.verify(body.substr(from, to + 3 - from), text(doc.root()["sign"])));
            continue;
        }
        const Parts parts = parts_of(body, kNode);
        const bool right = forge == Forge::none || forge == Forge::sign_first || forge == Forge::escaped_unicode ||
                           forge == Forge::unknown_cert || forge == Forge::duplicate_node;
        CHECK(key.verify(parts.node, parts.sign) == right);
        CHECK(parts.sign.empty() == (forge == Forge::unsigned_));
        if (forge == Forge::escaped_unicode) CHECK(parts.node.find("\\u4eba\\u8138 a\\/b") != std::string::npos);
        if (forge == Forge::sign_first) CHECK(body.find("\"sign\"") == 1);
        if (forge == Forge::none) CHECK(text(doc.root()[kNode]["passed"]) == "T");
        if (forge == Forge::tampered) CHECK(text(doc.root()[kNode]["passed"]) == "F");
    }
    const std::string body = ask(*gateway(true), signed_call([] {
                                 auto fields = good_fields();
                                 const auto keys = vectors("alipay_keys");
                                 fields["app_cert_sn"] = text(keys.root()["certs"]["app_cert_sn"]);
                                 fields["alipay_root_cert_sn"] = text(keys.root()["certs"]["alipay_root_cert_sn"]);
                                 return fields;
                             }()))
                                 .body;
    REQUIRE(doc.parse(body));
    CHECK(text(doc.root()["alipay_cert_sn"]) == "3a9bb253d62c71bc2f6357c42a16680c");
}

TEST_CASE("alipay double: the recorded answers verify as they are said to") {
    const auto doc = vectors("alipay_responses");
    const RsaKey key = alipay_key();
    for (auto one = doc.root()["cases"].first(); one; one = one.next()) {
        INFO(text(one["name"]));
        if (text(one["expect"]) != "valid") continue;
        const std::string body = text(one["body"]);
        json::Document answer;
        REQUIRE(answer.parse(body));
        CHECK(key.verify(text(one["sign_source"]), text(answer.root()["sign"])));
    }
}

TEST_CASE("alipay double: encrypted calls get encrypted answers, and a command answers with any code") {
    const auto at = gateway();
    auto fields = good_fields();
    fields["encrypt_type"] = "AES";
    fields["biz_content"] = *aes_encrypt(kAes, fields["biz_content"]);
    json::Document doc;
    REQUIRE(doc.parse(ask(*at, signed_call(fields)).body));
    const std::string sealed = text(doc.root()[kNode]);
    CHECK(alipay_key().verify(std::string("\"").append(sealed).append("\""), text(doc.root()["sign"])));
    CHECK(aes_decrypt(kAes, sealed).value_or("").find("\"passed\":\"T\"") != std::string::npos);

    AlipayPlan told;
    told.code = "20000";
    told.sub_code = "isp.unknow-error";
    CHECK(ask(*at, signed_call(good_fields()), told).sub_code == "isp.unknow-error");
    CHECK(at->refused().at("isp.unknow-error") == 1);
    CHECK(at->answered() == 1);
}

TEST_CASE("alipay double: a face check is unfinished for as long as told") {
    const auto at = gateway();
    AlipayPlan slow;
    slow.processing = 1;
    auto fields = good_fields();
    const std::string api = "datadigital.fincloud.generalsaas.face.verification.";
    fields["method"] = api + "initialize";
    fields["biz_content"] = R"({"outer_order_no":"o-2","biz_code":"X","cert_no":"bob"})";
    const std::string begun = ask(*at, signed_call(fields), slow).body;
    CHECK(begun.find(certify_id_of("o-2")) != std::string::npos);
    CHECK(at->notify_url("o-2") == "http://127.0.0.1:1/n");
    fields["method"] = api + "query";
    fields["biz_content"] = R"({"certify_id":")" + certify_id_of("o-2") + "\"}";
    CHECK(ask(*at, signed_call(fields), slow).body.find("\"PROCESSING\"") != std::string::npos);
    const auto failed = ask(*at, signed_call(fields), slow);
    CHECK(failed.body.find("\"certify_state\":\"FAIL\"") != std::string::npos);
    CHECK(score_in(failed) == Approx(15).margin(5));  // of 100
    AlipayPlan later;
    later.pending = true;
    CHECK(ask(*at, signed_call(good_fields()), later).body.find("\"code\":\"10003\"") != std::string::npos);
}

TEST_CASE("alipay double: a picture comes as a file that is not signed") {
    auto fields = good_fields();
    fields.erase("biz_content");
    fields["method"] = "datadigital.fincloud.generalsaas.face.source.certify";
    for (const char* name : {"outer_biz_no", "cert_name", "cert_no", "cert_type"}) fields[name] = "x";
    fields["sign"] = app_key().sign(sign_string(fields, {}));
    MiniRequest request{"POST", "/gateway.do", {}, {{"Content-Type", "multipart/form-data; boundary=bb"}}, {}};
    for (const auto& [name, value] : fields)
        request.body += "--bb\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
    const auto with_file = [&request](const std::string& file) {
        MiniRequest out = request;
        out.body += "--bb\r\nContent-Disposition: form-data; name=\"file_content\"; filename=\"f.jpg\"\r\n\r\n" + file +
                    "\r\n--bb--\r\n";
        return out;
    };
    const auto passed = ask(*gateway(), with_file("\xff\xd8\xff\xe0 picture"));
    CHECK(passed.sub_code.empty());
    CHECK(score_in(passed) == Approx(95).margin(5));  // of 100
    CHECK(ask(*gateway(), with_file("no picture")).sub_code == "isv.invalid-file-extension");
    CHECK(ask(*gateway(), with_file("\xff\xd8\xff" + std::string(1u << 20, 'x'))).sub_code == "isv.invalid-file-size");
}

TEST_CASE("alipay double: the second protocol signs in headers, both ways") {
    const auto doc = vectors("alipay_v3");
    const RsaKey key = alipay_key();
    for (auto one = doc.root()["cases"].first(); one; one = one.next()) {
        INFO(text(one["name"]));
        auto request = request_of(one["request"], text(one["request"]["method"]));
        const bool certificates = !request.header("alipay-root-cert-sn").empty();
        AlipayPlan any;
        any.timestamp_window = Seconds(0);
        const auto at = gateway(certificates);
        CHECK(ask(*at, request, any).sub_code != "isv.invalid-signature");
        CHECK(at->repeated_nonces() == 0);
        ask(*at, request, any);
        CHECK(at->repeated_nonces() == 1);
        request.body += " ";
        CHECK(ask(*at, request, any).sub_code == "isv.invalid-signature");
        CHECK(key.verify(text(one["response"]["sign_string"]), text(one["response"]["headers"]["alipay-signature"])));
    }
    MiniRequest request{
        "POST", "/v3/alipay/user/faceverify/verify", {}, {}, R"({"outer_order_no":"o","verify_scene":"s"})"};
    const std::string auth =
        "app_id=" + std::string(kApp) + ",nonce=n-1,timestamp=" + std::to_string(unix_seconds(kNow)) + "000";
    const std::string sign = app_key().sign(auth + "\nPOST\n" + request.path + "\n" + request.body + "\n");
    request.headers = {{"Authorization", "ALIPAY-SHA256withRSA " + auth + ",sign=" + sign}};
    const auto reply = ask(*gateway(), request);
    CHECK(reply.status == 200);
    const auto field = [&reply](const std::string& name) {
        const auto at = reply.fields.find(name + ": ");
        REQUIRE(at != std::string::npos);
        const auto from = at + name.size() + 2;
        return reply.fields.substr(from, reply.fields.find('\r', from) - from);
    };
    const std::string signed_text = field("alipay-timestamp") + "\n" + field("alipay-nonce") + "\n" + reply.body + "\n";
    CHECK(key.verify(signed_text, field("alipay-signature")));
    request.headers[0].second = "ALIPAY-SHA256withRSA " + auth;
    const auto refused = ask(*gateway(), request);
    CHECK(refused.status == 400);
    CHECK(refused.body.find("\"code\":\"missing-signature\"") != std::string::npos);
    CHECK(refused.fields.find("alipay-signature") == std::string::npos);
}

TEST_CASE("alipay double: notifications are signed as the recorded ones, and forged on command") {
    const auto doc = vectors("alipay_notify");
    const RsaKey key = alipay_key();
    for (auto one = doc.root()["cases"].first(); one; one = one.next()) {
        if (text(one["expect"]) != "accept") continue;
        INFO(text(one["name"]));
        AlipayForm form;
        REQUIRE(read_form(text(one["form_body"]), form));
        CHECK(sign_string(form.fields, {false, true}) == text(one["sign_string"]));
        CHECK(key.verify(sign_string(form.fields, {false, true}), form["sign"]));
    }
    const auto at = gateway();
    for (const Forge forge :
         {Forge::none, Forge::wrong_key, Forge::sha1, Forge::unsigned_, Forge::bad_base64, Forge::tampered}) {
        INFO(name(forge));
        NotifyOrder order;
        order.order_no = "o-9";
        order.forge = forge;
        order.fields = {{"remark", ""}};
        const std::string form_body = form_encoded(at->notification(order, kNow));
        AlipayForm form;
        REQUIRE(read_form(form_body, form));
        CHECK(key.verify(sign_string(form.fields, {false, true}), form["sign"]) == (forge == Forge::none));
        CHECK(form["sign_type"] == (forge == Forge::sha1 ? "RSA" : "RSA2"));
        CHECK(form["outer_order_no"] == "o-9");
    }
    NotifyOrder order;
    order.with_sign_type = true;
    auto fields = at->notification(order, kNow);
    CHECK(key.verify(sign_string(fields, {true, true}), fields["sign"]));
    order.with_sign_type = false;
    order.drop_empty = true;
    order.fields = {{"remark", ""}};
    fields = at->notification(order, kNow);
    CHECK(key.verify(sign_string(fields, {false, false}), fields["sign"]));
    CHECK_FALSE(key.verify(sign_string(fields, {false, true}), fields["sign"]));
}
