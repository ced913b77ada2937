#include <catch2/catch.hpp>

#include <cmath>

#include "edge/net/http_parser.h"
#include "tests/support/centre.h"

using namespace holdfast;

namespace {

std::string updated(CentrePlan& plan, std::string_view text) {
    json::Document doc;
    auto root = doc.parse(text);
    REQUIRE(root);
    auto done = update(plan, *root);
    return done ? "" : done.error().detail;
}

CentreMode mode(std::size_t i) {
    return static_cast<CentreMode>(i);
}

// What a strict client makes of the answer: its status, or 0 when it is refused or cut short.
int status_of(const MiniReply& reply) {
    const ResponseLimits limits;
    ResponseParser parser(limits);
    parser.expect(false);
    std::string_view input = reply.bytes;
    int status = 0;
    bool complete = false;
    for (;;) {
        const auto event = parser.next(input);
        if (event.kind == HttpEvent::Kind::head) status = parser.head().status;
        if (event.kind == HttpEvent::Kind::complete) complete = true;
        if (event.kind == HttpEvent::Kind::error) return 0;
        if (event.kind == HttpEvent::Kind::need_more || complete) break;
    }
    return complete && input.empty() ? status : 0;
}

} // namespace

TEST_CASE("centre_plan: every mode has a name of its own") {
    for (std::size_t i = 0; i < kCentreModes; ++i) {
        CHECK_FALSE(name(mode(i)).empty());
        CHECK(parse_centre_mode(name(mode(i))) == mode(i));
    }
    CHECK_FALSE(parse_centre_mode("asleep"));
}

TEST_CASE("centre_plan: an update changes what it names, and nothing when a part of it is wrong") {
    CentrePlan plan;
    CHECK(updated(plan, R"({"mode":"error","share":0.25,"latencyMs":{"min":1,"max":2.5,"slow":900,"slowShare":0.1},
        "capacity":50,"retryAfterSeconds":3,"maxAgeSeconds":null,"feature":true,"featureModel":"m","failPercent":10,
        "reviewPercent":20,"outcomes":{"ann":"fail"}})")
              .empty());
    CHECK(plan.mode == CentreMode::error);
    CHECK(plan.share == 0.25);
    CHECK(plan.latency_max == std::chrono::microseconds(2500));
    CHECK(plan.slow == 900ms);
    CHECK(plan.capacity == 50);
    CHECK(plan.retry_after == 3s);
    CHECK_FALSE(plan.max_age);
    CHECK(plan.verdict_of("ann") == Verdict::fail);
    CHECK(updated(plan, R"({"maxAgeSeconds":60})").empty());
    CHECK(plan.max_age == 60s);
    CHECK(plan.mode == CentreMode::error);

    for (const char* wrong :
         {R"({"mode":"asleep"})", R"({"share":2})", R"({"share":"1"})", R"({"moed":"error"})", R"([])",
          R"({"latencyMs":{"min":5,"max":1}})", R"({"latencyMs":{"mean":5}})", R"({"feature":1})",
          R"({"outcomes":{"ann":"maybe"}})", R"({"failPercent":101})", R"({"capacity":-1})"}) {
        const CentrePlan before = plan;
        INFO(wrong);
        CHECK_FALSE(updated(plan, wrong).empty());
        if (wrong[0] == '{') CHECK_FALSE(updated(plan, R"({"retryAfterSeconds":77,)" + std::string(wrong + 1)).empty());
        CHECK(plan.retry_after == before.retry_after);
        CHECK(plan.mode == before.mode);
        CHECK(plan.share == before.share);
    }
    std::string text;
    append_json(text, plan);
    CentrePlan again;
    CHECK(updated(again, text).empty());
    std::string same;
    append_json(same, again);
    CHECK(same == text);
}

TEST_CASE("centre_plan: verdicts follow the subject's hash in the shares asked for") {
    CentrePlan plan;
    plan.fail_percent = 10;
    plan.review_percent = 5;
    int fails = 0;
    int reviews = 0;
    for (int i = 0; i < 10000; ++i) {
        const auto subject = "user-" + std::to_string(i);
        const auto verdict = plan.verdict_of(subject);
        CHECK(verdict == plan.verdict_of(subject));
        fails += verdict == Verdict::fail;
        reviews += verdict == Verdict::review;
    }
    CHECK(fails > 850);
    CHECK(fails < 1150);
    CHECK(reviews > 400);
    CHECK(reviews < 600);
}

TEST_CASE("centre_plan: a feature is the subject's own, of norm one") {
    const auto a = subject_feature("ann");
    const auto b = subject_feature("bob");
    double norm = 0;
    double dot = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        norm += static_cast<double>(a[i]) * static_cast<double>(a[i]);
        dot += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    }
    CHECK(std::fabs(norm - 1) < 1e-5);
    CHECK(std::fabs(dot) < 0.5);
    CHECK(subject_feature("ann") == a);
}

TEST_CASE("centre_answer: each mode is what it says, to a strict client") {
    const std::string good = R"({"outcome":"pass","score":0.9})";
    const std::vector<std::pair<CentreMode, int>> expected = {
        {CentreMode::healthy, 200},      {CentreMode::error, 500},      {CentreMode::unavailable, 503},
        {CentreMode::throttle, 429},     {CentreMode::reject, 400},     {CentreMode::hang, 0},
        {CentreMode::blackhole, 0},      {CentreMode::refuse, 0},       {CentreMode::close, 0},
        {CentreMode::close_mid_body, 0}, {CentreMode::garbage, 0},      {CentreMode::huge_head, 0},
        {CentreMode::interim_flood, 0},  {CentreMode::wrong_length, 0}, {CentreMode::bad_json, 200},
        {CentreMode::bad_outcome, 200},  {CentreMode::drip, 200},
    };
    REQUIRE(expected.size() == kCentreModes);
    for (const auto& [m, status] : expected) {
        INFO(name(m));
        const MiniReply reply = compose(m, good, 2s);
        CHECK(status_of(reply) == status);
        CHECK((reply.never || reply.close || !reply.bytes.empty()));
    }
    CHECK(compose(CentreMode::throttle, good, 2s).bytes.find("Retry-After: 2\r\n") != std::string::npos);
    CHECK(compose(CentreMode::unavailable, good, 0s).bytes.find("Retry-After") == std::string::npos);
    CHECK(compose(CentreMode::drip, good, 0s).between_bytes > Nanos(0));
}
