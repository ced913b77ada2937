// A small store in memory with the semantics that coordinator.h asks for: revisions, leases, guarded transactions, a
// history for watches. It serves a node that stands alone and, in tests, a whole fleet. Time comes in as a value; it
// calls nobody: who owns it carries its answers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "upstream/store_types.h"

namespace holdfast {

class MemoryStore {
  public:
    static constexpr std::size_t kHistoryMax = 4096;  // batches kept for watches; older revisions are compacted away
    static constexpr std::size_t kLeasesMax = 4096;
    static constexpr std::size_t kKeysMax = kRangeLimitMax;

    explicit MemoryStore(std::uint64_t cluster = 1) : cluster_(cluster) {}

    Result<LeaseGranted> grant(Nanos ttl, MonoTime now);  // Code::full at kLeasesMax
    LeaseKept keep_alive(LeaseId lease, MonoTime now);
    StoreHeader revoke(LeaseId lease, MonoTime now);
    RangeAnswer range(const std::string& prefix, std::size_t limit, MonoTime now);
    // Code::not_found for a lease that does not exist, Code::invalid beyond kTxnOpsMax; nothing is then done.
    Result<TxnAnswer> txn(const Txn& txn, MonoTime now);
    void tick(MonoTime now);  // ends leases whose time is over; every call does it first
    std::optional<MonoTime> next_expiry() const;

    StoreHeader header() const { return {cluster_, 1, revision_}; }
    Revision compacted() const { return compacted_; }  // watches from it or below are too late
    // Batches of revisions >= from below the prefix, oldest first. Requires: from > compacted().
    std::vector<WatchBatch> since(const std::string& prefix, Revision from) const;

    // For tests: faults of a store.
    void compact() { drop_history(history_.size()); }
    void stretch_leases(MonoTime now);  // as a leader change does: every lease anew at its full time
    void lease_forever(LeaseId lease);  // its keys stay until it is revoked
    std::vector<LeaseId> leases() const;

  private:
    struct LeaseEntry {
        Nanos ttl{0};
        MonoTime ends{};
    };
    bool holds(const Compare& compare) const;
    bool holds_for(const Compare& compare, const KeyValue& kv) const;
    std::vector<KeyValue> run(const TxnOp& op, WatchBatch& batch);
    void record(WatchBatch batch);
    void end_lease(LeaseId lease);
    void drop_history(std::size_t count);
    std::vector<KeyValue> below(const std::string& prefix, std::size_t limit, bool* more) const;

    std::uint64_t cluster_;
    Revision revision_ = 1;
    Revision compacted_ = 0;
    LeaseId last_lease_ = 0;
    std::map<std::string, KeyValue> keys_;
    std::map<LeaseId, LeaseEntry> leases_;
    std::vector<WatchBatch> history_;
};

}  // namespace holdfast
