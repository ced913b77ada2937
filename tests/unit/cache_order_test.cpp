#include <cerrno>

#include "cache/order_ring.h"
#include "tests/unit/cache_storage_bench.h"

using namespace holdfast;
using namespace holdfast::cachetest;

namespace {

// The ledger over a cache/ of its own, whose disk can be ill.
struct Bench {
    Folder folder;
    TestLoop loop;
    InlineOffload offload{loop};
    StorageObserver observer;
    StoreEnvOptions options;
    Nanos retain = 6h;
    int fault = 0;  // errno that every commit fails with
    std::unique_ptr<CacheEnv> env;
    std::unique_ptr<OrderLedger> orders;
    WallTime wall_high{};

    explicit Bench(std::uint64_t bytes = 8u << 20) {
        options.dir = folder / "cache";
        options.part = "cache";
        options.bytes = bytes;
        options.key.fill(5);
        options.generation = 7;
        options.fault = [this] { return fault; };
        open();
    }
    ~Bench() { close(); }
    void open() {
        env = std::make_unique<CacheEnv>(options, loop, offload, observer);
        REQUIRE(env->open());
        orders = std::make_unique<OrderLedger>(*env, retain, Nanos(0), Nanos(0), [this] { return wall_high; });
    }
    void close(bool clean = true) {
        if (clean && fault == 0 && env) {
            env->batch().drain([](const Result<void>&) {});
            loop.settle();
            (void)env->guarded().mark_clean();
        }
        orders.reset();
        env.reset();
    }
    void reopen(bool clean = true) {
        close(clean);
        open();
    }
    bool put(const std::string& order, std::string answer) {
        OrderRecord r;
        r.decided = loop.now();
        r.answer = std::move(answer);
        return orders->put("app", order, r, loop.now());
    }
    std::string find(const std::string& order) {
        const auto found = orders->find("app", order, loop.now());
        return found ? found->answer : "none";
    }
    // Does something to one value of the log, on disk.
    void change(const std::function<std::string(const std::string&)>& how, std::uint64_t sequence) {
        close();
        std::vector<std::string> names{"meta", "outcomes"};
        for (std::size_t i = 0; i < kOrderParts; ++i) names.push_back("orders" + std::to_string(i));
        auto raw = lmdb::Env::open({options.dir, 32u << 20, names});
        REQUIRE(raw);
        auto txn = (*raw)->write();
        REQUIRE(txn);
        const auto key = sequence_key(sequence);
        const auto value = txn->get(kOrders, view_of(key));
        REQUIRE(value);
        REQUIRE(txn->put(kOrders, view_of(key), how(std::string(*value))) == 0);
        REQUIRE(txn->commit());
    }
};

std::string numbered(int i) {
    return "o" + std::to_string(i);
}

}  // namespace

TEST_CASE("orders: a restart finds all, and of each the newest") {
    Bench b;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 1000; ++i) {
            if (i % (round + 1) != 0) continue;
            REQUIRE(b.put(numbered(i), "round " + std::to_string(round)));
            if (i % 97 == 0) b.loop.advance(5ms);
        }
        b.loop.advance(1h, 1min);  // the next round lies in another database
        const auto check = [&] {
            for (int i = 0; i < 1000; ++i) {
                const int last = round == 2 && i % 3 == 0 ? 2 : round > 0 && i % 2 == 0 ? 1 : 0;
                INFO(round << " " << i);
                CHECK(b.find(numbered(i)) == "round " + std::to_string(last));
            }
        };
        check();
        b.reopen(round != 1);
        check();
        CHECK(b.orders->damaged() == 0);
        CHECK(b.find("another") == "none");
    }
}

TEST_CASE("orders: of one batch, one block and one database the newest wins, before and after the commit") {
    Bench b;
    for (int i = 0; i < 40; ++i) {
        REQUIRE(b.put("same", numbered(i)));
        CHECK(b.find("same") == numbered(i));
        if (i % 7 == 0) b.loop.advance(50ms);
        CHECK(b.find("same") == numbered(i));
    }
    CHECK(b.orders->entries() == 1);
    b.reopen();
    CHECK(b.find("same") == "o39");
    CHECK(b.orders->entries() == 1);
    REQUIRE(b.put("same", "after"));
    b.reopen(false);  // it was not yet on disk
    CHECK(b.find("same") == "o39");
}

