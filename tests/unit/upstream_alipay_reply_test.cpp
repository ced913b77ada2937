// Alipay's answers: what is believed, and every way in which one that must not be could look like one.
#include "upstream/alipay_reply.h"

#include <catch2/catch.hpp>

#include "edge/base/bytes.h"
#include "tests/support/alipay_settings.h"
#include "upstream/alipay_envelope.h"

using namespace holdfast;
namespace av = holdfast::alipay_vectors;

namespace {

const std::string kVerify = "alipay.user.faceverify.verify";
const std::string kNode = "alipay_user_faceverify_verify_response";
const std::string kPassNode = R"({"code":"10000","msg":"Success","passed":"T"})";
const std::string kFail = R"({"code":"10000","msg":"Success","passed":"F"})";

GatewayReply read(const AlipaySettings& s, const std::string& body, const std::string& order = "O-1",
                  int status = 200) {
    json::Document doc;
    return read_alipay(s, {status, body, "", "", "", ""}, order, doc);
}
GatewayReply read(const std::string& body) {
    return read(av::settings(), body);
}
std::string sign(const std::string& node, const std::string& key = "alipay_private_pkcs1") {
    return av::private_key(key).sign(node);
}
// No outcome, a failure of the centre, and not asked again.
bool refused(const GatewayReply& r) {
    return !r.central.outcome && r.what == AlipayClass::protocol &&
           (r.central.failure == FailureKind::invalid_response || r.central.failure == FailureKind::bad_signature) &&
           r.central.kind == CallKind::failure && r.central.no_retry;
}

}  // namespace

TEST_CASE("alipay answer: recorded ones are read as they must be") {
    const av::Vectors v("alipay_responses.json");
    std::size_t n = 0;
    for (json::Value one = v["cases"].first(); one; one = one.next(), ++n) {
        const std::string body = av::text(one["body"]), expect = av::text(one["expect"]);
        INFO(av::text(one["name"]));
        AlipaySettings s = av::settings(av::text(one["method"]));
        s.response = alipay_preset(kVerify)->response;
        if (one["aes_key_base64"]) s.cipher = *rsa2::ContentCipher::make(av::text(one["aes_key_base64"]));
        const GatewayReply r = read(s, body);
        json::Document doc;
        const auto envelope = open_envelope(body, s.method, doc);
        if (expect == "valid") {
            REQUIRE(envelope);
            CHECK(envelope->node == av::text(one["sign_source"]));
            CHECK(r.central.failure != FailureKind::bad_signature);
        } else {
            CHECK_FALSE(r.central.outcome);
            CHECK_FALSE(r.is_signed);
        }
        if (expect == "no-signature") CHECK(envelope->sign == std::nullopt);
        if (expect == "missing-node") CHECK_FALSE(envelope);
    }
    CHECK(n >= 20);
}

TEST_CASE("alipay answer: a signed success is its outcome") {
    const GatewayReply pass = read(av::answer(kNode, kPassNode));
    REQUIRE(pass.central.outcome);
    CHECK(pass.central.outcome->verdict == Verdict::pass);
    CHECK(pass.central.kind == CallKind::success);
    CHECK(read(av::answer(kNode, kFail)).central.outcome->verdict == Verdict::fail);
    const GatewayReply full = read(
        av::answer(kNode, R"({"code":"10000","passed":"T","score":"0.93","certify_id":"C1","outer_order_no":"O-1"})"));
    CHECK(full.central.outcome->score == 0.93);
    CHECK(full.central.outcome->verification_id == "C1");
}

TEST_CASE("alipay answer: a pass that is not signed, or by another key, is none") {
    const std::string forged[] = {
        "{\"" + kNode + "\":" + kPassNode + "}",
        "{\"" + kNode + "\":" + kPassNode + ",\"sign\":\"\"}",
        "{\"" + kNode + "\":" + kPassNode + ",\"sign\":null}",
        "{\"" + kNode + "\":" + kPassNode + ",\"sign\":[\"" + sign(kPassNode) + "\"]}",
        "{\"" + kNode + "\":" + kPassNode + ",\"sign\":\"" + sign(kFail) + "\"}",
        av::answer(kNode, kPassNode, "other_private_pkcs1"),
        av::answer(kNode, kPassNode, "app_private_pkcs1"),
    };
    for (const std::string& body : forged) {
        INFO(body);
        CHECK(refused(read(body)));
    }
    CHECK(read(forged[0]).central.failure == FailureKind::bad_signature);
    CHECK(read(forged[5]).central.failure == FailureKind::bad_signature);
}

