#include <catch2/catch.hpp>

#include "tests/support/turns.h"

using namespace holdfast;
using namespace holdfast::testing;

TEST_CASE("turns: none waits for ever where the machine was busy before it") {
    UvLoop loop;
    const Ticking ticking(loop);
    for (int turn = 0; turn < 3; ++turn) {
        const MonoTime until = MonoClock::read() + 5 * Ticking::kTick;
        while (MonoClock::read() < until) {
        }
        CHECK(loop.run_once(true));
    }
}

TEST_CASE("turns: they end when the time is up") {
    UvLoop loop;
    CHECK_FALSE(turn_until(loop, 20ms, [] { return false; }));
}

TEST_CASE("turns: they end once it holds") {
    UvLoop loop;
    bool over = false;
    const auto timer = loop.after(1ms, [&over] { over = true; });
    CHECK(turn_until(loop, 10s, [&over] { return over; }));
}
