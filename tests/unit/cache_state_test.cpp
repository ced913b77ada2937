#include <signal.h>
#include <sys/resource.h>
#include <catch2/catch.hpp>

#include <cerrno>
#include <cstring>

#include "cache/nonce_log.h"
#include "cache/nonce_state.h"
#include "cache/revocations.h"
#include "cache/state_store.h"
#include "cache/store_env.h"
#include "tests/unit/cache_doubles.h"

using namespace holdfast;
using namespace holdfast::cachetest;

namespace {

struct Bench {
    Folder folder;
    TestLoop loop;
    InlineOffload offload{loop};
    int fault = 0; // errno that every commit fails with
    StorageObserver observer;
    std::vector<bool> health;
    std::unique_ptr<StateEnv> env;
    std::unique_ptr<StateStore> values;
    std::unique_ptr<NonceLog> nonces;

    Bench() {
        observer.health = [this](bool ok, const std::string&, const std::string&) { health.push_back(ok); };
        open();
    }
    void open() {
        StoreEnvOptions o;
        o.dir = folder / "state";
        o.part = "state";
        o.bytes = 4u << 20;
        o.key.fill(3);
        o.fault = [this] { return fault; };
        env = std::make_unique<StateEnv>(o, loop, offload, observer);
        REQUIRE(env->open());
        values = std::make_unique<StateStore>(*env);
        nonces = std::make_unique<NonceLog>(*env, 300s);
    }
    void crash() {
        nonces.reset();
        values.reset();
        env.reset();
    }
    Result<void> put(std::string_view name, std::string_view bytes) {
        Result<void> out = fail(Code::internal, Origin::local, "not told");
        values->put_durable(name, bytes, [&](const Result<void>& r) { out = r; });
        loop.advance(3ms);
        return out;
    }
    std::size_t replayed() {
        std::size_t n = 0;
        nonces->replay(loop.now().wall, [&](const NonceFingerprint&, WallTime) { ++n; });
        return n;
    }
    void use_nonces(std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) {
            NonceFingerprint f{};
            f[0] = static_cast<std::uint8_t>(i);
            f[1] = static_cast<std::uint8_t>(i >> 8);
            nonces->append(f, loop.now().wall + 300s);
        }
    }
};

} // namespace

TEST_CASE("state: a confirmed value survives a crash at once") {
    Bench b;
    REQUIRE(b.put("override/node", "degraded"));
    b.values->put_soon("budget/LOGIN", "7");
    CHECK(b.values->get("budget/LOGIN") == "7");
    b.crash();
    b.open();
    CHECK(b.values->get("override/node") == "degraded");
    CHECK_FALSE(b.values->get("budget/LOGIN"));
    b.values->put_soon("budget/LOGIN", "8");
    b.loop.advance(50ms);
    b.crash();
    b.open();
    CHECK(b.values->get("budget/LOGIN") == "8");
    CHECK(b.values->list("budget/").size() == 1);
    CHECK(b.values->list("").size() == 2);
}

TEST_CASE("state: an erased value is gone, also after a crash") {
    Bench b;
    REQUIRE(b.put("a", "1"));
    bool done = false;
    b.values->erase("a", [&](const Result<void>& r) { done = r.has_value(); });
    CHECK_FALSE(b.values->get("a"));
    b.loop.advance(3ms);
    CHECK(done);
    b.crash();
    b.open();
    CHECK_FALSE(b.values->get("a"));
    CHECK(b.values->list("").empty());
}

TEST_CASE("state: what is not on disk is refused and not believed later") {
    for (const int error : {ENOSPC, EIO}) {
        Bench b;
        REQUIRE(b.put("override/node", "auto"));
        b.fault = error;
        const auto result = b.put("override/node", "live");
        REQUIRE_FALSE(result);
        CHECK(result.error().code == (error == ENOSPC ? Code::full : Code::io));
        CHECK(b.values->get("override/node") == "auto");
        CHECK_FALSE(b.env->health().ok);
        b.values->put_soon("budget/LOGIN", "3");
        b.loop.advance(300ms);
        b.fault = 0;
        b.loop.advance(11s, 10ms);
        CHECK(b.env->health().ok);
        CHECK(b.health == std::vector<bool>{false, true});
        b.crash();
        b.open();
        CHECK(b.values->get("override/node") == "auto");
        CHECK(b.values->get("budget/LOGIN") == "3");
    }
}

