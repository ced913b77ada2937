#include "edge/clock_watch.h"

#include <catch2/catch.hpp>

using namespace holdfast;

TEST_CASE("clock_watch: a jump of the wall clock is told once, and stands for a quarter of an hour") {
    ClockWatch watch;
    Now now{MonoTime{1000s}, WallTime{50'000s}};
    const auto tick = [&](Nanos jump) {
        now.mono += 1s;
        now.wall += 1s + jump;
        return watch.observe(now);
    };
    CHECK_FALSE(watch.observe(now));
    CHECK_FALSE(tick(0s));
    CHECK(tick(900s) == Nanos(900s));
    CHECK_FALSE(tick(0s));
    CHECK(watch.recent(now.mono) == Nanos(900s));
    CHECK(watch.recent(watch.at() + ClockWatch::kSaidFor - 1s) == Nanos(900s));
    CHECK(watch.recent(watch.at() + ClockWatch::kSaidFor) == Nanos(0));
    CHECK(tick(-1000s) == Nanos(-1000s));
    CHECK(watch.recent(now.mono) == Nanos(-100s));
    CHECK(tick(100s) == Nanos(100s));
    CHECK(watch.recent(now.mono) == Nanos(0));  // they took each other back
}

TEST_CASE("clock_watch: a clock that is slewed has not jumped, however long it goes on") {
    ClockWatch watch;
    Now now{MonoTime{1000s}, WallTime{50'000s}};
    for (int i = 0; i < 10'000; ++i) {
        CHECK_FALSE(watch.observe(now));
        now.mono += 1s;
        now.wall += 1s + std::chrono::microseconds(500);
    }
    CHECK(watch.recent(now.mono) == Nanos(0));
    now.mono += 1h;  // the loop stood still, or the machine slept: both clocks went on
    now.wall += 1h;
    CHECK_FALSE(watch.observe(now));
}
