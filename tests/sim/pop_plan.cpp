#include "tests/sim/pop_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace holdfast::sim {
namespace {

double some(Rng& rng, double share, double max) {
    const double drawn = rng.unit();
    return rng.chance(share) ? max * (0.1 + 0.9 * drawn) : 0;
}

}  // namespace

PopPlan PopPlan::of(std::uint64_t seed) {
    Rng rng(seed * 0x9e3779b97f4a7c15ull + 77);
    PopPlan p;
    p.seed = seed;
    p.nodes = rng.chance(0.6) ? 3 : 2 + rng.below(4);
    p.phase1 = Seconds(20 + rng.below(25));
    p.arrivals = 2 + 3 * rng.unit();
    const bool skewed = rng.chance(0.5);
    for (std::size_t i = 0; i < p.nodes; ++i) p.drift_ppm.push_back(skewed ? 2000 * rng.unit() - 1000 : 0);
    p.coda = rng.chance(0.2);
    p.freezes = some(rng, 0.4, 3);
    p.downs = some(rng, 0.4, 3);
    p.leader_changes = some(rng, 0.4, 4);
    p.compacts = some(rng, 0.3, 4);
    p.revokes = some(rng, 0.15, 3);
    p.restores = some(rng, 0.08, 2);
    p.cuts = some(rng, 0.6, 6);
    p.noises = some(rng, 0.6, 8);
    p.crashes = some(rng, 0.6, 8);
    p.memories = some(rng, 0.4, 0.5);
    p.stalls = some(rng, 0.4, 4);
    p.wall_jumps = some(rng, 0.25, 4);
    p.centre_faults = some(rng, 0.8, 5);
    p.centre_cuts = some(rng, 0.6, 6);
    p.orders = some(rng, 0.4, 5);
    p.node_orders = some(rng, 0.3, 4);
    return p;
}

std::string PopPlan::describe() const {
    return fmt::format(
        "seed {}: {} nodes, phase 1 {}, {:.1f} requests/s each, drift {:.0f} ppm{}\n"
        "  a minute, store: freezes {:.1f} downs {:.1f} leader changes {:.1f} compacts {:.1f} early revokes {:.1f} "
        "restores {:.1f}\n"
        "  roads: cuts {:.1f} noises {:.1f}; nodes: crashes {:.1f} (memory hurt {:.2f}) stalls {:.1f} wall jumps "
        "{:.1f}\n"
        "  centre: faults {:.1f} cuts {:.1f}; orders: fleet {:.1f} node {:.1f}\n",
        seed, nodes, format_duration(phase1), arrivals, fmt::join(drift_ppm, " "), coda ? ", with a coda" : "", freezes,
        downs, leader_changes, compacts, revokes, restores, cuts, noises, crashes, memories, stalls, wall_jumps,
        centre_faults, centre_cuts, orders, node_orders);
}

}  // namespace holdfast::sim
