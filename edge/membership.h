// A node's part in its fleet, as the node sees it: makes the Fleet over the store that was given, keeps what it must
// not forget in state/ before it is acted on, turns the fleet's override into an order of this node, and tells log,
// journal and events what happens. Only a node with coordination.kind = "etcd" has one. No request waits for it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "edge/base/rng.h"
#include "upstream/fleet.h"

namespace holdfast {

class Node;
struct NodeSeams;

class Membership {
  public:
    // A share of a budget counts the most nodes that were live within it, and the last place among them that this one
    // had: shares of nodes that vanished and come back are not spent twice.
    static constexpr Nanos kShareMemory = 1min;

    // Requires: seams.make_coordinator; `node` has its parts, and outlives it, as `rng` does.
    Membership(Node& node, const NodeSeams& seams, Rng& rng);
    Membership(const Membership&) = delete;
    Membership& operator=(const Membership&) = delete;

    void circuit_changed() { fleet_->circuit_changed(); }
    void reconfigured();  // the node's configuration is another now
    void tick(Now now);  // each second: the share of the budgets
    FleetStatus status() const { return fleet_->status(); }
    bool shared() const { return fleet_->mode() == FleetMode::shared; }
    // The operator's word for the whole fleet; see Fleet::order().
    void order(FleetOrder order, Nanos span, std::string by, std::string why, std::function<void(Result<void>)> done,
               std::optional<OrderKind> ends = {}) {
        fleet_->order(order, span, std::move(by), std::move(why), std::move(done), ends);
    }
    void accept_store() { fleet_->accept_store(); }
    void leave(std::function<void()> done) { fleet_->leave(std::move(done)); }
    void hand_over(std::function<void()> done) { fleet_->hand_over(std::move(done)); }

  private:
    void remember_share(const std::optional<std::string>& text);
    FleetMemory remembered() const;
    FleetOptions options(std::string instance) const;
    FleetHooks hooks(std::function<MonoTime()> clock);
    void happened(const FleetEvent& event);
    void store_said(bool good, const std::string& text);
    void tell(std::string_view event, const std::string& text, std::uint64_t epoch);
    void order_changed();

    Node& node_;
    std::string key_;       // in state/: "fleet/<fleet>/<upstream>"
    // The most of the last minute, or what was known last.
    struct Most {
        std::size_t value = 0;
        std::optional<MonoTime> at{};  // when it was so, or was read back; nothing: never known
        void see(std::size_t n, MonoTime t);
    };
    // Before the fleet was ever read it is taken for the largest there can be, and this node for its first, which gets
    // what is left over: the sum of such shares is a budget and a few more, and a node alone is not without any.
    Most nodes_{FleetView::kNodesMax}, rank_{0};
    // The fleet's override as it was applied last.
    FleetOrder order_ = FleetOrder::none;
    std::string order_by_, order_why_;
    MonoTime order_ends_{};
    bool begun_ = false;  // what a restart has read back is applied
    std::unique_ptr<Coordinator> store_;
    std::unique_ptr<Fleet> fleet_;
};

}  // namespace holdfast