TEST_CASE("alipay answer: a second node, however it is spelled, makes it no answer") {
    const std::string good = "\"" + kNode + "\":" + kFail, evil = "\"" + kNode + "\":" + kPassNode;
    const std::string signature = "\"sign\":\"" + sign(kFail) + "\"";
    std::string escaped = evil;
    escaped.replace(1, 1, "\\u0061");
    const std::string forged[] = {
        "{" + good + "," + signature + "," + evil + "}",
        "{" + evil + "," + good + "," + signature + "}",
        "{" + good + "," + signature + "," + escaped + "}",
        "{" + escaped + "," + good + "," + signature + "}",
        "{" + good + "," + signature + ",\"error_response\":" + kPassNode + "}",
        "{\"error_response\":" + kFail + "," + evil + "," + signature + "}",
        "{" + good + "," + signature + "," + signature + "}",
        "{" + good + "," + signature + ",\"s\\u0069gn\":\"x\"}",
        "{" + good + "," + signature + ",\"alipay_trade_pay_response\":{}}",
        "{" + good + "," + signature + "}{" + evil + "}",
        "{" + good + "," + signature + "} x",
        "\xef\xbb\xbf{" + good + "," + signature + "}",
        "[{" + good + "," + signature + "}]",
    };
    for (const std::string& body : forged) {
        INFO(body);
        CHECK(refused(read(body)));
    }
    CHECK(read("{" + good + "," + signature + "}").central.outcome->verdict == Verdict::fail);
    // The order of keys and white space around them do not matter.
    CHECK(read("{" + signature + " ,\n" + good + " }").central.outcome->verdict == Verdict::fail);
}

TEST_CASE("alipay answer: keys that stand twice inside of the node are refused, signed or not") {
    for (const char* node :
         {R"({"code":"10000","passed":"F","passed":"T"})", R"({"code":"40004","code":"10000","passed":"T"})",
          R"({"code":"10000","passed":"F","\u0070assed":"T"})"})
        CHECK(refused(read(av::answer(kNode, node))));
}

TEST_CASE("alipay answer: the signature covers the bytes, not their meaning") {
    const std::string spaced = R"({ "code":"10000","msg":"Success","passed":"T"})";
    CHECK(refused(read("{\"" + kNode + "\":" + spaced + ",\"sign\":\"" + sign(kPassNode) + "\"}")));
    CHECK(read(av::answer(kNode, spaced)).central.outcome);
    const std::string slash = R"({"code":"10000","passed":"T","u":"a\/b"})",
                      plain = R"({"code":"10000","passed":"T","u":"a/b"})";
    CHECK(refused(read("{\"" + kNode + "\":" + slash + ",\"sign\":\"" + sign(plain) + "\"}")));
    CHECK(read(av::answer(kNode, slash)).central.outcome);
}

TEST_CASE("alipay answer: braces and quotes inside of texts do not end the node") {
    const std::string node = R"({"code":"10000","m":"}\",\"sign\":\"x\\","passed":"F","l":[{"a":"]}"}]})";
    const GatewayReply r = read(av::answer(kNode, node));
    REQUIRE(r.central.outcome);
    CHECK(r.central.outcome->verdict == Verdict::fail);
}

