// A loop whose time the test moves, Offloads that run at once or on threads, and a folder that is gone afterwards. For
// the tests of cache/ only.
#pragma once

#include <stdlib.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "edge/base/check.h"
#include "edge/net/loop.h"
#include "edge/net/offload.h"

namespace holdfast::cachetest {

struct Folder {
    std::string path;
    Folder() {
        std::string t = (std::filesystem::temp_directory_path() / "hf-cache-XXXXXX").string();
        HF_CHECK(mkdtemp(t.data()) != nullptr);
        path = t;
    }
    ~Folder() {
        std::error_code ec;
        std::filesystem::remove_all(path, ec);
    }
    std::string operator/(const std::string& name) const { return path + "/" + name; }
};

class TestLoop final : public Loop {
  public:
    Now now_{MonoClock::read(), WallClock::read()};
    Now now() const override { return now_; }
    std::unique_ptr<Timer> after(Nanos delay, std::function<void()> callback) override {
        auto t = std::make_unique<TestTimer>(*this, std::move(callback));
        t->restart(delay);
        return t;
    }
    void defer(std::function<void()> f) override { deferred_.push_back(std::move(f)); }
    void post(std::function<void()> f) { // from any thread
        const std::lock_guard lock(mutex_);
        posted_.push_back(std::move(f));
        wake_.notify_one();
    }
    // Everything that is due now; whether there was anything.
    bool turn() {
        bool any = false;
        std::vector<std::function<void()>> posted;
        {
            const std::lock_guard lock(mutex_);
            posted.swap(posted_);
        }
        for (auto& f : posted) f(), any = true;
        auto deferred = std::move(deferred_);
        deferred_.clear();
        for (auto& f : deferred) f(), any = true;
        TestTimer* due = nullptr;
        for (TestTimer* t : timers_)
            if (t->armed && t->at <= now_.mono && (due == nullptr || t->at < due->at)) due = t;
        if (due != nullptr) {
            due->armed = false;
            const auto callback = due->callback;
            callback();
            any = true;
        }
        return any;
    }
    void settle() {
        while (turn()) {
        }
    }
    void advance(Nanos d, Nanos step = 1ms) {
        for (Nanos left = d; left > Nanos(0); left -= step) {
            const Nanos n = std::min(step, left);
            now_.mono += n;
            now_.wall += n;
            settle();
        }
    }
    // With real threads: real time moves the clocks until `done` or 20 s.
    bool run_until(const std::function<bool()>& done) {
        const MonoTime begun = MonoClock::read();
        while (!done()) {
            now_ = Now::read();
            if (turn()) continue;
            if (MonoClock::read() - begun > 20s) return false;
            std::unique_lock lock(mutex_);
            if (posted_.empty()) wake_.wait_for(lock, std::chrono::milliseconds(1));
        }
        return true;
    }

  private:
    struct TestTimer final : Timer {
        TestTimer(TestLoop& l, std::function<void()> f) : loop(l), callback(std::move(f)) {
            loop.timers_.push_back(this);
        }
        ~TestTimer() override { loop.timers_.remove(this); }
        void restart(Nanos delay) override {
            at = loop.now_.mono + std::max(delay, Nanos(0));
            armed = true;
        }
        void stop() override { armed = false; }
        TestLoop& loop;
        std::function<void()> callback;
        MonoTime at;
        bool armed = false;
    };
    std::list<TestTimer*> timers_;
    std::vector<std::function<void()>> deferred_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<std::function<void()>> posted_;
};

struct Handle final : OffloadHandle {
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);
    ~Handle() override { *alive = false; }
};

// The work runs when run() is called (or, with hold, at release()); `done` comes with the loop's next turn.
class InlineOffload final : public Offload {
  public:
    explicit InlineOffload(TestLoop& loop) : loop_(loop) {}
    bool hold = false;
    std::unique_ptr<OffloadHandle> run(std::function<void()> work, std::function<void()> done) override {
        auto h = std::make_unique<Handle>();
        auto both = [this, work = std::move(work), done = std::move(done), alive = h->alive] {
            work();
            loop_.post([done, alive] {
                if (*alive) done();
            });
        };
        if (hold)
            held_.push_back(both);
        else
            both();
        return h;
    }
    void release() {
        auto held = std::move(held_);
        held_.clear();
        for (auto& f : held) f();
    }
    void drop() { held_.clear(); } // as a kill does
    std::size_t held() const { return held_.size(); }

  private:
    TestLoop& loop_;
    std::vector<std::function<void()>> held_;
};

// A thread for each job; joined at the end.
class ThreadOffload final : public Offload {
  public:
    explicit ThreadOffload(TestLoop& loop) : loop_(loop) {}
    ~ThreadOffload() override {
        for (auto& t : threads_) t.join();
    }
    std::unique_ptr<OffloadHandle> run(std::function<void()> work, std::function<void()> done) override {
        auto h = std::make_unique<Handle>();
        threads_.emplace_back([this, work = std::move(work), done = std::move(done), alive = h->alive]() mutable {
            work();
            work = nullptr;
            loop_.post([done = std::move(done), alive] {
                if (*alive) done();
            });
        });
        return h;
    }

  private:
    TestLoop& loop_;
    std::vector<std::thread> threads_;
};

inline std::string slurp(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}
inline void spit(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

} // namespace holdfast::cachetest
