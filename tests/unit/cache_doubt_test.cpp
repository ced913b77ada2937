#include <cerrno>

#include "cache/nonce_state.h"
#include "cache/state_store.h"
#include "tests/unit/cache_state_bench.h"
#include "tests/unit/cache_storage_bench.h"

using namespace holdfast;
using namespace holdfast::cachetest;

namespace {

const SubjectKey kBob{"app", "bob", "LOGIN", ""};

// Alice and Bob have passed and their orders are on record; then Alice, the first one ever, is revoked. One value and
// one nonce lie in state/.
std::uint64_t fill(StorageBench& b) {
    const std::uint64_t epoch = b.storage->outcomes().epoch();
    for (const SubjectKey& key : {kAlice, kBob}) {
        b.put(key, b.record());
        OrderRecord order;
        order.final = true;
        order.epoch = epoch;
        order.decided = b.loop.now();
        REQUIRE(b.storage->orders().put("app", key.subject, order, b.loop.now()));
    }
    b.storage->state().put_soon("override/node", "degraded");
    b.storage->nonces().append(NonceFingerprint{}, b.loop.now().wall + 300s);
    REQUIRE(b.revoke("alice"));
    b.loop.advance(100ms);
    return epoch;
}

bool order_may_repeat(StorageBench& b, std::string_view subject) {
    const auto order = b.storage->orders().find("app", subject, b.loop.now());
    return order && !b.storage->outcomes().hidden(subject, "LOGIN", order->epoch);
}

std::size_t replayed(StorageBench& b) {
    std::size_t n = 0;
    b.storage->nonces().replay(WallTime(), [&](const NonceFingerprint&, WallTime) { ++n; });
    return n;
}

} // namespace

TEST_CASE("storage: while state/ cannot be opened nothing of before is believed, and nothing is lost") {
    StorageBench b;
    const std::uint64_t old_epoch = fill(b);
    const std::string lock = b.options.data_dir + "/state.lock";
    std::uint64_t last_epoch = 0;
    for (int run = 0; run < 3; ++run) {
        b.reopen(false); // what the run before has recorded lies in cache/
        b.storage.reset();
        std::filesystem::remove(lock);
        std::filesystem::create_directory(lock);
        b.open();
        const PartHealth state = b.storage->health().state;
        REQUIRE_FALSE(state.ok);
        CHECK(state.reason == "make " + lock + ": Is a directory; it stays closed until the node is started again");
        CHECK_FALSE(b.storage->state().sound());
        CHECK_FALSE(b.storage->can_answer_provisional());
        for (const SubjectKey& key : {kAlice, kBob}) {
            CHECK_FALSE(b.find(key));
            CHECK_FALSE(order_may_repeat(b, key.subject));
        }
        CHECK(b.storage->outcomes().hidden("alice", "LOGIN", last_epoch));
        // What this run decides it knows all about.
        const std::string name = "carol" + std::to_string(run);
        const SubjectKey carol{"app", name, "LOGIN", ""};
        CHECK(b.put(carol, b.record()) == PutOutcome::queued);
        CHECK(b.find(carol));
        last_epoch = b.storage->outcomes().epoch();
        CHECK_FALSE(b.storage->outcomes().hidden(name, "LOGIN", last_epoch));
        CHECK_FALSE(b.revoke(carol.subject)); // hidden, and told that a restart forgets it
        CHECK_FALSE(b.find(carol));
        b.loop.advance(3min, 1s); // the sweeper goes by
        b.storage.reset();
        std::filesystem::remove(lock);
        b.open();
        CHECK_FALSE(b.find(carol));
        CHECK_FALSE(b.find(kAlice));
        CHECK(b.find(kBob));
        CHECK(order_may_repeat(b, "bob"));
        CHECK_FALSE(order_may_repeat(b, "alice"));
    }
    CHECK(b.storage->outcomes().hidden("alice", "LOGIN", old_epoch));
}

TEST_CASE("storage: whichever read of state/ fails at the start, it is never taken for empty") {
    StorageBench b;
    fill(b);
    int reads = 0, fail_at = -1;
    b.options.state_read_fault = [&] { return reads++ == fail_at ? EIO : 0; };
    b.reopen();
    REQUIRE(replayed(b) == 1);
    REQUIRE(b.storage->state().sound());
    const int all = reads;
    REQUIRE(all >= 10);
    int told = 0;
    std::size_t nonces_there = 1;
    for (int n = 0; n < all; ++n) {
        INFO("read " << n << " of " << all);
        b.storage.reset();
        fail_at = n;
        reads = 0;
        b.open();
        const std::size_t nonces = replayed(b);
        fail_at = -1;
        CHECK_FALSE(b.find(kAlice));
        CHECK_FALSE(order_may_repeat(b, "alice"));
        if (b.storage->state().sound()) {
            CHECK(b.storage->state().get("override/node") == "degraded");
            CHECK(nonces == nonces_there);
            CHECK(b.find(kBob));
            continue;
        }
        ++told;
        CHECK(b.storage->nonces().replay_floor());
        CHECK_FALSE(b.storage->health().notes.empty());
        CHECK_FALSE(b.storage->health().unsound_reason.empty());
        CHECK_FALSE(b.storage->can_answer_provisional());
        // The next start reads it all; what the loss was stays until somebody accepts it.
        b.reopen(false);
        CHECK(replayed(b) >= 1);
        if (!b.storage->state().sound()) {
            bool reset = false;
            b.storage->state().reset_sound("checked", [&](const Result<void>& r) { reset = r.has_value(); });
            b.loop.advance(100ms);
            REQUIRE(reset);
        }
        CHECK(b.find(kBob));
        CHECK_FALSE(b.find(kAlice));
        b.storage->nonces().append(NonceFingerprint{}, b.loop.now().wall + 300s);
        b.loop.advance(100ms);
        CHECK(b.storage->health().state.ok);
        b.reopen();
        nonces_there = replayed(b);
    }
    CHECK(told >= 6);
}

TEST_CASE("storage: nonces that waited for an ill disk are all written once it is well, in order and none twice") {
    struct Nothing {
        explicit Nothing(StateStore&) {}
    };
    StateBench<Nothing> b;
    NonceLog log(*b.env, 300s);
    std::size_t next = 0;
    const WallTime first = b.loop.now().wall + 300s;
    const auto append = [&] { log.append(NonceFingerprint{}, first + Seconds(next++)); };
    b.fault = EIO;
    append();
    b.loop.advance(50ms);
    REQUIRE_FALSE(b.env->health().ok);
    for (std::size_t i = 0; i < 5 * kNoncesPerValue + 7; ++i) append();  // while the first one is committed again
    b.fault = 0;
    b.loop.advance(10s, 10ms);
    append();
    b.loop.advance(50ms);
    std::size_t got = 0;
    log.replay(WallTime(), [&](const NonceFingerprint&, WallTime expires) {
        CHECK(expires == first + Seconds(got));
        ++got;
    });
    CHECK(got == next);
    CHECK(log.lost() == 0);
}
