// What the store holds of one fleet, as last read or watched, and what follows from the votes alone: who is live, whose
// votes stand, how many are needed. It believes any readable record and judges no epoch: fleet_circuit does. Pure.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "upstream/fleet_records.h"
#include "upstream/store_types.h"

namespace holdfast {

template <typename T>
struct Stored {
    T value{};
    Revision mod = 0;
    Revision create = 0;
    LeaseId lease = 0;
};

class FleetView {
  public:
    // Nodes of one fleet: each vote of a quorum is one compare of a transaction, which holds kTxnOpsMax.
    static constexpr std::size_t kNodesMax = 120;
    static constexpr std::size_t kKeysMax = 4 * kNodesMax;  // below the prefix

    explicit FleetView(FleetKeys keys) : keys_(std::move(keys)) {}
    static constexpr std::size_t kLogMax = 4096;  // events that came while a read was under way

    void begin_read();  // a read leaves now
    // Everything anew, from a linearizable read of the prefix, and after it what came newer while it was under way.
    // With a revision below what was known when it left, only the answer counts: true, the store's revisions have
    // fallen.
    bool load(const RangeAnswer& answer);
    // Older and equal events are dropped, key by key.
    void apply(const WatchBatch& batch);
    // What a transaction of ours has put or erased at `revision`, ahead of its watch events.
    void apply_own(const std::vector<TxnOp>& done, Revision revision);

    const FleetKeys& keys() const { return keys_; }
    const std::optional<Stored<StateRecord>>& state() const { return state_; }
    const std::optional<Stored<OverrideRecord>>& order() const { return order_; }
    // Null: nobody has it. Nodes hang it on a lease; one that is on none would never end, and is nobody's.
    const Stored<ProbeRecord>* probe() const { return probe_ && probe_->lease != 0 ? &*probe_ : nullptr; }
    const std::map<std::string, Stored<VoteRecord>>& votes() const { return votes_; }
    const std::map<std::string, Stored<NodeRecord>>& nodes() const { return nodes_; }
    const Stored<VoteRecord>* vote_of(const std::string& node) const;
    const Stored<NodeRecord>* node(const std::string& name) const;
    Revision mod_of(const std::string& key) const;  // of a readable record or not; 0: not there
    // Whether any override is in the store, over or not.
    bool override_stands() const { return order_ && order_->value.order != FleetOrder::none; }
    // Why nothing here may be acted upon: a record of state, override or probe that cannot be read, or too many keys.
    std::optional<std::string> problem() const;

    // Of what is registered, readable or not, that which hangs on a lease and is not of another upstream.
    std::size_t live() const { return live_.size(); }
    bool is_live(const std::string& node) const { return live_.contains(node); }
    // How many live nodes come before this one by name.
    std::size_t rank(const std::string& node) const;
    // Whether a node is seen to have registered since the last load: what compares with that load fails.
    bool joined() const;
    // Nodes whose vote is for the state's epoch and hangs on the lease that they are registered under.
    std::vector<std::string> standing() const;
    bool stands(const std::string& node) const;
    // Q = max(min_votes, ceil(quorum * live)), at least 2 but for a fleet of one.
    std::size_t needed(std::uint32_t min_votes, double quorum) const;

    Revision loaded() const { return loaded_; }    // of the last load
    Revision changed() const { return changed_; }  // the newest change seen below the prefix

  private:
    void take(const WatchEvent& event);
    void put(const KeyValue& kv);
    void erase(const std::string& key, Revision mod);
    template <typename T, typename Decode>
    void keep(std::optional<Stored<T>>& to, const KeyValue& kv, Decode decode);
    template <typename T, typename Decode>
    void keep(std::map<std::string, Stored<T>>& to, const std::string& name, const KeyValue& kv, Decode decode);
    void count_live();

    FleetKeys keys_;
    std::optional<Stored<StateRecord>> state_;
    std::optional<Stored<OverrideRecord>> order_;
    std::optional<Stored<ProbeRecord>> probe_;
    std::map<std::string, Stored<VoteRecord>> votes_;
    std::map<std::string, Stored<NodeRecord>> nodes_;
    struct Bad {
        std::string why;
        LeaseId lease = 0;
    };
    std::map<std::string, Bad> bad_;  // by key: a vote among them does not count, a node may
    std::set<std::string> live_;      // nodes
    struct Seen {
        Revision mod = 0;
        bool erased = false;
    };
    std::map<std::string, Seen> seen_;  // mod revision of each key, also of erased ones since the load
    std::vector<WatchEvent> log_;       // since begin_read()
    Revision known_ = 0;                // when it was called
    bool too_many_ = false;
    Revision loaded_ = 0;
    Revision changed_ = 0;
};

}  // namespace holdfast
