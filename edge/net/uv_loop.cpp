#include "edge/net/uv_loop.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "edge/base/check.h"

namespace holdfast {
namespace {

// ~UvLoop gives callbacks that defer further callbacks this many turns to come to rest.
constexpr int kClosingTurnsMax = 64;

Nanos ceil_to_ms(Nanos d) {
    return d <= Nanos::zero() ? Nanos::zero() : std::chrono::ceil<Millis>(d);
}

}  // namespace

struct UvLoop::State {
    uv_loop_t loop{};
    uv_prepare_t prepare{};
    uv_check_t check{};
    uv_idle_t awake{};  // active while something is deferred or unsent, so that the loop neither waits nor ends
    std::vector<std::function<void()>> deferred;
    std::vector<std::function<void()>> flushing;
    std::function<void(Nanos)> lag_observer;
    Now now{};
    bool now_valid = false;  // `now` belongs to the callbacks that run at present
    MonoTime turn_begin{};
    bool turn_begun = false;
    WriteGather writes;
    std::vector<TimerBox*> spare_timers;  // stopped; at most kSpareTimersMax
    bool in_timer = false;                // a timer's callback runs
    int jobs = 0;
    std::unique_ptr<char[]> buffer = std::make_unique<char[]>(kReadBufferBytes);
};

// A timer never fires before its time: libuv counts whole milliseconds of a clock read at the start of its turn, so a
// callback that comes early by that rounding waits for the rest. The handle goes back to the loop for the next timer:
// each call to the centre takes one, and closing a handle costs a turn.
struct TimerBox {
    UvLoop& loop;
    uv_timer_t handle{};
    std::function<void()> callback;
    MonoTime due{};
    bool running = false;
    bool dropped = false;
};

class UvTimer : public Timer {
  public:
    UvTimer(UvLoop& loop, Nanos delay, std::function<void()> callback) : box_(loop.take_timer()) {
        box_->callback = std::move(callback);
        UvTimer::restart(delay);
    }
    ~UvTimer() override {
        uv_timer_stop(&box_->handle);
        box_->dropped = true;
        if (!box_->running) box_->loop.give_back(box_);
    }
    void restart(Nanos delay) override {
        box_->due = box_->loop.now().mono + delay;
        arm(*box_, delay);
    }
    void stop() override { uv_timer_stop(&box_->handle); }

  private:
    static void arm(TimerBox& box, Nanos delay) {
        auto ms = static_cast<std::uint64_t>(std::chrono::duration_cast<Millis>(ceil_to_ms(delay)).count());
        // libuv 1.44 calls what is due at once in the turn that armed it, hence for ever when each call arms the next.
        if (ms == 0 && box.loop.state_->in_timer) ms = 1;
        HF_CHECK(uv_timer_start(&box.handle, &UvTimer::fired, ms, 0) == 0);
    }
    static void fired(uv_timer_t* handle) {
        TimerBox& box = *static_cast<TimerBox*>(handle->data);
        box.loop.enter();
        const MonoTime now = box.loop.now().mono;
        if (now < box.due) return arm(box, box.due - now);
        box.running = box.loop.state_->in_timer = true;
        box.callback();
        box.running = box.loop.state_->in_timer = false;
        if (box.dropped) box.loop.give_back(&box);
    }
    TimerBox* box_;  // the loop's
};

TimerBox* UvLoop::take_timer() {
    State& s = *state_;
    if (!s.spare_timers.empty()) {
        TimerBox* box = s.spare_timers.back();
        s.spare_timers.pop_back();
        box->dropped = false;
        return box;
    }
    auto* box = new TimerBox{*this};
    HF_CHECK(uv_timer_init(&s.loop, &box->handle) == 0);
    box->handle.data = box;
    return box;
}

void UvLoop::give_back(TimerBox* box) {
    box->callback = nullptr;
    if (state_->spare_timers.size() < kSpareTimersMax)
        state_->spare_timers.push_back(box);
    else
        close_timer(box);
}

void UvLoop::close_timer(TimerBox* box) {
    uv_close(reinterpret_cast<uv_handle_t*>(&box->handle),
             [](uv_handle_t* h) { delete static_cast<TimerBox*>(h->data); });
}

class UvSignal : public Pending {
  public:
    UvSignal(UvLoop& loop, int signal, std::function<void()> callback) : box_(new Box{loop, {}, std::move(callback)}) {
        HF_CHECK(uv_signal_init(loop.raw(), &box_->handle) == 0);
        box_->handle.data = box_;
        uv_unref(reinterpret_cast<uv_handle_t*>(&box_->handle));
        const auto fired = [](uv_signal_t* handle, int) {
            Box& box = *static_cast<Box*>(handle->data);
            box.loop.enter();
            box.callback();
        };
        HF_CHECK(uv_signal_start(&box_->handle, fired, signal) == 0);
    }
    ~UvSignal() override {
        uv_close(reinterpret_cast<uv_handle_t*>(&box_->handle),
                 [](uv_handle_t* h) { delete static_cast<Box*>(h->data); });
    }

