#include "edge/net/uv_offload.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "edge/base/check.h"

namespace holdfast {
namespace {

// Threads inherit it: signals are the loop's business.
class SignalsBlocked {
  public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        HF_CHECK(pthread_sigmask(SIG_SETMASK, &all, &before_) == 0);
    }
    ~SignalsBlocked() { HF_CHECK(pthread_sigmask(SIG_SETMASK, &before_, nullptr) == 0); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

  private:
    sigset_t before_;
};

}  // namespace

class UvOffload::Handle : public OffloadHandle {
  public:
    explicit Handle(Job& job) : job_(&job) {}
    ~Handle() override;

  private:
    friend struct Job;
    Job* job_;  // null once it is done
};

// Goes from run() through a thread back to the loop; owns the work, so that a dropped handle costs it nothing. `done`
// and `handle` are the loop's alone.
struct UvOffload::Job {
    std::function<void()> work;
    std::function<void()> done;
    Handle* handle = nullptr;

    // What was to be called; nothing when nobody waits.
    std::function<void()> leave() {
        if (handle != nullptr) handle->job_ = nullptr;
        return std::move(done);
    }
};

UvOffload::Handle::~Handle() {
    if (job_ == nullptr) return;
    job_->handle = nullptr;
    job_->done = nullptr;
}

// The loop's end of the eventfd that a thread writes to; lives until libuv has closed the handle.
struct UvOffload::Bell {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uv_poll_t handle{};
    State* state;

    explicit Bell(State& rung) : state(&rung) {}
    void ring() const {
        const std::uint64_t one = 1;
        HF_CHECK(write(fd, &one, sizeof one) == sizeof one || errno == EAGAIN);
    }
    static void rung(uv_poll_t* handle, int, int);
    static void close(Bell* bell) {
        uv_close(reinterpret_cast<uv_handle_t*>(&bell->handle), [](uv_handle_t* handle) {
            const Bell* closed = static_cast<Bell*>(handle->data);
            ::close(closed->fd);
            delete closed;
        });
    }
};

struct UvOffload::State {
    explicit State(UvLoop& on);
    ~State();
    void serve();  // a thread's whole life
    void take_ended();
    void keep_loop(bool going) const;

    UvLoop& loop;
    Bell* bell = new Bell(*this);
    std::size_t under_way = 0;  // jobs that have not come back
    std::vector<std::thread> threads;

    std::mutex lock;  // of what follows
    std::condition_variable wanted;
    std::deque<std::unique_ptr<Job>> line;
    std::vector<std::unique_ptr<Job>> ended;
    std::size_t idle = 0;  // threads that wait
    bool ending = false;
};

void UvOffload::Bell::rung(uv_poll_t* handle, int, int) {
    const Bell& bell = *static_cast<Bell*>(handle->data);
    std::uint64_t count = 0;
    HF_CHECK(read(bell.fd, &count, sizeof count) == sizeof count || errno == EAGAIN);
    bell.state->take_ended();
}

UvOffload::State::State(UvLoop& on) : loop(on) {
    HF_CHECK(bell->fd >= 0 && uv_poll_init(loop.raw(), &bell->handle, bell->fd) == 0);
    bell->handle.data = bell;
    HF_CHECK(uv_poll_start(&bell->handle, UV_READABLE, &Bell::rung) == 0);
    keep_loop(false);
}

UvOffload::State::~State() {
    {
        const std::lock_guard<std::mutex> guard(lock);
        ending = true;
    }
    wanted.notify_all();
    for (std::thread& thread : threads) thread.join();
    for (const auto& job : ended) job->leave();
    Bell::close(bell);
}

void UvOffload::State::keep_loop(bool going) const {
    auto* handle = reinterpret_cast<uv_handle_t*>(&bell->handle);
    going ? uv_ref(handle) : uv_unref(handle);
}

// What stands in line is worked off before the end.
void UvOffload::State::serve() {
    // Commits and scans must not take the processor from the loop. Linux keeps a nice value for each thread; 0 is the
    // calling one. On failure the work is done all the same.
    setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + kNice);
    pthread_setname_np(pthread_self(), "holdfast-work");
    std::unique_lock<std::mutex> held(lock);
    for (;;) {
        ++idle;
        wanted.wait(held, [this] { return ending || !line.empty(); });
        --idle;
        if (line.empty()) return;
        std::unique_ptr<Job> job = std::move(line.front());
        line.pop_front();
        held.unlock();
        job->work();
        held.lock();
        ended.push_back(std::move(job));
        if (ended.size() > 1) continue;  // the loop knows
        held.unlock();
        bell->ring();
        held.lock();
    }
}

void UvOffload::State::take_ended() {
    std::vector<std::unique_ptr<Job>> back;
    {
        const std::lock_guard<std::mutex> guard(lock);
        back.swap(ended);
    }
    under_way -= back.size();
    if (under_way == 0) keep_loop(false);
    loop.enter();
    for (auto& job : back) {
        const std::function<void()> done = job->leave();
        job.reset();  // the work's values end before what follows begins
        if (done) done();
    }
}

UvOffload::UvOffload(UvLoop& loop) : state_(std::make_unique<State>(loop)) {}
UvOffload::~UvOffload() = default;

std::unique_ptr<OffloadHandle> UvOffload::run(std::function<void()> work, std::function<void()> done) {
    auto job = std::make_unique<Job>(Job{std::move(work), std::move(done)});
    auto handle = std::make_unique<Handle>(*job);
    job->handle = handle.get();
    State& s = *state_;
    if (s.under_way++ == 0) s.keep_loop(true);
    bool waits = false;
    {
        const std::lock_guard<std::mutex> guard(s.lock);
        s.line.push_back(std::move(job));
        waits = s.idle >= s.line.size();
    }
    if (!waits && s.threads.size() < kThreads) {
        const SignalsBlocked blocked;
        s.threads.emplace_back([&s] { s.serve(); });
    } else {
        s.wanted.notify_one();
    }
    return handle;
}

}  // namespace holdfast
