#include <catch2/catch.hpp>

#include <filesystem>
#include <map>

#include "cache/storage.h"
#include "cache/write_batch.h"
#include "cache_doubles.h"

using namespace holdfast;
using namespace holdfast::cachetest;

namespace {

struct Bench {
    Folder folder;
    TestLoop loop;
    InlineOffload offload{loop};
    std::map<Eviction, std::uint64_t> evicted;
    StorageOptions options;
    std::unique_ptr<Storage> storage;

    Bench() {
        options.data_dir = folder / "data";
        options.key.fill(5);
        options.cache_bytes = 8u << 20;
        options.state_bytes = 8u << 20;
        open();
    }
    void open() {
        StorageObserver o;
        o.evicted = [this](Eviction cause, std::uint64_t n) { evicted[cause] += n; };
        auto opened = Storage::open(options, loop, offload, o);
        REQUIRE(opened);
        storage = std::move(*opened);
    }
    void reopen(bool clean = true) {
        if (clean) {
            bool drained = false;
            storage->drain([&](const Result<void>& r) { drained = r.has_value(); });
            loop.settle();
            REQUIRE(drained);
        }
        storage.reset();
        open();
    }
    OutcomeRecord record(Verdict v = Verdict::pass) {
        OutcomeRecord r;
        r.outcome.verdict = v;
        r.outcome.score = 0.9;
        r.decided = loop.now();
        r.asked_epoch = storage->outcomes().epoch();
        return r;
    }
    PutOutcome put(const SubjectKey& key, const OutcomeRecord& r) {
        return storage->outcomes().put(key, r, 10min, 1h, loop.now());
    }
    std::optional<OutcomeRecord> find(const SubjectKey& key) { return storage->outcomes().find(key, loop.now()); }
    Result<void> revoke(std::string_view subject) {
        Result<void> out = fail(Code::internal, Origin::local, "not told");
        storage->outcomes().revoke(subject, loop.now(), [&](const Result<void>& r) { out = r; });
        loop.advance(5ms);
        return out;
    }
};

const SubjectKey kAlice{"app", "alice", "LOGIN", ""};

}  // namespace

TEST_CASE("outcomes: one is found at once, after its commit and after a restart") {
    Bench b;
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
    Bench b;
    b.put(kAlice, b.record());
    b.loop.advance(100ms);
    b.put({"app", "bob", "LOGIN", ""}, b.record());
    b.reopen(false);
    CHECK(b.find(kAlice));
    CHECK_FALSE(b.find({"app", "bob", "LOGIN", ""}));
}

TEST_CASE("outcomes: another credential, scene, device or subject is another outcome") {
    Bench b;
    b.put({"app", "alice", "LOGIN", "d"}, b.record());
    CHECK(b.find({"app", "alice", "LOGIN", "d"}));
    CHECK_FALSE(b.find({"web", "alice", "LOGIN", "d"}));
    CHECK_FALSE(b.find({"app", "alice", "PAYMENT", "d"}));
    CHECK_FALSE(b.find({"app", "alice", "LOGIN", ""}));
    CHECK_FALSE(b.find({"app", "alicf", "LOGIN", "d"}));
}

TEST_CASE("outcomes: an unchanged young one is not written again, a changed one is") {
    Bench b;
    b.put(kAlice, b.record());
    b.loop.advance(59s, 1s);
    CHECK(b.put(kAlice, b.record()) == PutOutcome::unchanged);
    CHECK(b.put(kAlice, b.record(Verdict::fail)) == PutOutcome::queued);
    CHECK(b.find(kAlice)->outcome.verdict == Verdict::fail);
    b.loop.advance(60s, 1s);
    CHECK(b.put(kAlice, b.record(Verdict::fail)) == PutOutcome::queued);
}

TEST_CASE("outcomes: a revocation hides what was decided before it and what was asked before it") {
    Bench b;
    b.put(kAlice, b.record());
    b.put({"web", "alice", "PAYMENT", "d"}, b.record());
    b.put({"app", "bob", "LOGIN", ""}, b.record());
    const OutcomeRecord under_way = b.record();
    b.loop.advance(50ms);
    REQUIRE(b.revoke("alice"));
    CHECK_FALSE(b.find(kAlice));
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
    Bench b;
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
    Bench b;
    b.put(kAlice, b.record());
    b.loop.advance(10s, 1s);
    b.loop.now_.wall -= 9s;
    CHECK(b.find(kAlice)->age == 10s);
    b.loop.now_.wall -= 1h;
    CHECK_FALSE(b.find(kAlice));
    b.loop.now_.wall += 3h;
    CHECK(b.find(kAlice)->age > 1h);
}