TEST_CASE("state: an ill disk with nothing to write is found well again") {
    Bench b;
    b.fault = EIO;
    CHECK_FALSE(b.put("a", "1"));
    b.loop.advance(1s);
    CHECK_FALSE(b.env->health().ok);
    b.fault = 0;
    b.loop.advance(6s, 10ms);
    CHECK(b.env->health().ok);
    CHECK(b.put("a", "1"));
}

TEST_CASE("state: names and values have bounds") {
    Bench b;
    CHECK(b.put(std::string(kStateNameMax, 'n'), std::string(kStateValueMax, 'v')));
    CHECK(b.put(std::string(kStateNameMax + 1, 'n'), "v").error().code == Code::invalid);
    CHECK(b.put("n", std::string(kStateValueMax + 1, 'v')).error().code == Code::too_large);
    CHECK(b.put("", "v").error().code == Code::invalid);
}

TEST_CASE("state: a full map is told and leaves what was there") {
    Bench b;
    REQUIRE(b.put("first", "1"));
    Result<void> last;
    for (int i = 0; i < 200 && last; ++i) last = b.put("big" + std::to_string(i), std::string(kStateValueMax, 'v'));
    REQUIRE_FALSE(last);
    CHECK(last.error().code == Code::too_large);
    b.crash();
    b.open();
    CHECK(b.values->get("first") == "1");
}

TEST_CASE("state: a file size limit of the system is no space, and it recovers") {
    Bench b;
    REQUIRE(b.put("first", "1"));
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const auto old = signal(SIGXFSZ, SIG_IGN);
    const rlimit tiny{64u << 10, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &tiny) == 0);
    Result<void> last;
    for (int i = 0; i < 30 && last; ++i) last = b.put("v" + std::to_string(i), std::string(8192, 'v'));
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, old);
    REQUIRE_FALSE(last);
    CHECK((last.error().code == Code::full || last.error().code == Code::io));
    CHECK(b.put("after", "2"));
    b.crash();
    b.open();
    CHECK(b.values->get("first") == "1");
    CHECK(b.values->get("after") == "2");
}

TEST_CASE("nonces: those of the window come back after a crash, the others do not") {
    Bench b;
    b.use_nonces(5000);
    b.loop.advance(60ms);
    CHECK(b.nonces->durable());
    b.crash();
    b.open();
    CHECK(b.replayed() == 5000);
    CHECK_FALSE(b.nonces->replay_floor());
    b.use_nonces(10);
    b.loop.advance(60ms);
    CHECK(b.replayed() == 5010);
    b.loop.now_.wall += 301s;
    CHECK(b.replayed() == 0);
}

TEST_CASE("nonces: a steady stream is durable within a hundred milliseconds") {
    Bench b;
    for (int i = 0; i < 333; ++i) {
        b.use_nonces(1);
        b.loop.advance(1ms);
    }
    b.crash();
    b.open();
    CHECK(b.replayed() >= 233);
}

TEST_CASE("nonces: while they cannot be made durable the next start has a floor") {
    Bench b;
    b.fault = ENOSPC;
    b.use_nonces(10);
    b.loop.advance(60ms);
    CHECK_FALSE(b.nonces->durable());
    b.fault = 0; // the disk is well only after the crash
    b.crash();
    b.open();
    REQUIRE(b.nonces->replay_floor());
    CHECK(*b.nonces->replay_floor() >= b.loop.now().wall);
    CHECK(*b.nonces->replay_floor() < b.loop.now().wall + 1s);
    b.crash();
    b.open();
    CHECK(b.nonces->replay_floor());
}