TEST_CASE("alipay answer: only a listed value decides, and never by default") {
    for (const char* passed : {R"("t")", R"("true")", R"("")", R"("TT")", "1", "true", "null", "{}", R"(["T"])"}) {
        INFO(passed);
        CHECK(refused(read(av::answer(kNode, std::string(R"({"code":"10000","passed":)") + passed + "}"))));
    }
    CHECK(refused(read(av::answer(kNode, R"({"code":"10000"})"))));
    CHECK(refused(read(av::answer(kNode, R"({"passed":"T"})"))));
    CHECK(refused(read(av::answer(kNode, R"({"code":10000,"passed":"T"})"))));
    CHECK(refused(read(av::answer(kNode, R"(["T"])"))));
    CHECK(refused(read(av::answer(kNode, "null"))));
}

TEST_CASE("alipay answer: F that also means not yet is no outcome") {
    const AlipaySettings query = av::settings("alipay.user.certify.open.query");
    const GatewayReply r = read(query, av::answer("alipay_user_certify_open_query_response", kFail));
    CHECK(r.what == AlipayClass::pending);
    CHECK(r.central.failure == FailureKind::pending);
    CHECK(r.central.kind == CallKind::success);
    CHECK_FALSE(r.central.outcome);
    CHECK(read(query, av::answer("alipay_user_certify_open_query_response", kPassNode)).central.outcome->verdict ==
          Verdict::pass);
    const AlipaySettings start = av::settings("alipay.user.certify.open.initialize");
    const GatewayReply begun = read(
        start, av::answer("alipay_user_certify_open_initialize_response", R"({"code":"10000","certify_id":"C9"})"));
    CHECK(begun.what == AlipayClass::pending);
    CHECK(begun.central.pending_id == "C9");
    // What it says of an outcome that it cannot know is not looked at, nor does it matter what is listed.
    AlipaySettings listed = start;
    listed.response.pending = {"PROCESSING"};
    for (const AlipaySettings& s : {start, listed})
        for (const std::string& node : {kPassNode, kFail, std::string(R"({"code":"10000","passed":7})")})
            CHECK(read(s, av::answer("alipay_user_certify_open_initialize_response", node)).what ==
                  AlipayClass::pending);
    const auto other = R"({"code":"10000","certify_id":"C9","outer_order_no":"O-2"})";
    CHECK(refused(read(listed, av::answer("alipay_user_certify_open_initialize_response", other))));
}

TEST_CASE("alipay answer: which API's values are definite is as recorded") {
    const av::Vectors v("alipay_codes.json");
    std::size_t n = 0;
    for (json::Value one = v["face_outcomes"].first(); one; one = one.next()) {
        const auto preset = alipay_preset(av::text(one["api"]));
        REQUIRE(preset);
        for (const char* group : {"definite", "not_definite"})
            for (json::Value field = one[group].first(); field; field = field.next())
                for (json::Value value = field.first(); value; value = value.next(), ++n) {
                    INFO(av::text(one["api"]) << " " << av::text(value));
                    CHECK(preset->response.outcome == field.key());
                    const auto says = read_alipay_outcome(preset->response, av::text(value));
                    REQUIRE(says);
                    CHECK(says->pending == (std::string(group) == "not_definite"));
                }
    }
    CHECK(n == 9);
}

TEST_CASE("alipay answer: one about another order, or of another API, is none") {
    const std::string other = R"({"code":"10000","passed":"T","outer_order_no":"O-2"})";
    CHECK(refused(read(av::answer(kNode, other))));
    CHECK(read(av::settings(), av::answer(kNode, other), "O-2").central.outcome);
    CHECK(refused(read(av::answer(kNode, R"({"code":"10000","passed":"T","outer_order_no":1})"))));
    CHECK(refused(read(av::answer("alipay_user_certify_open_query_response", kPassNode))));
    CHECK(refused(read(av::answer("error_response", kPassNode))));
}

TEST_CASE("alipay answer: with certificates an unknown one is refused") {
    AlipaySettings s = av::settings();
    av::use_certificates(s);
    const auto with_sn = [](const std::string& sn) {
        return "{\"" + kNode + "\":" + kPassNode + ",\"alipay_cert_sn\":\"" + sn + "\",\"sign\":\"" + sign(kPassNode) +
               "\"}";
    };
    CHECK(read(s, with_sn(av::key("alipay_cert_sn"))).central.outcome);
    CHECK(refused(read(s, with_sn("4538e7d736df316c15435d5f9d3a8a1f"))));
    CHECK(refused(read(s, with_sn(""))));
    CHECK(refused(read(s, av::answer(kNode, kPassNode))));
}

