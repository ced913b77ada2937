#include "policy/rate_limit.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <string>

using namespace holdfast;

namespace {

const SipKey kKey{9};
constexpr RateSeat kApp = 1, kOther = 2;

int taken(RateTable& rates, std::string_view key, const RateSpec& spec, MonoTime now) {
    int n = 0;
    while (n < 100'000 && rates.take(kApp, key, spec, now).allowed) ++n;
    return n;
}

} // namespace

TEST_CASE("rate_limit: a burst at once, then the rate") {
    RateTable rates(kKey);
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
    RateTable rates(kKey);
    for (const RateSpec spec : {RateSpec{3, 1}, RateSpec{0.5, 2}, RateSpec{1000, 7}, RateSpec{1.0 / 3600, 1}}) {
        const MonoTime now(100s);
        const std::string key = std::to_string(spec.per_second);
        taken(rates, key, spec, now);
        const RateVerdict refused = rates.peek(kApp, key, spec, now);
        REQUIRE_FALSE(refused.allowed);
        CHECK(refused.retry_after > Nanos(0));
        CHECK_FALSE(rates.peek(kApp, key, spec, now + refused.retry_after - Nanos(1)).allowed);
        CHECK(rates.peek(kApp, key, spec, now + refused.retry_after).allowed);
    }
}

TEST_CASE("rate_limit: keys do not share, and a key is one whoever asks") {
    RateTable rates(kKey);
    const RateSpec spec{1, 1};
    const MonoTime now(100s);
    CHECK(rates.take(kApp, "u", spec, now).allowed);
    CHECK_FALSE(rates.take(kApp, "u", spec, now).allowed);
    CHECK_FALSE(rates.take(kOther, "u", spec, now).allowed);
    CHECK(rates.take(kApp, "v", spec, now).allowed);
}

TEST_CASE("rate_limit: peeking and refusals spend nothing") {
    RateTable rates(kKey);
    const RateSpec spec{1, 2};
    MonoTime now(100s);
    for (int i = 0; i < 100; ++i) CHECK(rates.peek(kApp, "u", spec, now).allowed);
    CHECK(taken(rates, "u", spec, now) == 2);
    for (int i = 0; i < 100; ++i) CHECK_FALSE(rates.take(kApp, "u", spec, now).allowed);
    now += 1s;
    CHECK(taken(rates, "u", spec, now) == 1);
}

TEST_CASE("rate_limit: a flood of keys never frees a known one, and newcomers wait") {
    RateTable rates(kKey, 64);
    const RateSpec spec{0.01, 1};
    MonoTime now(100s);
    CHECK(rates.take(kApp, "victim", spec, now).allowed);
    int let_in = 0;
    for (int i = 0; i < 10'000; ++i) let_in += rates.take(kApp, "flood" + std::to_string(i), spec, now).allowed;
    CHECK(let_in <= 63);
    CHECK_FALSE(rates.take(kApp, "victim", spec, now).allowed);
    const RateVerdict newcomer = rates.take(kApp, "newcomer", spec, now);
    CHECK_FALSE(newcomer.allowed);
    CHECK(newcomer.no_room);
    CHECK(newcomer.retry_after == Nanos(100s));
    CHECK(rates.full_at() == now);
    CHECK(rates.peek(kApp, "newcomer", spec, now).no_room);
    CHECK_FALSE(rates.take(kApp, "victim", spec, now).no_room);
    now += 100s;
    CHECK(rates.take(kApp, "newcomer", spec, now).allowed);
}

TEST_CASE("rate_limit: the flood of one credential leaves the newcomers of the others their room") {
    RateTable rates(kKey, 1000);
    rates.set_shares({kApp, kOther});
    const RateSpec spec{0.01, 10};
    MonoTime now(100s);
    const auto let_in = [&](RateSeat seat, const std::string& name, int n) {
        int in = 0;
        for (int i = 0; i < n; ++i) in += rates.take(seat, name + std::to_string(i), spec, now).allowed;
        return in;
    };
    CHECK(let_in(kOther, "flood", 5000) == 750);
    CHECK(let_in(kNoSeat, "stranger", 100) == 0);
    CHECK(let_in(kApp, "own", 5000) == 250);
    CHECK(rates.size() == rates.capacity());
    now += 101s;
    CHECK(let_in(kApp, "more", 5000) == 750);
}

TEST_CASE("rate_limit: a single credential may use every place, and none is held for longer than its key") {
    RateTable rates(kKey);
    rates.set_shares({kApp});
    CHECK(rates.capacity() == kRateKeysMax);
    const RateSpec spec{100, 10};
    MonoTime now(100s);
    const auto let_in = [&](const std::string& name, std::size_t n, Nanos apart) {
        std::size_t in = 0;
        for (std::size_t i = 0; i < n; ++i, now += apart)
            in += rates.take(kApp, name + std::to_string(i), spec, now).allowed;
        return in;
    };
    CHECK(let_in("one", kRateKeysMax + 1, Nanos(0)) == kRateKeysMax);
    now += 10ms;
    CHECK(let_in("two", kRateKeysMax + 1, Nanos(0)) == kRateKeysMax);
    now += 10ms;
    CHECK(let_in("three", 3 * kRateKeysMax, Nanos(1000)) == 3 * kRateKeysMax);  // 10,000 at a time are held
    CHECK(RateTable(kKey, 1).capacity() == RateTable::kKeysMin);
    CHECK(RateTable(kKey, kRateKeysMax + 1).capacity() == kRateKeysMax);
}

TEST_CASE("rate_limit: room comes back by the rate in force, whatever its keys were charged under") {
    RateTable rates(kKey, 64);
    const RateSpec mistyped{0.00001, 10}, meant{1, 10};
    MonoTime now(100s);
    int in = 0;
    for (int i = 0; i < 100; ++i) in += rates.take(kApp, "u" + std::to_string(i), mistyped, now).allowed;
    REQUIRE(in == 64);
    CHECK(rates.take(kApp, "newcomer", meant, now).retry_after <= 10s);
    now += 10s;
    CHECK(rates.take(kApp, "newcomer", meant, now).allowed);
}

TEST_CASE("rate_limit: a credential has its own place, and without one it is refused") {
    CredentialRates rates;
    rates.make_room(kOther);
    const RateSpec spec{1, 2};
    const MonoTime now(100s);
    for (const RateSeat seat : {kApp, kOther}) {
        for (int i = 0; i < 2; ++i) {
            CHECK(rates.peek(seat, spec, now).allowed);
            CHECK(rates.take(seat, spec, now).allowed);
        }
        CHECK(rates.peek(seat, spec, now).retry_after == Nanos(1s));
        CHECK(rates.take(seat, spec, now).retry_after == Nanos(1s));
    }
    rates.make_room(kApp);
    CHECK_FALSE(rates.take(kOther, spec, now).allowed);
    rates.refill(kOther);
    CHECK(rates.take(kOther, spec, now).allowed);
    for (const RateSeat none : {kNoSeat, kOther + 1}) {
        CHECK(rates.take(none, spec, now).no_room);
        CHECK(rates.peek(none, spec, now).no_room);
    }
}

TEST_CASE("rate_limit: rates out of bounds are not valid") {
    CHECK(is_valid({2000, 4000}));
    for (const RateSpec bad : {RateSpec{0, 1}, RateSpec{-1, 1}, RateSpec{1, 0.5}, RateSpec{NAN, 1},
                               RateSpec{1, INFINITY}, RateSpec{2e6, 1}, RateSpec{1, 2e6}})
        CHECK_FALSE(is_valid(bad));
}

TEST_CASE("rate_limit: who was charged under another rate waits no longer than the one in force says") {
    RateTable rates(kKey);
    const RateSpec mistyped{0.001, 10}, meant{10, 10};
    MonoTime now(100s);
    CHECK(taken(rates, "u", mistyped, now) == 10);
    for (const RateVerdict refused : {rates.peek(kApp, "u", meant, now), rates.take(kApp, "u", meant, now)}) {
        CHECK_FALSE(refused.allowed);
        CHECK(refused.retry_after <= 100ms);
    }
    now += 100ms;
    CHECK(taken(rates, "u", meant, now) == 1);
    now += 300ms;
    CHECK(taken(rates, "u", meant, now) == 3);
}
