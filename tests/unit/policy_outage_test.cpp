#include "policy/outage.h"

#include <catch2/catch.hpp>

using namespace holdfast;

namespace {

constexpr std::uint64_t kBoot = 21;

struct Fixture {
    Outage outage{kBoot};
    Now now{MonoTime(10'000s), WallTime(Seconds(1'800'000'000))};
    void pass(Nanos time) {
        now.mono += time;
        now.wall += time;
    }
    bool see(bool closed, bool forced = false) { return outage.observe(closed, forced, now); }
};

} // namespace

TEST_CASE("outage: it begins when the circuit leaves closed and ends when it is closed again") {
    Fixture f;
    CHECK_FALSE(f.see(true));
    CHECK_FALSE(f.outage.facts(f.now).active);
    CHECK(f.see(false));
    f.pass(40s);
    CHECK_FALSE(f.see(false)); // half-open is not closed
    f.pass(20s);
    const auto facts = f.outage.facts(f.now);
    CHECK(facts.active);
    CHECK(facts.certain == Nanos(60s));
    CHECK(facts.since_renewal == Nanos(60s));
    CHECK(f.outage.began_wall() == f.now.wall - 60s);
    CHECK(f.see(true));
    CHECK_FALSE(f.outage.facts(f.now).active);
    CHECK_FALSE(f.outage.began_wall());
}

TEST_CASE("outage: a forced degraded mode is one, and holds one that the circuit left") {
    Fixture f;
    CHECK(f.see(true, true));
    f.pass(10s);
    CHECK_FALSE(f.see(false, true));
    f.pass(10s);
    CHECK_FALSE(f.see(false, false));
    f.pass(10s);
    CHECK(f.outage.facts(f.now).certain == Nanos(30s));
    CHECK_FALSE(f.see(true, true));
    CHECK(f.see(true, false));
    CHECK(f.see(false));
    CHECK(f.outage.facts(f.now).certain == Nanos(0));
}

TEST_CASE("outage: a wall jump makes none old enough, and none young again") {
    Fixture f;
    f.see(false);
    f.pass(10s);
    f.now.wall += 5h;
    CHECK(f.outage.facts(f.now).certain == Nanos(10s));
    CHECK(f.outage.facts(f.now).since_renewal == Nanos(5h + 10s));
    f.now.wall -= 50h;
    CHECK(f.outage.facts(f.now).certain == Nanos(10s));
    CHECK(f.outage.facts(f.now).since_renewal == Nanos(10s));
}

TEST_CASE("outage: an operator's renewal starts only the hard stop anew") {
    Fixture f;
    f.outage.renew(f.now);
    CHECK_FALSE(f.outage.facts(f.now).active);
    f.see(false);
    f.pass(25min);
    f.outage.renew(f.now);
    f.pass(10min);
    const auto facts = f.outage.facts(f.now);
    CHECK(facts.certain == Nanos(35min));
    CHECK(facts.since_renewal == Nanos(10min));
}

TEST_CASE("outage: it survives a restart within a boot at full length") {
    Fixture f;
    f.see(false);
    f.pass(5s);
    f.outage.renew(f.now);
    const std::string kept = f.outage.encode(f.now);
    f.pass(55s);
    Outage after(kBoot);
    REQUIRE(after.decode(kept, f.now));
    CHECK(after.facts(f.now).certain == Nanos(60s));
    CHECK(after.facts(f.now).since_renewal == Nanos(55s));
    CHECK(after.began_wall() == f.now.wall - 60s);
    f.pass(10s);
    CHECK(after.facts(f.now).certain == Nanos(70s));
    // And a second restart, written again in between.
    Outage third(kBoot);
    REQUIRE(third.decode(after.encode(f.now), f.now));
    CHECK(third.facts(f.now).certain == Nanos(70s));
    CHECK(third.observe(true, false, f.now));
}

TEST_CASE("outage: after a reboot only what is certain counts as age, and all that may be as length") {
    Fixture f;
    f.see(false);
    f.pass(20s);
    const std::string kept = f.outage.encode(f.now);
    Outage after(kBoot + 1);
    const Now now{MonoTime(30s), f.now.wall + 2h};
    REQUIRE(after.decode(kept, now));
    CHECK(after.facts(now).certain == Nanos(50s));
    CHECK(after.facts(now).since_renewal == Nanos(2h + 20s));
    // A wall clock that went back over a reboot tells no length: whatever needs a young outage stays away.
    Outage back(kBoot + 1);
    const Now earlier{MonoTime(30s), f.now.wall - 2h};
    REQUIRE(back.decode(kept, earlier));
    CHECK(back.facts(earlier).certain == Nanos(50s));
    CHECK(back.facts(earlier).since_renewal > Nanos(24h * 365));
    back.renew(earlier);
    CHECK(back.facts(earlier).since_renewal == Nanos(0));
    // Within a boot the monotonic clock has counted, whatever the wall clock says.
    Outage same(kBoot);
    const Now set_back{f.now.mono + 10s, f.now.wall - 2h};
    REQUIRE(same.decode(kept, set_back));
    CHECK(same.facts(set_back).since_renewal == Nanos(30s));
}