TEST_CASE("alipay answer: encrypted ones are verified, then opened") {
    AlipaySettings s = av::settings();
    const auto cipher = rsa2::ContentCipher::make("AAECAwQFBgcICQoLDA0ODw==");
    const std::string body = "\"" + cipher->encrypt(kPassNode).value() + "\"";
    CHECK(refused(read(s, av::answer(kNode, body))));
    s.cipher = *cipher;
    CHECK(read(s, av::answer(kNode, body)).central.outcome->verdict == Verdict::pass);
    CHECK(refused(read(s, "{\"" + kNode + "\":" + body + "}")));
    CHECK(refused(read(s, av::answer(kNode, body, "other_private_pkcs1"))));
    CHECK(refused(read(s, av::answer(kNode, "\"AAAA\""))));
    const std::string twice = R"({"code":"10000","passed":"F","passed":"T"})";
    CHECK(refused(read(s, av::answer(kNode, "\"" + s.cipher->encrypt(twice).value() + "\""))));
}

TEST_CASE("alipay answer: errors nobody vouches for are errors, and never outcomes") {
    const auto unsigned_node = [](const std::string& node) { return "{\"" + kNode + "\":" + node + "}"; };
    const GatewayReply id = read(unsigned_node(R"({"code":"40002","sub_code":"isv.invalid-app-id"})"));
    CHECK(id.central.failure == FailureKind::setup);
    CHECK(id.central.kind == CallKind::ignored);
    CHECK(id.central.no_retry);
    CHECK(read(unsigned_node(R"({"code":"20000","sub_code":"isp.unknow-error"})")).central.failure ==
          FailureKind::unavailable);
    CHECK(refused(read(unsigned_node(R"({"code":"40004","sub_code":"REFUSED"})"))));
    CHECK(refused(read(unsigned_node(R"({"code":"10003"})"))));
    CHECK(refused(read(unsigned_node(R"({"code":"77777"})"))));
    // Signed, a refusal of the business is a fail that serves nobody else.
    const GatewayReply no = read(av::answer(kNode, R"({"code":"40004","sub_code":"REFUSED"})"));
    REQUIRE(no.central.outcome);
    CHECK(no.central.outcome->verdict == Verdict::fail);
    CHECK(no.central.outcome->max_age == Seconds(0));
    CHECK(no.sub_code == "REFUSED");
    const GatewayReply unlisted = read(av::answer(kNode, R"({"code":"77777"})"));
    CHECK_FALSE(unlisted.central.outcome);
    CHECK(unlisted.central.failure == FailureKind::rejected);
    CHECK(unlisted.central.kind == CallKind::ignored);
    CHECK(read(av::answer("error_response", R"({"code":"40005","sub_code":"isv.app-call-limited"})")).central.failure ==
          FailureKind::throttled);
}

TEST_CASE("alipay answer: what is said to a call that was passed on is said of its caller") {
    const auto setup = read(R"({"error_response":{"code":"40002","sub_code":"isv.invalid-app-id"}})");
    REQUIRE(setup.central.failure == FailureKind::setup);
    const auto forged = read(av::answer(kNode, kPassNode, "other_private_pkcs1"));
    REQUIRE(forged.central.failure == FailureKind::bad_signature);
    for (const bool own_app : {false, true}) {
        auto one = setup, other = forged;
        blame_caller(one, own_app);
        blame_caller(other, own_app);
        CHECK(one.central.failure == FailureKind::caller_setup);
        CHECK(other.central.failure == (own_app ? FailureKind::bad_signature : FailureKind::caller_signature));
        CHECK_FALSE(one.central.outcome);
        CHECK_FALSE(other.central.outcome);
    }
    // A status is the endpoint's word about its URL, and that is the node's.
    json::Document doc;
    auto status = read_alipay(av::settings(), {404, "", {}, {}, {}, {}}, "o-1", doc);
    blame_caller(status, false);
    CHECK(status.central.failure == FailureKind::setup);
    auto good = read(av::answer(kNode, kPassNode));
    blame_caller(good, false);
    CHECK(good.central.failure == FailureKind::none);
}

