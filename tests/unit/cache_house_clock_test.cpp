// What a wall clock that was ahead for a while must not erase, in a run or over a start.
#include <catch2/catch.hpp>

#include "cache/house_clock.h"
#include "tests/unit/cache_storage_bench.h"

using namespace holdfast;
using namespace holdfast::cachetest;

namespace {

struct Clocks {
    Now now{MonoTime(100h), WallTime(10000h)};
    HouseClock house{"", 7, now};
    void pass(Nanos span) {
        for (Nanos left = span; left > Nanos(0); left -= 1s) {
            now.mono += 1s;
            now.wall += 1s;
            house.observe(now);
        }
    }
    Nanos ahead() const { return house.ahead(now); }
};

}  // namespace

TEST_CASE("house clock: a step ahead is believed when it has stood, one back at once") {
    Clocks c;
    c.pass(1h);
    c.now.wall += 25h;
    CHECK(c.ahead() == 25h);
    c.pass(HouseClock::kBelievedAfter - 1s);
    CHECK(c.ahead() == 25h);
    c.now.wall += 1h;  // another one: anew
    c.pass(HouseClock::kBelievedAfter - 1s);
    CHECK(c.ahead() == 26h);
    c.pass(2s);
    CHECK(c.ahead() == Nanos(0));
    c.now.wall -= 3h;
    CHECK(c.house.at(c.now).wall == c.now.wall);
    c.pass(1s);
    c.now.wall += 3h;
    CHECK(c.ahead() == 3h);
}

TEST_CASE("house clock: it goes on over a start of the same boot only") {
    Clocks c;
    c.pass(1h);
    const Now later{c.now.mono + 10s, c.now.wall + 25h};
    CHECK(HouseClock(c.house.keep(), 7, later).ahead(later) == 25h - 10s);
    CHECK(HouseClock(c.house.keep(), 8, later).ahead(later) == Nanos(0));
    CHECK(HouseClock("garbage", 7, later).ahead(later) == Nanos(0));
    const Now before{MonoTime(1h), later.wall};
    CHECK(HouseClock(c.house.keep(), 7, before).ahead(before) == Nanos(0));
}

TEST_CASE("storage: what is remembered is still there after a clock that was ahead for a minute") {
    StorageBench b;
    REQUIRE(b.put(kAlice, b.record(Verdict::fail)) == PutOutcome::queued);
    b.loop.advance(200ms);
    REQUIRE(b.find(kAlice));
    b.loop.now_.wall += 2h;
    b.loop.advance(66s, 50ms);
    b.loop.now_.wall -= 2h;
    b.loop.advance(1s, 50ms);
    CHECK(b.storage->outcomes().stats().entries == 1);
    CHECK(b.find(kAlice));
}

TEST_CASE("storage: evidence outlives a start whose clock is a day ahead") {
    StorageBench b;
    b.options.reconcile_retain = 1h;
    b.reopen();
    b.storage->evidence()->keep("e1", "bytes", b.loop.now().wall, [](const Result<void>&) {});
    b.loop.advance(1s, 50ms);
    REQUIRE(b.storage->evidence()->count() == 1);
    b.loop.now_.wall += 25h;
    b.reopen();
    b.storage->evidence()->sweep({});
    b.loop.advance(1s, 50ms);
    CHECK(b.storage->evidence()->count() == 1);
    b.loop.advance(1h, 1s);
    b.storage->evidence()->sweep({});
    b.loop.advance(1s, 50ms);
    CHECK(b.storage->evidence()->count() == 0);
}
