#include "edge/net/uv_offload.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "edge/base/check.h"
#include "edge/base/log.h"

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
    std::unique_ptr<Job> next{};

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

// First in, first out, through the jobs themselves: what has ended needs no memory to be told.
class UvOffload::Line {
  public:
    Line() = default;
    Line(Line&& other) noexcept
        : first_(std::move(other.first_)),
          last_(std::exchange(other.last_, nullptr)),
          size_(std::exchange(other.size_, 0)) {}
    Line& operator=(Line&&) = delete;
    ~Line() {
        while (size_ > 0) pop();  // one by one: a long chain of owners would not fit the stack
    }
    std::size_t size() const { return size_; }
    void push(std::unique_ptr<Job> job) {
        Job* const last = job.get();
        (last_ == nullptr ? first_ : last_->next) = std::move(job);
        last_ = last;
        ++size_;
    }
    // Requires: size() > 0.
    std::unique_ptr<Job> pop() {
        std::unique_ptr<Job> out = std::move(first_);
        first_ = std::move(out->next);
        if (--size_ == 0) last_ = nullptr;
        return out;
    }

  private:
    std::unique_ptr<Job> first_;
    Job* last_ = nullptr;
    std::size_t size_ = 0;
};

struct UvOffload::State {
    explicit State(UvLoop& on);
    ~State();
    void serve();  // a thread's whole life
    void start_thread();
    void start_all();
    void take_ended();
    void keep_loop(bool going) const;

    UvLoop& loop;
    Bell* bell = new Bell(*this);
    std::size_t under_way = 0;  // jobs that have not come back
    std::vector<std::thread> threads;
    bool refused = false;  // a thread, and said so

    std::mutex lock;  // of what follows
    std::condition_variable wanted, came_up;
    Line line, ended;
    std::size_t up = 0;    // threads that have begun
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
    threads.reserve(kThreads);
}

UvOffload::State::~State() {
    {
        const std::lock_guard<std::mutex> guard(lock);
        ending = true;
    }
    wanted.notify_all();
    for (std::thread& thread : threads) thread.join();
    while (ended.size() > 0) ended.pop()->leave();
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
    void* volatile first = std::malloc(1);
    std::free(first);
    std::unique_lock<std::mutex> held(lock);
    ++up;
    came_up.notify_all();
    for (;;) {
        ++idle;
        wanted.wait(held, [this] { return ending || line.size() > 0; });
        --idle;
        if (line.size() == 0) return;
        std::unique_ptr<Job> job = line.pop();
        held.unlock();
        job->work();
        held.lock();
        ended.push(std::move(job));
        held.unlock();
        bell->ring();  // each one: whoever came before may have been stopped on its way to the bell
        held.lock();
    }
}

// The first one must start. Without the others the work is done later, but done.
void UvOffload::State::start_thread() {
    const SignalsBlocked blocked;
    try {
        threads.emplace_back([this] { serve(); });
    } catch (const std::exception& e) {
        HF_CHECK(!threads.empty());
        if (!std::exchange(refused, true))
            log::error("only {} of {} threads for work could be started: {}", threads.size(), kThreads, e.what());
    }
}

// All of them, and each has had its first memory: jemalloc dies where a thread has its first while there is none, and
// then there may be none for long.
void UvOffload::State::start_all() {
    for (int i = 0; i < kThreads; ++i) start_thread();
    std::unique_lock<std::mutex> held(lock);
    came_up.wait(held, [this] { return up == threads.size(); });
}

void UvOffload::State::take_ended() {
    std::unique_lock<std::mutex> held(lock);
    Line back(std::move(ended));
    held.unlock();
    under_way -= back.size();
    if (under_way == 0) keep_loop(false);
    loop.enter();
    while (back.size() > 0) {
        std::unique_ptr<Job> job = back.pop();
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
    if (s.threads.empty()) s.start_all();
    if (s.under_way++ == 0) s.keep_loop(true);
    s.lock.lock();
    s.line.push(std::move(job));
    const bool waits = s.idle < s.line.size();
    s.lock.unlock();
    s.wanted.notify_one();
    if (waits && s.threads.size() < kThreads) s.start_thread();  // that could not be started before
    return handle;
}

}  // namespace holdfast
