// Work off the loop, in simulated time: it runs at once or a little later, and its `done` comes later still. A kill
// between the two is what a crash between a commit and its confirmation is. Not thread-safe.
#pragma once

#include "edge/base/rng.h"
#include "edge/net/offload.h"
#include "tests/sim/sim_loop.h"

namespace holdfast::sim {

struct OffloadPlan {
    Nanos work_min{0}; // from run() to the work; both zero: inside run()
    Nanos work_max{0};
    Nanos done_min = std::chrono::microseconds(100); // from the work to `done`, never inside run()
    Nanos done_max = 2ms;
};

class SimOffload : public Offload {
  public:
    SimOffload(NodeView& view, std::uint64_t seed, OffloadPlan plan = {}) : view_(view), rng_(seed), plan_(plan) {}
    [[nodiscard]] std::unique_ptr<OffloadHandle> run(std::function<void()> work, std::function<void()> done) override;
    void set_plan(const OffloadPlan& plan) { plan_ = plan; }
    std::uint64_t jobs() const { return jobs_; }

  private:
    Nanos between(Nanos min, Nanos max);
    NodeView& view_;
    Rng rng_;
    OffloadPlan plan_;
    std::uint64_t jobs_ = 0;
};

} // namespace holdfast::sim
