#include <catch2/catch.hpp>

#include <array>
#include <charconv>
#include <cmath>

#include "edge/base/json.h"

using namespace holdfast;

TEST_CASE("json: a document answers by path") {
    json::Document doc;
    auto root =
        doc.parse(R"({"a":{"b":"x\u00e9"},"n":-3,"u":18446744073709551615,"d":1.5,"t":true,"z":null,"l":[1,2]})");
    REQUIRE(root);
    CHECK((*root)["a"]["b"].text() == "x\xc3\xa9");
    CHECK((*root)["n"].integer() == -3);
    CHECK_FALSE((*root)["n"].unsigned_integer());
    CHECK((*root)["u"].unsigned_integer() == 18446744073709551615ull);
    CHECK((*root)["d"].number() == 1.5);
    CHECK_FALSE((*root)["d"].integer());
    CHECK((*root)["t"].boolean() == true);
    CHECK((*root)["z"].is(json::Kind::null));
    CHECK((*root)["l"].size() == 2);
    CHECK((*root)["l"].first().next().integer() == 2);
    CHECK_FALSE((*root)["missing"]["deeper"]);
}

TEST_CASE("json: what is not strict JSON is refused, and the detail names it") {
    json::Document doc;
    const auto detail = [&](std::string text) {
        auto got = doc.parse(text);
        return got ? std::string("accepted") : got.error().detail;
    };
    CHECK(detail(R"({"a":1,"b":2,"a":3})") == "duplicate key \"a\"");
    CHECK(detail(R"({"a":1,"\u0061":3})") == "duplicate key \"a\"");
    CHECK(detail(std::string(40, '[') + std::string(40, ']')) == "nested deeper than 32");
    CHECK(detail("{\"a\":\"\xff\"}") == "not UTF-8");
    CHECK(detail("\xef\xbb\xbf{}") == "byte order mark");
    for (const char* text :
         {"", "{", "{} x", "{'a':1}", "{\"a\":NaN}", "{\"a\":01}", "[1,]", "\"\\ud800\"", "{\"a\":1e999999}"})
        CHECK(detail(text) != "accepted");
    std::string many = "[0";
    for (int i = 0; i < 5000; ++i) many += ",0";
    CHECK(detail(many + "]") == "more than 4096 values");
}

TEST_CASE("json: what would take long to parse is refused before it is parsed") {
    json::Document doc;
    const auto detail = [&](const std::string& text) {
        const auto got = doc.parse(text);
        return got ? std::string("accepted") : got.error().detail;
    };
    const auto list = [](std::size_t count, const std::string& element) {
        std::string out = "[\"\\\"\\\\\"";  // commas behind a string with escapes count
        for (std::size_t i = 1; i < count; ++i) out += "," + element;
        return out + "]";
    };
    const std::string slow = "1.1111111111111111111e-300";
    // Not well-formed at its end, which a parser that went through the numbers would say.
    const auto unfinished = [](std::string text) { return text.substr(0, text.size() - 1); };
    CHECK(detail(unfinished(list(100'000, slow))) == "more than 4096 values");
    CHECK(detail(unfinished(list(1000, slow))) == "more than 64 numbers of more than 20 characters with an exponent");
    CHECK(detail(unfinished(list(200, std::string(1000, '1')))) == "more than 131072 bytes outside strings");
    CHECK(detail(list(65, slow) + std::string(8192, ' ')) == "accepted");
    CHECK(detail(list(66, slow) + std::string(8192, ' ')) != "accepted");
    CHECK(detail(list(4095, "-0.1234567890123456")) == "accepted");
    CHECK(detail("[\"" + std::string(100'000, ',') + "\"]") == "accepted");
    CHECK(detail("[\"" + std::string(5001, '\\') + "\"," + std::string(6000, ',') + "\"]") == "accepted");
    CHECK(detail("{\"image\":\"" + std::string(4u << 20, 'A') + "\"}") == "accepted");
    json::Document own(json::kOwnNodesMax);
    CHECK(own.parse(list(20'000, "12345678")));
}

TEST_CASE("json: thirty-two levels are accepted") {
    json::Document doc;
    CHECK(doc.parse(std::string(32, '[') + std::string(32, ']')));
}

TEST_CASE("json: what is written reads back") {
    std::string out;
    json::Writer w(out);
    w.begin_object()
        .member("s", "a\"\\\n\x01\xc3\xa9")
        .member("bad", std::string_view("\xff!"))
        .member("i", std::int64_t(-5));
    w.key("l").begin_array().number(0.1).boolean(false).null().begin_object().end_object().end_array().end_object();
    json::Document doc;
    auto root = doc.parse(out);
    REQUIRE(root);
    CHECK((*root)["s"].text() == "a\"\\\n\x01\xc3\xa9");
    CHECK((*root)["bad"].text() == "\xef\xbf\xbd!");
    CHECK((*root)["l"].first().number() == 0.1);
    CHECK(out.ends_with("[0.1,false,null,{}]}"));
}

TEST_CASE("json: numbers of few decimals are written as all others: the shortest form that reads back") {
    const auto check = [](double v) {
        std::array<char, 32> text{};
        const auto end = std::to_chars(text.data(), text.data() + text.size(), v).ptr;
        std::string out;
        json::Writer(out).number(v);
        if (out != std::string(text.data(), end)) FAIL(out << " is not " << text.data());
    };
    for (int i = 0; i <= 110'000; ++i) {
        const double v = i / 1000.0;
        check(v);
        if (i % 100 == 0) check(std::nextafter(v, 1e9)), check(std::nextafter(v, -1e9)), check(-v), check(v / 7);
    }
    for (const double v : {0.0005, 0.9995, 0.9999, 99.9995, 1e-300, 1e300, 123456.0, 1e22}) check(v);
}
