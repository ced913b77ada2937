#include "upstream/central_codec.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "edge/base/bytes.h"

using namespace holdfast;

namespace {

json::Document doc;
const WallTime kNow = *parse_rfc3339("1994-11-06T08:49:00Z");

Result<CentreOutcome> parse(std::string_view body) {
    return parse_central(body, doc);
}

std::string feature_json(std::size_t values, float one = 0.5f) {
    std::vector<float> v(values, 0.25f);
    v.back() = one;
    std::string text;
    append_base64(text, {reinterpret_cast<const std::uint8_t*>(v.data()), v.size() * 4});
    return R"({"outcome":"pass","featureModel":"m1","feature":")" + text + "\"}";
}

} // namespace

TEST_CASE("central codec: a whole answer") {
    const auto got =
        parse(R"({"outcome":"pass","score":0.98,"verificationId":"v-1","maxAgeSeconds":600,"new":{"x":[1]}})");
    REQUIRE(got);
    CHECK(got->verdict == Verdict::pass);
    CHECK(got->score == 0.98);
    CHECK(got->verification_id == "v-1");
    CHECK(got->max_age == Seconds(600));
    CHECK(parse(R"({"outcome":"review"})"));
    CHECK(parse(R"({"outcome":"fail","score":0,"maxAgeSeconds":0})")->max_age == Seconds(0));
}

TEST_CASE("central codec: whatever is not exactly an answer is refused") {
    for (const char* body : {
             "",
             "null",
             "[]",
             "\"pass\"",
             "{}",
             "{\"outcome\":\"pass\"",
             "{\"outcome\":\"pass\"}}",
             "{\"outcome\":\"PASS\"}",
             "{\"outcome\":\"provisional\"}",
             "{\"outcome\":true}",
             "{\"outcome\":null}",
             "{\"outcome\":[\"pass\"]}",
             "{\"outcome\":\"pass\",\"outcome\":\"fail\"}",
             "{\"outcome\":\"pass\",\"score\":1.01}",
             "{\"outcome\":\"pass\",\"score\":-0.1}",
             "{\"outcome\":\"pass\",\"score\":\"0.5\"}",
             "{\"outcome\":\"pass\",\"score\":NaN}",
             "{\"outcome\":\"pass\",\"score\":1e999}",
             "{\"outcome\":\"pass\",\"maxAgeSeconds\":-1}",
             "{\"outcome\":\"pass\",\"maxAgeSeconds\":1.5}",
             "{\"outcome\":\"pass\",\"maxAgeSeconds\":600.5}",
             "{\"outcome\":\"pass\",\"maxAgeSeconds\":31536000.5}",
             "{\"outcome\":\"pass\",\"maxAgeSeconds\":1e300}",
             "{\"outcome\":\"pass\",\"maxAgeSeconds\":-0.5}",
             "{\"outcome\":\"pass\",\"maxAgeSeconds\":\"600\"}",
             "{\"outcome\":\"pass\",\"maxAgeSeconds\":31536001}",
             "{\"outcome\":\"pass\",\"maxAgeSeconds\":99999999999999999999}",
             "{\"outcome\":\"pass\",\"verificationId\":\"\"}",
             "{\"outcome\":\"pass\",\"verificationId\":\"a b\"}",
             "{\"outcome\":\"pass\",\"verificationId\":\"a\\u0000\"}",
             "{\"outcome\":\"pass\",\"verificationId\":7}",
             "{\"outcome\":\"pass\",\"feature\":\"!!!!\"}",
             "{\"outcome\":\"pass\",\"feature\":\"AAAA\"}",
             "{\"outcome\":\"pass\",\"featureModel\":\"\\n\"}",
             "{\"outcome\":\"pass\"} trailing",
             "\xef\xbb\xbf{\"outcome\":\"pass\"}",
             "{\"outcome\":\"pass\",\"x\":\"\xff\"}",
         }) {
        INFO(body);
        const auto got = parse(body);
        REQUIRE_FALSE(got);
        CHECK(got.error().code == Code::invalid);
        CHECK(got.error().origin == Origin::upstream);
    }
    CHECK(parse(R"({"outcome":"pass","verificationId":")" + std::string(128, 'a') + "\"}"));
    CHECK_FALSE(parse(R"({"outcome":"pass","verificationId":")" + std::string(129, 'a') + "\"}"));
}