TEST_CASE("orders: answers of every size are found, waiting and on disk") {
    Bench b;
    const auto size = [](int i) { return static_cast<std::size_t>(i) * 64; };
    for (int i = 0; size(i) <= kOrderAnswerMax; ++i) REQUIRE(b.put(numbered(i), std::string(size(i), 'a')));
    CHECK_FALSE(b.put("long", std::string(kOrderAnswerMax + 1, 'a')));
    CHECK(b.env->batch().health().refused == 1);
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; size(i) <= kOrderAnswerMax; ++i) CHECK(b.find(numbered(i)).size() == size(i));
        if (round == 1) b.reopen();
        b.loop.advance(100ms);
    }
}

TEST_CASE("orders: a value that was changed is not there and counted, the others are") {
    const std::vector<std::function<std::string(const std::string&)>> harms = {
        [](std::string v) { return v[v.size() / 2] = static_cast<char>(v[v.size() / 2] ^ 1), v; },
        [](std::string v) { return v[3] = static_cast<char>(v[3] ^ 1), v; },
        [](const std::string& v) { return v.substr(0, v.size() - 5); },
        [](const std::string&) { return std::string(); },
    };
    for (const auto& harm : harms) {
        Bench b;
        for (int i = 0; i < 300; ++i) REQUIRE(b.put(numbered(i), std::string(96, 'a')));
        b.change(harm, 7);
        b.open();
        int missing = 0;
        for (int i = 0; i < 300; ++i) missing += b.find(numbered(i)) == "none" ? 1 : 0;
        CHECK(missing >= 9);
        CHECK(missing <= 12);
        CHECK(b.orders->damaged() == 1);
        REQUIRE(b.put("next", "1"));
        b.loop.advance(100ms);
        CHECK(b.find("next") == "1");
    }
}

TEST_CASE("orders: a value that goes bad while the node runs is not there and counted") {
    Bench b;
    for (int i = 0; i < 300; ++i) REQUIRE(b.put(numbered(i), std::string(96, 'a')));
    b.loop.advance(100ms);
    WriteOp op;
    op.kind = WriteOp::Kind::task;
    op.task = [](lmdb::Txn& txn) {
        const auto at = sequence_key(2), from = sequence_key(3);
        return txn.put(kOrders, view_of(at), std::string(*txn.get(kOrders, view_of(from))));  // another's place
    };
    REQUIRE(b.env->batch().add(std::move(op)));
    b.loop.advance(100ms);
    std::uint64_t missing = 0;
    for (int i = 0; i < 300; ++i) missing += b.find(numbered(i)) == "none" ? 1u : 0u;
    CHECK(missing >= 9);
    CHECK(missing <= 12);
    CHECK(b.orders->damaged() == missing);
}

TEST_CASE("orders: an ill disk keeps them findable and gets them when it is well again") {
    Bench b;
    REQUIRE(b.put("before", "1"));
    b.loop.advance(100ms);
    b.fault = EIO;
    for (int i = 0; i < 2000; ++i) {
        REQUIRE(b.put(numbered(i), "v"));
        if (i % 50 == 0) b.loop.advance(20ms);
    }
    CHECK_FALSE(b.env->batch().health().ok);
    for (int i = 0; i < 2000; ++i) CHECK(b.find(numbered(i)) == "v");
    b.fault = 0;
    b.loop.advance(6s, 10ms);  // nothing more is put, and still they go
    CHECK(b.env->batch().health().ok);
    b.reopen(false);
    CHECK(b.find("before") == "1");
    for (int i = 0; i < 2000; ++i) CHECK(b.find(numbered(i)) == "v");
}

