// Simulated time: one queue of events for the whole world, ordered by time and then by when they were armed, and a view
// of it for each node with a clock of its own (offset, drift, wall-clock jumps, stalls). Nothing waits: running an hour
// takes as long as its events do. A killed view loses its timers, as a process does. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "edge/net/loop.h"

namespace holdfast::sim {

class NodeView;
class SimLoop;

// Something that happens at a time. Owners: whoever may cancel it, and the queue while it is armed.
struct Event {
    std::function<void()> run;
    NodeView* view = nullptr; // nullptr: the world's own, which no kill drops
    std::pair<MonoTime, std::uint64_t> key{};
    bool armed = false;
};
using EventRef = std::shared_ptr<Event>;

// The world's own Loop: true time, never stalled, never killed.
class SimLoop : public Loop {
  public:
    static constexpr std::size_t kEventsMax = 4'000'000;      // armed at a time
    static constexpr std::size_t kSameInstantMax = 2'000'000; // events without time moving: a livelock

    SimLoop();
    ~SimLoop() override;
    SimLoop(const SimLoop&) = delete;
    SimLoop& operator=(const SimLoop&) = delete;

    Now now() const override { return now_; }
    [[nodiscard]] std::unique_ptr<Timer> after(Nanos delay, std::function<void()> callback) override;
    void defer(std::function<void()> callback) override;

    bool step(); // one event and what it deferred; false when nothing is armed
    void run_until(MonoTime end);
    void run_for(Nanos span) { run_until(now_.mono + span); }
    // Runs until `done` answers true; false when `limit` passes or nothing is armed before that.
    bool run_until_true(const std::function<bool()>& done, Nanos limit);
    void jump_wall(Nanos by) { now_.wall += by; } // for every view

    std::size_t armed() const { return queue_.size(); }
    std::size_t armed_of(const NodeView* view) const; // walks the queue: for the end of a run
    std::uint64_t events_run() const { return events_run_; }

    // For the rooms of the simulation. Exact times, no rounding; an event of a dead view is never armed.
    void arm(const EventRef& event, MonoTime at);
    void disarm(const EventRef& event);
    void post(NodeView* view, MonoTime at, std::function<void()> run);
    void defer_for(NodeView* view, std::function<void()> callback);
    void drop_events_of(const NodeView* view);
    // What waits for the end of a stall waits for a later one, still before everything that comes behind it.
    void put_off(const NodeView* view, MonoTime from, MonoTime to);

  private:
    void run_deferred();
    Now now_;
    std::map<std::pair<MonoTime, std::uint64_t>, EventRef> queue_;
    std::deque<std::pair<NodeView*, std::function<void()>>> deferred_;
    std::uint64_t next_serial_ = 0;
    std::uint64_t events_run_ = 0;
    std::size_t same_instant_ = 0;
};

// What one node sees of the world. Timers of a view follow its own clock: with a drift of +100 ppm it hurries.
class NodeView : public Loop {
  public:
    explicit NodeView(SimLoop& world);
    ~NodeView() override;
    NodeView(const NodeView&) = delete;
    NodeView& operator=(const NodeView&) = delete;

    Now now() const override;
    [[nodiscard]] std::unique_ptr<Timer> after(Nanos delay, std::function<void()> callback) override;
    void defer(std::function<void()> callback) override;

    void set_drift(double ppm);                      // from now on
    void jump_wall(Nanos by) { wall_offset_ += by; } // this node's wall clock only
    void stall(Nanos span);                          // nothing of this node runs until `span` has passed; time does
    // The process dies: everything armed is dropped, and nothing can be armed until revive(). To be called before the
    // node's objects are destroyed, so that their destructors reach nobody.
    void kill();
    void revive() { alive_ = true; }
    bool alive() const { return alive_; }
    // Called by kill(); lives as long as the view.
    void on_kill(std::function<void()> callback) { on_kill_.push_back(std::move(callback)); }

    SimLoop& world() { return world_; }
    MonoTime stalled_until() const { return stalled_until_; }
    // When the world reaches what this view calls `delay` from now (rounded up to a millisecond).
    MonoTime world_time_after(Nanos delay) const;

  private:
    SimLoop& world_;
    double rate_ = 1.0; // seconds of this view in one of the world
    MonoTime world_base_;
    MonoTime own_base_;
    Nanos wall_offset_{0};
    MonoTime stalled_until_{};
    bool alive_ = true;
    std::vector<std::function<void()>> on_kill_;
};

} // namespace holdfast::sim
