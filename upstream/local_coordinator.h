// A store for a node that stands alone: in memory, gone with the process, granting everything that etcd would grant. It
// answers at the end of the loop's turn. Tests let several nodes of one process share its MemoryStore; the store must
// then be told of by nobody else.
#pragma once

#include <memory>
#include <string>

#include "edge/net/loop.h"
#include "upstream/coordinator.h"
#include "upstream/memory_store.h"

namespace holdfast {

class LocalCoordinator : public Coordinator {
  public:
    static constexpr Nanos kWatchEvery = 20ms;  // how soon a watch tells what another coordinator of the store did

    // Requires: both outlive it, and it outlives its handles.
    LocalCoordinator(Loop& loop, MemoryStore& store) : loop_(loop), store_(store) {}

    [[nodiscard]] StoreHandle grant(Nanos ttl, Nanos timeout, Done<LeaseGranted> done) override;
    [[nodiscard]] StoreHandle keep_alive(LeaseId lease, Nanos timeout, Done<LeaseKept> done) override;
    [[nodiscard]] StoreHandle revoke(LeaseId lease, Nanos timeout, Done<StoreHeader> done) override;
    [[nodiscard]] StoreHandle range(std::string prefix, std::size_t limit, Nanos timeout,
                                    Done<RangeAnswer> done) override;
    [[nodiscard]] StoreHandle txn(Txn txn, Nanos timeout, Done<TxnAnswer> done) override;
    [[nodiscard]] StoreHandle watch(std::string prefix, Revision from, Nanos timeout, WatchHandlers handlers) override;
    std::string describe() const override { return "in memory"; }

  private:
    Loop& loop_;
    MemoryStore& store_;
};

}  // namespace holdfast
