// Fleets under random trouble of every kind, then quiet: safety throughout (fleet_rules), and all well again in time.
#include <catch2/catch.hpp>

#include "tests/sim/fleet_3.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

constexpr std::uint64_t kSeeds = 60;

// One trouble, at one node, the store or the centre.
void trouble(FleetWorld& f, Rng& dice) {
    FleetNode& n = f.node(dice.below(f.nodes.size()));
    switch (dice.below(18)) {
        case 0:
            n.store.to = !n.store.to;
            break;
        case 1:
            n.store.back = !n.store.back;
            break;
        case 2:
            f.store.set_frozen(dice.chance(0.5));
            break;
        case 3:
            f.store.set_down(dice.chance(0.5));
            break;
        case 4:
            f.store.break_watches();
            break;
        case 5:
            f.store.data().stretch_leases(f.loop.now().mono);
            f.store.changed();
            break;
        case 6:
            if (n.running()) n.view.stall(Millis(dice.below(30'000)));
            break;
        case 7:
            if (n.running())
                n.crash();
            else
                n.start();
            break;
        case 8:
            n.view.jump_wall(Seconds(static_cast<std::int64_t>(dice.below(7200)) - 3600));
            break;
        case 9:
            n.disk_works = dice.chance(0.7);
            break;
        case 10:
            f.store.data().compact();
            break;
        case 11:
        case 12:
            f.centre = !f.centre;
            break;
        case 13:
        case 14:
            n.road = !n.road;
            break;
        case 15:
            if (n.running())
                n.fleet->order(static_cast<FleetOrder>(dice.below(3)), Seconds(1 + dice.below(30)), "uid 0", "chaos",
                               [](const Result<void>&) {});
            break;
        case 16:
            n.store.loss = dice.chance(0.5) ? 0.3 : 0;
            n.store.watch_doubles = dice.chance(0.5);
            break;
        default:
            n.store.watch_silent = dice.chance(0.5);
            n.store.delay_max = Millis(3 + dice.below(800));
            break;
    }
}

void quiet(FleetWorld& f) {
    f.store.set_frozen(false);
    f.store.set_down(false);
    f.centre = true;
    for (auto& n : f.nodes) {
        n->store.to = n->store.back = n->disk_works = n->road = true;
        n->store.loss = 0;
        n->store.watch_silent = n->store.watch_doubles = false;
        n->store.delay_max = 3ms;
        if (!n->running()) n->start();
    }
}

} // namespace

TEST_CASE("fleet: random trouble for three minutes, then quiet: safe throughout, and all well in the end") {
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        INFO("seed " << seed);
        Rng dice(seed * 7919);
        FleetOptions o;
        o.local_proof = dice.chance(0.5);
        Fleet3 f(3 + seed % 3, seed, o);
        for (auto& n : f.nodes) n->view.set_drift(static_cast<double>(dice.below(2000)) - 1000);
        for (int i = 0; i < 45; ++i) {
            trouble(f, dice);
            f.run(Millis(dice.below(8000)));
        }
        quiet(f);
        f.recovers(300s);
        f.no_violations();
    }
}
