// Every state of a fleet's store against the one before it: S3, S4, S5, and that the epoch rises by one. It remembers
// what was true at each epoch, which is what nodes may believe.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "tests/sim/sim_store.h"
#include "upstream/fleet_view.h"

namespace holdfast::sim {

class StoreJudge {
  public:
    // Requires: the references outlive it. `quorum` and `min_votes` as the nodes have them.
    StoreJudge(SimStore& store, std::string fleet, std::function<void(std::string)> violated)
        : store_(store), fleet_(std::move(fleet)), violated_(std::move(violated)) {}
    double quorum = 0.5;
    std::uint32_t min_votes = 2;

    void judge();    // after each change
    void accept();   // what is there now was put by hand, or is of a backup
    const std::optional<StateRecord>& state() const { return state_; }
    const std::string& prober() const { return prober_; }
    bool override_stands() const { return override_; }
    const StateRecord* at(std::uint64_t epoch) const;  // nullptr: never seen

  private:
    FleetView read();
    void judge_opening(const FleetView& view, const StateRecord& before, const StateRecord& now);
    void bad(const std::string& what, const StateRecord& now);

    SimStore& store_;
    std::string fleet_;
    std::function<void(std::string)> violated_;
    std::optional<StateRecord> state_;
    bool override_ = false;
    std::string prober_;
    std::map<std::uint64_t, StateRecord> epochs_;
};

}  // namespace holdfast::sim
