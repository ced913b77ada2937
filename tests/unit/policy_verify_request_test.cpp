#include "policy/verify_request.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

#include "edge/base/bytes.h"
#include "edge/base/time.h"

using namespace holdfast;

namespace {

const std::string kJpeg("\xff\xd8\xff\xe0 jpeg", 9);
const std::string kPng("\x89PNG\r\n\x1a\n png", 12);

std::string base64(std::string_view bytes) {
    std::string out;
    append_base64(out, as_bytes(bytes));
    return out;
}

std::string feature(std::size_t n, float value = 0.5f) {
    std::string out;
    append_feature(out, std::vector<float>(n, value));
    return out;
}

// A body with the needed members and `more` behind them.
std::string body(std::string_view more = "") {
    return R"({"orderNo":"PO-1_a","scene":"LOGIN","subject":"user-7")" + std::string(more) + "}";
}

Result<VerifyRequest> parse(std::string_view text) {
    static json::Document document;
    return parse_verify_request(document, text);
}

// The refusal of a body, which is expected.
std::string refusal(std::string_view text) {
    const auto parsed = parse(text);
    if (parsed) return "accepted";
    CHECK(parsed.error().code == Code::invalid);
    CHECK(parsed.error().origin == Origin::client);
    return parsed.error().detail;
}

bool names(const std::string& detail, std::string_view field) {
    return detail.starts_with(std::string(field) + ": ");
}

} // namespace

TEST_CASE("verify_request: the smallest body") {
    const auto parsed = parse(body());
    REQUIRE(parsed);
    CHECK(parsed->order_no == "PO-1_a");
    CHECK(parsed->scene == "LOGIN");
    CHECK(parsed->subject == "user-7");
    CHECK(parsed->device.empty());
    CHECK_FALSE(parsed->has_image);
    CHECK(parsed->feature.empty());
    CHECK(parsed->attributes.empty());
    CHECK_FALSE(parsed->terms.max_age);
    CHECK(parsed->terms.degraded);
}

TEST_CASE("verify_request: every member at once") {
    const auto parsed =
        parse(body(R"(,"device":"d-1","evidence":{"image":")" + base64(kJpeg) + R"(","feature":")" + feature(128) +
                   R"(","featureModel":"v3"},"attributes":{"country":"JP","coupon":""},)"
                   R"("terms":{"maxAgeSeconds":30,"degraded":false},"newer":[1,{"x":null}])"));
    REQUIRE(parsed);
    CHECK(parsed->device == "d-1");
    CHECK(parsed->has_image);
    CHECK(parsed->image_type == "jpeg");
    CHECK(parsed->image_bytes == kJpeg.size());
    CHECK(parsed->feature == std::vector<float>(128, 0.5f));
    CHECK(parsed->feature_model == "v3");
    REQUIRE(parsed->attribute("country"));
    CHECK(*parsed->attribute("country") == "JP");
    CHECK(parsed->attribute("coupon")->empty());
    CHECK(parsed->attribute("province") == nullptr);
    CHECK(parsed->terms.max_age == Seconds(30));
    CHECK_FALSE(parsed->terms.degraded);
}

TEST_CASE("verify_request: what is not a JSON object is refused by name") {
    for (std::string_view text :
         {"", "[]", "\"x\"", "{", "nonsense", R"({"orderNo":"a","orderNo":"b"})", "{\"a\":\"\xff\"}"})
        CHECK(names(refusal(text), "body"));
}

TEST_CASE("verify_request: order numbers, scenes, subjects and devices at their bounds") {
    const auto with = [](std::string_view order, std::string_view scene, std::string_view subject) {
        return std::string(R"({"orderNo":)") + std::string(order) + R"(,"scene":)" + std::string(scene) +
               R"(,"subject":)" + std::string(subject) + "}";
    };
    const auto quoted = [](std::size_t n) { return '"' + std::string(n, 'x') + '"'; };
    CHECK(parse(with(quoted(64), quoted(64), quoted(128))));
    CHECK(names(refusal(with(quoted(65), "\"S\"", "\"u\"")), "orderNo"));
    for (std::string_view bad : {"\"\"", "\"a b\"", "\"a.b\"", "\"\xc3\xa9\"", "7", "null"})
        CHECK(names(refusal(with(bad, "\"S\"", "\"u\"")), "orderNo"));
    CHECK(names(refusal(with("\"o\"", quoted(65), "\"u\"")), "scene"));
    for (std::string_view bad : {"\"\"", "\"a/b\"", "true"})
        CHECK(names(refusal(with("\"o\"", bad, "\"u\"")), "scene"));
    for (const std::string& bad :
         {std::string("\"\""), quoted(129), std::string(R"("a\u0000b")"), std::string(R"("a\n")"),
          std::string(R"("\u007f")"), std::string(R"("\u0085")"), std::string("{}")})
        CHECK(names(refusal(with("\"o\"", "\"S\"", bad)), "subject"));
    CHECK(parse(with("\"o\"", "\"S\"", "\"\xe5\xbc\xa0\xe4\xb8\x89 \xc2\xa0\"")));
    CHECK(names(refusal(R"({"scene":"S","subject":"u"})"), "orderNo"));
    CHECK(names(refusal(R"({"orderNo":"o","subject":"u"})"), "scene"));
    CHECK(names(refusal(R"({"orderNo":"o","scene":"S"})"), "subject"));
    CHECK(parse(body(R"(,"device":"")")));
    CHECK(parse(body(",\"device\":" + quoted(128))));
    CHECK(names(refusal(body(",\"device\":" + quoted(129))), "device"));
    CHECK(names(refusal(body(R"(,"device":"\t")")), "device"));
    CHECK(names(refusal(body(R"(,"device":null)")), "device"));
}

