// A node's link to its fleet: keeps the lease, the read and the watch going, sends what FleetCircuit wants, one at a
// time, and hands what it may believe to the circuit. No request ever waits for it: the circuit holds the belief with
// its end, so that a store that is away, slow or frozen changes nothing but that end. Everything here happens on the
// loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "edge/base/rng.h"
#include "edge/net/loop.h"
#include "upstream/coordinator.h"
#include "upstream/fleet_circuit.h"

namespace holdfast {

class Circuit;

// All but `save` may be empty. None may destroy the Fleet.
struct FleetHooks {
    // Makes the memory durable (FleetMemory, encode()), then calls back, not inside the call; false: it could not.
    std::function<void(const FleetMemory&, std::function<void(bool)>)> save;
    // The circuit was changed from here: Upstream::circuit_touched().
    std::function<void()> on_circuit_touched;
    std::function<void(const FleetEvent&)> on_event;    // log, journal, last events
    std::function<void()> on_order;                     // the fleet's override has begun, changed or ended
    std::function<MonoTime()> clock = MonoClock::read;  // CLOCK_BOOTTIME at the moment of use
};

struct FleetPeer {
    std::string name, region;
    bool self = false;
    bool voted = false;      // its vote stands
    bool disagrees = false;  // the central circuit is not closed, and its own is
    bool probing = false;
    bool readable = true;
    bool counted = true;  // among the live nodes: it hangs on a lease, and is of this upstream or does not tell
    std::string upstream;
    // Whether it stands or not: one for an older epoch waits to be renewed, as its node still has it.
    std::optional<VoteRecord> vote;
    CircuitState own = CircuitState::closed;
    bool proof = false;
    std::uint64_t epoch = 0;
    Revision revision = 0;                 // of its record
    std::optional<Nanos> skew;             // of its wall clock against ours, with the way of the message in it
    std::optional<Nanos> lease_remaining;  // ours only: the store tells of no other's
};

// For a node's share of a budget: live nodes as last read, at least 1, and how many of them come before it by name.
struct FleetShare {
    std::size_t nodes = 1;
    std::size_t rank = 0;  // below `nodes`
};

// For status, peers, circuit show and metrics: a copy.
struct FleetStatus {
    FleetMode mode = FleetMode::autonomous;
    std::string why;    // autonomous: why
    std::string alarm;  // what an operator must look at; empty: nothing
    std::string store;  // endpoint in use
    bool lease_valid = false;
    Nanos lease_remaining{0};
    Revision revision = 0;  // of the last read
    std::uint64_t cluster = 0;
    CircuitState central = CircuitState::closed;  // as last applied
    std::uint64_t epoch = 0;
    std::string cause, by;
    Nanos since{0};  // how long ago it was applied here
    std::optional<Nanos> retry_in;
    std::size_t live = 0, votes = 0, needed = 0;
    std::string prober;  // empty: nobody
    FleetOrder order = FleetOrder::none;
    std::string order_by, order_why;
    MonoTime order_ends{};
    Nanos order_left{0};
    std::vector<FleetPeer> peers;  // in order of their names, this node among them
};

class Fleet {
  public:
    static constexpr Nanos kBeat = 100ms;         // looks at what time alone has made due
    static constexpr Nanos kBackoffBase = 250ms;  // of failed requests; doubles, with full jitter
    static constexpr Nanos kBackoffTop = 8s;

    // Requires: all references outlive it. An order to the fleet that `memory` knows binds the circuit from here on; no
    // hook is called inside. Begins by itself, and after a random part of `spread`, so that nodes that start together
    // do not ask together.
    Fleet(Coordinator& store, Loop& loop, Rng& rng, Circuit& circuit, FleetOptions options, FleetMemory memory,
          FleetHooks hooks, Nanos spread = 250ms);
    ~Fleet();  // lets go at once; the leases run out by themselves
    Fleet(const Fleet&) = delete;
    Fleet& operator=(const Fleet&) = delete;

    // A reload of the circuit's options and of the hard timeout of one try. Before any call that it applies to.
    void reconfigure(Nanos probe_limit, const CircuitOptions& circuit);
    // Something was reported to the circuit: looks at it at the end of this turn.
    void circuit_changed();
    FleetStatus status() const;
    FleetMode mode() const;
    FleetShare share() const;
    // The fleet's override while it is in force here, with what is left of it; none: there is none.
    FleetOrder order_in_force() const;
    // Sets an override for the whole fleet, or with FleetOrder::none ends it. `done` once, not inside this call, within
    // kStoreTimeoutMax times three. Code::unavailable when this node is not linked to its fleet now, Code::exists while
    // another order is under way, when one came first of those that were not known here when this one was given, or
    // when what stands is not of the kind that `none` is to end (`ends`; empty: of any).
    void order(FleetOrder order, Nanos span, std::string by, std::string why, std::function<void(Result<void>)> done,
               std::optional<OrderKind> ends = {});
    void accept_store();  // see FleetCircuit
    // Gives the leases back (drain). `done` when the store has answered or did not in time; nothing is begun
    // afterwards.
    void leave(std::function<void()> done);
    // As leave(), but for a new process of this node, which takes over its name: the node's lease stays until then, or
    // until it runs out, so that nobody's vote counts for more meanwhile. The probe's is given back.
    void hand_over(std::function<void()> done);

  private:
    class Link;
    std::unique_ptr<Link> link_;
};

}  // namespace holdfast
