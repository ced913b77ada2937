// A fleet in one simulated world: real Circuits and Fleets, each on its own clock, over a simulated store, with callers
// and a centre reduced to what the circuit sees of them: tries that succeed or fail. fleet_rules judges it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/sim_loop.h"
#include "tests/sim/store_judge.h"
#include "upstream/circuit.h"
#include "upstream/fleet.h"

namespace holdfast::sim {

class FleetWorld;

class FleetNode {
  public:
    FleetNode(FleetWorld& world, std::string name);
    ~FleetNode();

    void start();
    void crash(); // no goodbye
    void restart() { crash(), start(); }
    void disk_answers();  // all that it was asked while it hung, and from now on
    bool running() const { return fleet != nullptr; }
    CircuitState state() { return circuit->view(view.now()).state; }
    CircuitState own() { return circuit->view(view.now()).own; }
    bool shared() const { return fleet && fleet->mode() == FleetMode::shared; }
    std::uint64_t epoch() const { return disk.epoch; }
    bool saw(const std::string& text) const;
    std::size_t probes() const; // for the fleet, under way
    std::size_t held() const;   // places in the round of probes, that calls under way hold

    FleetWorld& world;
    std::string name;
    Rng rng;
    NodeView view;
    SimCoordinator store;
    std::unique_ptr<Circuit> circuit;
    std::unique_ptr<Fleet> fleet;
    FleetMemory disk;               // durable
    std::string snapshot;           // of the circuit
    bool disk_works = true;
    bool disk_hangs = false;        // answers nothing, until disk_answers()
    bool road = true;               // to the centre
    Nanos every = 20ms;             // between calls; 0: no callers
    Nanos call_takes = 10ms;
    Nanos pause_before_send{0};     // between admission and the clock that is read before the bytes leave
    bool ignores_clock = false;     // does not read it: a planted fault
    double leaves = 0;              // share of calls that are given up after admission
    std::uint64_t admitted = 0, refused = 0, failed = 0;
    std::vector<FleetEvent> events;
    std::uint64_t lives = 0;

  private:
    struct Try;
    void arrive();
    void send(Try& one);
    void end(Try& one);
    void touched();
    void saved(const FleetMemory& memory, const std::function<void(bool)>& done);
    std::unique_ptr<Timer> arrivals_, second_;
    std::vector<std::function<void()>> hung_;
    std::vector<std::unique_ptr<Try>> tries_; // a Try may be captured: only arrive() and crash() drop one
    std::uint64_t subject_ = 0;
};

class FleetWorld {
  public:
    explicit FleetWorld(std::size_t nodes, std::uint64_t seed = 1, FleetOptions options = {});
    ~FleetWorld();

    void start();
    void run(Nanos span);
    bool run_until(const std::function<bool()>& done, Nanos limit);
    bool all(const std::function<bool(FleetNode&)>& holds);
    bool all_are(CircuitState state);
    bool all_shared();
    std::optional<StateRecord> state();    // in the store
    std::string prober();                  // in the store
    // By hand, on no lease, or on one that is kept for ever; the key.
    std::string put(const std::string& below, const std::string& value, bool leased = false);
    void no_violations();                  // CHECKs
    void violated(std::string what);

    Rng rng;
    SimLoop loop;
    SimStore store;
    FleetOptions options;
    bool centre = true;                    // serves
    int centre_failures = 0;               // so many calls fail though it serves
    std::vector<std::unique_ptr<FleetNode>> nodes;
    FleetNode& node(std::size_t i) { return *nodes[i]; }
    std::vector<std::string> violations;
    bool excused_probes = false;           // the schedule breaks one of the assumptions of S2
    bool excused_leases = false;           // the store revokes early or lies
    std::uint64_t newest_probe_epoch = 0;  // that the centre saw

  private:
    friend class FleetNode;
    void judge_nodes();

    StoreJudge store_judge_;
    std::vector<std::uint64_t> epochs_;
    std::unique_ptr<Timer> judge_;
};

} // namespace holdfast::sim