TEST_CASE("outcomes: a purge of a scene hides and erases that scene only, of all everything") {
    Bench b;
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
    Bench b;
    for (int i = 0; i < 3000; ++i) {
        const std::string subject = "s" + std::to_string(i);
        REQUIRE(b.put({"app", subject, "LOGIN", ""}, b.record()) == PutOutcome::queued);
    }
    b.loop.advance(100ms);
    CHECK(b.storage->outcomes().stats().entries == 3000);
    b.loop.now_.wall += 2h;
    b.loop.now_.mono += 2h;
    b.loop.advance(30ms);
    const auto left = b.storage->outcomes().stats().entries;
    CHECK(left < 3000);
    CHECK(left > 1000);
    b.loop.advance(4s, 50ms);
    CHECK(b.storage->outcomes().stats().entries == 0);
    CHECK(b.evicted[Eviction::expired] == 3000);
}

TEST_CASE("outcomes: a full queue refuses and says so") {
    Bench b;
    b.offload.hold = true;
    PutOutcome last = PutOutcome::queued;
    std::size_t taken = 0;
    for (std::size_t i = 0; i < 2 * kBatchQueueMax && last == PutOutcome::queued; ++i, ++taken)
        last = b.put({"app", "s" + std::to_string(i), "LOGIN", ""}, b.record());
    CHECK(last == PutOutcome::refused);
    CHECK(taken == kBatchQueueMax + 1);
    CHECK(b.storage->health().cache.refused == 1);
}

TEST_CASE("orders: found at once and after a restart, by its own credential only") {
    Bench b;
    OrderRecord r;
    r.body.fill(1);
    r.answer = "degraded";
    r.decided = b.loop.now();
    OrderLedger* orders = &b.storage->orders();
    CHECK_FALSE(orders->find("app", "o1", b.loop.now()));
    REQUIRE(orders->put("app", "o1", r, b.loop.now()));
    REQUIRE(orders->find("app", "o1", b.loop.now()));
    CHECK_FALSE(orders->find("web", "o1", b.loop.now()));
    b.loop.advance(50ms);
    r.answer = "live";
    r.final = true;
    REQUIRE(orders->put("app", "o1", r, b.loop.now()));
    CHECK(orders->find("app", "o1", b.loop.now())->answer == "live");
    for (const bool clean : {true, false}) {
        b.loop.advance(100ms);
        b.reopen(clean);
        orders = &b.storage->orders();
        REQUIRE(orders->find("app", "o1", b.loop.now()));
        CHECK(orders->find("app", "o1", b.loop.now())->final);
    }
    r.answer = std::string(kOrderAnswerMax + 1, 'x');
    CHECK_FALSE(orders->put("app", "o2", r, b.loop.now()));
}

TEST_CASE("orders: each is kept for the whole retention and gone soon after it") {
    Bench b;
    std::vector<std::pair<std::string, Now>> asked;
    for (int i = 0; i < 60; ++i) {
        OrderRecord r;
        r.decided = b.loop.now();
        asked.emplace_back("o" + std::to_string(i), b.loop.now());
        REQUIRE(b.storage->orders().put("app", asked.back().first, r, b.loop.now()));
        b.loop.advance(15min, 1min);
        if (i % 17 == 0) b.reopen(i % 2 == 0);
        for (const auto& [order, at] : asked) {
            INFO(i << " " << order);
            const bool young = b.loop.now().mono - at.mono <= 6h;
            CHECK(b.storage->orders().find("app", order, b.loop.now()).has_value() == young);
        }
    }
    b.loop.advance(15h, 10min);
    CHECK(b.storage->orders().entries() == 0);
    CHECK(b.evicted[Eviction::expired] >= 55);
    CHECK(b.evicted[Eviction::space] == 0);
}

TEST_CASE("cache: when it is full the oldest orders leave first and writing goes on") {
    Bench b;
    b.storage.reset();
    b.options.cache_bytes = 1u << 20;
    b.options.data_dir = b.folder / "small";
    b.open();
    b.put(kAlice, b.record());
    for (int i = 0; i < 20000; ++i) {
        OrderRecord r;
        r.decided = b.loop.now();
        r.answer = std::string(200, 'a');
        REQUIRE(b.storage->orders().put("app", "o" + std::to_string(i), r, b.loop.now()));
        if (i % 50 == 0) b.loop.advance(10ms);
    }
    b.loop.advance(100ms);
    CHECK(b.storage->health().cache.ok);
    CHECK(b.evicted[Eviction::space] > 1000);
    CHECK(b.storage->orders().find("app", "o19999", b.loop.now()));
    CHECK_FALSE(b.storage->orders().find("app", "o0", b.loop.now()));
    CHECK(b.find(kAlice));
    CHECK(b.storage->cache_bytes_used() <= 1u << 20);
}

