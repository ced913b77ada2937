#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <cstring>
#include <iostream>

#include "cache/storage.h"
#include "tests/unit/cache_batch_bench.h"

using namespace holdfast;
using namespace holdfast::cachetest;

TEST_CASE("batch: many writes are one commit, the last of a key wins") {
    BatchBench b;
    for (int i = 0; i < 500; ++i) REQUIRE(b.put("k" + std::to_string(i % 100), std::to_string(i)));
    CHECK(b.batch->pending(0, "k7")->value == "407");
    b.loop.advance(kBatchLinger - 1ms);
    CHECK(b.commits == 0);
    b.loop.advance(2ms);
    CHECK(b.commits == 1);
    CHECK(b.batch->pending(0, "k7") == nullptr);
    CHECK(b.get("k7") == "407");
    CHECK(b.get("k99") == "499");
}

TEST_CASE("batch: a full one closes at once") {
    BatchBench b;
    for (std::size_t i = 0; i < kBatchFull; ++i) REQUIRE(b.put("k" + std::to_string(i), "v"));
    b.loop.settle();
    CHECK(b.commits == 1);
}

TEST_CASE("batch: what comes during a commit is seen, and is the next commit") {
    BatchBench b;
    b.put("a", "1");
    b.offload.hold = true;
    b.loop.advance(60ms);
    CHECK(b.offload.held() == 1);
    b.put("a", "2");
    b.put("b", "1");
    CHECK(b.batch->pending(0, "a")->value == "2");
    b.offload.release();
    b.loop.settle();
    CHECK(b.get("a") == "1");
    CHECK(b.batch->pending(0, "a")->value == "2");
    b.loop.advance(60ms);
    b.offload.release();
    b.loop.settle();
    CHECK(b.get("a") == "2");
    CHECK(b.batch->health().queued == 0);
}

TEST_CASE("batch: a clear keeps its place among the writes") {
    BatchBench b;
    b.put("a", "1");
    WriteOp clear;
    clear.kind = WriteOp::Kind::clear;
    REQUIRE(b.batch->add(std::move(clear)));
    CHECK(b.batch->pending(0, "a") == nullptr);
    b.put("b", "1");
    b.loop.advance(60ms);
    CHECK(b.get("a").empty());
    CHECK(b.get("b") == "1");
}

TEST_CASE("batch: a full map asks for room and tries again, bounded") {
    BatchBench b(300u << 10);
    std::vector<int> asked;
    b.batch->on_full([&](int attempt) {
        asked.push_back(attempt);
        std::vector<WriteOp> out(1);
        out[0].kind = attempt < 2 ? WriteOp::Kind::task : WriteOp::Kind::clear;
        out[0].task = [](lmdb::Txn&) { return 0; };
        return out;
    });
    for (int i = 0; i < 60; ++i) b.put("old" + std::to_string(i), std::string(4000, 'x'));
    b.loop.advance(60ms);
    CHECK(asked.empty());
    Result<void> told = fail(Code::internal, Origin::local, "");
    for (int i = 0; i < 40; ++i) b.put("new" + std::to_string(i), std::string(4000, 'x'));
    b.put("last", "1", [&](const Result<void>& r) { told = r; });
    b.loop.advance(60ms);
    CHECK(asked == std::vector<int>{0, 1, 2});
    CHECK(told);
    CHECK(b.get("last") == "1");
    CHECK(b.get("old0").empty());

    for (int i = 0; i < 200; ++i) b.put("more" + std::to_string(i), std::string(4000, 'x'));
    b.put("never", "1", [&](const Result<void>& r) { told = r; });
    asked.clear();
    b.loop.advance(60ms);
    CHECK(asked.size() == kRoomTriesMax);
    REQUIRE_FALSE(told);
    CHECK(told.error().code == Code::too_large);
    CHECK(b.batch->health().reason == ": write: all the room that it may take is in use (a remedy)");
    CHECK_FALSE(b.batch->health().ok);
}

TEST_CASE("batch: a drain tells when all is on disk") {
    BatchBench b;
    bool drained = false;
    b.put("a", "1");
    b.batch->drain([&](const Result<void>& r) { drained = r.has_value(); });
    b.loop.settle();
    CHECK(drained);
    CHECK(b.get("a") == "1");
    b.batch->stop();
    CHECK_FALSE(b.put("b", "1"));
}

TEST_CASE("batch: destroying it during a commit harms nobody") {
    BatchBench b;
    b.offload.hold = true;
    bool told = false;
    b.put("a", "1", [&](const Result<void>&) { told = true; });
    b.loop.advance(60ms);
    b.batch.reset();
    b.offload.release();
    b.loop.settle();
    CHECK_FALSE(told);
    CHECK(b.get("a") == "1");
}

