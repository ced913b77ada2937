// Which nonces have been used (SPEC: authentication): a set of 16-byte fingerprints of (secret id, nonce) with all its
// memory taken at start. Entries lie in buckets of one second of their end; a bucket that is over is forgotten whole and its
// slots are given back a few per insert, so that nothing is ever rehashed and no insert stalls. It is not the log that
// survives a restart: that one stores NonceRecords and feeds them back through restore().
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "edge/base/time.h"
#include "policy/siphash.h"

namespace holdfast {

inline constexpr std::size_t kNonceCapacityMin = 64;
inline constexpr std::size_t kNonceCapacityMax = 64'000'000;
inline constexpr std::size_t kNonceOwnersMax = 10'000;
inline constexpr Seconds kNonceWindowMax{3600};

// What is stored of a nonce: nothing that tells the nonce or the caller without the key.
struct NonceRecord {
    Hash128 fingerprint{};
    std::uint32_t owner = 0;      // keyed hash of the secret id
    std::uint32_t expiry = 0;     // Unix seconds, the first at which it does not count any more
    bool operator==(const NonceRecord&) const = default;
};

class NonceWindow {
  public:
    enum class Insert {
        fresh,     // now recorded
        replayed,  // has been used
        expired,   // so old that a use of it may have been forgotten (the wall clock went back): refuse as expired
        full,      // no room left for this caller: refuse with 503
    };

    // `key` must be the same after a restart (derived from the node's own key). `window` is auth.window; a nonce counts for
    // at most twice that. Capacity is clamped to the bounds above.
    NonceWindow(std::size_t capacity, Seconds window, const SipKey& key);

    // The callers that have a share: half of the room is divided evenly and kept for each, half is for whoever comes. Nonces
    // already held stay counted for their caller. Names beyond kNonceOwnersMax share the common half.
    void set_owners(const std::vector<std::string>& secret_ids);

    NonceRecord record(std::string_view secret_id, std::string_view nonce, WallTime expiry) const;
    Insert insert(const NonceRecord& record, Now now);
    // Takes back a record of before a restart; what is over by now only moves the mark below which nothing is fresh.
    Insert restore(const NonceRecord& record, Now now);
    // Forgets what is over, at most `entries_max` entries; for a timer of a node without traffic.
    void tick(Now now, std::size_t entries_max = 10'000);

    std::size_t size() const { return live_; }  // entries not yet given back
    std::size_t capacity() const { return entries_.size() - 1; }

  private:
    static constexpr std::size_t kReclaimPerInsert = 8;
    struct Entry {
        std::array<std::uint32_t, 4> fingerprint;
        std::uint32_t next;         // in the chain of its hash, or of the free list; 0: none
        std::uint32_t next_in_bucket;
        std::uint16_t owner;
        std::uint16_t unused;
    };
    struct Bucket {
        std::uint32_t head = 0;
        std::uint32_t expiry_max = 0;  // of its entries, Unix seconds
    };
    struct Owner {
        std::uint32_t tag = 0;
        std::size_t held = 0, share = 0;
    };

    void advance(MonoTime now);
    void reclaim(std::size_t entries_max);
    void unlink(std::uint32_t at);
    bool holds(const Hash128& fingerprint, std::uint32_t slot) const;
    std::uint16_t owner_of(std::uint32_t tag) const;
    bool has_room(const Owner& owner) const;
    void put(const NonceRecord& record, std::uint32_t slot, std::int64_t second);
    std::uint32_t slot_of(const std::array<std::uint32_t, 4>& fingerprint) const { return fingerprint[0] & mask_; }

    SipKey key_;
    std::int64_t lifetime_;  // seconds that an entry can live at most
    std::uint32_t mask_;
    std::vector<std::uint32_t> heads_;
    std::vector<Entry> entries_;  // 0 is not used
    std::vector<Bucket> buckets_;
    std::vector<Owner> owners_;  // 0: everyone without a share
    std::unordered_map<std::uint32_t, std::uint16_t> owner_by_tag_;
    std::uint32_t free_ = 0, used_ = 0;  // free list; entries ever taken
    std::uint32_t dying_ = 0;            // entries of buckets that are over, not yet given back
    std::size_t live_ = 0;
    std::size_t unclaimed_ = 0;    // room kept for callers that have not used their share
    std::int64_t second_;          // the oldest bucket, in monotonic seconds
    bool begun_ = false;
    std::uint32_t low_water_ = 0;  // nothing that expires at or before it can be told from a replay
};

}  // namespace holdfast