  private:
    struct Box {
        UvLoop& loop;
        uv_signal_t handle;
        std::function<void()> callback;
    };
    Box* box_;  // deleted by its close callback
};

UvLoop::UvLoop() : state_(std::make_unique<State>()) {
    std::signal(SIGPIPE, SIG_IGN);
    State& s = *state_;
    HF_CHECK(uv_loop_init(&s.loop) == 0);
    HF_CHECK(uv_prepare_init(&s.loop, &s.prepare) == 0 && uv_check_init(&s.loop, &s.check) == 0 &&
             uv_idle_init(&s.loop, &s.awake) == 0);
    s.prepare.data = s.check.data = this;
    const auto before_wait = [](uv_prepare_t* h) {
        auto& self = *static_cast<UvLoop*>(h->data);
        self.end_callbacks();
        State& state = *self.state_;
        if (state.turn_begun && state.lag_observer) state.lag_observer(MonoClock::read() - state.turn_begin);
        state.turn_begun = state.now_valid = false;
    };
    const auto after_wait = [](uv_check_t* h) {
        auto& self = *static_cast<UvLoop*>(h->data);
        self.end_callbacks();
        self.state_->now_valid = false;  // the next turn's timers come now, and read anew
    };
    HF_CHECK(uv_prepare_start(&s.prepare, before_wait) == 0 && uv_check_start(&s.check, after_wait) == 0);
    uv_unref(reinterpret_cast<uv_handle_t*>(&s.prepare));
    uv_unref(reinterpret_cast<uv_handle_t*>(&s.check));
}

UvLoop::~UvLoop() {
    State& s = *state_;
    for (int turn = 0; turn < kClosingTurnsMax; ++turn) {
        uv_run(&s.loop, s.jobs > 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
        if (s.jobs > 0)
            turn = 0;
        else if (s.deferred.empty() && s.writes.empty())
            break;
    }
    for (TimerBox* box : s.spare_timers) close_timer(box);
    uv_close(reinterpret_cast<uv_handle_t*>(&s.prepare), nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&s.check), nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&s.awake), nullptr);
    uv_run(&s.loop, UV_RUN_NOWAIT);
    HF_CHECK(uv_loop_close(&s.loop) == 0);  // a handle leaked
}

Now UvLoop::now() const {
    return state_->now_valid ? state_->now : Now::read();
}

std::unique_ptr<Timer> UvLoop::after(Nanos delay, std::function<void()> callback) {
    return std::make_unique<UvTimer>(*this, delay, std::move(callback));
}

void UvLoop::defer(std::function<void()> callback) {
    State& s = *state_;
    if (s.deferred.empty()) uv_idle_start(&s.awake, [](uv_idle_t*) {});
    s.deferred.push_back(std::move(callback));
}

// What is deferred by a deferred callback runs at the next flush; the idle handle sees to it that the loop does not
// wait before.
void UvLoop::flush() {
    State& s = *state_;
    if (s.deferred.empty()) return;
    enter();
    s.flushing.swap(s.deferred);
    for (auto& callback : s.flushing) callback();
    s.flushing.clear();
}

// Deferred callbacks come first, because they write too. What on_drained writes or defers in here is done next time.
void UvLoop::end_callbacks() {
    State& s = *state_;
    flush();
    if (!s.writes.empty()) {
        enter();
        s.writes.flush();
    }
    if (s.deferred.empty() && s.writes.empty()) uv_idle_stop(&s.awake);
}

// A watcher on a high descriptor, for a moment, is all that makes libuv grow it.
void UvLoop::reserve_descriptors() {
    rlimit limit{};
    int pipe[2] = {-1, -1};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || ::pipe2(pipe, O_CLOEXEC | O_NONBLOCK) != 0) return;
    const auto last = static_cast<int>(std::clamp<std::uint64_t>(limit.rlim_cur, 1, kReserveMax)) - 1;
    const int high = ::fcntl(pipe[0], F_DUPFD_CLOEXEC, last);
    auto* poll = new uv_poll_t;
    if (high >= 0 && uv_poll_init(&state_->loop, poll, high) == 0) {
        uv_poll_start(poll, UV_READABLE, [](uv_poll_t*, int, int) {});
        uv_poll_stop(poll);
        uv_close(reinterpret_cast<uv_handle_t*>(poll), [](uv_handle_t* h) { delete reinterpret_cast<uv_poll_t*>(h); });
    } else {
        delete poll;
    }
    for (const int fd : {pipe[0], pipe[1], high})
        if (fd >= 0) ::close(fd);
}

void UvLoop::run() {
    uv_run(&state_->loop, UV_RUN_DEFAULT);
    state_->now_valid = false;
}

bool UvLoop::run_once(bool wait) {
    const bool more = uv_run(&state_->loop, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT) != 0;
    state_->now_valid = false;
    return more;
}

void UvLoop::stop() {
    uv_stop(&state_->loop);
}

std::unique_ptr<Pending> UvLoop::on_signal(int signal, std::function<void()> callback) {
    return std::make_unique<UvSignal>(*this, signal, std::move(callback));
}

void UvLoop::set_lag_observer(std::function<void(Nanos)> observer) {
    state_->lag_observer = std::move(observer);
}

uv_loop_s* UvLoop::raw() {
    return &state_->loop;
}

void UvLoop::enter() {
    State& s = *state_;
    if (s.now_valid) return;
    s.now = Now::read();
    s.now_valid = true;
    if (!s.turn_begun) {
        s.turn_begun = true;
        s.turn_begin = s.now.mono;
    }
}

char* UvLoop::read_buffer() {
    return state_->buffer.get();
}
WriteGather& UvLoop::writes() {
    return state_->writes;
}
void UvLoop::writes_pending() {
    uv_idle_start(&state_->awake, [](uv_idle_t*) {});
}
void UvLoop::job_started() {
    ++state_->jobs;
}
void UvLoop::job_ended() {
    --state_->jobs;
}

}  // namespace holdfast
