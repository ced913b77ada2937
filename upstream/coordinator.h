// The seam to the store that nodes of one fleet share: leases, a linearizable read, a guarded transaction, a watch. It
// says what the store said and believes nothing: what a lease is worth, what a record means and what to write next is
// decided above (lease, fleet_*). etcd_coordinator speaks to etcd, local_coordinator serves one node alone.
//
// What every implementation keeps:
// - Each request is an owning handle: destroying it cancels, and its callback is then never called. What was cancelled
//   may have been applied. A handle may be destroyed inside its own callback. The Coordinator outlives its handles.
// - No callback inside the call that began it. Each `done` is called once, at the latest after the given timeout.
// - One request is sent at most once: no blind repetition inside. (A fresh login and then the first sending is none.)
// - In an Error, was_sent says that the request MAY HAVE BEEN APPLIED. It is false when it did not leave, or when the
//   store definitely refused it (Code::denied, Code::invalid). Code::corrupt is an answer that is none, Origin::store
//   all of them but Code::full (Origin::local, too many requests under way). No detail holds a password or token.
// - Revisions are passed on as they come: a store that was restored from a backup shows older ones.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "edge/base/result.h"
#include "edge/base/time.h"
#include "upstream/store_types.h"

namespace holdfast {

struct WatchEnd {
    enum class Why : std::uint8_t {
        compacted,  // the revision asked for is gone: read anew, watch from there
        cancelled,  // by the store; error.detail says why
        broken,     // connection, store or answer failed, or `created` did not come in time
    };
    Why why = Why::broken;
    Revision compact_revision = 0;
    Error error;
};

struct WatchHandlers {
    std::function<void(const StoreHeader&)> on_created;  // the store has taken the watch; once, first
    std::function<void(WatchBatch)> on_batch;
    std::function<void(const WatchEnd&)> on_end;  // at most once, nothing after it
};

class StoreRequest {
  public:
    virtual ~StoreRequest() = default;  // cancels
};
using StoreHandle = std::unique_ptr<StoreRequest>;

class Coordinator {
  public:
    template <typename T>
    using Done = std::function<void(Result<T>)>;

    virtual ~Coordinator() = default;
    // `ttl` is rounded down to a whole second, at least one.
    [[nodiscard]] virtual StoreHandle grant(Nanos ttl, Nanos timeout, Done<LeaseGranted> done) = 0;
    [[nodiscard]] virtual StoreHandle keep_alive(LeaseId lease, Nanos timeout, Done<LeaseKept> done) = 0;
    // A lease that the store does not know is revoked already: no error.
    [[nodiscard]] virtual StoreHandle revoke(LeaseId lease, Nanos timeout, Done<StoreHeader> done) = 0;
    // Linearizable. Every key that begins with `prefix`, at most `limit` (1 to kRangeLimitMax) of them.
    [[nodiscard]] virtual StoreHandle range(std::string prefix, std::size_t limit, Nanos timeout,
                                            Done<RangeAnswer> done) = 0;
    // Code::not_found, and nothing was applied, where a key was to be hung on a lease that the store does not know.
    [[nodiscard]] virtual StoreHandle txn(Txn txn, Nanos timeout, Done<TxnAnswer> done) = 0;
    // Every change to keys that begin with `prefix` at revisions >= `from` (at least 1), until it ends. `timeout` is
    // for `created` only. Ended or not, the handle must be destroyed to let go of its connection.
    [[nodiscard]] virtual StoreHandle watch(std::string prefix, Revision from, Nanos timeout,
                                            WatchHandlers handlers) = 0;
    // For status: which endpoint is in use, e.g. "http://127.0.0.1:2379"; no credentials in it.
    virtual std::string describe() const = 0;
    // Why the store's answers are kept back: they come from another store than the known one. Empty: they are not.
    virtual std::string estranged() const { return {}; }
    // The operator takes whatever store answers from now on.
    virtual void accept_store() {}
};

}  // namespace holdfast
