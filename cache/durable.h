// What the stores tell their callers when something has reached the disk, or has not, and how a part of the storage
// is. Called on the loop, never inside the call that queued the write.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "edge/base/result.h"
#include "edge/base/time.h"

namespace holdfast {

// Success: the bytes are on disk. An error: they are not, and they will not be written later by themselves, but where
// the call that takes it says otherwise (Journal::append).
using Durable = std::function<void(Result<void>)>;

// How one part (cache, state, journal, evidence) is, for status and metrics.
struct PartHealth {
    bool ok = true;
    std::string reason;         // one sentence; empty while ok
    std::uint64_t failures = 0; // failed commits since start
    std::uint64_t refused = 0;  // writes refused because a bounded queue was full
    std::uint64_t queued = 0;   // writes waiting for their commit
};

// Why records left the cache: the values of holdfast_cache_evictions_total{cause}.
enum class Eviction { expired, space, revoked, purge };
std::string_view name(Eviction cause);

// Told on the loop. Every one may be empty.
struct StorageObserver {
    std::function<void(Nanos)> commit_duration; // each commit of cache/ and state/
    std::function<void(Eviction, std::uint64_t records)> evicted;
    std::function<void(bool ok, const std::string& part, const std::string& reason)> health; // each transition
    // One that could not be opened with the others is open, and so is what depends on it. What it found and did is to
    // be told and entered, ahead of what waits for the journal.
    std::function<void(const std::vector<std::string>& notes)> journal_opened;
};

} // namespace holdfast
