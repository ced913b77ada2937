#include "edge/pulse.h"

#include <catch2/catch.hpp>

using namespace holdfast;

TEST_CASE("pulse: answers are counted in the five seconds that they fall into, and forgotten after five minutes") {
    Pulse pulse;
    const MonoTime begin{1000s};
    CHECK(pulse.beat(0, begin).total() == 0);
    pulse.answered(1, 10ms, 0s, begin);
    pulse.answered(2, 1ms, 90s, begin + 4s);
    pulse.answered(0, 1ms, 0s, begin + 5s);
    CHECK(pulse.beat(0, begin + 5s).total() == 1);
    const Pulse::Beat before = pulse.beat(1, begin + 5s);
    CHECK(before.answers[1] == 1);
    CHECK(before.answers[2] == 1);
    CHECK(before.oldest == 90s);
    CHECK(pulse.beat(Pulse::kBeats - 1, begin + 5s * int(Pulse::kBeats - 1)).total() == 2);
    CHECK(pulse.beat(Pulse::kBeats, begin + 5s * int(Pulse::kBeats)).total() == 0);
    pulse.answered(1, 1ms, 0s, begin + 1h);  // a long silence: nothing of before is left
    std::uint32_t all = 0;
    for (std::size_t ago = 0; ago < Pulse::kBeats; ++ago) all += pulse.beat(ago, begin + 1h).total();
    CHECK(all == 1);
}

TEST_CASE("pulse: what the centre has accepted and not decided yet is its live answer, and nothing was refused") {
    CHECK(Pulse::kind(Source::cache, false) == 2);
    CHECK(Pulse::kind(std::nullopt, true) == 0);
    CHECK(Pulse::kind(std::nullopt, false) == static_cast<std::size_t>(Source::live));
}

TEST_CASE("pulse: a quantile is at most a quarter above what was measured, over the whole range") {
    CHECK(Pulse::Beat().quantile(0.99) == Nanos(0));
    for (std::int64_t us : {0, 1, 3, 4, 5, 7, 8, 1000, 1023, 1024, 250'000, 3'000'000, 2'000'000'000}) {
        Pulse pulse;
        pulse.answered(1, std::chrono::microseconds(us), 0s, MonoTime{1000s});
        const auto seen = pulse.beat(0, MonoTime{1000s}).quantile(0.99) / std::chrono::microseconds(1);
        INFO(us);
        CHECK(seen > us);
        CHECK(double(seen) <= 1.25 * double(us) + 1);
    }
    Pulse pulse;
    for (int i = 0; i < 98; ++i) pulse.answered(1, 1ms, 0s, MonoTime{1000s});
    pulse.answered(1, 1s, 0s, MonoTime{1000s});
    pulse.answered(1, 1s, 0s, MonoTime{1000s});
    CHECK(pulse.beat(0, MonoTime{1000s}).quantile(0.5) < 2ms);
    CHECK(pulse.beat(0, MonoTime{1000s}).quantile(0.99) > 900ms);
    pulse.answered(99, 4000h, 0s, MonoTime{1000s});  // beyond every bound: the last slot
    CHECK(pulse.beat(0, MonoTime{1000s}).total() == 101);
}

TEST_CASE("pulse: of the last minute it tells how many were refused for what they are, and as what most") {
    Pulse pulse;
    const MonoTime begin{1000s};
    CHECK(pulse.refusals(begin).asked == 0);
    for (int i = 0; i < 10; ++i) pulse.answered(1, 1ms, 0s, begin);
    pulse.answered(0, 1ms, 0s, begin);  // counted by its code alone
    pulse.refused(ApiCode::precheck_denied, begin);
    for (int i = 0; i < 7; ++i) pulse.refused(ApiCode::request_expired, begin + 10s);
    pulse.refused(ApiCode::overloaded, begin + 20s);
    const Pulse::Refusals seen = pulse.refusals(begin + 20s);
    CHECK(seen.asked == 19);
    CHECK(seen.refused.count == 8);
    CHECK(seen.refused.most == ApiCode::request_expired);
    CHECK(seen.refused.by_most == 7);
    CHECK(seen.unanswered.count == 1);
    CHECK(seen.unanswered.most == ApiCode::overloaded);
    CHECK(pulse.refusals(begin + 65s).refused.count == 7);
    CHECK(pulse.refusals(begin + 2min).asked == 0);
}

TEST_CASE("pulse: what a draining node refuses is nobody's failure, and waters down nobody else's share") {
    Pulse pulse;
    const MonoTime begin{1000s};
    for (int i = 0; i < 100; ++i) pulse.refused(ApiCode::draining, begin);
    CHECK(pulse.refusals(begin).asked == 0);
    CHECK(pulse.refusals(begin).unanswered.count == 0);
    pulse.refused(ApiCode::upstream_timeout, begin);
    CHECK(pulse.refusals(begin).asked == 1);
    CHECK(pulse.refusals(begin).unanswered.by_most == 1);
    CHECK(pulse.beat(0, begin).refused[static_cast<std::size_t>(ApiCode::draining)] == 100);
}
