// The troubles of a world's first phase: drawn from its plan, begun and ended by timers of the world. After heal()
// nothing is wrong any more and nothing will be.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "edge/base/rng.h"
#include "tests/sim/history.h"
#include "tests/sim/sim_central.h"
#include "tests/sim/sim_offload.h"
#include "tests/sim/world_plan.h"

namespace holdfast::sim {

class Faults {
  public:
    struct Seams {
        SimLoop& world;
        SimNet& net;
        History& history;
        NodeView& node_view;
        SimOffload& offload;
        SimCentral& central;
        std::function<void()> crash;  // ends the node now
        std::function<void()> start;  // and begins it again
        std::function<bool()> up;
        std::function<void(Rng&)> order;  // some order of an operator
        std::function<void(Rng&)> circuit_order;
        std::function<void(Rng&)> revoke;
        std::function<void(Rng&)> go_live;
        std::uint64_t seed = 1;
        Mutant mutant = Mutant::none;
    };
    Faults(Seams seams, const WorldPlan& plan);

    void begin();  // the whole first phase is armed
    void heal();

  private:
    void repeat(double per_minute, std::function<void()> event);
    void later(Nanos delay, std::function<void()> event);
    void centre_fault();
    void change_verdict();
    void restart_centre();
    void partition(const char* with, Trouble::Kind kind, Nanos length);
    void crash();
    void stall();
    void jump_wall();
    void slow_disk();
    std::size_t trouble(Trouble::Kind kind);
    Nanos between(Nanos min, Nanos max);
    CentrePlan healthy() const;
    OffloadPlan usual_disk() const;

    Seams s_;
    const WorldPlan& plan_;
    Rng rng_;
    bool healed_ = false;
    bool centre_down_ = false;
    std::uint64_t centre_turn_ = 0, disk_turn_ = 0;  // the newest fault ends; an older end is void
    Nanos wall_offset_{0};
    std::map<std::string, Verdict> verdicts_;
    std::vector<std::unique_ptr<Timer>> timers_;
};

}  // namespace holdfast::sim
