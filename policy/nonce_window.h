// Which nonces have been used (SPEC: authentication): a set of 16-byte fingerprints of (secret id, nonce) with all its
// memory taken at start. Entries lie in buckets of one second of their end; a bucket that is over is forgotten whole
// and its slots are given back a few per insert, so that nothing is ever rehashed and no insert stalls. It is not the
// log that survives a restart: that one stores fingerprints and ends, and feeds them back through restore().
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "edge/base/time.h"
#include "policy/fair_table.h"
#include "policy/siphash.h"

namespace holdfast {

inline constexpr std::size_t kNonceCapacityMin = 64;
inline constexpr std::size_t kNonceCapacityMax = 64'000'000;
inline constexpr std::size_t kNonceOwnersMax = 10'000;
inline constexpr Seconds kNonceWindowMax{3600};

class NonceWindow {
  public:
    enum class Insert {
        fresh,    // now recorded
        replayed, // has been used
        expired,  // so old that a use of it may have been forgotten (the wall clock went back): refuse as expired
        full,     // no room left for this caller: refuse with 503
    };

    // Requires: window > 0. `key` must be the same after a restart (derived from the node's own key). `window` is
    // auth.window; a nonce counts for at most twice that. Capacity is clamped to the bounds above.
    NonceWindow(std::size_t capacity, Seconds window, const SipKey& key);

    // The callers that have a share: half of the room is divided evenly and kept for each, half is for whoever comes. A
    // single caller may use everything. Names beyond kNonceOwnersMax share the common half. Call it before restore().
    void set_owners(const std::vector<std::string>& secret_ids);

    // What is stored of a nonce: 4 bytes that stand for the caller, 12 for the nonce; neither tells it without the key.
    Hash128 fingerprint(std::string_view secret_id, std::string_view nonce) const;
    // Begins to fetch what insert() will look at: worth doing a few hundred instructions before.
    void prefetch(const Hash128& fingerprint) const;
    // `expiry` is the first moment at which it does not count any more, in whole seconds (Claim::nonce_expiry).
    Insert insert(const Hash128& fingerprint, WallTime expiry, Now now);
    // Takes back a nonce of before a restart; what is over by now only moves the mark below which nothing is fresh.
    Insert restore(const Hash128& fingerprint, WallTime expiry, Now now);
    // Some that end at `expiry` or before are not held, says whoever feeds them back: none such is fresh any more.
    void forget(WallTime expiry);
    // Forgets what is over, at most `entries_max` entries; for a timer of a node without traffic.
    void tick(Now now, std::size_t entries_max = 10'000);

    std::size_t size() const { return table_.size(); }  // entries not yet given back
    std::size_t capacity() const { return table_.capacity(); }
    std::optional<MonoTime> full_at() const { return full_at_; } // when insert() last had no room for its caller

  private:
    static constexpr std::size_t kReclaimPerInsert = 8;
    using Words = std::array<std::uint32_t, 4>;
    struct Entry {
        Words fingerprint;
        std::uint32_t next;           // the table's
        std::uint32_t next_in_bucket; // 0: none
        std::uint32_t owner;          // index into tags_
    };
    struct Bucket {
        std::uint32_t head = 0;
        std::int64_t expiry_max = INT64_MIN; // of its entries, Unix seconds
    };

    Insert admit(const Words& words, std::int64_t expiry, Now now);
    void advance(MonoTime now);
    void reclaim(std::size_t entries_max);
    bool holds(const Words& words) const;
    std::uint32_t tag_of(std::string_view secret_id) const;
    std::uint32_t owner_of(std::uint32_t tag) const;
    void put(const Words& words, std::uint32_t owner, std::int64_t second, std::int64_t expiry);
    static std::uint32_t hash_of(const Words& words) { return words[1]; }

    SipKey key_;
    std::int64_t lifetime_; // seconds that an entry can live at most
    FairTable<Entry> table_;
    std::vector<Bucket> buckets_;      // a ring by the monotonic second of the end
    std::vector<std::uint32_t> tags_;  // by owner of table_
    std::unordered_map<std::uint32_t, std::uint32_t> owner_by_tag_;
    std::vector<std::uint32_t> dying_;  // heads of buckets that are over and not yet given back; at most one a bucket
    std::int64_t second_ = 0;   // the oldest bucket
    bool begun_ = false;
    std::optional<MonoTime> full_at_;
    std::int64_t low_water_ = INT64_MIN; // Unix seconds: what ends at or before it cannot be told from a replay
};

} // namespace holdfast
