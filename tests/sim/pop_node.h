// One whole node of a simulated fleet: the production node with its disk on a machine of its own, its road to the store
// with all faults, its callers, its crashes and what a crash may do to the epoch that it knew.
#pragma once

#include <memory>
#include <string>

#include "edge/membership.h"
#include "edge/node.h"
#include "tests/sim/pop_caller.h"
#include "tests/sim/sim_offload.h"
#include "tests/sim/sim_store.h"
#include "tests/sim/world.h"

namespace holdfast::sim {

class PopWorld;

class PopNode {
  public:
    enum class Memory : std::uint8_t { kept, lost, old, damaged };

    PopNode(PopWorld& world, std::size_t number);
    ~PopNode();
    PopNode(const PopNode&) = delete;
    PopNode& operator=(const PopNode&) = delete;

    void start();
    void crash(Memory memory = Memory::kept);
    // Before it reaches the store, or after that and with its answer lost.
    void crash_at_next_write(bool applied) { armed_ = applied; }
    bool running() const { return node_ != nullptr; }
    bool stalled() const;
    // Whether a crash or a standstill lies between then and now.
    bool disturbed_since(MonoTime t) const { return last_disturbance_ >= t || stalled() || !running(); }
    void stall(Nanos span);

    Node& node() { return *node_; }
    CircuitView circuit() { return node_->parts().upstream.circuit().view(view.now()); }
    FleetStatus fleet() const { return node_->membership()->status(); }
    bool shared() const { return running() && node_->membership()->shared(); }
    void give_up();                       // the orderly end; `gone` when it is over
    void forget() { node_.reset(); }      // Requires: gone
    bool gone = false;

    std::string name, address;
    NodeView view;
    SimHost host;
    SimOffload offload;
    WorldFolder folder;
    SimCoordinator road;
    PopCaller caller;
    std::uint64_t acted = 0;      // the newest epoch that it was seen to act on, while its memory is whole
    std::uint64_t crashes = 0;
    std::uint64_t orders = 0;     // of the fleet, given here
    std::string older;            // what it had on disk of the epoch some time ago

  private:
    void kill(Memory memory);
    bool dies_of(bool applied);
    PopWorld& world_;
    Config config_;
    std::unique_ptr<Node> node_;
    std::uint64_t starts_ = 0;
    MonoTime last_disturbance_{};
    std::optional<bool> armed_;  // to die at the next write
    std::unique_ptr<Timer> restart_;
};

}  // namespace holdfast::sim
