#include "tests/sim/fleet_chaos.h"

#include "tests/sim/fleet_world.h"

namespace holdfast::sim {
namespace {

// Often the one that matters most.
FleetNode& someone(FleetWorld& f, Rng& dice) {
    if (dice.chance(0.4)) {
        const std::string prober = f.prober();
        for (auto& n : f.nodes)
            if (n->name == prober) return *n;
    }
    return f.node(dice.below(f.nodes.size()));
}

void hit_store(FleetWorld& f, Rng& dice) {
    switch (dice.below(5)) {
        case 0:
            return f.store.set_frozen(dice.chance(0.5));
        case 1:
            return f.store.set_down(dice.chance(0.5));
        case 2:
            return f.store.break_watches();
        case 3:
            f.store.data().stretch_leases(f.loop.now().mono);
            return f.store.changed();
        default:
            return f.store.data().compact();
    }
}

void hit_road(FleetNode& n, Rng& dice) {
    switch (dice.below(5)) {
        case 0:
            n.store.to = !n.store.to;
            break;
        case 1:
            n.store.back = !n.store.back;
            break;
        case 2:
            n.store.loss = dice.chance(0.5) ? 0.3 : 0;
            n.store.watch_doubles = dice.chance(0.5);
            break;
        case 3:
            n.store.late = dice.chance(0.6) ? 0.3 : 0;
            n.store.late_by = Millis(1000 + dice.below(30'000));
            break;
        default:
            n.store.watch_silent = dice.chance(0.5);
            n.store.delay_max = Millis(3 + dice.below(800));
    }
}

// For longer than its lease lasts, while it probes.
void hit_prober(FleetWorld& f, Rng& dice) {
    if (f.run_until([&f] { return !f.prober().empty(); }, 4s)) f.run(Millis(dice.below(1000)));
    for (auto& one : f.nodes)
        if (one->running() && one->name == f.prober()) one->view.stall(Millis(11'000 + dice.below(20'000)));
}

void hit_node(FleetNode& n, Rng& dice) {
    switch (dice.below(6)) {
        case 0:
            if (n.running()) n.view.stall(Millis(dice.below(30'000)));
            break;
        case 1:
            if (n.running())
                n.crash();
            else
                n.start();
            break;
        case 2:
            n.view.jump_wall(Seconds(static_cast<std::int64_t>(dice.below(7200)) - 3600));
            break;
        case 3:
            n.disk_works = dice.chance(0.7);
            break;
        case 4:
            n.leaves = dice.chance(0.5) ? 0.3 : 0;
            n.pause_before_send = Millis(dice.chance(0.5) ? 0 : dice.below(1500));
            n.call_takes = Millis(5 + dice.below(1500));
            break;
        default:
            if (n.running())
                n.fleet->order(static_cast<FleetOrder>(dice.below(3)), Seconds(1 + dice.below(30)), "uid 0", "chaos",
                               [](const Result<void>&) {});
    }
}

// One trouble, at one node, its roads, the store or the centre.
void trouble(FleetWorld& f, Rng& dice) {
    FleetNode& n = someone(f, dice);
    const std::uint64_t what = dice.below(20);
    if (what < 5) return hit_store(f, dice);
    if (what < 10) return hit_road(n, dice);
    if (what < 15) return hit_node(n, dice);
    if (what < 17) return hit_prober(f, dice);
    if (what < 18)
        n.road = !n.road;
    else
        f.centre = !f.centre;
}

void quiet(FleetWorld& f) {
    f.store.set_frozen(false);
    f.store.set_down(false);
    f.centre = true;
    for (auto& n : f.nodes) {
        n->store.to = n->store.back = n->disk_works = n->road = true;
        n->store.loss = n->store.late = n->leaves = 0;
        n->pause_before_send = 0s;
        n->call_takes = 10ms;
        n->store.watch_silent = n->store.watch_doubles = false;
        n->store.delay_max = 3ms;
        if (!n->running()) n->start();
    }
}

bool well(FleetWorld& f) {
    const auto state = f.state();
    return f.all_shared() && f.all_are(CircuitState::closed) && state && state->state == CircuitState::closed;
}

}  // namespace

std::vector<std::string> run_fleet_chaos(std::uint64_t seed) {
    Rng dice(seed * 7919);
    FleetOptions o;
    o.local_proof = dice.chance(0.5);
    if (dice.chance(0.6)) o.circuit.open_wait = 1s, o.circuit.open_wait_max = 4s;  // more rounds of probes
    FleetWorld f(3 + seed % 3, seed, o);
    f.start();
    if (!f.run_until([&f] { return well(f); }, 15s)) f.violated("the fleet does not come together");
    for (auto& n : f.nodes) n->view.set_drift(static_cast<double>(dice.below(2000)) - 1000);
    const double late = dice.chance(0.6) ? 0.4 : 0;
    const Nanos pause = dice.chance(0.5) ? Millis(dice.below(1500)) : Millis(0);
    for (auto& n : f.nodes) {
        n->store.late = late;
        n->store.late_by = 20s;
        n->pause_before_send = pause;
    }
    for (int i = 0; i < 45; ++i) {
        trouble(f, dice);
        f.run(Millis(dice.below(8000)));
    }
    quiet(f);
    if (!f.run_until([&f] { return well(f); }, 300s)) f.violated("not well again in five minutes of quiet");
    return f.violations;
}

}  // namespace holdfast::sim
