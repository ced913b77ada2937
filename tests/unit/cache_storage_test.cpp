#include "tests/unit/cache_storage_bench.h"

using namespace holdfast;
using namespace holdfast::cachetest;

TEST_CASE("orders: found at once and after a restart, by its own credential only") {
    StorageBench b;
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
    StorageBench b;
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
    StorageBench b;
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
    StorageBench b;
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
    // What was put out is not taken for unchanged.
    for (int i = 0; i < 12000; ++i) {
        const std::string subject = "s" + std::to_string(i);
        const SubjectKey key{"app", subject, "LOGIN", ""};
        if (b.put(key, b.record()) == PutOutcome::unchanged && !b.find(key)) FAIL("lost: " << key.subject);
    }
}

TEST_CASE("storage: without its state/ the cache is not believed") {
    StorageBench b;
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
    StorageBench b;
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
    StorageBench b;
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
    StorageBench b;
    TestLoop loop;
    InlineOffload offload(loop);
    auto second = Storage::open(b.options, loop, offload);
    REQUIRE_FALSE(second);
    CHECK(second.error().code == Code::exists);
}

TEST_CASE("storage: a cache/ that cannot be opened leaves a node without memory, not without a process") {
    StorageBench b;
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

TEST_CASE("storage: a full part says how large it may be, and what makes it enough") {
    StorageBench b;
    b.storage.reset();
    b.options.state_bytes = 2u << 20;
    b.options.data_dir = b.folder / "small";
    b.open();
    Result<void> last;
    for (int i = 0; i < 200 && last; ++i) {
        b.storage->state().put_durable("big" + std::to_string(i), std::string(kStateValueMax, 'v'),
                                       [&last](const Result<void>& done) { last = done; });
        b.loop.advance(50ms);
    }
    REQUIRE_FALSE(last);
    const PartHealth health = b.storage->health().state;
    REQUIRE_FALSE(health.ok);
    CHECK(health.reason ==
          b.options.data_dir +
              "/state: write: all the room that it may take is in use (it has 2MiB, which no option changes; nonces "
              "fill it for auth.window, notifications for orders.retain: a lower auth.nonces takes less)");
}

TEST_CASE("storage: its folders are its own") {
    StorageBench b;
    for (const char* part : {"", "/cache", "/state", "/journal", "/journal/evidence"}) {
        const auto perms = std::filesystem::status(b.options.data_dir + part).permissions();
        CHECK((perms & std::filesystem::perms::all) == std::filesystem::perms::owner_all);
    }
}
