// What is put aside of an answer before it is read, and what of it stays.
#include "upstream/alipay_members.h"

#include <catch2/catch.hpp>

#include "edge/base/json.h"
#include "tests/support/alipay_settings.h"
#include "upstream/alipay_envelope.h"
#include "upstream/alipay_reply.h"

using namespace holdfast;
namespace av = holdfast::alipay_vectors;

namespace {

const std::string kMembersNode = "alipay_user_faceverify_verify_response";

std::string small(const std::string& text) {
    const auto out = reduced(text, {"a"});
    return out ? *out : "refused";
}
std::string many(std::size_t n, const std::string& one, const std::string& join = ",") {
    std::string out;
    for (std::size_t i = 0; i < n; ++i) out.append(i == 0 ? "" : join).append(one);
    return out;
}
std::string members(std::size_t n) {
    std::string out;
    for (std::size_t i = 0; i < n; ++i)
        out.append(i == 0 ? "" : ",").append("\"k" + std::to_string(i) + "\":" + std::to_string(i));
    return out;
}
GatewayReply read_verify(const std::string& body) {
    json::Document doc;
    return read_alipay(av::settings(), {200, body, "", "", "", ""}, "O-1", doc);
}
std::string passed(const std::string& more) {
    return R"({"code":"10000","passed":"T",)" + more + "}";
}

}  // namespace

TEST_CASE("alipay members: what is read stays as it is written, what is not becomes an empty one of its kind") {
    CHECK(small(R"( { } )") == "{}");
    CHECK(small(R"({"a": {"b":[1, 2]} ,"b":{"a":1},"c":[[],{}],"d":"x\"}","e":-1.5e+30,"f":true,"g":null})") ==
          R"({"a":{"b":[1, 2]},"b":{},"c":[],"d":"","e":0,"f":true,"g":null})");
    CHECK(small(R"({"\u0061":12,"b\\":34})") ==
          R"({"\u0061":12,"b\\":34})");  // an escaped key may be one that is read_verify
    CHECK(small(R"({"b":1,"b":2,"a":3,"a":4})") == R"({"b":0,"b":0,"a":3,"a":4})");  // for the strict parser to refuse
    CHECK(small(R"({"b":"\ud800","c":"\u0000","d":99999999999999999999999})") == R"({"b":"","c":"","d":0})");
    CHECK(small("{\"b\":" + many(256, "[", "") + many(256, "]", "") + "}") == R"({"b":[]})");
}

TEST_CASE("alipay members: text that is no well-formed object is refused, also within what is not read") {
    for (const char* text :
         {"", "{", "}", "[]", "{}x", "{}{}", "{,}", R"({"a"})", R"({"a":})", R"({"a":1,})", R"({"a":1 "b":2})",
          R"({a:1})", R"({"b":{"c":}})", R"({"b":{"c"}})", R"({"b":{"c":1,}})", R"({"b":[1,]})", R"({"b":[,1]})",
          R"({"b":[1 2]})", R"({"b":[1}})", R"({"b":{"c":1]})", R"({"b":{1}})", R"({"b":01})", R"({"b":1.})",
          R"({"b":.5})", R"({"b":+1})", R"({"b":1e})", R"({"b":-})", R"({"b":tru})", R"({"b":nul})", R"({"b":True})",
          R"({"b":"\x"})", R"({"b":"\u12g4"})", R"({"b":"\u12)", R"({"b":")", "{\"b\":\"\n\"}", "{\"b\":\"\xff\"}",
          R"({"b":{"c":1})", R"({"b":[)", "\xef\xbb\xbf{}", R"({"b":[]]})"}) {
        INFO(text);
        CHECK(small(text) == "refused");
    }
    CHECK(small("{\"b\":" + many(257, "[", "") + many(257, "]", "") + "}") == "refused");
}

TEST_CASE("alipay members: cut anywhere it is refused, and what it yields is read alike by the strict parser") {
    const std::string text = R"({"a":{"b":[1,{"c":"\u00e9\\"}]},"d":[true,null,-0.5e-3],"e":"}{","f":{}})";
    for (std::size_t n = 0; n < text.size(); ++n) CHECK(small(text.substr(0, n)) == "refused");
    json::Document whole, part;
    const std::string kept = small(text);
    const auto one = whole.parse(text), other = part.parse(kept);
    REQUIRE(one);
    REQUIRE(other);
    CHECK(other->size() == one->size());
    std::string left, right;
    json::Writer l(left), r(right);
    json::copy(l, (*one)["a"]);
    json::copy(r, (*other)["a"]);
    CHECK(left == right);
}

TEST_CASE("alipay answer: what the strict parser has no room for does not matter where nobody reads it") {
    const std::vector<std::string> members_of_nobody{
        "\"alive_photo\":\"" + std::string(3u << 20, 'A') + "\"",
        "\"identity_info\":{" + members(300) + "}",
        R"("n":12345678901234567890123)",
        R"("n":1e999)",
        R"("msg":"\ud83d")",
        "\"d\":" + many(40, "[", "") + many(40, "]", ""),
        "\"l\":[" + many(5000, "1") + "]",
        R"("o":{"x":1,"x":2})"};
    for (const std::string& more : members_of_nobody) {
        INFO(more.substr(0, 60));
        const GatewayReply r = read_verify(av::answer(kMembersNode, passed(more)));
        REQUIRE(r.central.outcome);
        CHECK(r.central.outcome->verdict == Verdict::pass);
        CHECK(r.is_signed);
    }
    std::string body = av::answer(kMembersNode, passed(R"("x":1)"));
    body.insert(body.size() - 1, "," + members(30));
    CHECK(read_verify(body).central.outcome);
}

TEST_CASE("alipay answer: where it is read, and for keys, the strict parser's limits hold") {
    for (const std::string& node :
         {std::string(R"({"code":"10000","passed":"\ud800"})"), std::string(R"({"code":"10000","passed":["T"]})"),
          std::string(R"({"code":"10000","passed":"F","n":12345678901234567890123,"passed":"T"})"),
          std::string(R"({"code":"10000","passed":"T","m":"\ud800","\u006d":1})"), passed(members(300)),
          std::string(R"({"code":"10000","passed":"T","b":[1,]})")}) {
        INFO(node.substr(0, 60));
        CHECK_FALSE(read_verify(av::answer(kMembersNode, node)).central.outcome);
    }
    std::string body = av::answer(kMembersNode, passed(R"("x":1)"));
    body.insert(body.size() - 1, "," + members(kEnvelopeMembersMax));
    CHECK_FALSE(read_verify(body).central.outcome);
}
