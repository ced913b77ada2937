// A node in a fleet: joining at the start, leaving at the end, and what shows of it.
#include "edge/base/log.h"
#include "edge/node.h"

namespace holdfast {

Result<void> Node::join_fleet() {
    const CoordinationConfig& coordination = config().coordination;
    if (!coordination.shared()) return {};
    if (!seams_.make_coordinator)
        return fail(Code::unsupported, Origin::local, "coordination.kind = \"etcd\": there is no road to a store here");
    membership_ = std::make_unique<Membership>(*this, seams_, rng_);
    metrics_->coordination_shared().Set(1);
    log::info("fleet: {} in {}, over {}", config().node.name, coordination.fleet, membership_->status().store);
    return {};
}

void Node::refresh_lease() {
    if (membership_ == nullptr) return;  // the gauges stay 0: it holds none
    const FleetStatus status = membership_->status();
    const bool shared = status.mode == FleetMode::shared;  // a lease alone is no proof of what the store says now
    metrics_->lease_valid().Set(shared ? 1 : 0);
    metrics_->lease_remaining_seconds().Set(shared ? in_seconds(status.lease_remaining) : 0);
    // `degraded` and `live` are among the overrides; what binds through the circuit is not.
    if (status.order == FleetOrder::open || status.order == FleetOrder::closed)
        metrics_->override_remaining_seconds().Set(
            std::max(metrics_->override_remaining_seconds().Value(), in_seconds(status.order_left)));
}

// The lease is given back, or left to the successor, while the storage is synced; the store is waited for only as long
// as that takes and, where nobody follows, a little more.
void Node::leave_fleet() {
    if (membership_ == nullptr) return;
    leaving_ = true;
    auto left = [this] {
        leaving_ = false;
        if (synced_) shut_down_over({});
    };
    if (handing_over_)
        membership_->hand_over(std::move(left));
    else
        membership_->leave(std::move(left));
}

void Node::synced_over(Result<void> synced) {
    // Clients of a hand-over wait for the successor, and it joins anew.
    if (!leaving_ || hurried_ || handing_over_ || !synced) return shut_down_over(std::move(synced));
    synced_ = true;
    drain_timer_ = seams_.loop.after(kLeaveMax, [this] { shut_down_over({}); });
}

}  // namespace holdfast
