// The safety rules of the shared circuit, judged from outside over all that nodes do; of the store: store_judge.
#include "tests/sim/fleet_world.h"

namespace holdfast::sim {

void FleetWorld::violated(std::string what) {
    if (violations.size() < 20) violations.push_back(std::move(what));
}

// S1, S2 and S6 over the nodes.
void FleetWorld::judge_nodes() {
    std::size_t probing = 0;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        FleetNode& n = *nodes[i];
        if (n.disk.epoch != 0 && n.disk.epoch < epochs_[i]) violated("S1: the epoch of " + n.name + " fell");
        epochs_[i] = n.disk.epoch;
        if (!n.running()) continue;
        if (n.probes() > 0) ++probing;
        if (n.view.stalled_until() > loop.now().mono) continue;
        const CircuitView v = n.circuit->view(n.view.now());
        const bool probes = v.leased && v.leased->bind == Leased::Bind::probe;  // perhaps beside what it serves
        if ((v.state == CircuitState::half_open || (probes && v.forced == Forced::none)) &&
            v.probes_in_flight != n.held())
            violated("a place in the round of probes of " + n.name + " is held by nobody");
        if (v.leased && v.leased->epoch > n.disk.epoch) violated("S1: " + n.name + " acts on what is not durable");
        if (excused_leases || !v.leased) continue;
        bool live = false;
        for (const KeyValue& kv : store.data().range("/holdfast/prod/node/" + n.name, 2, loop.now().mono).kvs)
            if (kv.key == "/holdfast/prod/node/" + n.name && kv.lease != 0) live = true;
        if (!live) violated("S6: " + n.name + " acts on the shared state without a lease in the store");
    }
    if (probing > 1 && !excused_probes) violated("S2: " + std::to_string(probing) + " nodes probe");
}

} // namespace holdfast::sim