TEST_CASE("cache: full of outcomes alone it makes room and writing goes on") {
    Bench b;
    b.storage.reset();
    b.options.cache_bytes = 1u << 20;
    b.options.data_dir = b.folder / "small";
    b.open();
    for (int i = 0; i < 12000; ++i) {
        b.put({"app", "s" + std::to_string(i), "LOGIN", ""}, b.record());
        if (i % 50 == 0) b.loop.advance(10ms);
    }
    b.loop.advance(100ms);
    CHECK(b.storage->health().cache.ok);
    CHECK(b.evicted[Eviction::space] > 0);
    CHECK(b.find({"app", "s11999", "LOGIN", ""}));
}

TEST_CASE("storage: without its state/ the cache is not believed") {
    Bench b;
    b.put(kAlice, b.record());
    b.loop.advance(50ms);
    b.storage.reset();
    spit(b.options.data_dir + "/state/data.mdb", "rubbish");
    b.open();
    CHECK_FALSE(b.find(kAlice));
    CHECK_FALSE(b.storage->state().sound());
    CHECK_FALSE(b.storage->can_answer_provisional());
    CHECK(b.storage->nonces().replay_floor());
    CHECK(b.storage->health().notes.size() == 2);
    b.reopen();
    CHECK_FALSE(b.storage->state().sound());
    bool reset = false;
    b.storage->state().reset_sound("checked", [&](const Result<void>& r) { reset = r.has_value(); });
    b.loop.advance(50ms);
    CHECK(reset);
    CHECK(b.storage->state().sound());
    b.reopen(false);
    CHECK(b.storage->state().sound());
    b.put(kAlice, b.record());
    CHECK(b.find(kAlice));
}

TEST_CASE("storage: a damaged cache/ is moved aside and state/ stays sound") {
    Bench b;
    b.put(kAlice, b.record());
    b.loop.advance(50ms);
    b.storage.reset();
    std::filesystem::resize_file(b.options.data_dir + "/cache/data.mdb", 0);
    b.open();
    CHECK_FALSE(b.find(kAlice));
    CHECK(b.storage->state().sound());
    CHECK_FALSE(b.storage->nonces().replay_floor());
    CHECK(b.put(kAlice, b.record()) == PutOutcome::queued);
}

TEST_CASE("storage: a state/ that was taken away beside a journal is not sound") {
    Bench b;
    b.storage->journal()->append("start", "{}", b.loop.now().wall, {});
    b.reopen();
    b.storage.reset();
    std::filesystem::remove_all(b.options.data_dir + "/state");
    b.open();
    CHECK_FALSE(b.storage->state().sound());
    b.reopen();
    CHECK_FALSE(b.storage->state().sound());
}

TEST_CASE("storage: a second process is refused") {
    Bench b;
    TestLoop loop;
    InlineOffload offload(loop);
    auto second = Storage::open(b.options, loop, offload);
    REQUIRE_FALSE(second);
    CHECK(second.error().code == Code::exists);
}

TEST_CASE("storage: a cache/ that cannot be opened leaves a node without memory, not without a process") {
    Bench b;
    b.storage.reset();
    std::filesystem::remove_all(b.options.data_dir + "/cache");
    std::filesystem::remove(b.options.data_dir + "/cache.lock");
    std::filesystem::create_directory(b.options.data_dir + "/cache.lock");
    b.open();
    CHECK_FALSE(b.storage->health().cache.ok);
    CHECK(b.put(kAlice, b.record()) == PutOutcome::refused);
    CHECK_FALSE(b.find(kAlice));
    CHECK_FALSE(b.storage->orders().put("app", "o", {}, b.loop.now()));
    CHECK_FALSE(b.storage->orders().find("app", "o", b.loop.now()));
    CHECK(b.revoke("alice"));
    CHECK(b.storage->state().sound());
    b.loop.advance(5s, 50ms);
}

TEST_CASE("storage: its folders are its own") {
    Bench b;
    for (const char* part : {"", "/cache", "/state", "/journal", "/journal/evidence"}) {
        const auto perms = std::filesystem::status(b.options.data_dir + part).permissions();
        CHECK((perms & std::filesystem::perms::all) == std::filesystem::perms::owner_all);
    }
}
