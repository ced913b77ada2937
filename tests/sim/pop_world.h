// One seed, one fleet: whole production nodes, each with its disk, clock, callers and road to the store, one store, one
// centre; troubles, then healing, convergence and an orderly end. The same seed and build give the same history.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/history.h"
#include "tests/sim/pop_node.h"
#include "tests/sim/pop_plan.h"
#include "tests/sim/sim_central.h"
#include "tests/sim/store_judge.h"

namespace holdfast::sim {

struct PopReport {
    std::string plan;
    std::uint64_t seed = 0, hash = 0, events = 0;
    std::size_t requests = 0, live = 0, degraded = 0, refused = 0, lost = 0, crashes = 0, probes = 0;
    std::uint64_t epochs = 0, openings = 0;
    Nanos well_after{0};  // the healing
    std::vector<Violation> violations;
    std::uint64_t violation_count = 0;
    bool ok() const { return violation_count == 0; }
    std::string text() const;
};

PopReport run_pops(std::uint64_t seed, bool verbose = false);

class PopWorld {
  public:
    PopWorld(std::uint64_t seed, bool verbose);
    ~PopWorld();
    PopReport run();

    void bad(std::string_view rule, const std::string& what) { history.violated(rule, what, loop.now().mono); }
    void note(const std::string& what) { history.note(loop.now().mono, what); }
    void answered(PopNode& node, const PopAsk& ask);
    void judged(const std::string& what);  // by the store's judge
    bool restored = false;                 // the store has been set back
    bool excused() const { return plan.revokes > 0; }  // from what rests on leases

    PopPlan plan;
    SimLoop loop;
    SimNet net;
    Rng rng;
    SimStore store;
    History history;
    StoreJudge judge;
    SimCentral central;
    std::vector<std::unique_ptr<PopNode>> nodes;

  private:
    // pop_faults.cpp
    void arm_faults();
    void repeat(double per_minute, std::function<void()> event);
    void later(Nanos delay, std::function<void()> event);
    void hit_road(PopNode& node);
    void hit_node(PopNode& node);
    void hit_centre();
    void give_order(PopNode& node);
    void give_node_order(PopNode& node);
    void heal();
    Nanos between(Nanos min, Nanos max);
    PopNode& someone();
    // pop_rules.cpp
    void sample();
    void judge_belief(PopNode& node);
    void judge_writes();
    void judge_call(const CentreCall& call);
    CircuitState expected(PopNode& node, const CircuitView& view) const;
    // pop_world.cpp
    bool well(bool healed);
    bool until(const std::function<bool()>& met, Nanos limit);
    void converge();
    bool quiet(Nanos limit);  // nobody asks any more, and whether what was asked has ended within the limit
    void ask_after_healing();
    void coda();
    bool within(Nanos limit, std::string_view rule, const std::string& what, const std::function<bool()>& met);
    void end();
    bool all(const std::function<bool(PopNode&)>& holds);

    bool healed_ = false;
    std::uint64_t centre_turn_ = 0;
    MemoryStore older_;
    std::vector<std::unique_ptr<Timer>> timers_;
    std::unique_ptr<Timer> sampler_;
    struct Seen {
        std::deque<std::int64_t> writes;  // at the last samples, without what orders and restarts wrote
        int wrong = 0;                    // samples in a row in which another state bound than must
    };
    std::vector<Seen> seen_;
    std::map<std::string, std::string> verdicts_;  // order -> outcome, of the centre
    PopReport report_;
};

}  // namespace holdfast::sim
