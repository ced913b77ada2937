#include <catch2/catch.hpp>

#include "upstream/backoff.h"
#include "upstream/canary.h"
#include "upstream/ejection.h"
#include "upstream/retry_budget.h"
#include "upstream/timeout_estimator.h"

using namespace holdfast;

TEST_CASE("backoff: base times two to the n, within twenty percent either way") {
    Rng rng(1);
    for (std::uint32_t n = 0; n < 4; ++n) {
        Nanos low = 1h, high = 0s;
        for (int i = 0; i < 2000; ++i) {
            const Nanos w = backoff(1s, n, rng);
            low = std::min(low, w), high = std::max(high, w);
        }
        const double middle = 1e9 * (1 << n);
        CHECK(static_cast<double>(low.count()) >= 0.8 * middle);
        CHECK(static_cast<double>(low.count()) < 0.82 * middle);
        CHECK(static_cast<double>(high.count()) <= 1.2 * middle);
        CHECK(static_cast<double>(high.count()) > 1.18 * middle);
    }
    CHECK(backoff(1s, 4'000'000'000u, rng) <= kBackoffMax * 12 / 10);
    CHECK(backoff(-1s, 3, rng) == 0s);
}

TEST_CASE("retry budget: a tenth of the calls of ten seconds, and never fewer than three a second") {
    RetryBudget b(0.1, 3);
    MonoTime t(100s);
    CHECK(b.take(t));
    CHECK(b.take(t));
    CHECK(b.take(t));
    CHECK_FALSE(b.take(t + 999ms));
    CHECK(b.take(t + 1s));
    t += 20s;
    for (int i = 0; i < 1000; ++i) b.call(t);
    int taken = 0;
    while (b.take(t)) ++taken;
    CHECK(taken == 100);
    CHECK(b.left(t) == Approx(0));
    t += 9s;
    CHECK(b.take(t)); // the floor
    t += 1s;          // calls and retries of the busy second have left
    CHECK(b.left(t) == Approx(-1));
}

TEST_CASE("retry budget: share zero and floor zero allow nothing") {
    RetryBudget b(0, 0);
    for (int i = 0; i < 1000; ++i) b.call(MonoTime(1s));
    CHECK_FALSE(b.take(MonoTime(1s)));
}

TEST_CASE("timeout estimator: cold, it is the maximum") {
    TimeoutEstimator e({200ms, 3s, 2});
    for (std::uint64_t i = 1; i < TimeoutEstimator::kSamplesMin; ++i) e.sample(10ms, MonoTime(1s));
    CHECK(e.timeout(MonoTime(1s)) == Nanos(3s));
    e.sample(10ms, MonoTime(1s));
    CHECK(e.timeout(MonoTime(1s)) == Nanos(200ms)); // p99 × 2 is below the minimum
}

TEST_CASE("timeout estimator: p99 within seven percent above the true one, over all magnitudes") {
    for (const Nanos unit : {Nanos(100'000), Nanos(1ms), Nanos(7ms), Nanos(100ms), Nanos(900ms)}) {
        TimeoutEstimator e({0ms, 1h, 2});
        for (int i = 1; i <= 1000; ++i) e.sample(unit * i / 100, MonoTime(1s));
        const double p99 = static_cast<double>(e.p99(MonoTime(1s))->count());
        const double exact = static_cast<double>((unit * 990 / 100).count());
        CHECK(p99 >= exact);
        CHECK(p99 <= exact * 1.07);
    }
}

TEST_CASE("timeout estimator: p99 is that of the last two generations, whatever came in which order") {
    Rng rng(11);
    TimeoutEstimator asked({0ms, 1h, 2});
    std::vector<std::pair<MonoTime, Nanos>> samples;
    MonoTime now(1s);
    for (int i = 0; i < 4'000; ++i) {
        now += Nanos(20ms);
        const Nanos middle = i / 500 % 2 == 0 ? Nanos(1ms) : Nanos(400ms);
        samples.emplace_back(now,
                             middle * (1 + static_cast<int>(rng.below(100))) / (1 + static_cast<int>(rng.below(9))));
        asked.sample(samples.back().second, now);
        if (rng.below(3) != 0) continue;
        TimeoutEstimator anew({0ms, 1h, 2});  // asked for the first time, it looks at everything
        for (const auto& [at, latency] : samples) anew.sample(latency, at);
        REQUIRE(asked.p99(now) == anew.p99(now));
    }
}

TEST_CASE("timeout estimator: follows a change and forgets after two generations") {
    TimeoutEstimator e({200ms, 3s, 2});
    MonoTime t(10s);
    for (int i = 0; i < 1000; ++i) e.sample(20ms, t);
    CHECK(e.timeout(t) == Nanos(200ms));
    for (int i = 0; i < 1000; ++i) e.sample(500ms, t);
    CHECK(e.timeout(t) > Nanos(1s));
    CHECK(e.timeout(t) < Nanos(1100ms));
    CHECK(e.timeout(t + 31s) < Nanos(1100ms)); // still in the generation before
    CHECK(e.timeout(t + 91s) == Nanos(3s));
    e.sample(10min, t + 100s);
    e.sample(-5s, t + 100s);
}

TEST_CASE("canary: shares follow weights, a subject stays, and a lost endpoint moves only its own") {
    std::vector<WeightedEndpoint> ends{
        {endpoint_id("https://a"), 90}, {endpoint_id("https://b"), 10}, {endpoint_id("https://c"), 0}};
    std::array<int, 3> hits{};
    std::vector<std::size_t> at;
    for (std::uint64_t s = 0; s < 20000; ++s) {
        at.push_back(*choose(ends, s * 0x9e3779b97f4a7c15ull));
        ++hits[at.back()];
    }
    CHECK(hits[0] == Approx(18000).margin(300));
    CHECK(hits[2] == 0);
    ends[1].eligible = false;
    for (std::uint64_t s = 0; s < 20000; ++s) {
        const auto now = *choose(ends, s * 0x9e3779b97f4a7c15ull);
        REQUIRE(now == (at[s] == 1 ? 0 : at[s]));
    }
    ends[0].eligible = false;
    CHECK(choose(ends, 1) == 2u); // weight zero serves when nothing else does
    ends[2].eligible = false;
    CHECK_FALSE(choose(ends, 1));
}

TEST_CASE("ejection: failures in a row of several subjects eject with a doubling wait") {
    Ejection e(3, {5, 3, 10s, 60s});
    MonoTime t(100s);
    const auto fail_all = [&](std::size_t i, int subjects) {
        bool ejected = false;
        for (int n = 0; n < 6; ++n)
            ejected = e.failure(i, {static_cast<std::uint64_t>(n % subjects), 1}, false, t) || ejected;
        return ejected;
    };
    CHECK_FALSE(fail_all(0, 2)); // two subjects are no evidence
    e.success(0, {1, 1}, t);
    for (const auto wait : {10s, 20s, 40s, 60s, 60s}) {
        REQUIRE(fail_all(0, 3));
        CHECK(e.back_in(0, t) == Nanos(wait));
        t += wait;
        CHECK_FALSE(e.ejected(0, t));
    }
    t += 60s;
    e.success(0, {1, 1}, t);  // well for as long as it was away
    REQUIRE(fail_all(0, 3));
    CHECK(e.back_in(0, t) == Nanos(10s));
}

TEST_CASE("ejection: one caller's failures eject nothing from which another was served lately") {
    Ejection e(2, {5, 5, 10s, 60s});
    MonoTime t(100s);
    std::uint64_t subject = 0;
    const auto fail = [&](std::uint64_t credential, int n, bool unconnected = false) {
        bool ejected = false;
        for (int i = 0; i < n; ++i) ejected |= e.failure(0, {++subject, credential}, unconnected, t);
        return ejected;
    };
    e.success(0, {1, 2}, t);
    e.success(0, {2, 1}, t);
    CHECK_FALSE(fail(1, 50));
    t += 10s - Nanos(1);
    CHECK_FALSE(fail(1, 50));
    CHECK(fail(2, 1));  // the other's as well
    t += 10s;
    e.success(0, {1, 2}, t);
    CHECK_FALSE(fail(1, 5));
    CHECK(fail(1, 1, true));  // no connection came about
    t += 60s;
    e.success(0, {1, 2}, t);
    CHECK_FALSE(fail(1, 5));
    t += 10s;
    CHECK(fail(1, 1));  // nobody else is served here any more
    t += 60s;
    e.success(0, {1, 1}, t);
    CHECK(fail(1, 5));  // nor was anybody else
}

TEST_CASE("ejection: never below half of the endpoints, whoever asks") {
    for (std::size_t n = 1; n <= 7; ++n) {
        Ejection e(n, {1, 1, 10s, 60s});
        const MonoTime t(100s);
        for (std::size_t i = 0; i < n; ++i) {
            if (i % 3 == 0) e.failure(i, {1, 1}, false, t);
            if (i % 3 == 1) (void)e.eject(i, t + 1h, t);
            for (int bad = 0; i % 3 == 2 && bad < 2; ++bad) e.probe(i, false, t);
        }
        std::size_t out = 0;
        for (std::size_t i = 0; i < n; ++i) out += e.ejected(i, t);
        CHECK(out == n / 2);
    }
}

TEST_CASE("ejection: where half must stay, who fails changes places with one that its own tries took out") {
    const MonoTime t(100s);
    Ejection e(2, {1, 1, 10s, 60s});
    REQUIRE(e.failure(0, {1, 1}, false, t));
    REQUIRE(e.failure(1, {1, 1}, false, t));
    CHECK(e.out(1, t) == Out::tries);
    CHECK_FALSE(e.ejected(0, t));
    CHECK(e.next_returned(t) == 0u);
    CHECK_FALSE(e.failure(0, {1, 1}, false, t + 9s));  // nor back at once
    CHECK(e.failure(0, {1, 1}, false, t + 10s));
    CHECK(e.back_in(0, t + 10s) == Nanos(20s));
    Ejection hiccup(2, {1, 1, 10s, 60s});
    REQUIRE(hiccup.failure(0, {1, 1}, false, t));
    hiccup.success(1, {1, 1}, t);
    CHECK_FALSE(hiccup.failure(1, {1, 1}, false, t + 9s));
    CHECK(hiccup.out(0, t + 9s) == Out::tries);
    Ejection by_hand(2, {1, 1, 10s, 60s});
    REQUIRE(by_hand.eject(0, t + 1h, t));
    CHECK_FALSE(by_hand.failure(1, {1, 1}, false, t));
    Ejection by_probes(2, {1, 1, 10s, 60s});
    by_probes.probe(0, false, t);
    by_probes.probe(0, false, t);
    REQUIRE(by_probes.ejected(0, t));
    CHECK_FALSE(by_probes.failure(1, {1, 1}, false, t));
}

TEST_CASE("ejection: restore brings an endpoint back, and an unknown one is not found") {
    Ejection e(2, {});
    const MonoTime t(100s);
    REQUIRE(e.eject(1, t + 1h, t));
    CHECK(e.ejected(1, t));
    e.restore(1, t);
    CHECK_FALSE(e.ejected(1, t));
    CHECK(e.eject(2, t, t).error().code == Code::not_found);
}
