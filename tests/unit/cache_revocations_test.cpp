#include <catch2/catch.hpp>
#include <cerrno>
#include <functional>
#include <memory>
#include <optional>

#include "cache/revocations.h"
#include "tests/unit/cache_doubles.h"

using namespace holdfast;
using namespace holdfast::cachetest;

namespace {

constexpr std::uint32_t kLogin = 7; // a scene's tag

SubjectHash subject(char c) {
    SubjectHash out;
    out.fill(c);
    return out;
}

struct Bench {
    Folder folder;
    TestLoop loop;
    std::unique_ptr<InlineOffload> offload = std::make_unique<InlineOffload>(loop);
    StorageObserver observer;
    int fault = 0; // errno that every commit fails with
    std::unique_ptr<StateEnv> env;
    std::unique_ptr<Revocations> revocations;

    Bench() { open(); }
    void open() {
        StoreEnvOptions o;
        o.dir = folder / "state";
        o.part = "state";
        o.bytes = 64u << 20;
        o.key.fill(3);
        o.fault = [this] { return fault; };
        env = std::make_unique<StateEnv>(o, loop, *offload, observer);
        REQUIRE(env->open());
        revocations = std::make_unique<Revocations>(*env);
    }
    void crash() {
        env.reset(); // with what it still has to tell
        revocations.reset();
        offload = std::make_unique<InlineOffload>(loop); // a commit that had not begun never does
        fault = 0;
        open();
    }
    // Whether it is durable; nothing while that has not been told.
    std::optional<bool> revoke(char c) {
        return told([&](Durable done) { revocations->revoke(subject(c), loop.now(), std::move(done)); });
    }
    std::optional<bool> purge(std::optional<std::uint32_t> scene) {
        return told([&](Durable done) { revocations->purge(scene, loop.now(), std::move(done)); });
    }
    std::optional<bool> told(const std::function<void(Durable)>& order) {
        const auto durable = std::make_shared<std::optional<bool>>();
        order([durable](const Result<void>& r) { *durable = r.has_value(); });
        loop.advance(5ms);
        return *durable;
    }
    void fill_queue() {
        for (bool room = true; room;) {
            WriteOp op;
            op.kind = WriteOp::Kind::erase;
            op.db = kValues;
            op.key = std::to_string(env->batch().health().queued);
            room = env->batch().add(std::move(op));
        }
    }
    bool hidden(char c, std::uint64_t asked) const { return revocations->hidden(view_of(subject(c)), kLogin, asked); }
};

// What was revoked of 'a', and purged, hides what was asked then and nothing of now, before a crash and after it.
void check_on_disk(Bench& b, std::uint64_t asked) {
    for (int run = 0; run < 2; ++run, b.crash()) {
        const std::uint64_t now = b.revocations->epoch();
        CHECK(now > asked);
        for (const char c : {'a', 'b'}) {
            CHECK(b.hidden(c, asked));
            CHECK_FALSE(b.hidden(c, now));
        }
    }
}

} // namespace

TEST_CASE("revocations: what was asked behind one that a crash has forgotten is hidden by the next") {
    for (const bool fails : {true, false}) {
        INFO((fails ? "its commit fails" : "its commit has not come yet"));
        Bench b;
        REQUIRE(b.revoke('x') == true);
        const std::uint64_t before = b.revocations->epoch();
        if (fails)
            b.fault = EIO;
        else
            b.offload->hold = true;
        CHECK(b.revoke('a') == (fails ? std::optional(false) : std::nullopt));
        CHECK(b.hidden('a', before));
        const std::uint64_t asked = b.revocations->epoch(); // stamped on what reaches cache/, which is well
        CHECK_FALSE(b.hidden('b', asked));
        b.crash();
        REQUIRE(b.revoke('a') == true);
        CHECK(b.hidden('a', asked));
        CHECK_FALSE(b.hidden('a', b.revocations->epoch()));
        CHECK_FALSE(b.hidden('b', b.revocations->epoch()));
    }
}

TEST_CASE("revocations: a purge that a crash has forgotten gives its epoch to nobody") {
    for (const bool all : {true, false}) {
        Bench b;
        REQUIRE(b.revoke('x') == true);
        const std::optional<std::uint32_t> scene = all ? std::nullopt : std::optional(kLogin);
        b.fault = ENOSPC;
        CHECK(b.purge(scene) == false);
        const std::uint64_t asked = b.revocations->epoch();
        b.crash();
        REQUIRE(b.revoke('a') == true);
        CHECK(b.hidden('a', asked));
        REQUIRE(b.purge(scene) == true);
        CHECK(b.hidden('b', asked));
        CHECK_FALSE(b.hidden('b', b.revocations->epoch()));
    }
}

TEST_CASE("revocations: one that reaches the disk at last no longer hides what is asked from then on") {
    Bench b;
    b.fault = EIO;
    CHECK(b.revoke('a') == false);
    CHECK(b.purge(kLogin) == false);
    const std::uint64_t asked = b.revocations->epoch();
    CHECK(b.hidden('a', asked));
    CHECK(b.hidden('b', asked));
    b.fault = 0;
    b.loop.advance(11s, 10ms);
    check_on_disk(b, asked);
}

TEST_CASE("revocations: one that the queue had no room for is said to have failed, holds, and is written later") {
    Bench b;
    b.offload->hold = true;
    b.fill_queue();
    CHECK(b.revoke('a') == false);
    b.fill_queue();  // a commit has taken what was in it
    CHECK(b.purge(kLogin) == false);
    const std::uint64_t asked = b.revocations->epoch();
    CHECK(b.hidden('a', asked));
    CHECK(b.hidden('b', asked));
    b.offload->hold = false;
    b.offload->release();
    b.loop.advance(1s, 10ms);
    b.revocations->sweep(b.loop.now().wall);
    b.loop.advance(1s, 10ms);
    check_on_disk(b, asked);
}

TEST_CASE("revocations: a later one that is durable lets later answers be seen, whatever became of the earlier") {
    Bench b;
    b.fault = EIO;
    CHECK(b.revoke('a') == false);
    b.fault = 0;
    REQUIRE(b.revoke('b') == true);
    const std::uint64_t asked = b.revocations->epoch();
    CHECK_FALSE(b.hidden('a', asked));
    CHECK_FALSE(b.hidden('b', asked));
    b.crash();
    CHECK(b.revocations->epoch() == asked);
    REQUIRE(b.revoke('a') == true);
    CHECK(b.hidden('a', asked));
    CHECK_FALSE(b.hidden('b', asked));
}
