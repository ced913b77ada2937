// What orders cost, measured: hidden, run by name with "[.bench]".
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <iostream>

#include "tests/unit/cache_storage_bench.h"

using namespace holdfast;
using namespace holdfast::cachetest;

namespace {

// One thread for all jobs, as the node's pool has its threads ready.
class WorkerOffload final : public Offload {
  public:
    explicit WorkerOffload(TestLoop& loop) : loop_(loop), thread_([this] { serve(); }) {}
    ~WorkerOffload() override {
        {
            const std::lock_guard lock(mutex_);
            ended_ = true;
        }
        wake_.notify_one();
        thread_.join();
    }
    std::unique_ptr<OffloadHandle> run(std::function<void()> work, std::function<void()> done) override {
        auto h = std::make_unique<Handle>();
        {
            const std::lock_guard lock(mutex_);
            jobs_.push_back({std::move(work), std::move(done), h->alive});
        }
        wake_.notify_one();
        return h;
    }

  private:
    struct Job {
        std::function<void()> work, done;
        std::shared_ptr<bool> alive;
    };
    void serve() {
        std::unique_lock lock(mutex_);
        while (true) {
            wake_.wait(lock, [this] { return ended_ || !jobs_.empty(); });
            if (jobs_.empty()) return;
            Job job = std::move(jobs_.front());
            jobs_.pop_front();
            lock.unlock();
            job.work();
            job.work = nullptr;
            loop_.post([done = std::move(job.done), alive = std::move(job.alive)] {
                if (*alive) done();
            });
            lock.lock();
        }
    }
    TestLoop& loop_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::list<Job> jobs_;
    bool ended_ = false;
    std::thread thread_;
};

double cpu(clockid_t id) {
    timespec t{};
    clock_gettime(id, &t);
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

double system_time() {
    rusage u{};
    getrusage(RUSAGE_SELF, &u);
    return static_cast<double>(u.ru_stime.tv_sec) * 1e6 + static_cast<double>(u.ru_stime.tv_usec);
}

StorageOptions options_in(const Folder& folder) {
    StorageOptions o;
    o.data_dir = folder / "data";
    o.key.fill(5);
    return o;
}

OrderRecord order_at(Now now) {
    OrderRecord r;
    r.decided = now;
    r.answer = std::string(96, 'a');  // what the node records of a cached answer has 80 to 110 bytes
    return r;
}

// `per_milli` calls of `each` every millisecond, `count` in all; the calling thread's CPU inside them, in µs.
double paced(TestLoop& loop, int per_milli, int count, const std::function<void(int)>& each) {
    const MonoTime begun = MonoClock::read();
    double spent = 0;
    for (int i = 0; i < count;) {
        const MonoTime next = begun + (i / per_milli + 1) * Nanos(1ms);
        loop.run_until([&] { return MonoClock::read() >= next; });
        const double from = cpu(CLOCK_THREAD_CPUTIME_ID);
        for (int k = 0; k < per_milli; ++k, ++i) each(i);
        spent += cpu(CLOCK_THREAD_CPUTIME_ID) - from;
    }
    return spent;
}

}  // namespace

TEST_CASE("orders: what one costs at 20,000 a second", "[.bench]") {
    Folder folder;
    TestLoop loop;
    WorkerOffload offload(loop);
    std::uint64_t commits = 0;
    double commit_time = 0, commit_max = 0;
    StorageObserver observer;
    observer.commit_duration = [&](Nanos took) {
        ++commits;
        commit_time += static_cast<double>(took.count()) / 1e6;
        commit_max = std::max(commit_max, static_cast<double>(took.count()) / 1e6);
    };
    auto storage = Storage::open(options_in(folder), loop, offload, observer);
    REQUIRE(storage);
    OrderLedger& orders = (*storage)->orders();
    for (const int per_milli : {15, 20, 30}) {
        const int count = per_milli * 8000;
        const std::string prefix = std::to_string(per_milli) + "-order-";
        double from = cpu(CLOCK_PROCESS_CPUTIME_ID);
        paced(loop, per_milli, count / 4, [](int) {});  // what waiting costs, to be taken off
        const double idle = (cpu(CLOCK_PROCESS_CPUTIME_ID) - from) * 4;
        commits = 0;
        commit_time = commit_max = 0;
        from = cpu(CLOCK_PROCESS_CPUTIME_ID);
        const double system = system_time();
        std::size_t refused = 0;
        const double calls = paced(loop, per_milli, count, [&](int i) {
            const std::string id = prefix + std::to_string(i);
            if (orders.find("app-android", id, loop.now())) ++refused;
            if (!orders.put("app-android", id, order_at(loop.now()), loop.now())) ++refused;
        });
        const double spent = cpu(CLOCK_PROCESS_CPUTIME_ID) - from - idle;
        CHECK(refused == 0);
        std::cout << per_milli << ",000 orders/s: all threads " << spent / count << " us an order (" << idle / count
                  << " us of waiting taken off, kernel " << (system_time() - system) / count << "), of it find and put "
                  << calls / count << "; " << commits << " commits, mean " << commit_time / static_cast<double>(commits)
                  << " ms, longest " << commit_max << " ms\n";
    }
}

TEST_CASE("orders: how long a start takes that finds a million of them", "[.bench]") {
    constexpr int kOrderCount = 1'000'000;
    Folder folder;
    TestLoop loop;
    {
        WorkerOffload offload(loop);
        auto storage = Storage::open(options_in(folder), loop, offload);
        REQUIRE(storage);
        OrderLedger& orders = (*storage)->orders();
        for (int i = 0; i < kOrderCount;) {
            for (int k = 0; k < 500; ++k, ++i)
                REQUIRE(orders.put("app-android", "order-" + std::to_string(i), order_at(loop.now()), loop.now()));
            loop.run_until([n = 0]() mutable { return ++n > 5; });
        }
        bool drained = false;
        (*storage)->drain([&](const Result<void>& r) { drained = r.has_value(); });
        REQUIRE(loop.run_until([&] { return drained; }));
    }
    const std::string file = folder / "data/cache/data.mdb";
    for (const bool cold : {false, true}) {
        if (cold) {
            const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
            REQUIRE(fd >= 0);
            CHECK(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
            ::close(fd);
        }
        WorkerOffload offload(loop);
        const MonoTime begun = MonoClock::read();
        const double from = cpu(CLOCK_PROCESS_CPUTIME_ID);
        auto storage = Storage::open(options_in(folder), loop, offload);
        REQUIRE(storage);
        const double took = std::chrono::duration<double, std::milli>(MonoClock::read() - begun).count();
        CHECK((*storage)->orders().entries() == kOrderCount);
        std::cout << "start with a million orders, " << (cold ? "file not in memory" : "file in memory") << ": " << took
                  << " ms, CPU " << (cpu(CLOCK_PROCESS_CPUTIME_ID) - from) / 1e3 << " ms\n";
        const double before = cpu(CLOCK_THREAD_CPUTIME_ID);
        for (int i = 0; i < 100'000; ++i)
            REQUIRE((*storage)->orders().find("app-android", "order-" + std::to_string(i * 7919LL % kOrderCount),
                                              loop.now()));
        const double hits = cpu(CLOCK_THREAD_CPUTIME_ID);
        for (int i = 0; i < 100'000; ++i)
            REQUIRE_FALSE((*storage)->orders().find("app-android", "other-" + std::to_string(i), loop.now()));
        std::cout << "find of one on disk " << (hits - before) / 1e5 << " us, of none "
                  << (cpu(CLOCK_THREAD_CPUTIME_ID) - hits) / 1e5 << " us\n";
        bool drained = false;
        (*storage)->drain([&](const Result<void>& r) { drained = r.has_value(); });
        REQUIRE(loop.run_until([&] { return drained; }));
    }
}