TEST_CASE("central codec: null is as good as absent where a field may be absent, and whole seconds may have a point") {
    for (const char* field : {"score", "verificationId", "feature", "featureModel", "maxAgeSeconds"}) {
        INFO(field);
        const auto got = parse(std::string(R"({"outcome":"fail",")") + field + "\":null}");
        REQUIRE(got);
        CHECK(got->verdict == Verdict::fail);
        CHECK_FALSE(got->score);
        CHECK(got->verification_id.empty());
        CHECK(got->feature.empty());
        CHECK(got->feature_model.empty());
        CHECK_FALSE(got->max_age);
    }
    for (const char* grant : {"600", "600.0", "6e2"}) {
        INFO(grant);
        const auto got = parse(std::string(R"({"outcome":"pass","maxAgeSeconds":)") + grant + "}");
        REQUIRE(got);
        CHECK(got->max_age == 600s);
    }
    CHECK(parse(R"({"outcome":"pass","maxAgeSeconds":31536000.0})")->max_age == kGrantMax);
    CHECK(parse(R"({"outcome":"pass","maxAgeSeconds":0.0})")->max_age == 0s);
}

TEST_CASE("central codec: features have 64 to 1024 finite values") {
    CHECK_FALSE(parse(feature_json(63)));
    CHECK(parse(feature_json(64))->feature.size() == 64);
    CHECK(parse(feature_json(1024))->feature.back() == 0.5f);
    CHECK_FALSE(parse(feature_json(1025)));
    CHECK_FALSE(parse(feature_json(64, std::numeric_limits<float>::infinity())));
    CHECK_FALSE(parse(feature_json(64, std::nanf(""))));
    CHECK(parse(feature_json(64))->feature_model == "m1");
}

TEST_CASE("central codec: what every status means for the circuit and the caller") {
    const std::string pass = R"({"outcome":"pass"})";
    for (int status = 100; status < 700; ++status) {
        for (const std::string& body : {pass, std::string("<html>")}) {
            for (const char* after : {"", "2"}) {
                INFO(status << " " << body << " " << after);
                const auto r = read_central(status, after, body, doc, kNow);
                CHECK(r.outcome.has_value() == (status == 200 && body == pass));
                CHECK((r.failure == FailureKind::none) == r.outcome.has_value());
                const bool throttled = status == 429 || (status == 503 && *after);
                const bool client_error = status >= 400 && status < 500 && !throttled;
                CHECK((r.kind == CallKind::throttled) == throttled);
                CHECK((r.kind == CallKind::success) == (client_error || r.outcome.has_value()));
                CHECK((r.failure == FailureKind::rejected) == client_error);
                if (status == 504) CHECK(r.failure == FailureKind::timeout);
                if (throttled) CHECK(r.retry_after.has_value() == (*after != 0));
                if (!r.outcome) CHECK(r.error.was_sent);
            }
        }
    }
}

TEST_CASE("central codec: Retry-After in seconds or as a date, capped") {
    CHECK(parse_retry_after("0", kNow) == Nanos(0));
    CHECK(parse_retry_after("7", kNow) == Nanos(7s));
    CHECK(parse_retry_after("31", kNow) == kRetryAfterMax);
    CHECK(parse_retry_after("99999999999999999999999", kNow) == kRetryAfterMax);
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:12 GMT", kNow) == Nanos(12s));
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:48:12 GMT", kNow) == Nanos(0));
    CHECK(parse_retry_after("Sun, 06 Nov 2094 08:49:12 GMT", kNow) == kRetryAfterMax);
    for (const char* bad :
         {"", "-1", "1.5", "soon", "+3", " 3", "Sun, 06 Xov 1994 08:49:12 GMT", "Sun, 36 Nov 1994 08:49:12 GMT",
          "Sun, 06 Nov 1994 24:49:12 GMT", "Sun, 06 Nov 1994 08:49:12 UTC"})
        CHECK_FALSE(parse_retry_after(bad, kNow));
}

TEST_CASE("central codec: the idempotency key belongs to one credential's one order") {
    CHECK(idempotency_key("app-1", "o_7") == "app-1.o_7");
    CHECK(idempotency_key("a", "b-c") != idempotency_key("a-b", "c"));
}

TEST_CASE("central codec: every failure kind has its own name") {
    std::vector<std::string_view> names;
    for (int k = 0; k < static_cast<int>(FailureKind::count_); ++k) {
        const auto n = name(static_cast<FailureKind>(k));
        CHECK(std::find(names.begin(), names.end(), n) == names.end());
        names.push_back(n);
    }
}
