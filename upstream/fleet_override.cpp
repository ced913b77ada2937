// The fleet's override at one node: from when and until when it binds.
#include <algorithm>
#include <utility>

#include "upstream/fleet_circuit.h"

namespace holdfast {

// One that begins binds at once. One that is ended binds until the epoch of its end is applied: in between the node
// would go by the state of before, and an outage would end and begin anew. A disk that hangs keeps it no longer than
// the node's belief.
void FleetCircuit::see_override(bool live, Now now) {
    if (!loaded_ok_) return;
    const auto& stored = view_.order();
    const Revision mod = stored ? stored->mod : 0;
    if (mod == order_mod_) return;
    order_mod_ = mod;
    const OverrideRecord next = stored ? stored->value : OverrideRecord();
    ending_.reset();
    const std::uint64_t epoch = view_.state() ? view_.state()->value.epoch : 0;
    if (next.order != FleetOrder::none || epoch <= memory_.epoch || !override_in_force(now.mono))
        return take_order(next, live, now);
    ending_ = Ending{next, epoch, now.mono + options_.lease_ttl};
}

// An override lasts from when it was seen to come, else until its author's deadline, and never longer than it was to.
void FleetCircuit::take_order(const OverrideRecord& next, bool live, Now now) {
    const bool same = next == order_;
    const OverrideRecord before = std::exchange(order_, next);
    if (same) return;  // known from the last life
    order_read_ = !live;
    order_clear_ = now.mono + order_.span;
    order_until_ = live ? order_clear_ : now.mono;
    if (order_read_) reckon_order(now.wall, now);
    if (const auto* there = author(); order_read_ && there) reckon_order(there->value.wall + kNodeRefresh, now);
    if (before.order == FleetOrder::none && order_.by.empty()) return;  // the record of one that was over is gone
    const auto whose = [](const OverrideRecord& o) { return std::string(name(o.order)) + " by " + o.by; };
    // One that is erased has no author.
    say(FleetEvent::Kind::order, order_.order == FleetOrder::none && order_.by.empty()
                                     ? "override " + whose(before) + " has ended: the store has none"
                                     : "override " + whose(order_) + ": " + order_.why);
}

// `by_author`: what the wall clock of its author shows now. The latest end that any of the clocks says is the one: who
// saw the order come ends it for all.
void FleetCircuit::reckon_order(WallTime by_author, Now now) {
    const Nanos left(order_.deadline - by_author);
    order_until_ = std::max(order_until_, std::min(now.mono + std::clamp(left, Nanos{0}, order_.span), order_clear_));
}

// The record of the node that took the order, by whose clock its deadline is: while one stands nothing else is written
// to the state.
const Stored<NodeRecord>* FleetCircuit::author() const {
    const auto* record = view_.state() ? view_.node(view_.state()->value.by) : nullptr;
    return record != nullptr && record->lease != 0 ? record : nullptr;
}

// When the override ends by this node's wall clock, for its next life: the author's may be wrong. Told anew only when
// the clock was set, so that it is not written all the time.
WallTime FleetCircuit::order_wall(Now now) {
    if (order_.order == FleetOrder::none) return order_wall_ = {};
    const WallTime end = std::chrono::floor<Millis>(now.wall + (order_until_ - now.mono));
    if (std::chrono::abs(end - order_wall_) > 1s) order_wall_ = end;
    return order_wall_;
}

MonoTime FleetCircuit::order_until() const {
    return ending_ ? std::min(order_until_, ending_->until) : order_until_;
}

bool FleetCircuit::override_in_force(MonoTime t) const {
    return order_.order != FleetOrder::none && t < order_until();
}

}  // namespace holdfast