TEST_CASE("orders: who waits until all is written is told when it is, and while the disk is ill that it is not") {
    Bench b;
    std::string told;
    const auto wait = [&] {
        told.clear();
        b.orders->when_written([&told](const Result<void>& done) { told += done ? "yes" : "no"; });
        CHECK(told.empty());
    };
    wait();
    b.loop.advance(1ms);
    CHECK(told == "yes");  // nothing waits
    REQUIRE(b.put("o-1", "1"));
    wait();
    b.loop.advance(100ms);
    CHECK(told == "yes");
    b.fault = EIO;
    WriteOp op;  // of something else: it is tried again alone
    op.db = kCacheMeta;
    op.key = "other";
    REQUIRE(b.env->batch().add(std::move(op)));
    REQUIRE(b.put("o-2", "2"));
    for (int i = 0; i < 3; ++i) {
        wait();
        b.loop.advance(6s, 10ms);
        CHECK(told == "no");
    }
    b.fault = 0;
    wait();
    b.loop.advance(6s, 10ms);
    CHECK(told == "yes");
    b.reopen(false);
    CHECK(b.find("o-2") == "2");
}

TEST_CASE("orders: what waits for the disk is bounded, full refuses and counts, and all of it is written") {
    Bench b(512u << 20);
    b.offload.hold = true;
    int taken = 0;
    while (b.put(numbered(taken), std::string(4000, 'a'))) ++taken;
    CHECK(b.env->batch().health().refused == 1);
    CHECK(static_cast<std::size_t>(taken) * 4000 <= kOrdersWaitingMax);
    CHECK(static_cast<std::size_t>(taken) * 4400 > kOrdersWaitingMax);
    b.offload.hold = false;
    b.loop.advance(50ms);
    b.offload.release();
    bool drained = false;
    b.env->batch().drain([&](const Result<void>& r) { drained = r.has_value(); });
    b.loop.settle();
    CHECK(drained);
    CHECK(b.put("more", "1"));
    b.reopen();
    for (int i = 0; i < taken; i += 13) CHECK(b.find(numbered(i)).size() == 4000);
    CHECK(b.find("more") == "1");
}

TEST_CASE("orders: a full index turns the ring, and the oldest leave") {
    Bench b(2u << 20);
    const int most = static_cast<int>((2u << 20) / 9 / 200);  // of one database
    const int all = most * static_cast<int>(kOrderParts);
    for (int i = 0; i < all + most; ++i) {
        REQUIRE(b.put(numbered(i), ""));
        if (i % 100 == 0) b.loop.advance(10ms);
        CHECK(b.orders->entries() <= static_cast<std::uint64_t>(all));
    }
    for (const bool again : {false, true}) {
        if (again) b.reopen();
        CHECK(b.find("o0") == "none");
        CHECK(b.find(numbered(most - 1)) == "none");
        CHECK(b.find(numbered(most)) == "");
        CHECK(b.find(numbered(all + most - 1)) == "");
        CHECK(b.orders->entries() == static_cast<std::uint64_t>(all));
    }
    CHECK(b.env->batch().bytes_used() < 2u << 20);
}

TEST_CASE("orders: a start that must not take longer forgets the oldest and counts on where it was") {
    Bench b;
    for (int i = 0; i < 100; ++i) REQUIRE(b.put(numbered(i), std::string(96, 'a')));
    b.reopen();
    std::uint64_t next = 0;
    {
        OrderLog log(*b.env);
        const OrderRing whole(*b.env, log, 6h);
        CHECK(whole.load_failure().empty());
        CHECK(whole.entries() == 100);
        next = log.next();
    }
    OrderLog log(*b.env);
    const OrderRing none(*b.env, log, 6h, Nanos(0));
    CHECK_FALSE(none.load_failure().empty());
    CHECK(none.entries() == 0);
    CHECK(log.next() == next);
    CHECK(next > 9);
    b.close(false);  // the log above is no longer there when a batch closes
}

