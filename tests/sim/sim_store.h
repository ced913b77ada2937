// The store of a simulated fleet and each node's road to it: MemoryStore behind delay, loss, one-way cuts, a freeze, a
// restart, older data after a restore, a silent watch, renewals that lie. Time of the store is the world's; a node's
// timeouts follow its own clock. A request that is cut off may have been applied, and says so.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "edge/base/rng.h"
#include "tests/sim/sim_loop.h"
#include "upstream/coordinator.h"
#include "upstream/memory_store.h"

namespace holdfast::sim {

class SimCoordinator;

class SimStore {
  public:
    SimStore(SimLoop& world, Rng& rng) : world_(world), rng_(rng) {}

    MemoryStore& data() { return data_; }
    SimLoop& world() { return world_; }
    Rng& rng() { return rng_; }
    // After any change: tells the watches and waits for the next lease to end. on_change sees every state of the data.
    void changed();
    void restore(MemoryStore older); // revisions fall, watches break
    void break_watches();
    void set_down(bool refuses) { refuses_ = refuses; } // connections are refused
    void set_frozen(bool frozen) { frozen_ = frozen; }  // requests hang
    bool refuses() const { return refuses_; }
    bool frozen() const { return frozen_; }
    std::function<void()> on_change;

  private:
    friend class SimCoordinator;
    SimLoop& world_;
    Rng& rng_;
    MemoryStore data_;
    bool refuses_ = false, frozen_ = false;
    std::vector<SimCoordinator*> roads_;
    std::unique_ptr<Timer> expiry_;
    bool telling_ = false;
};

class SimCoordinator : public Coordinator {
  public:
    SimCoordinator(SimStore& store, NodeView& node);
    ~SimCoordinator() override;

    bool to = true, back = true;    // one-way cuts
    double loss = 0;                // of a message, either way; a watch then loses its connection
    Nanos delay_min = 1ms, delay_max = 3ms;
    bool watch_silent = false;      // connected, and nothing comes
    bool watch_doubles = false;     // each batch twice, and the one before once more
    bool keep_lies = false;         // a renewal says OK whatever the store says
    Nanos keep_answer_delay{0};     // on top, of renewals' answers
    int lose_grants = 0;            // so many grant answers are lost
    double late = 0;                // share of transactions that reach the store up to `late_by` later than they left
    Nanos late_by{0};
    // Asked after a transaction was applied: true loses its answer.
    std::function<bool(const Txn&)> lose_txn_answer;
    // Asked when a transaction leaves (false) and after it was applied (true): true loses it, or its answer.
    std::function<bool(bool applied)> on_txn;
    std::uint64_t writes = 0;       // transactions that left
    void heal();                    // nothing is wrong with it any more

    [[nodiscard]] StoreHandle grant(Nanos ttl, Nanos timeout, Done<LeaseGranted> done) override;
    [[nodiscard]] StoreHandle keep_alive(LeaseId lease, Nanos timeout, Done<LeaseKept> done) override;
    [[nodiscard]] StoreHandle revoke(LeaseId lease, Nanos timeout, Done<StoreHeader> done) override;
    [[nodiscard]] StoreHandle range(std::string prefix, std::size_t limit, Nanos timeout,
                                    Done<RangeAnswer> done) override;
    [[nodiscard]] StoreHandle txn(Txn txn, Nanos timeout, Done<TxnAnswer> done) override;
    [[nodiscard]] StoreHandle watch(std::string prefix, Revision from, Nanos timeout, WatchHandlers handlers) override;
    std::string describe() const override { return "simulated"; }

  private:
    friend class SimStore;
    template <typename T>
    struct Request;
    struct Watch;
    Nanos delay();
    bool arrives(bool way);
    // `work` runs at the store; its answer comes back unless it is lost.
    template <typename T>
    StoreHandle ask(Nanos timeout, Done<T> done, std::function<Result<T>()> work,
                    std::function<bool(const Result<T>&)> loses = {}, Nanos more = {}, Nanos held = {});
    void tell();
    void break_watches(WatchEnd::Why why);

    SimStore& store_;
    NodeView& node_;
    std::vector<Watch*> watches_;
};

// What a whole node owns of its road: the road itself, with messages under way, belongs to the world and outlives it.
class BorrowedRoad : public Coordinator {
  public:
    explicit BorrowedRoad(SimCoordinator& road) : road_(road) {}
    [[nodiscard]] StoreHandle grant(Nanos ttl, Nanos timeout, Done<LeaseGranted> done) override {
        return road_.grant(ttl, timeout, std::move(done));
    }
    [[nodiscard]] StoreHandle keep_alive(LeaseId lease, Nanos timeout, Done<LeaseKept> done) override {
        return road_.keep_alive(lease, timeout, std::move(done));
    }
    [[nodiscard]] StoreHandle revoke(LeaseId lease, Nanos timeout, Done<StoreHeader> done) override {
        return road_.revoke(lease, timeout, std::move(done));
    }
    [[nodiscard]] StoreHandle range(std::string prefix, std::size_t limit, Nanos timeout,
                                    Done<RangeAnswer> done) override {
        return road_.range(std::move(prefix), limit, timeout, std::move(done));
    }
    [[nodiscard]] StoreHandle txn(Txn txn, Nanos timeout, Done<TxnAnswer> done) override {
        return road_.txn(std::move(txn), timeout, std::move(done));
    }
    [[nodiscard]] StoreHandle watch(std::string prefix, Revision from, Nanos timeout, WatchHandlers handlers) override {
        return road_.watch(std::move(prefix), from, timeout, std::move(handlers));
    }
    std::string describe() const override { return road_.describe(); }

  private:
    SimCoordinator& road_;
};

} // namespace holdfast::sim
