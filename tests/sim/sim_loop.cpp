#include "tests/sim/sim_loop.h"

#include <algorithm>
#include <cmath>

#include "edge/base/check.h"

namespace holdfast::sim {

namespace {

// 2026-01-01T00:00:00Z: any fixed moment would do, so that a seed replays exactly.
constexpr std::int64_t kEpochSeconds = 1767225600;
constexpr Nanos kBootAge = std::chrono::hours(24);

Nanos whole_millis(Nanos delay) {
    if (delay <= Nanos(0)) return Nanos(0);
    return std::chrono::ceil<Millis>(delay);
}

class SimTimer : public Timer {
  public:
    SimTimer(SimLoop& world, NodeView* view, std::function<void()> callback)
        : world_(world), event_(std::make_shared<Event>()) {
        event_->run = std::move(callback);
        event_->view = view;
    }
    ~SimTimer() override { world_.disarm(event_); }
    void restart(Nanos delay) override {
        world_.disarm(event_);
        const auto at =
            event_->view == nullptr ? world_.now().mono + whole_millis(delay) : event_->view->world_time_after(delay);
        world_.arm(event_, at);
    }
    void stop() override { world_.disarm(event_); }

  private:
    SimLoop& world_;
    EventRef event_;
};

}  // namespace

SimLoop::SimLoop() : now_{MonoTime(kBootAge), from_unix_seconds(kEpochSeconds)} {}

SimLoop::~SimLoop() = default;

std::unique_ptr<Timer> SimLoop::after(Nanos delay, std::function<void()> callback) {
    auto timer = std::make_unique<SimTimer>(*this, nullptr, std::move(callback));
    timer->restart(delay);
    return timer;
}

void SimLoop::defer(std::function<void()> callback) {
    defer_for(nullptr, std::move(callback));
}

void SimLoop::defer_for(NodeView* view, std::function<void()> callback) {
    if (view != nullptr && !view->alive()) return;
    deferred_.emplace_back(view, std::move(callback));
}

void SimLoop::arm(const EventRef& event, MonoTime at) {
    HF_CHECK(!event->armed);
    HF_CHECK(queue_.size() < kEventsMax);
    if (event->view != nullptr && !event->view->alive()) return;
    event->key = {std::max(at, now_.mono), next_serial_++};
    event->armed = true;
    queue_.emplace(event->key, event);
}

void SimLoop::disarm(const EventRef& event) {
    if (!event->armed) return;
    event->armed = false;
    queue_.erase(event->key);
}

void SimLoop::post(NodeView* view, MonoTime at, std::function<void()> run) {
    auto event = std::make_shared<Event>();
    event->run = std::move(run);
    event->view = view;
    arm(event, at);
}

void SimLoop::drop_events_of(const NodeView* view) {
    // Callbacks may own what cancels other events, so they are destroyed when the queue is at rest again.
    std::vector<EventRef> dropped;
    for (auto it = queue_.begin(); it != queue_.end();) {
        if (it->second->view != view) {
            ++it;
            continue;
        }
        it->second->armed = false;
        dropped.push_back(std::move(it->second));
        it = queue_.erase(it);
    }
    std::deque<std::pair<NodeView*, std::function<void()>>> kept;
    for (auto& entry : deferred_)
        if (entry.first != view) kept.push_back(std::move(entry));
    deferred_.swap(kept);
}

void SimLoop::put_off(const NodeView* view, MonoTime from, MonoTime to) {
    std::vector<EventRef> waiting;
    for (auto it = queue_.lower_bound({from, 0}); it != queue_.end() && it->first.first == from; ++it)
        if (it->second->view == view) waiting.push_back(it->second);
    for (const EventRef& event : waiting) {
        disarm(event);
        arm(event, to);
    }
}

void SimLoop::run_deferred() {
    for (std::size_t n = 0; !deferred_.empty(); ++n) {
        HF_CHECK(n < kSameInstantMax);
        const auto callback = std::move(deferred_.front().second);
        deferred_.pop_front();
        callback();
    }
}

bool SimLoop::step() {
    run_deferred();
    if (queue_.empty()) return false;
    const EventRef event = queue_.begin()->second;
    queue_.erase(queue_.begin());
    event->armed = false;
    same_instant_ = event->key.first > now_.mono ? 0 : same_instant_ + 1;
    HF_CHECK(same_instant_ < kSameInstantMax);
    const Nanos passed = event->key.first - now_.mono;
    now_.mono += passed;
    now_.wall += passed;
    if (event->view != nullptr && event->view->stalled_until() > now_.mono) {
        arm(event, event->view->stalled_until());
        return true;
    }
    ++events_run_;
    event->run();
    run_deferred();
    return true;
}

std::size_t SimLoop::armed_of(const NodeView* view) const {
    return static_cast<std::size_t>(
        std::count_if(queue_.begin(), queue_.end(), [view](const auto& entry) { return entry.second->view == view; }));
}

void SimLoop::run_until(MonoTime end) {
    run_deferred();
    while (!queue_.empty() && queue_.begin()->first.first <= end) step();
    if (end <= now_.mono) return;
    now_.wall += end - now_.mono;
    now_.mono = end;
}

bool SimLoop::run_until_true(const std::function<bool()>& done, Nanos limit) {
    const MonoTime end = now_.mono + limit;
    run_deferred();
    while (!done()) {
        if (queue_.empty() || queue_.begin()->first.first > end) return false;
        step();
    }
    return true;
}

NodeView::NodeView(SimLoop& world) : world_(world), world_base_(world.now().mono), own_base_(world.now().mono) {}

NodeView::~NodeView() {
    world_.drop_events_of(this);
}

Now NodeView::now() const {
    const Now world = world_.now();
    const double passed = static_cast<double>((world.mono - world_base_).count()) * (rate_ - 1.0);
    const Nanos ahead = (own_base_ - world_base_) + Nanos(std::llround(passed));
    return {world.mono + ahead, world.wall + ahead + wall_offset_};
}

void NodeView::set_drift(double ppm) {
    const MonoTime own = now().mono;
    world_base_ = world_.now().mono;
    own_base_ = own;
    rate_ = 1.0 + ppm * 1e-6;
}

MonoTime NodeView::world_time_after(Nanos delay) const {
    const Nanos whole = whole_millis(delay);
    if (rate_ == 1.0) return world_.now().mono + whole;
    // Two nanoseconds more, so that rounding never makes a timer early by this view's own clock.
    return world_.now().mono +
           Nanos(static_cast<std::int64_t>(std::ceil(static_cast<double>(whole.count()) / rate_)) + 2);
}

std::unique_ptr<Timer> NodeView::after(Nanos delay, std::function<void()> callback) {
    auto timer = std::make_unique<SimTimer>(world_, this, std::move(callback));
    timer->restart(delay);
    return timer;
}

void NodeView::defer(std::function<void()> callback) {
    world_.defer_for(this, std::move(callback));
}

void NodeView::stall(Nanos span) {
    const MonoTime end = std::max(stalled_until_, world_.now().mono + span);
    if (stalled_until_ > world_.now().mono && end > stalled_until_) world_.put_off(this, stalled_until_, end);
    stalled_until_ = end;
}

void NodeView::kill() {
    alive_ = false;
    world_.drop_events_of(this);
    for (const auto& callback : on_kill_) callback();
}

}  // namespace holdfast::sim
