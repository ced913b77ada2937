#include "cache/sweeper.h"
#include "tests/unit/cache_storage_bench.h"

using namespace holdfast;
using namespace holdfast::cachetest;

TEST_CASE("outcomes: one is found at once, after its commit and after a restart") {
    StorageBench b;
    CHECK_FALSE(b.find(kAlice));
    REQUIRE(b.put(kAlice, b.record()) == PutOutcome::queued);
    REQUIRE(b.find(kAlice));
    b.loop.advance(100ms);
    CHECK(b.storage->outcomes().stats().entries == 1);
    REQUIRE(b.find(kAlice));
    CHECK(b.find(kAlice)->age == 100ms);
    for (const bool clean : {true, false}) {
        b.reopen(clean);
        REQUIRE(b.find(kAlice));
        CHECK(b.find(kAlice)->outcome.verdict == Verdict::pass);
    }
}

TEST_CASE("outcomes: a kill loses what is younger than a hundred milliseconds at most") {
    StorageBench b;
    b.put(kAlice, b.record());
    b.loop.advance(100ms);
    b.put({"app", "bob", "LOGIN", ""}, b.record());
    b.reopen(false);
    CHECK(b.find(kAlice));
    CHECK_FALSE(b.find({"app", "bob", "LOGIN", ""}));
}

TEST_CASE("outcomes: another credential, scene, device or subject is another outcome") {
    StorageBench b;
    b.put({"app", "alice", "LOGIN", "d"}, b.record());
    CHECK(b.find({"app", "alice", "LOGIN", "d"}));
    CHECK_FALSE(b.find({"web", "alice", "LOGIN", "d"}));
    CHECK_FALSE(b.find({"app", "alice", "PAYMENT", "d"}));
    CHECK_FALSE(b.find({"app", "alice", "LOGIN", ""}));
    CHECK_FALSE(b.find({"app", "alicf", "LOGIN", "d"}));
}

TEST_CASE("outcomes: an unchanged young one is not written again, a changed one is") {
    StorageBench b;
    b.put(kAlice, b.record());
    b.loop.advance(59s, 1s);
    CHECK(b.put(kAlice, b.record()) == PutOutcome::unchanged);
    CHECK(b.put(kAlice, b.record(Verdict::fail)) == PutOutcome::queued);
    CHECK(b.find(kAlice)->outcome.verdict == Verdict::fail);
    b.loop.advance(60s, 1s);
    CHECK(b.put(kAlice, b.record(Verdict::fail)) == PutOutcome::queued);
}

TEST_CASE("outcomes: where the centre may take one back by its number alone, one of another number is written") {
    StorageBench b;
    OutcomeRecord first = b.record(), second = b.record();
    first.by_number = second.by_number = true;
    first.outcome.verification_id = "ver-1";
    second.outcome.verification_id = "ver-2";
    CHECK(b.put(kAlice, first) == PutOutcome::queued);
    CHECK(b.put(kAlice, first) == PutOutcome::unchanged);
    CHECK(b.put(kAlice, second) == PutOutcome::queued);
    CHECK(b.find(kAlice)->outcome.verification_id == "ver-2");
    b.reopen();
    CHECK(b.put(kAlice, first) == PutOutcome::queued);  // also where the one before has to be looked for
}

TEST_CASE("outcomes: a revocation hides what was decided before it and what was asked before it") {
    StorageBench b;
    b.put(kAlice, b.record());
    b.put({"web", "alice", "PAYMENT", "d"}, b.record());
    b.put({"app", "bob", "LOGIN", ""}, b.record());
    const OutcomeRecord under_way = b.record();
    b.loop.advance(50ms);
    CHECK_FALSE(b.storage->outcomes().look(kAlice, b.loop.now()).hidden);
    REQUIRE(b.revoke("alice"));
    const OutcomeLook met = b.storage->outcomes().look(kAlice, b.loop.now());
    CHECK_FALSE(met.record);
    CHECK(met.hidden);
    CHECK_FALSE(b.storage->outcomes().look({"app", "nobody", "LOGIN", ""}, b.loop.now()).hidden);
    CHECK_FALSE(b.find({"web", "alice", "PAYMENT", "d"}));
    CHECK(b.find({"app", "bob", "LOGIN", ""}));
    CHECK(b.put(kAlice, under_way) == PutOutcome::hidden);
    CHECK(b.storage->outcomes().hidden("alice", "LOGIN", under_way.asked_epoch));
    CHECK_FALSE(b.storage->outcomes().hidden("alice", "LOGIN", b.storage->outcomes().epoch()));
    b.loop.advance(50ms);
    CHECK(b.evicted[Eviction::revoked] == 2);
    CHECK(b.put(kAlice, b.record()) == PutOutcome::queued);
    CHECK(b.find(kAlice));
}