TEST_CASE("alipay answer: another HTTP status is no answer") {
    const std::string body = av::answer(kNode, kPassNode);
    for (const auto& [status, failure] :
         {std::pair(500, FailureKind::unavailable), std::pair(502, FailureKind::unavailable),
          std::pair(504, FailureKind::timeout), std::pair(429, FailureKind::throttled),
          std::pair(404, FailureKind::setup), std::pair(201, FailureKind::invalid_response),
          std::pair(302, FailureKind::invalid_response)}) {
        const GatewayReply r = read(av::settings(), body, "O-1", status);
        INFO(status);
        CHECK_FALSE(r.central.outcome);
        CHECK(r.central.failure == failure);
    }
}

TEST_CASE("alipay answer: a status that says when to come again is throttling, in both protocols") {
    json::Document doc;
    AlipaySettings v3 = av::settings();
    v3.protocol = AlipayProtocol::v3;
    for (const AlipaySettings& s : {av::settings(), v3})
        for (const int status : {429, 503}) {
            const auto got = [&](std::string_view wait) {
                return read_alipay(s, {status, "{}", "", "", "", "", wait, "", {}}, "O-1", doc).central;
            };
            INFO(status);
            CHECK(got("7").failure == FailureKind::throttled);
            CHECK(got("7").kind == CallKind::throttled);
            CHECK(got("7").retry_after == 7s);
            CHECK(got("86400").retry_after == kRetryAfterMax);
            CHECK(got("soon").failure == FailureKind::throttled);
            CHECK_FALSE(got("soon").retry_after);
            CHECK(got("").failure == (status == 429 ? FailureKind::throttled : FailureKind::unavailable));
        }
    CHECK_FALSE(read_alipay(v3, {502, "{}", "", "", "", "", "7", "", {}}, "O-1", doc).central.retry_after);
}

TEST_CASE("alipay answer: 408 is a 4xx like the others") {
    const GatewayReply r = read(av::settings(), "", "O-1", 408);
    CHECK(r.central.failure == FailureKind::setup);
    CHECK(r.central.kind == CallKind::ignored);
    CHECK(r.central.no_retry);
    CHECK(meaning_v3(408, "").what == AlipayClass::config);
}

TEST_CASE("alipay answer: its codes and its number of the call are kept, printable, and whether they are known") {
    json::Document doc;
    const auto got = [&](const std::string& node, std::string_view trace) {
        return read_alipay(av::settings(), {200, av::answer(kNode, node), "", "", "", "", "", trace, {}}, "O-1", doc);
    };
    const GatewayReply refused = got(R"({"code":"40004","sub_code":"FACE_NOT_MATCH"})", "0b2a\n1");
    CHECK(refused.central.outcome->verdict == Verdict::fail);
    CHECK(refused.central.said == "40004 FACE_NOT_MATCH");
    CHECK(refused.central.trace == "0b2a?1");
    CHECK_FALSE(refused.listed);
    CHECK_FALSE(got(R"({"code":"77777"})", "").listed);
    CHECK(got(R"({"code":"40004","sub_code":"SYSTEM_ERROR"})", "").listed);
    CHECK(got(kPassNode, "").listed);
    CHECK(got(kPassNode, "").central.said == "10000");
    CHECK(got(kPassNode, std::string(300, 't')).central.trace.size() == 64);
}

