// What must hold of a fleet's nodes at every moment, judged from outside where that is possible: from the store, the
// centre and the callers. Where the node is asked about itself (its circuit, its belief), the store says what is right.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/pop_world.h"

namespace holdfast::sim {
namespace {

using Bind = Leased::Bind;

constexpr std::size_t kSpan = 100;      // samples, ten seconds
constexpr std::int64_t kWritesMax = 12;  // in them
constexpr int kWrongMax = 3;             // samples: a belief may end between two looks

CircuitState state_of(Bind bind) {
    return bind == Bind::closed ? CircuitState::closed
           : bind == Bind::open ? CircuitState::open
                                : CircuitState::half_open;
}

}  // namespace

// The reference: which state must bind a node, by the precedence of LEASE, from what is known of it. It shares no line
// with Circuit.
CircuitState PopWorld::expected(PopNode& node, const CircuitView& view) const {
    if (view.forced != Forced::none) return view.own;
    const FleetOrder order = node.fleet().order;
    if (order == FleetOrder::open) return CircuitState::open;
    if (order == FleetOrder::closed) return CircuitState::closed;
    const bool believes = view.leased && view.leased->bind != Bind::none;
    if (!believes || view.leased->bind == Bind::closed) return view.own;
    if (view.own == CircuitState::closed && view.proof) return CircuitState::closed;
    const bool probes = view.leased->bind == Bind::probe;  // also while its own circuit is open
    return view.own == CircuitState::open && !probes ? CircuitState::open : state_of(view.leased->bind);
}

void PopWorld::judge_belief(PopNode& node) {
    const CircuitView view = node.circuit();
    if (!view.leased || view.leased->bind == Bind::none) return;
    const Leased& leased = *view.leased;
    if (plan.restores > 0) return;  // epochs begin again when an operator accepts the store
    if (leased.epoch < node.acted)
        bad("S1", fmt::format("{} acts on epoch {} after {}", node.name, leased.epoch, node.acted));
    node.acted = std::max(node.acted, leased.epoch);
    const StateRecord* truth = judge.at(leased.epoch);
    if (truth == nullptr || truth->state != state_of(leased.bind))
        bad("belief", fmt::format("{} believes {} at epoch {}, which was never so", node.name,
                                  name(state_of(leased.bind)), leased.epoch));
    if (excused()) return;
    const std::string key = "/holdfast/prod/node/" + node.name;
    const auto there = store.data().range(key, 2, loop.now().mono).kvs;
    if (std::none_of(there.begin(), there.end(), [&](const KeyValue& kv) { return kv.key == key && kv.lease != 0; }))
        bad("S6", node.name + " acts on the shared state without a lease in the store");
}

// S9: one write a second, but for orders and what a start writes.
void PopWorld::judge_writes() {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const PopNode& node = *nodes[i];
        auto& writes = seen_[i].writes;
        writes.push_back(static_cast<std::int64_t>(node.road.writes) - 3 * static_cast<std::int64_t>(node.orders) -
                         2 * static_cast<std::int64_t>(node.crashes));
        if (writes.size() <= kSpan) continue;
        if (writes.back() - writes.front() > kWritesMax)
            bad("S9", fmt::format("{} writes in ten seconds by {}", writes.back() - writes.front(), node.name));
        writes.pop_front();
    }
}

void PopWorld::sample() {
    std::vector<std::string> probers;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        PopNode& node = *nodes[i];
        if (!node.running() || node.stalled()) continue;
        const CircuitView view = node.circuit();
        if (view.leased && view.leased->bind == Bind::probe) probers.push_back(node.name);
        judge_belief(node);
        seen_[i].wrong = view.state == expected(node, view) ? 0 : seen_[i].wrong + 1;
        if (seen_[i].wrong == kWrongMax)
            bad("precedence", fmt::format("{} is {}, and {} must bind", node.name, name(view.state),
                                          name(expected(node, view))));
    }
    if (probers.size() > 1 && !excused())
        bad("S2", fmt::format("{} and {} both believe that they probe", probers[0], probers[1]));
    judge_writes();
}

void PopWorld::judge_call(const CentreCall& call) {
    if (call.verdict) verdicts_[call.order_no] = name(*call.verdict);
    if (call.probe_epoch == 0) return;
    ++report_.probes;
    note(fmt::format("probe of {} for epoch {}", call.node, call.probe_epoch));
    // What a cut road held back arrives when it may.
    if (excused() || plan.centre_cuts > 0 || plan.stalls > 0) return;
    if (!judge.prober().empty() && judge.prober() != call.node)
        bad("S2", fmt::format("a probe of {} while {} has the lease", call.node, judge.prober()));
    if (judge.state() && call.probe_epoch > judge.state()->epoch)
        bad("S4", fmt::format("a probe for epoch {}, the store is at {}", call.probe_epoch, judge.state()->epoch));
}

// S7, and what an answer is.
void PopWorld::answered(PopNode& node, const PopAsk& ask) {
    ++report_.requests;
    note(fmt::format("{} {} {} {}", ask.order, ask.status, ask.source, ask.code));
    if (ask.status < 0) {
        ++report_.lost;
        if (!node.disturbed_since(ask.sent)) bad("answered", ask.order + " got no answer from " + node.name);
        return;
    }
    if (ask.ended - ask.sent > NodeNumbers::kDeadline + 200ms && !node.disturbed_since(ask.sent))
        bad("S7", fmt::format("{} took {}", ask.order, format_duration(ask.ended - ask.sent)));
    if (ask.status != 200) {
        ++report_.refused;
        const bool known = ask.status == 503 || ask.status == 502 || ask.status == 504 ||
                           (ask.status == 401 && (plan.memories > 0 || plan.wall_jumps > 0));
        if (!known) bad("answered", fmt::format("{} got {} {}", ask.order, ask.status, ask.code));
        return;
    }
    const bool live = ask.source == "live";
    ++(live ? report_.live : report_.degraded);
    if (ask.degraded == live) bad("degraded-marked", ask.order + " came from " + ask.source);
    if (!live) return;
    const auto said = verdicts_.find(ask.order);
    if (said == verdicts_.end() || said->second != ask.outcome)
        bad("live-from-centre", ask.order + " is " + ask.outcome + ", the centre never said so");
}

}  // namespace holdfast::sim
