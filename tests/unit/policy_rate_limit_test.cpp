#include "policy/rate_limit.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <string>

using namespace holdfast;

namespace {

const SipKey kKey{9};

int taken(RateLimiter& rates, std::string_view key, const RateSpec& spec, MonoTime now) {
    int n = 0;
    while (n < 100'000 && rates.take("rule", key, spec, now).allowed) ++n;
    return n;
}

} // namespace

TEST_CASE("rate_limit: a burst at once, then the rate") {
    RateLimiter rates(kKey);
    const RateSpec spec{10, 5};
    MonoTime now(100s);
    CHECK(taken(rates, "u", spec, now) == 5);
    now += 100ms;
    CHECK(taken(rates, "u", spec, now) == 1);
    now += 300ms;
    CHECK(taken(rates, "u", spec, now) == 3);
    now += 1h;
    CHECK(taken(rates, "u", spec, now) == 5);
}

TEST_CASE("rate_limit: Retry-After is the earliest moment that passes") {
    RateLimiter rates(kKey);
    for (const RateSpec spec : {RateSpec{3, 1}, RateSpec{0.5, 2}, RateSpec{1000, 7}, RateSpec{1.0 / 3600, 1}}) {
        const MonoTime now(100s);
        const std::string key = std::to_string(spec.per_second);
        taken(rates, key, spec, now);
        const RateVerdict refused = rates.peek("rule", key, spec, now);
        REQUIRE_FALSE(refused.allowed);
        CHECK(refused.retry_after > Nanos(0));
        CHECK_FALSE(rates.peek("rule", key, spec, now + refused.retry_after - Nanos(1)).allowed);
        CHECK(rates.peek("rule", key, spec, now + refused.retry_after).allowed);
    }
}

TEST_CASE("rate_limit: keys and rules do not share") {
    RateLimiter rates(kKey);
    const RateSpec spec{1, 1};
    const MonoTime now(100s);
    CHECK(rates.take("a", "u", spec, now).allowed);
    CHECK_FALSE(rates.take("a", "u", spec, now).allowed);
    CHECK(rates.take("b", "u", spec, now).allowed);
    CHECK(rates.take("a", "v", spec, now).allowed);
}

TEST_CASE("rate_limit: peeking and refusals spend nothing") {
    RateLimiter rates(kKey);
    const RateSpec spec{1, 2};
    MonoTime now(100s);
    for (int i = 0; i < 100; ++i) CHECK(rates.peek("rule", "u", spec, now).allowed);
    CHECK(taken(rates, "u", spec, now) == 2);
    for (int i = 0; i < 100; ++i) CHECK_FALSE(rates.take("rule", "u", spec, now).allowed);
    now += 1s;
    CHECK(taken(rates, "u", spec, now) == 1);
}

TEST_CASE("rate_limit: a flood of keys never frees a known one, and newcomers wait") {
    RateLimiter rates(kKey, 64);
    const RateSpec spec{0.01, 1};
    MonoTime now(100s);
    CHECK(rates.take("rule", "victim", spec, now).allowed);
    int let_in = 0;
    for (int i = 0; i < 10'000; ++i) let_in += rates.take("rule", "flood" + std::to_string(i), spec, now).allowed;
    CHECK(let_in <= 63);
    CHECK_FALSE(rates.take("rule", "victim", spec, now).allowed);
    const RateVerdict newcomer = rates.take("rule", "newcomer", spec, now);
    CHECK_FALSE(newcomer.allowed);
    CHECK(newcomer.retry_after == Nanos(100s));
    now += 100s;
    CHECK(rates.take("rule", "newcomer", spec, now).allowed);
}

TEST_CASE("rate_limit: rates out of bounds are not valid") {
    CHECK(is_valid({2000, 4000}));
    for (const RateSpec bad : {RateSpec{0, 1}, RateSpec{-1, 1}, RateSpec{1, 0.5}, RateSpec{NAN, 1},
                               RateSpec{1, INFINITY}, RateSpec{2e6, 1}, RateSpec{1, 2e6}})
        CHECK_FALSE(is_valid(bad));
}

TEST_CASE("rate_limit: who was charged under another rate waits no longer than the one in force says") {
    RateLimiter rates(kKey);
    const RateSpec mistyped{0.001, 10}, meant{10, 10};
    MonoTime now(100s);
    CHECK(taken(rates, "u", mistyped, now) == 10);
    for (const RateVerdict refused : {rates.peek("rule", "u", meant, now), rates.take("rule", "u", meant, now)}) {
        CHECK_FALSE(refused.allowed);
        CHECK(refused.retry_after <= 100ms);
    }
    now += 100ms;
    CHECK(taken(rates, "u", meant, now) == 1);
    now += 300ms;
    CHECK(taken(rates, "u", meant, now) == 3);
}