TEST_CASE("outcomes: a revocation holds after a crash right behind it and for any wall clock") {
    StorageBench b;
    const OutcomeRecord under_way = b.record();
    b.put(kAlice, under_way);
    b.loop.advance(50ms);
    REQUIRE(b.revoke("alice"));
    b.reopen(false);
    CHECK_FALSE(b.find(kAlice));
    CHECK(b.put(kAlice, under_way) == PutOutcome::hidden);
    for (const Nanos jump : {Nanos(-1h), Nanos(2h), Nanos(9 * 24h)}) {
        b.loop.now_.wall += jump;
        b.loop.advance(2s, 50ms);
        CHECK(b.put(kAlice, under_way) == PutOutcome::hidden);
        b.loop.now_.wall -= jump;
    }
}

TEST_CASE("outcomes: a wall clock set back or forward makes none younger") {
    StorageBench b;
    b.put(kAlice, b.record());
    b.loop.advance(10s, 1s);
    b.loop.now_.wall -= 9s;
    CHECK(b.find(kAlice)->age == 10s);
    b.loop.now_.wall -= 1h;
    CHECK_FALSE(b.find(kAlice));
    b.loop.now_.wall += 3h;
    CHECK(b.find(kAlice)->age > 1h);
}

TEST_CASE("outcomes: after a reboot with the clock behind none is younger, though none came for long before it") {
    for (const bool clean : {true, false}) {
        StorageBench b;
        OutcomeRecord r = b.record();
        r.boot = boot_id() + 1;
        b.put(kAlice, r);
        b.loop.advance(10min, 1s);
        b.loop.advance(100ms);
        if (clean) b.reopen();
        b.storage.reset();
        b.loop.now_ = {MonoTime(10s), r.decided.wall};
        b.open();
        const auto found = b.find(kAlice);
        REQUIRE(found);
        CHECK(found->age >= 10min - kClockEvery - kSweepIdle);
        CHECK(found->age <= 10min + 1s);
    }
}

TEST_CASE("outcomes: a purge of a scene hides and erases that scene only, of all everything") {
    StorageBench b;
    b.put(kAlice, b.record());
    b.put({"app", "alice", "PAYMENT", ""}, b.record());
    b.loop.advance(50ms);
    bool durable = false;
    b.storage->outcomes().purge("LOGIN", b.loop.now(), [&](const Result<void>& r) { durable = r.has_value(); });
    CHECK_FALSE(b.find(kAlice));
    CHECK(b.find({"app", "alice", "PAYMENT", ""}));
    b.loop.advance(3s, 50ms);
    CHECK(durable);
    CHECK(b.evicted[Eviction::purge] == 1);
    b.storage->outcomes().purge("", b.loop.now(), {});
    CHECK_FALSE(b.find({"app", "alice", "PAYMENT", ""}));
    b.loop.advance(3s, 50ms);
    CHECK(b.storage->outcomes().stats().entries == 0);
    b.reopen();
    CHECK(b.put(kAlice, b.record()) == PutOutcome::queued);
    CHECK(b.find(kAlice));
}

TEST_CASE("outcomes: the sweeper erases what is over, in bounded steps") {
    StorageBench b;
    for (int i = 0; i < 3000; ++i) {
        const std::string subject = "s" + std::to_string(i);
        REQUIRE(b.put({"app", subject, "LOGIN", ""}, b.record()) == PutOutcome::queued);
    }
    b.loop.advance(100ms);
    CHECK(b.storage->outcomes().stats().entries == 3000);
    b.loop.now_.wall += 2h;
    b.loop.now_.mono += 2h;
    b.loop.advance(60ms);
    const auto left = b.storage->outcomes().stats().entries;
    CHECK(left < 3000);
    CHECK(left > 1000);
    b.loop.advance(4s, 50ms);
    CHECK(b.storage->outcomes().stats().entries == 0);
    CHECK(b.evicted[Eviction::expired] == 3000);
}

TEST_CASE("outcomes: where nothing is over the sweeper rests, and comes back") {
    StorageBench b;
    REQUIRE(b.storage->outcomes().put(kAlice, b.record(), 1s, 3s, b.loop.now()) == PutOutcome::queued);
    b.loop.advance(8s, 50ms);  // it is over for some seconds
    CHECK(b.storage->outcomes().stats().entries == 1);
    b.loop.advance(kRestBetweenLaps, 50ms);
    CHECK(b.storage->outcomes().stats().entries == 0);
    CHECK(b.evicted[Eviction::expired] == 1);
}

TEST_CASE("outcomes: a full queue refuses and says so") {
    StorageBench b;
    b.offload.hold = true;
    PutOutcome last = PutOutcome::queued;
    std::size_t taken = 0;
    for (std::size_t i = 0; i < 2 * kBatchQueueMax && last == PutOutcome::queued; ++i, ++taken)
        last = b.put({"app", "s" + std::to_string(i), "LOGIN", ""}, b.record());
    CHECK(last == PutOutcome::refused);
    CHECK(taken == kBatchQueueMax + 1);
    CHECK(b.storage->health().cache.refused == 1);
}