namespace {

StorageOptions real_options(const Folder& folder) {
    StorageOptions o;
    o.data_dir = folder / "data";
    o.key.fill(5);
    o.cache_bytes = 256u << 20;
    return o;
}

// Puts pairs without end and writes the number of each, one line, once it was put 100 ms ago.
[[noreturn]] void put_until_killed(const StorageOptions& options, int out) {
    TestLoop loop;
    ThreadOffload offload(loop);
    auto storage = Storage::open(options, loop, offload);
    if (!storage) _exit(1);
    std::vector<MonoTime> put;
    std::size_t told = 0;
    while (true) {
        loop.run_until([n = 0]() mutable { return ++n > 3; });
        for (int i = 0; i < 5; ++i) {
            const std::string id = std::to_string(put.size());
            OutcomeRecord r;
            r.outcome.verdict = Verdict::pass;
            r.decided = loop.now();
            r.asked_epoch = (*storage)->outcomes().epoch();
            (*storage)->outcomes().put({"app", id, "LOGIN", ""}, r, 10min, 1h, loop.now());
            OrderRecord order;
            order.decided = loop.now();
            (*storage)->orders().put("app", id, order, loop.now());
            NonceFingerprint f{};
            std::memcpy(f.data(), id.data(), id.size());
            (*storage)->nonces().append(f, loop.now().wall + 300s);
            put.push_back(loop.now().mono);
        }
        for (; told < put.size() && loop.now().mono - put[told] > 100ms; ++told) {
            const auto n = static_cast<std::uint32_t>(told);
            if (::write(out, &n, sizeof n) != sizeof n) _exit(1);
        }
    }
}

} // namespace

TEST_CASE("storage: a kill -9 under load loses nothing older than a hundred milliseconds") {
    Folder folder;
    int pipe_fd[2];
    REQUIRE(::pipe(pipe_fd) == 0);
    const pid_t pid = ::fork();
    if (pid == 0) put_until_killed(real_options(folder), pipe_fd[1]);
    ::close(pipe_fd[1]);
    std::uint32_t last = 0, n = 0;
    while (last < 2000 && ::read(pipe_fd[0], &n, sizeof n) == sizeof n) last = n;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    while (::read(pipe_fd[0], &n, sizeof n) == sizeof n) last = n;
    ::close(pipe_fd[0]);
    REQUIRE(last >= 2000);

    TestLoop loop;
    ThreadOffload offload(loop);
    auto storage = Storage::open(real_options(folder), loop, offload);
    REQUIRE(storage);
    CHECK((*storage)->state().sound());
    CHECK((*storage)->health().notes.empty());
    CHECK_FALSE((*storage)->nonces().replay_floor());
    std::size_t outcomes = 0, orders = 0, nonces = 0;
    for (std::uint32_t i = 0; i <= last; ++i) {
        const std::string id = std::to_string(i);
        outcomes += (*storage)->outcomes().find({"app", id, "LOGIN", ""}, loop.now()) ? 1u : 0u;
        orders += (*storage)->orders().find("app", id, loop.now()) ? 1u : 0u;
    }
    (*storage)->nonces().replay(loop.now().wall, [&](const NonceFingerprint&, WallTime) { ++nonces; });
    CHECK(outcomes == last + 1);
    CHECK(orders == last + 1);
    CHECK(nonces >= last + 1);
}

TEST_CASE("storage: what a pair of puts and a get cost", "[.bench]") {
    Folder folder;
    TestLoop loop;
    ThreadOffload offload(loop);
    StorageOptions o = real_options(folder);
    o.cache_bytes = 1u << 30;
    auto storage = Storage::open(o, loop, offload);
    REQUIRE(storage);
    const auto cpu = [](clockid_t id) {
        timespec t{};
        clock_gettime(id, &t);
        return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
    };
    constexpr int kPerMilli = 5, kTotal = 50'000;
    const double all = cpu(CLOCK_PROCESS_CPUTIME_ID);
    double put_cost = 0, find_cost = 0;
    const MonoTime begun = MonoClock::read();
    for (int i = 0; i < kTotal;) {
        const MonoTime next = begun + (i / kPerMilli + 1) * Nanos(1ms);
        loop.run_until([&] { return MonoClock::read() >= next; });
        const double from = cpu(CLOCK_THREAD_CPUTIME_ID);
        for (int k = 0; k < kPerMilli; ++k, ++i) {
            const std::string id = "subject-" + std::to_string(i);
            OutcomeRecord r;
            r.decided = loop.now();
            r.asked_epoch = (*storage)->outcomes().epoch();
            (*storage)->outcomes().put({"app", id, "LOGIN", ""}, r, 10min, 1h, loop.now());
            OrderRecord order;
            order.decided = loop.now();
            order.answer = std::string(220, 'a');
            (*storage)->orders().find("app", id, loop.now());
            (*storage)->orders().put("app", id, order, loop.now());
        }
        put_cost += cpu(CLOCK_THREAD_CPUTIME_ID) - from;
    }
    const double seconds = std::chrono::duration<double>(MonoClock::read() - begun).count();
    bool drained = false;
    (*storage)->drain([&](const Result<void>&) { drained = true; });
    REQUIRE(loop.run_until([&] { return drained; }));
    const double spent = cpu(CLOCK_PROCESS_CPUTIME_ID) - all;
    const double from = cpu(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < kTotal; ++i) {
        const std::string id = "subject-" + std::to_string((i * 7919) % kTotal);
        REQUIRE((*storage)->outcomes().find({"app", id, "LOGIN", ""}, loop.now()));
    }
    find_cost = cpu(CLOCK_THREAD_CPUTIME_ID) - from;
    std::cout << "pairs/s " << kTotal / seconds << ", loop thread " << put_cost / kTotal << " us a pair, all threads "
              << spent / kTotal << " us a pair (the test's own polling included), find " << find_cost / kTotal
              << " us\n";
}
