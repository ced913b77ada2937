#include <catch2/catch.hpp>

#include <cerrno>

#include "tests/unit/cache_batch_bench.h"

using namespace holdfast;
using namespace holdfast::cachetest;

TEST_CASE("batch: nothing waits longer than a linger and the commits before and of itself") {
    for (const Nanos commit : {Nanos(0), Nanos(5ms), Nanos(12ms), Nanos(35ms), Nanos(40ms), Nanos(49ms), Nanos(80ms)}) {
        const Nanos linger = std::clamp<Nanos>(kDurableWithin - 2 * commit, kLingerMin, kBatchLinger);
        BatchBench b;
        b.offload.hold = true;
        Nanos worst{0};
        MonoTime begun{};
        for (int ms = 0; ms < 1000; ++ms) {
            const MonoTime at = b.loop.now().mono;
            WriteOp op;
            op.key = "k" + std::to_string(ms);
            // The first ones do not know yet how slow it is.
            op.done = [&b, &worst, at, ms](const Result<void>&) {
                if (ms >= 200) worst = std::max(worst, b.loop.now().mono - at);
            };
            REQUIRE(b.batch->add(std::move(op)));
            const std::size_t held = b.offload.held();
            b.loop.advance(1ms);
            if (held == 0 && b.offload.held() > 0) begun = b.loop.now().mono;
            const bool over = b.offload.held() > 0 && b.loop.now().mono - begun >= commit;
            if (over) b.offload.release();
            b.loop.settle();
            if (over && b.offload.held() > 0) begun = b.loop.now().mono;  // the next one began at once
        }
        INFO(commit.count());
        CHECK(worst >= linger);
        CHECK(worst <= std::max(linger, commit + 1ms) + commit + 3ms);
        CHECK((worst <= 100ms || commit > 49ms));
        CHECK(b.commits <= 1000ms / std::max(linger, commit) + 3);
    }
}

TEST_CASE("batch: a commit of 80 ms out of nothing is within 100 ms, and one twice as slow as any of late") {
    for (const auto& [usual, slow] : {std::pair<Nanos, Nanos>{1ms, 78ms}, {15ms, 78ms}, {40ms, 80ms}}) {
        BatchBench b;
        b.offload.hold = true;
        const auto commit = [&b](Nanos took) {
            const int before = b.commits;
            const MonoTime at = b.loop.now().mono;
            Nanos waited{0};
            WriteOp op;
            op.key = "k";
            op.done = [&](const Result<void>&) { waited = b.loop.now().mono - at; };
            REQUIRE(b.batch->add(std::move(op)));
            while (b.offload.held() == 0) b.loop.advance(1ms);
            b.loop.advance(took);
            b.offload.release();
            b.loop.settle();
            REQUIRE(b.commits == before + 1);
            return waited;
        };
        for (int i = 0; i < 5; ++i) CHECK(commit(usual) <= kBatchLinger + usual + 1ms);
        CHECK(commit(slow) <= 100ms);
        // Until that is forgotten nothing lingers; then it does again.
        CHECK(commit(usual) <= kLingerMin + usual + 1ms);
        for (int i = 0; i < 100; ++i) (void)commit(1ms);
        CHECK(commit(1ms) >= kBatchLinger);
    }
}

TEST_CASE("batch: what somebody waits for closes it at once, or right after the commit under way") {
    BatchBench b;
    const auto urgent = [&b](std::string key) {
        WriteOp op;
        op.key = std::move(key);
        REQUIRE(b.batch->add(std::move(op), true));
    };
    b.put("a", "1");
    urgent("b");
    b.loop.settle();
    CHECK(b.commits == 1);
    b.offload.hold = true;
    urgent("c");
    b.loop.settle();
    b.put("d", "1");
    urgent("e");
    b.put("f", "1");
    b.offload.release();
    b.loop.settle(); // no time has gone by
    CHECK(b.commits == 2);
    CHECK(b.offload.held() == 1);
    b.put("g", "1"); // nobody waits for this one: it lingers
    b.offload.release();
    b.loop.settle();
    CHECK(b.commits == 3);
    b.loop.advance(kBatchLinger - 1ms);
    CHECK(b.offload.held() == 0);
    b.loop.advance(2ms);
    CHECK(b.offload.held() == 1);
}

TEST_CASE("batch: who waits while the disk is ill is answered, whatever was to be written before") {
    BatchBench b;
    b.fault = EIO;
    b.put("quiet", "1");
    b.loop.advance(60ms);
    CHECK_FALSE(b.batch->health().ok);
    Result<void> told;
    WriteOp op;
    op.key = "waited";
    op.done = [&](const Result<void>& r) { told = r; };
    REQUIRE(b.batch->add(std::move(op), true));
    b.loop.settle();
    REQUIRE_FALSE(told);
    CHECK(told.error().code == Code::io);
    CHECK(b.batch->pending(0, "waited") == nullptr);
    CHECK(b.batch->pending(0, "quiet") != nullptr);
    b.fault = 0;
    b.loop.advance(6s, 10ms);
    CHECK(b.batch->health().ok);
    CHECK(b.batch->health().queued == 0);
}
