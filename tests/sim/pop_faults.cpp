// The troubles of a fleet: drawn from its plan, begun and ended by timers of the world. After heal() nothing is wrong.
#include <cmath>

#include "edge/operators.h"
#include "tests/sim/pop_world.h"

namespace holdfast::sim {

Nanos PopWorld::between(Nanos min, Nanos max) {
    return min + Nanos(static_cast<std::int64_t>(rng.unit() * static_cast<double>((max - min).count())));
}

void PopWorld::later(Nanos delay, std::function<void()> event) {
    timers_.push_back(loop.after(delay, [this, event = std::move(event)] {
        if (!healed_) event();
    }));
}

void PopWorld::repeat(double per_minute, std::function<void()> event) {
    if (per_minute <= 0) return;
    for (Nanos at{0};;) {
        at += Nanos(static_cast<std::int64_t>(-std::log(1 - rng.unit()) / per_minute * 60e9));
        if (at >= plan.phase1) return;
        later(at, event);
    }
}

// Often the one that matters most.
PopNode& PopWorld::someone() {
    if (rng.chance(0.4))
        for (auto& node : nodes)
            if (node->name == judge.prober()) return *node;
    return *nodes[rng.below(nodes.size())];
}

void PopWorld::arm_faults() {
    repeat(plan.freezes, [this] {
        store.set_frozen(true);
        later(between(200ms, 12s), [this] { store.set_frozen(false); });
    });
    repeat(plan.downs, [this] {
        store.set_down(true);
        store.break_watches();
        later(between(200ms, 8s), [this] { store.set_down(false); });
    });
    repeat(plan.leader_changes, [this] {
        store.break_watches();
        store.data().stretch_leases(loop.now().mono);
        store.changed();
    });
    repeat(plan.compacts, [this] {
        store.data().compact();
        if (rng.chance(0.5)) store.break_watches();
    });
    repeat(plan.revokes, [this] {
        const auto leases = store.data().leases();
        if (!leases.empty()) store.data().revoke(leases[rng.below(leases.size())], loop.now().mono);
        store.changed();
    });
    repeat(plan.restores, [this] {
        restored = true;
        store.restore(older_);
        judge.accept();
    });
    repeat(plan.cuts, [this] {
        PopNode& node = someone();
        const std::uint64_t kind = rng.below(3);
        if (kind != 0) node.road.to = false;
        if (kind != 1) node.road.back = false;
        later(between(200ms, 15s), [&node] { node.road.to = node.road.back = true; });
    });
    repeat(plan.noises, [this] { hit_road(someone()); });
    repeat(plan.crashes, [this] { hit_node(someone()); });
    repeat(plan.stalls, [this] {
        PopNode& node = someone();
        if (node.running()) node.stall(rng.chance(0.5) ? between(20ms, 1s) : between(1s, 14s));
    });
    repeat(plan.wall_jumps, [this] { nodes[rng.below(nodes.size())]->view.jump_wall(between(-3600s, 3600s)); });
    repeat(plan.centre_faults, [this] { hit_centre(); });
    repeat(plan.centre_cuts, [this] {
        const std::string address = nodes[rng.below(nodes.size())]->address;
        net.partition(address, kCentreAddress, true);
        later(between(500ms, 15s), [this, address] { net.partition(address, kCentreAddress, false); });
    });
    repeat(plan.orders, [this] { give_order(someone()); });
    repeat(plan.node_orders, [this] { give_node_order(someone()); });
    later(plan.phase1 / 3, [this] {
        older_ = store.data();
        for (auto& node : nodes)
            if (node->running())
                node->older = node->node().parts().storage.state().get("fleet/prod/central").value_or("");
    });
}

void PopWorld::hit_road(PopNode& node) {
    SimCoordinator& road = node.road;
    switch (rng.below(7)) {
        case 0:
            road.loss = 0.3;
            break;
        case 1:
            road.delay_max = between(50ms, 900ms);
            break;
        case 2:
            road.late = 0.3;
            road.late_by = between(1s, 20s);
            break;
        case 3:
            road.watch_silent = true;
            break;
        case 4:
            road.watch_doubles = true;
            break;
        case 5:
            road.keep_answer_delay = between(500ms, 6s);
            break;
        default:
            road.lose_grants = 2;
            if (plan.revokes > 0) road.keep_lies = true;
    }
    later(between(1s, 12s), [&road] { road.heal(); });
}

void PopWorld::hit_node(PopNode& node) {
    using M = PopNode::Memory;
    const std::uint64_t kind = rng.below(3);
    const M hurt[] = {M::lost, M::old, M::damaged};
    const M memory = rng.chance(plan.memories) ? hurt[rng.below(3)] : M::kept;
    if (kind == 0 || memory != M::kept)
        node.crash(memory);
    else
        node.crash_at_next_write(kind == 1);
}

void PopWorld::hit_centre() {
    CentrePlan ill;
    const CentreMode modes[] = {CentreMode::error, CentreMode::refuse, CentreMode::hang, CentreMode::unavailable,
                                CentreMode::error};
    ill.mode = modes[rng.below(5)];
    if (rng.chance(0.3)) ill.share = 0.2 + 0.6 * rng.unit();
    note(std::string("centre ") + std::string(name(ill.mode)));
    central.apply(ill);
    later(between(1s, 14s), [this, turn = ++centre_turn_] {
        if (turn == centre_turn_) central.apply(CentrePlan{});
    });
}

void PopWorld::give_order(PopNode& node) {
    if (!node.running() || node.stalled()) return;
    const auto order = static_cast<FleetOrder>(rng.below(5));
    ++node.orders;
    note(std::string("order ") + std::string(name(order)) + " to the fleet, at " + node.name);
    node.node().membership()->order(order, Millis(1000 + rng.below(9000)), "uid 0", "simulated",
                                    [](const Result<void>&) {});
}

void PopWorld::give_node_order(PopNode& node) {
    if (!node.running() || node.stalled()) return;
    const CircuitForce forces[] = {CircuitForce::open, CircuitForce::closed, CircuitForce::none};
    Operators(node.node(), "sim").circuit(forces[rng.below(3)], Millis(1000 + rng.below(6000)), "simulated",
                                          [](const Result<void>&) {});
}

void PopWorld::heal() {
    healed_ = true;
    store.set_frozen(false);
    store.set_down(false);
    central.apply(CentrePlan{});
    for (auto& node : nodes) {
        node->road.heal();
        net.partition(node->address, kCentreAddress, false);
        node->start();
    }
    note("healed");
}

}  // namespace holdfast::sim