TEST_CASE("nonces: what is durable since a start that had lost some is trusted by the next ones") {
    Bench b;
    b.fault = ENOSPC;
    b.use_nonces(10);
    b.loop.advance(60ms);
    b.fault = 0;
    b.crash();
    b.open();
    REQUIRE(b.nonces->replay_floor());
    const WallTime first = *b.nonces->replay_floor();
    b.loop.advance(30s, 100ms);
    b.use_nonces(5);
    b.loop.advance(60ms);
    for (int start = 0; start < 3; ++start) {
        b.crash();
        b.open();
        CHECK(b.nonces->replay_floor() == first);
        CHECK(b.replayed() == 5);
        b.loop.advance(30s, 100ms);
    }
    SECTION("some are lost again") {
        b.fault = EIO;
        b.use_nonces(1);
        b.loop.advance(60ms);
        b.fault = 0;
        b.crash();
        b.open();
        REQUIRE(b.nonces->replay_floor());
        CHECK(*b.nonces->replay_floor() >= b.loop.now().wall);
    }
    SECTION("the caller says so again") {
        b.nonces->distrust();
        const auto later = b.nonces->replay_floor();
        CHECK(later >= b.loop.now().wall);
        b.loop.advance(30s, 100ms);
        b.nonces->distrust();
        CHECK(b.nonces->replay_floor() == later);
        b.crash();
        b.open();
        CHECK(b.nonces->replay_floor() == later);
    }
    SECTION("until no timestamp of before can be fresh any more") {
        const auto move = [&b](WallTime to) {
            b.loop.now_.mono += to - b.loop.now_.wall;
            b.loop.now_.wall = to;
        };
        move(first + 1h + 1s);
        b.crash();
        b.open();
        CHECK(b.nonces->replay_floor() == first);
        move(first + 2h);
        b.crash();
        b.open();
        CHECK_FALSE(b.nonces->replay_floor());
    }
    SECTION("a clock that was set back a little refuses more, one that was wrong refuses not for ever") {
        b.loop.now_.wall = first - 5min;
        b.crash();
        b.open();
        CHECK(b.nonces->replay_floor() == first);
        b.loop.now_.wall = first - 24h;
        b.crash();
        b.open();
        REQUIRE(b.nonces->replay_floor());
        CHECK(*b.nonces->replay_floor() < b.loop.now().wall + 1s);
    }
}

TEST_CASE("nonces: a floor that could not be written holds the doubt, and the next start has its own") {
    Bench b;
    b.fault = EIO;
    b.use_nonces(1);
    b.loop.advance(60ms);
    b.crash();
    b.open();
    REQUIRE(b.nonces->replay_floor());
    b.fault = 0;
    b.use_nonces(1);
    b.loop.advance(30s, 100ms);
    REQUIRE(b.nonces->durable());
    b.crash();
    b.open();
    REQUIRE(b.nonces->replay_floor());
    CHECK(*b.nonces->replay_floor() >= b.loop.now().wall);
}

TEST_CASE("nonces: a failure that was made good leaves no floor") {
    Bench b;
    b.fault = EIO;
    b.use_nonces(10);
    b.loop.advance(60ms);
    b.fault = 0;
    b.loop.advance(1s);
    CHECK(b.nonces->durable());
    b.crash();
    b.open();
    CHECK(b.replayed() == 10);
    CHECK_FALSE(b.nonces->replay_floor());
}

TEST_CASE("nonces: a restart of the machine has a floor") {
    Bench b;
    b.use_nonces(1);
    b.loop.advance(60ms);
    b.crash();
    std::string guard = slurp(b.folder / "state.guard");
    guard[13] = guard[13] == '0' ? '1' : '0';
    spit(b.folder / "state.guard", guard);
    b.open();
    CHECK(b.nonces->replay_floor());
    CHECK(b.replayed() == 1);
}

TEST_CASE("nonces: old values leave in bounded steps, oldest first") {
    Bench b;
    for (int i = 0; i < 100; ++i) {
        b.use_nonces(1);
        b.loop.advance(60ms);
    }
    auto txn = b.env->env().write();
    REQUIRE(txn);
    CHECK(txn->entries(kNonces) == 100);
    const WallTime now = b.loop.now().wall;
    CHECK(nonces_over(*txn, unix_seconds(now), 64).values == 0);
    const NoncesOver over = nonces_over(*txn, unix_seconds(now + 1h), 64);
    CHECK(over.values == 64);
    CHECK(over.newest <= now);
    CHECK(over.newest >= now - 8s);
    CHECK(trim_nonces(*txn, over.last) == 0);
    CHECK(txn->entries(kNonces) == 36);
}

TEST_CASE("revocations: a full index hides more, never less, also after a restart") {
    Bench b;
    {
        Revocations r(*b.env);
        const auto subject = [](std::uint32_t i) {
            SubjectHash h{};
            std::memcpy(h.data(), &i, sizeof i);
            h[15] = 1;
            return h;
        };
        const std::uint64_t before = r.epoch();
        for (std::uint32_t i = 0; i < kRevocationsMax + 5; ++i) {
            r.revoke(subject(i), b.loop.now(), {});
            if (i % 1000 == 0) b.loop.advance(5ms);
        }
        CHECK(r.size() == kRevocationsMax);
        CHECK(r.hidden(view_of(subject(0)), 0, before));
        CHECK(r.hidden(view_of(subject(999'999)), 0, before));
        CHECK_FALSE(r.hidden(view_of(subject(999'999)), 0, r.epoch()));
        CHECK(r.hidden(view_of(subject(50'000)), 0, 40'000));
        CHECK(r.hidden(view_of(subject(1)), 0, r.epoch() + 1));
    }
}