TEST_CASE("orders: a cache/ of the version before is moved aside") {
    Folder folder;
    GuardOptions o;
    o.dir = folder / "cache";
    o.map_bytes = 8u << 20;
    o.dbs = {"meta", "values"};
    for (const std::uint32_t version : {kCacheFormatVersion - 1, kCacheFormatVersion}) {
        o.version = version;
        auto env = GuardedEnv::open(o, WallClock::read());
        REQUIRE(env);
        CHECK((*env)->moved_aside() == (version == kCacheFormatVersion));
        REQUIRE((*env)->mark_clean());
    }
    auto again = GuardedEnv::open(o, WallClock::read());
    REQUIRE(again);
    CHECK_FALSE((*again)->fresh());
}

TEST_CASE("orders: a wall clock that is set forgets none of this boot, and keeps none for longer") {
    Bench b;
    REQUIRE(b.put("o1", "a"));
    for (const Nanos step : {Nanos(-1h), Nanos(20h), Nanos(-30h)}) {
        b.loop.now_.wall += step;
        CHECK(b.find("o1") == "a");
    }
    CHECK(b.orders->find("app", "o1", b.loop.now())->age == Nanos(0));
    b.loop.now_.mono += b.retain + Nanos(1);
    CHECK(b.find("o1") == "none");
}

TEST_CASE("orders: whose an order was is known for longer than it answers, over a start, and no longer than asked") {
    Bench b;
    const auto known = [&b](const std::string& order) {
        const auto found = b.orders->find_known("app", order, b.loop.now());
        return found ? found->answer : "none";
    };
    REQUIRE(b.put("o1", "a"));
    b.loop.now_.mono += b.retain + Nanos(1);
    CHECK(known("o1") == "none");
    b.orders->know_for(4 * b.retain);
    CHECK(b.find("o1") == "none");
    CHECK(known("o1") == "a");
    b.orders->know_for(Nanos(0));
    CHECK(known("o1") == "none");
    b.orders->know_for(4 * b.retain);
    b.reopen();
    b.orders->know_for(4 * b.retain);
    for (int hour = 0; hour < 17; ++hour) {  // the ring turns at the longer pace: what is known is not cleared
        b.loop.now_.mono += 1h;
        b.loop.now_.wall += 1h;
        REQUIRE(b.put("later " + std::to_string(hour), "b"));
    }
    CHECK(b.find("o1") == "none");
    CHECK(known("o1") == "a");
    b.loop.now_.mono += 2h;
    CHECK(known("o1") == "none");
}

TEST_CASE("orders: one of another boot is as old as the wall clock or this boot says, none from the future is found") {
    Bench b;
    b.loop.now_.mono = MonoTime(1h);
    for (const auto& [age, there] : {std::pair(Nanos(5h), true), {Nanos(7h), false}, {Nanos(-1h), false}}) {
        OrderRecord r;
        r.decided = {b.loop.now().mono, b.loop.now().wall - age};
        r.boot = boot_id() + 1;
        REQUIRE(b.orders->put("app", "o1", r, b.loop.now()));
        CHECK(b.orders->find("app", "o1", b.loop.now()).has_value() == there);
        const Now late{MonoTime(7h), b.loop.now().wall};
        CHECK_FALSE(b.orders->find("app", "o1", late));
    }
}

TEST_CASE("orders: no wall clock that stands too early after a reboot makes one younger than the store has known it") {
    Bench b;
    b.loop.now_.mono = MonoTime(10min);
    OrderRecord r;
    r.decided = b.loop.now();
    r.boot = boot_id() + 1;
    r.answer = "a";
    REQUIRE(b.orders->put("app", "o1", r, b.loop.now()));
    REQUIRE(b.put("o2", "b"));
    b.wall_high = b.loop.now().wall + 1h;
    b.loop.now_.wall += 1min;
    b.loop.now_.mono += 1min;
    CHECK(b.orders->find("app", "o1", b.loop.now())->age == Nanos(1h));
    CHECK(b.orders->find("app", "o2", b.loop.now())->age == Nanos(1min));  // of this boot: both clocks are known
}
