// The safety rules of the shared circuit, judged from outside: over every state of the store and all that nodes do.
#include <algorithm>
#include <cmath>

#include "tests/sim/fleet_world.h"
#include "upstream/fleet_view.h"

namespace holdfast::sim {

void FleetWorld::violated(std::string what) {
    if (violations.size() < 20) violations.push_back(std::move(what));
}

// Each change of the store against the state before it: S3, S4, S5, and that the epoch rises by one.
void FleetWorld::judge_store() {
    FleetView view(FleetKeys("prod", "central"));
    static_cast<void>(view.load(store.data().range("/holdfast/prod/", 4096, loop.now().mono)));
    const auto before = judged_;
    const bool override_before = judged_override_;
    const std::string prober_before = judged_prober_;
    judged_override_ = view.override_stands();
    judged_prober_ = view.probe() ? view.probe()->value.node : "";
    if (!view.state()) return;
    const StateRecord now = view.state()->value;
    judged_ = now;
    if (!before || now == *before) return;
    const std::string at = " (epoch " + std::to_string(now.epoch) + ", " + now.cause + ")";
    if (now.epoch != before->epoch + 1) violated("the epoch did not rise by one" + at);
    const bool order = now.cause == "override" || now.cause == "override_ended";
    if (override_before && !order) violated("S5: an automatic transaction under an override" + at);
    if (order) return;
    if (before->state == CircuitState::closed) {
        std::size_t votes = 0;
        const auto share = static_cast<std::size_t>(std::ceil(options.quorum * static_cast<double>(view.live())));
        const std::size_t needed = view.live() <= 1 ? 1 : std::max<std::size_t>({2, options.min_votes, share});
        for (const auto& [node, vote] : view.votes()) {
            const auto* registered = view.node(node);
            if (registered && vote.lease == registered->lease && vote.value.epoch == before->epoch &&
                vote.value.cause != "volunteer")
                ++votes;
        }
        if (now.state != CircuitState::open || votes < needed)
            violated("S3: opened by " + std::to_string(votes) + " votes" + at);
    }
    if (before->state == CircuitState::half_open && prober_before != now.by)
        violated("S4: a verdict of " + now.by + " while " + prober_before + " probes" + at);
    if (before->state == CircuitState::open && now.state != CircuitState::half_open)
        violated("S4: open left without a probe" + at);
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
        if (v.state == CircuitState::half_open && v.probes_in_flight != n.held())
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