TEST_CASE("alipay codes: the recorded table, row by row") {
    const av::Vectors v("alipay_codes.json");
    const auto kind_of = [](const std::string& breaker, const std::string& what) {
        if (what == "throttled") return CallKind::throttled;  // neutral, with a count of its own
        return breaker == "success" ? CallKind::success : breaker == "failure" ? CallKind::failure : CallKind::ignored;
    };
    std::size_t n = 0;
    const auto check = [&](const AlipayMeaning& got, json::Value row) {
        INFO(av::text(row["code"]) << " " << av::text(row["sub_code"]));
        CHECK(name(got.what) == av::text(row["class"]));
        CHECK(got.kind == kind_of(av::text(row["breaker"]), av::text(row["class"])));
        CHECK(got.retry == row["retry"].boolean());
        ++n;
    };
    for (json::Value row = v["v2_gateway"].first(); row; row = row.next()) {
        std::string sub = av::text(row["sub_code"]);
        if (sub == "*") sub = "ANYTHING_ELSE";
        if (sub.rfind("*.", 0) == 0) sub = "aop.ACQ" + sub.substr(1);
        if (sub == "*PERMISSION*") sub = "X_PERMISSION_Y";
        check(meaning_v2(av::text(row["code"]), sub), row);
    }
    for (json::Value row = v["v3"].first(); row; row = row.next()) {
        std::string codes = av::text(row["code"]);
        if (codes == "*") codes = "";
        do {
            check(meaning_v3(static_cast<int>(*row["http"].integer()), codes.substr(0, codes.find('|'))), row);
            codes = codes.find('|') == std::string::npos ? "" : codes.substr(codes.find('|') + 1);
        } while (!codes.empty());
    }
    CHECK(n > 70);
    CHECK(meaning_v2("99999", "x").what == AlipayClass::business);
    CHECK(meaning_v2("99999", "x").kind == CallKind::ignored);
    // The documents differ about prefixes.
    for (const char* sub : {"aop.invalid-parameter", "invalid-parameter", "isv.illegal-json", "aop.suspected-attack"})
        CHECK(meaning_v2("40002", sub).what == AlipayClass::caller_error);
    for (const char* sub : {"upload-fail", "aop.invalid-encrypt"})
        CHECK(meaning_v2("40002", sub).what == AlipayClass::transient);
    for (const char* sub : {"", ".", "parameter", "aop.xinvalid-parameter", "invalid-parameter.", "invalid-signature"})
        CHECK(meaning_v2("40002", sub).what == AlipayClass::config);
}

TEST_CASE("alipay codes: a code of v3 means what the sub-code of v2 means that it is the end of") {
    const av::Vectors v("alipay_codes.json");
    std::size_t n = 0;
    for (json::Value row = v["v2_gateway"].first(); row; row = row.next()) {
        const std::string code = av::text(row["code"]), sub = av::text(row["sub_code"]);
        if (code != "40002") continue;
        INFO(sub);
        const AlipayMeaning v2 = meaning_v2(code, sub);
        const auto prefix = sub.starts_with("isv.") ? 4u : 0u;
        const AlipayMeaning v3 = meaning_v3(400, std::string_view(sub).substr(prefix));
        CHECK(name(v3.what) == name(v2.what));
        CHECK(v3.kind == v2.kind);
        CHECK(v3.retry == v2.retry);
        ++n;
    }
    CHECK(n > 20);
    CHECK(meaning_v3(400, "invalid").what == AlipayClass::config);  // a part of a word is no code
    CHECK(meaning_v3(400, "").what == meaning_v2("40004", "").what);
    CHECK(meaning_v3(403, "code-invalid").what == AlipayClass::config);
}

