// What one seed of a fleet of whole nodes means: how many nodes, their clocks, and how much of every trouble. Drawn
// once; printed in full, so that a failure names everything that led to it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "edge/base/rng.h"
#include "edge/base/time.h"

namespace holdfast::sim {

struct PopPlan {
    std::uint64_t seed = 0;
    std::size_t nodes = 3;
    Nanos phase1 = 40s;
    double arrivals = 4;             // a second, at each node
    std::vector<double> drift_ppm;   // of each node
    bool coda = false;               // after the healing the centre dies once more, to see how fast the fleet is

    // How often a minute each begins.
    double freezes = 0, downs = 0, leader_changes = 0, compacts = 0;  // of the store
    double revokes = 0;   // leases that end early, renewals that lie: excuses what rests on leases
    double restores = 0;  // an older store comes back: in the end an operator accepts it
    double cuts = 0;      // of one node's road to the store: there, back, or both
    double noises = 0;    // likewise loss, delay, late writes, silent or doubled watches, lost answers
    double crashes = 0;   // of a node: at a random time, or around its next write
    double memories = 0;  // share of crashes after which the epoch is lost, old or damaged
    double stalls = 0, wall_jumps = 0;
    double centre_faults = 0, centre_cuts = 0;  // of the centre; of one node's road to it
    double orders = 0;       // of the fleet
    double node_orders = 0;  // of one node

    static PopPlan of(std::uint64_t seed);
    std::string describe() const;
};

}  // namespace holdfast::sim
