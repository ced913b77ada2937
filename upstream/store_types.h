// What is said to the store that a fleet shares and what it answers: values only, so that the pure half can decide with
// them. The asking is coordinator.h's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "edge/base/result.h"
#include "edge/base/time.h"

namespace holdfast {

inline constexpr Nanos kStoreTimeoutMax = 2s;         // of one request: callers give no more
inline constexpr std::size_t kTxnOpsMax = 128;        // compares, and operations of each branch (etcd's own limit)
inline constexpr std::size_t kRangeLimitMax = 4096;   // keys in one answer
inline constexpr std::size_t kStoreValueMax = 16384;  // bytes of one value of ours; longer ones are passed on cut to it

using LeaseId = std::uint64_t;  // 0: none
using Revision = std::int64_t;  // of the whole store; 0: not told
// Of revisions that are passed on: what is counted on from there does not overflow.
inline constexpr Revision kRevisionMax = Revision{1} << 62;

struct StoreHeader {
    std::uint64_t cluster = 0;
    std::uint64_t member = 0;
    Revision revision = 0;
};

struct KeyValue {
    std::string key;
    std::string value;
    Revision mod_revision = 0;
    Revision create_revision = 0;
    std::int64_t version = 0;
    LeaseId lease = 0;
};

struct LeaseGranted {
    StoreHeader header;
    LeaseId id = 0;
    Nanos ttl{0};  // what the store granted: may be more or less than asked
};

struct LeaseKept {
    StoreHeader header;
    Nanos ttl{0};  // 0: the store knows this lease no more
};

struct RangeAnswer {
    StoreHeader header;
    std::vector<KeyValue> kvs;  // in order of their keys
    bool more = false;          // cut at the limit
};

// A condition on the store before the transaction. A key that is not there has number 0 in all but `value`, which then
// never holds. With `prefix` it must hold for every key that begins with `key`; where none does, as for a missing key.
struct Compare {
    enum class Target : std::uint8_t { version, create_revision, mod_revision, lease, value };
    enum class Is : std::uint8_t { equal, not_equal, less, greater };
    std::string key;
    Target target = Target::mod_revision;
    Is is = Is::equal;
    std::int64_t number = 0;  // less: what is stored is less than it
    std::string value;        // for Target::value
    bool prefix = false;
};

struct TxnOp {
    enum class Kind : std::uint8_t { put, erase, range };
    Kind kind = Kind::range;
    std::string key;
    std::string value;    // put
    LeaseId lease = 0;    // put: the lease that the key hangs on
    bool prefix = false;  // erase and range: every key that begins with `key`
};

// All compares hold: `success`, else `failure`, in one step at one revision. A key is put at most once in a branch.
// Requires: at most kTxnOpsMax compares, and operations in each branch.
struct Txn {
    std::vector<Compare> compares;
    std::vector<TxnOp> success;
    std::vector<TxnOp> failure;
};

struct TxnAnswer {
    StoreHeader header;
    bool succeeded = false;
    // One entry for each operation of the branch that was taken, in order; empty for puts and erasures.
    std::vector<std::vector<KeyValue>> ranges;
};

struct WatchEvent {
    bool erased = false;  // then kv holds key and mod_revision only. An ended lease looks like this too.
    KeyValue kv;
};

// Events of whole revisions, oldest first. Without events it is a sign of life (progress) at header.revision.
struct WatchBatch {
    StoreHeader header;
    std::vector<WatchEvent> events;
};

}  // namespace holdfast
