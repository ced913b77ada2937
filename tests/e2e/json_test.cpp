// Bad bodies under a good signature: each is refused with 400 that names what is wrong, the connection lives on, and
// the centre is not asked.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

struct Row {
    std::string name;
    std::string body;
    std::string names;  // what the message must hold
};

std::string with(const std::string& more) {
    return verification("order-1", "LOGIN", "user-1", more);
}

std::vector<Row> syntax_rows() {
    const std::string good = with("");
    std::string deep = R"(,"attributes":)", keys = R"(,"attributes":{"k":"v")";
    deep += std::string(100'000, '[') + std::string(100'000, ']');
    for (int i = 0; i < 20'000; ++i) keys += fmt::format(R"(,"k{}":"v")", i);
    return {
        {"nothing", "", "body"},
        {"white space", "  \n", "body"},
        {"cut short", good.substr(0, good.size() - 1), "body"},
        {"bytes after the end", good + "x", "body"},
        {"two documents", good + good, "body"},
        {"NUL after the end", good + std::string(1, '\0'), "body"},
        {"a byte order mark", "\xef\xbb\xbf" + good, "body"},
        {"an array", "[" + good + "]", "object"},
        {"a text", "\"a\"", "object"},
        {"null", "null", "object"},
        {"a duplicate key", with(R"(,"subject":"user-2")"), "subject"},
        {"a duplicate key, escaped", with(R"(,"s\u0075bject":"user-2")"), "subject"},
        {"a duplicate attribute", with(R"(,"attributes":{"a":"1","a":"2"})"), "a"},
        {"NaN", with(R"(,"terms":{"maxAgeSeconds":NaN})"), "body"},
        {"Infinity", with(R"(,"terms":{"maxAgeSeconds":Infinity})"), "body"},
        {"1e999999", with(R"(,"terms":{"maxAgeSeconds":1e999999})"), ""},
        {"100,000 digits", with(R"(,"terms":{"maxAgeSeconds":)" + std::string(100'000, '9') + "}"), ""},
        {"a leading zero", with(R"(,"terms":{"maxAgeSeconds":01})"), "body"},
        {"a plus sign", with(R"(,"terms":{"maxAgeSeconds":+1})"), "body"},
        {"a trailing comma", with(","), "body"},
        {"single quotes", "{'orderNo':'a'}", "body"},
        {"a comment", "/* */" + good, "body"},
        {"a lone surrogate", with(R"(,"device":"\ud800")"), ""},
        {"a raw control character", with(",\"device\":\"a\x01\""), ""},
        {"bad UTF-8", with(",\"device\":\"\xff\""), ""},
        {"overlong UTF-8", with(",\"device\":\"\xc0\xaf\""), ""},
        {"UTF-8 of a surrogate", with(",\"device\":\"\xed\xa0\x80\""), ""},
        {"depth of 100,000", with(deep), ""},
        {"20,000 keys", with(keys + "}"), ""},
    };
}

std::vector<Row> field_rows() {
    return {
        {"no orderNo", R"({"scene":"LOGIN","subject":"u"})", "orderNo"},
        {"no scene", R"({"orderNo":"a","subject":"u"})", "scene"},
        {"no subject", R"({"orderNo":"a","scene":"LOGIN"})", "subject"},
        {"an empty orderNo", verification("", "LOGIN", "u"), "orderNo"},
        {"an orderNo of 65", verification(std::string(65, 'a'), "LOGIN", "u"), "orderNo"},
        {"an orderNo with a slash", verification("a/b", "LOGIN", "u"), "orderNo"},
        {"an orderNo that is a number", R"({"orderNo":1,"scene":"LOGIN","subject":"u"})", "orderNo"},
        {"an empty subject", verification("a", "LOGIN", ""), "subject"},
        {"a subject of 129", verification("a", "LOGIN", std::string(129, 's')), "subject"},
        {"a subject that is null", R"({"orderNo":"a","scene":"LOGIN","subject":null})", "subject"},
        {"a device of 129", with(R"(,"device":")" + std::string(129, 'd') + "\""), "device"},
        {"a device that is a list", with(R"(,"device":[])"), "device"},
        {"evidence that is a text", with(R"(,"evidence":"x")"), "evidence"},
        {"an image that is no base64", with(R"(,"evidence":{"image":"%%%"})"), "evidence.image"},
        {"an image that is no image", with(R"(,"evidence":{"image":"aGVsbG8gd29ybGQgaGVsbG8="})"), "evidence.image"},
        {"a feature of 3 values", with(R"(,"evidence":{"feature":"AAAAAAAAAAAAAAAA"})"), "evidence.feature"},
        {"attributes that are a list", with(R"(,"attributes":["a"])"), "attributes"},
        {"an attribute that is a number", with(R"(,"attributes":{"a":1})"), "attributes"},
        {"terms that are a text", with(R"(,"terms":"x")"), "terms"},
        {"a negative maxAgeSeconds", with(R"(,"terms":{"maxAgeSeconds":-1})"), "maxAgeSeconds"},
        {"a fractional maxAgeSeconds", with(R"(,"terms":{"maxAgeSeconds":1.5})"), "maxAgeSeconds"},
        {"degraded that is a text", with(R"(,"terms":{"degraded":"no"})"), "degraded"},
    };
}

}  // namespace

TEST_CASE("e2e: a malformed body is 400 that names what is wrong, and asks nobody") {
    Site site;
    Client client = site.connect();
    std::vector<Row> rows = syntax_rows();
    for (Row& row : field_rows()) rows.push_back(std::move(row));
    for (const Row& row : rows) {
        INFO(row.name);
        Ask ask;
        ask.body = row.body;
        REQUIRE(client.send(site.bytes(ask)));
        const auto answer = client.answer();
        REQUIRE(answer);
        INFO(answer->body);
        CHECK(answer->status == 400);
        CHECK(answer->code() == "InvalidRequest");
        CHECK(answer->json().text("message").find(row.names) != std::string::npos);
    }
    CHECK(site.centre_requests() == 0);
    REQUIRE(client.send(site.bytes(verify_ask("order-1", "LOGIN", "user-1"))));
    CHECK(client.answer().value_or(HttpAnswer{}).status == 200);
}