TEST_CASE("verify_request: an image is JPEG or PNG by its first bytes") {
    const auto image = [](std::string_view text) {
        return body(R"(,"evidence":{"image":")" + std::string(text) + "\"}");
    };
    CHECK(parse(image(base64(kPng)))->image_type == "png");
    CHECK(parse(image(base64(kPng)))->image_bytes == kPng.size());
    CHECK(names(refusal(image("")), "evidence.image"));
    CHECK(names(refusal(image("####")), "evidence.image"));
    CHECK(names(refusal(image("/9j/4A=")), "evidence.image"));
    CHECK(names(refusal(image("/9j/4B==")), "evidence.image"));
    CHECK(names(refusal(image(base64("GIF89a....."))), "evidence.image"));
    CHECK(names(refusal(image(base64("\xff\xd8"))), "evidence.image"));
    CHECK(names(refusal(image(base64(kPng.substr(0, 7)))), "evidence.image"));
    CHECK(names(refusal(body(R"(,"evidence":{"image":5})")), "evidence.image"));
    // A fault behind the head is found too.
    CHECK(names(refusal(image(base64(kJpeg + std::string(3000, 'x')).substr(0, 3996) + "!AAA")), "evidence.image"));
}

TEST_CASE("verify_request: a feature is 64 to 1024 finite values") {
    const auto with = [](std::string_view text) {
        return body(R"(,"evidence":{"feature":")" + std::string(text) + "\"}");
    };
    CHECK(parse(with(feature(64)))->feature.size() == 64);
    CHECK(parse(with(feature(1024)))->feature.size() == 1024);
    for (const std::string& bad :
         {feature(63), feature(1025), feature(2000), std::string(), std::string("@@@@"), base64(std::string(257, 'x')),
          feature(64, std::numeric_limits<float>::infinity()), feature(64, std::nanf(""))})
        CHECK(names(refusal(with(bad)), "evidence.feature"));
    CHECK(names(refusal(body(R"(,"evidence":{"feature":[1,2]})")), "evidence.feature"));
    CHECK(names(refusal(body(R"(,"evidence":{"featureModel":"v1"})")), "evidence.featureModel"));
    CHECK(names(refusal(body(R"(,"evidence":{"featrue":"x"})")), "evidence"));
    CHECK(names(refusal(body(R"(,"evidence":"x")")), "evidence"));
}

TEST_CASE("verify_request: a feature survives its text form") {
    std::vector<float> values;
    for (int i = 0; i < 200; ++i) values.push_back(static_cast<float>(i) * 0.37f - 11.0f);
    std::string text;
    append_feature(text, values);
    const auto back = decode_feature(text);
    REQUIRE(back);
    CHECK(*back == values);
}

TEST_CASE("verify_request: attributes are strings, few and short") {
    std::string many;
    for (std::size_t i = 0; i < kAttributesMax; ++i) many += (i ? ",\"a" : "\"a") + std::to_string(i) + "\":\"v\"";
    CHECK(parse(body(",\"attributes\":{" + many + "}"))->attributes.size() == kAttributesMax);
    CHECK(names(refusal(body(",\"attributes\":{" + many + ",\"b\":\"v\"}")), "attributes"));
    CHECK(names(refusal(body(R"(,"attributes":[])")), "attributes"));
    CHECK(names(refusal(body(R"(,"attributes":{"":"v"})")), "attributes"));
    CHECK(names(refusal(body(R"(,"attributes":{"country":7})")), "attributes.country"));
    CHECK(names(refusal(body(R"(,"attributes":{"country":"J\nP"})")), "attributes.country"));
    CHECK(names(refusal(body(",\"attributes\":{\"" + std::string(65, 'k') + "\":\"v\"}")), "attributes"));
    CHECK(parse(body(",\"attributes\":{\"k\":\"" + std::string(256, 'v') + "\"}")));
    CHECK(names(refusal(body(",\"attributes\":{\"k\":\"" + std::string(257, 'v') + "\"}")), "attributes.k"));
}

TEST_CASE("verify_request: terms that cannot be read are refused, not ignored") {
    CHECK(parse(body(R"(,"terms":{})")));
    CHECK(parse(body(R"(,"terms":{"maxAgeSeconds":0})"))->terms.max_age == Seconds(0));
    for (std::string_view bad : {"-1", "1.5", "1e3", "\"5\"", "null", "1000000001", "18446744073709551615"})
        CHECK(names(refusal(body(R"(,"terms":{"maxAgeSeconds":)" + std::string(bad) + "}")), "terms.maxAgeSeconds"));
    for (std::string_view bad : {"0", "\"false\"", "null"})
        CHECK(names(refusal(body(R"(,"terms":{"degraded":)" + std::string(bad) + "}")), "terms.degraded"));
    CHECK(names(refusal(body(R"(,"terms":{"maxAge":5})")), "terms"));
    CHECK(names(refusal(body(R"(,"terms":true)")), "terms"));
}

TEST_CASE("verify_request: a body of 4 MiB is read in a few milliseconds") {
    const std::string large = body(R"(,"evidence":{"image":")" + base64(kJpeg + std::string(3'000'000, 'x')) + "\"}");
    REQUIRE(parse(large));
    const MonoTime begin = MonoClock::read();
    for (int i = 0; i < 5; ++i) REQUIRE(parse(large));
    // Far above what it takes, so that only a change of order of growth fails it.
    CHECK(MonoClock::read() - begin < Nanos(2s));
}
