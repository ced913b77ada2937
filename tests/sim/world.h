// One seed, one world: a whole production node with its disk, a centre, clients, an operator, troubles, then healing,
// convergence and an orderly end. run() answers with what was violated; the same seed gives the same history.
#pragma once

#include <memory>
#include <string>

#include "edge/node.h"
#include "edge/operators.h"
#include "tests/sim/checkers.h"
#include "tests/sim/clients.h"
#include "tests/sim/faults.h"
#include "tests/sim/sim_central.h"
#include "tests/sim/sim_offload.h"

namespace holdfast::sim {

struct WorldOptions {
    std::uint64_t seed = 1;
    Mutant mutant = Mutant::none;
    bool verbose = false;
};

struct WorldReport {
    std::uint64_t seed = 0;
    std::string plan;
    std::uint64_t hash = 0;
    std::uint64_t events = 0;
    std::size_t requests = 0, answered = 0, live = 0, cached = 0, featured = 0, provisional = 0, refused = 0, lost = 0;
    std::size_t calls = 0, crashes = 0;
    Nanos healed_within{0};  // from the healing until everything was well and stayed so
    std::uint64_t violation_count = 0;
    std::vector<Violation> violations;
    bool ok() const { return violation_count == 0; }
    bool broke(const std::string& rule) const;
    std::string text() const;  // a few lines
};

WorldReport run_world(const WorldOptions& options);

// A folder for one world's files, on a file system in memory where there is one; removed with everything in it.
class WorldFolder {
  public:
    WorldFolder();
    ~WorldFolder();
    WorldFolder(const WorldFolder&) = delete;
    WorldFolder& operator=(const WorldFolder&) = delete;
    const std::string& path() const { return path_; }
    void write(const std::string& name, const std::string& bytes) const;

  private:
    std::string path_;
};

class World {
  public:
    explicit World(const WorldOptions& options);
    ~World();
    WorldReport run();

  private:
    // lifecycle
    bool start_node();
    void crash_node();
    bool up() const { return node_ != nullptr; }
    void end_node();
    void check_second_start();
    // operator
    void order(Rng& rng, bool live);
    void order_circuit(Rng& rng);
    void order_revoke(Rng& rng);
    void orders_over();
    void told(const std::string& what, const Result<void>& done);
    // phases
    void sample();
    void converge();
    bool converged() const;
    void ask_after_healing();
    void reconcile();
    WorldReport report() const;
    std::optional<MonoTime> open_since() const;
    void bad(std::string_view rule, const std::string& what);
    MonoTime now() const { return world_.now().mono; }

    WorldOptions options_;
    WorldPlan plan_;
    WorldFolder folder_;
    std::optional<Config> config_;
    History history_;
    OrderBook orders_;
    SimLoop world_;
    SimNet net_;
    NodeView node_view_;
    SimHost node_host_;
    SimOffload offload_;
    SimCentral central_;
    JournalWatch journal_;
    Checkers checkers_;
    std::unique_ptr<Node> node_;
    std::unique_ptr<Clients> clients_;
    std::unique_ptr<Faults> faults_;
    std::unique_ptr<Timer> sampler_;
    std::uint64_t starts_ = 0;
    MonoTime healed_at_{}, well_at_{};
    bool left_open_ = false;  // the circuit had been open for a while when the node was killed
    std::size_t down_ = 0;    // index of the trouble "node down"
};

}  // namespace holdfast::sim