TEST_CASE("alipay answer: v3 is verified over its headers and body") {
    AlipaySettings s = av::settings();
    s.protocol = AlipayProtocol::v3;
    json::Document doc;
    const std::string body = R"({"passed":"T","outer_order_no":"O-1"})";
    const std::string signature = sign("1795400430123\nn1\n" + body + "\n");
    const auto got = [&](const std::string& b, const std::string& t, const std::string& n, const std::string& sig,
                         int status = 200) {
        return read_alipay(s, {status, b, t, n, sig, ""}, "O-1", doc);
    };
    CHECK(got(body, "1795400430123", "n1", signature).central.outcome->verdict == Verdict::pass);
    CHECK(refused(got(body + " ", "1795400430123", "n1", signature)));
    CHECK(refused(got(body, "1795400430124", "n1", signature)));
    CHECK(refused(got(body, "1795400430123", "n2", signature)));
    CHECK(refused(got(body, "1795400430123", "n1", "")));
    CHECK(refused(got(body, "", "", sign("\n\n" + body + "\n"))));
    CHECK(refused(got(body, "1795400430123", "n1", signature, 201)));
    CHECK(got(body, "1795400430123", "n1", signature, 202).central.failure == FailureKind::pending);
    CHECK_FALSE(got(body, "1795400430123", "n1", signature, 202).central.no_retry);
    CHECK(refused(got(body, "", "", "", 202)));
    CHECK(refused(got("", "", "", "", 204)));
    const GatewayReply empty = got("", "1795400430123", "n1", sign("1795400430123\nn1\n\n"), 204);
    CHECK(empty.central.failure == FailureKind::rejected);
    CHECK(empty.central.kind == CallKind::success);
    CHECK(empty.central.no_retry);
    CHECK_FALSE(got(body, "1795400430123", "n1", signature, 400).central.outcome);
    const auto coded = [&](const std::string& code, int status = 200) {
        const std::string b = R"({"code":)" + code + R"(,"passed":"T","outer_order_no":"O-1"})";
        return got(b, "1795400430123", "n1", sign("1795400430123\nn1\n" + b + "\n"), status).central;
    };
    CHECK(coded(R"("10000")").outcome->verdict == Verdict::pass);
    CHECK(coded(R"("10003")").failure == FailureKind::pending);
    CHECK(coded(R"("40004")").outcome->verdict == Verdict::fail);  // as v2: a refusal of the business
    CHECK(coded(R"("40002")").failure == FailureKind::setup);
    CHECK(coded(R"("20000")", 202).failure == FailureKind::unavailable);
    CHECK(coded(R"("invalid-signature")").failure == FailureKind::setup);
    CHECK(coded(R"("FACE_REFUSED")").failure == FailureKind::rejected);
    for (const char* odd : {R"("")", "10000", "null"}) CHECK_FALSE(coded(odd).outcome);
    const auto error = [&](int status, const char* code) {
        return got(std::string(R"({"code":")") + code + R"(","message":"m"})", "", "", "", status).central.failure;
    };
    CHECK(error(400, "invalid-signature") == FailureKind::setup);
    CHECK(error(400, "invalid-parameter") == FailureKind::caller_error);
    CHECK(error(429, "app-call-limited") == FailureKind::throttled);
    CHECK(error(500, "unknow-error") == FailureKind::unavailable);
    CHECK(error(400, "SOMETHING_REFUSED") == FailureKind::rejected);
    const av::Vectors v("alipay_v3.json");
    for (json::Value one = v["cases"].first(); one; one = one.next()) {
        const json::Value response = one["response"], headers = response["headers"];
        const std::string said = av::text(response["body"]);
        const AlipaySettings start = [&] {
            AlipaySettings out = av::settings("alipay.user.certify.open.initialize");
            out.protocol = AlipayProtocol::v3;
            return out;
        }();
        const std::string time = av::text(headers["alipay-timestamp"]), nonce = av::text(headers["alipay-nonce"]),
                          sig = av::text(headers["alipay-signature"]);
        const GatewayReply r = read_alipay(start, {200, said, time, nonce, sig, ""}, "O-1", doc);
        CHECK(r.is_signed);
        CHECK(r.central.pending_id == "2109b5e671aa3ff2eb4851816c65828f");
    }
}

TEST_CASE("alipay answer: no cut, no flipped byte of a pass is a pass") {
    const std::string body = av::answer(kNode, R"({"code":"10000","passed":"T","u":"a\/b"})");
    for (std::size_t n = 0; n < body.size(); n += 3) CHECK_FALSE(read(body.substr(0, n)).central.outcome);
    const std::size_t end = body.find(",\"sign\"");
    for (std::size_t i = 0; i < end; ++i)
        for (const char c : {'"', '\\', '}', 'x'}) {
            std::string spoilt = body;
            if (spoilt[i] == c) continue;
            spoilt[i] = c;
            INFO(spoilt.substr(0, end));
            CHECK_FALSE(read(spoilt).central.outcome);
        }
}