TEST_CASE("outage: a renewal that was not written any more is told by its order, when that is certainly newer") {
    Fixture f;
    f.see(false);
    f.pass(5min);
    f.outage.renew(f.now);
    const Stamp older = stamp({f.now.mono - 1s, f.now.wall - 1s}, kBoot);
    f.pass(40min);
    const std::string kept = f.outage.encode(f.now);
    f.pass(5s);
    const Stamp order = stamp(f.now, kBoot);
    f.pass(10s);
    const auto since = [&](Outage outage, const Stamp& at, Now now) {
        const Nanos certain = outage.facts(now).certain;
        outage.renew_as_of(at, now);
        CHECK(outage.facts(now).certain == certain);
        return outage.facts(now).since_renewal;
    };
    Outage after(kBoot);
    REQUIRE(after.decode(kept, f.now));
    CHECK(since(after, order, f.now) == Nanos(10s));
    CHECK(since(after, older, f.now) == Nanos(40min + 15s));
    CHECK(since(after, {order.wall, order.mono, 0}, f.now) == Nanos(40min + 15s));
    CHECK(since(Outage(kBoot), order, f.now) == Nanos(0));
    // Over a reboot it is as old as it may be.
    Outage booted(kBoot + 1);
    const Now later{MonoTime(30s), f.now.wall + 20s};
    REQUIRE(booted.decode(kept, later));
    CHECK(since(booted, order, later) == Nanos(30s));
    const Now set_back{MonoTime(30s), f.now.wall - 1min};
    REQUIRE(booted.decode(kept, set_back));
    CHECK(since(booted, order, set_back) > Nanos(24h * 365));
    // Given in this boot it is newer than a renewal of the boot before; of a third boot nobody knows.
    REQUIRE(booted.decode(kept, later));
    CHECK(since(booted, stamp({MonoTime(25s), later.wall - 5s}, kBoot + 1), later) == Nanos(5s));
    CHECK(since(booted, {later.wall - 5s, MonoTime(25s), kBoot + 2}, later) == Nanos(40min + 35s));
    const std::string again = booted.encode(later);
    Outage third(kBoot + 2);
    const Now last{MonoTime(10s), later.wall + 20s};
    REQUIRE(third.decode(again, last));
    CHECK(since(third, stamp({MonoTime(31s), later.wall + 1s}, kBoot + 1), last) == Nanos(19s));
    // What was not taken for a renewal in the boot behind it, whose clock was set back, is none in a later one either.
    REQUIRE(booted.decode(kept, set_back));
    const std::string doubtful = booted.encode(set_back);
    REQUIRE(third.decode(doubtful, last));
    CHECK(since(third, order, last) > Nanos(24h * 365));
}

TEST_CASE("outage: no outage is the empty text, and other text is refused") {
    Fixture f;
    CHECK(f.outage.encode(f.now).empty());
    f.see(false);
    const std::string good = f.outage.encode(f.now);
    Outage after(kBoot);
    REQUIRE(after.decode("", f.now));
    CHECK_FALSE(after.facts(f.now).active);
    for (std::size_t n = 1; n < good.size(); ++n) CHECK_FALSE(after.decode(good.substr(0, n), f.now));
    CHECK_FALSE(after.decode(good + "x", f.now));
    CHECK_FALSE(after.facts(f.now).active);
    std::string version = good;
    version[0] = 7;
    CHECK(after.decode(version, f.now).error().code == Code::corrupt);
}

TEST_CASE("outage: of two clocks the longer speaks") {
    const OutageFacts none, young{true, 10s, 10s}, old{true, 50s, 5s};
    CHECK_FALSE(longer(none, none).active);
    CHECK(longer(none, young).certain == Nanos(10s));
    CHECK(longer(young, none).certain == Nanos(10s));
    CHECK(longer(young, old).certain == Nanos(50s));
    CHECK(longer(young, old).since_renewal == Nanos(10s));
}
