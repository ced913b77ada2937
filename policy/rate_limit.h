// GCRA (ITU-T I.371, the virtual scheduling algorithm): when one more request of a key may come. What is kept of the
// keys is of a fixed size: a place for each credential, since those are configured, or a table of the keys that callers
// choose, each rule its own. RateState keeps them over reloads.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "edge/base/time.h"
#include "policy/fair_table.h"
#include "policy/siphash.h"

namespace holdfast {

struct RateSpec {
    double per_second = 0; // > 0
    double burst = 1;      // >= 1: how many may come at once
    bool operator==(const RateSpec&) const = default;
};

// Of one table: 28 bytes each, so 3.5 MiB. A choice: with 10 an hour a key is held for six minutes, and 364 new ones a
// second fill it.
inline constexpr std::size_t kRateKeysMax = 1u << 17;
inline constexpr double kRatePerSecondMax = 1e6;
inline constexpr double kRateBurstMax = 1e6;
bool is_valid(const RateSpec& spec);

struct RateVerdict {
    bool allowed = true;
    bool no_room = false;  // refused though its rate is not known to be spent: the key cannot be held
    Nanos retry_after{0};  // when refused: the earliest moment at which the same request can pass; without room a guess
};

// Where a credential's limits are kept, from 1; the same for every rule and over reloads (RateState::seat).
using RateSeat = std::uint32_t;
inline constexpr RateSeat kNoSeat = 0;  // is refused by CredentialRates, and has no share of a RateTable

// One rule's limits per credential: 8 bytes for each, which nothing that anybody asks can take away.
class CredentialRates {
  public:
    // Seats up to `last`. What is there stays.
    void make_room(RateSeat last);
    // The seat goes to another credential.
    void refill(RateSeat seat);
    RateVerdict take(RateSeat seat, const RateSpec& spec, MonoTime now);
    // What take() would say, spending nothing.
    RateVerdict peek(RateSeat seat, const RateSpec& spec, MonoTime now) const;

  private:
    std::vector<std::int64_t> due_;  // by seat; as RateTable::Entry::due
};

// One rule's limits over keys that callers choose. All memory is taken at the start; a key is forgotten once it is
// refilled, a few are looked at for each that comes. A key that is held stays: where there is no room it is the
// newcomer that is refused. Credentials have shares of the room (FairTable), so that the flood of one leaves the
// newcomers of the others theirs.
class RateTable {
  public:
    static constexpr std::size_t kKeysMin = 64;  // as kNonceCapacityMin
    struct Gcra {
        std::int64_t interval;   // nanoseconds that one request costs
        std::int64_t tolerance;  // how far ahead of now the next arrival may be due
    };
    // `key` keys the table's hash. Room for `keys`, within kKeysMin and kRateKeysMax.
    explicit RateTable(const SipKey& key, std::size_t keys = kRateKeysMax);
    // The credentials that have a share. Requires: each once.
    void set_shares(const std::vector<RateSeat>& seats);
    // `seat`: of the credential that asks, whose share a new key takes from.
    RateVerdict take(RateSeat seat, std::string_view key, const RateSpec& spec, MonoTime now);
    // What take() would say, spending nothing; it looks at every key, so it is for people who ask.
    RateVerdict peek(RateSeat seat, std::string_view key, const RateSpec& spec, MonoTime now);

    std::size_t size() const { return table_.size(); }  // keys not yet forgotten
    std::size_t capacity() const { return table_.capacity(); }
    std::optional<MonoTime> full_at() const { return full_at_; }  // when take() last had no room for a new key

  private:
    // Of forget() for each new key: more than one, so that keys go faster than they come. And where there is no room,
    // for who would be refused: 6 KiB in a row, so that a flood costs about as much as it does where there is some.
    static constexpr std::size_t kLooksPerKey = 4, kLooksForRoom = 256;
    struct Entry {
        std::uint64_t hash = 0;  // 0: given back
        std::int64_t due = 0;   // theoretical arrival time of the next request, MonoTime nanoseconds
        std::uint32_t next = 0;  // the table's
        RateSeat owner = kNoSeat;
    };
    std::uint64_t hash_of(std::string_view key) const;
    Entry* find(std::uint64_t hash);
    bool has_room(RateSeat seat) const { return table_.has_room(owner_of(seat)); }
    RateSeat owner_of(RateSeat seat) const { return seat < table_.owners() ? seat : kNoSeat; }
    // Looks at the next `looks` entries and gives back what is refilled. The soonest due of the others.
    std::int64_t forget(std::size_t looks, std::int64_t now, const Gcra& rate);

    SipKey key_;
    FairTable<Entry> table_;    // owners: by seat
    std::uint32_t looked_ = 0;  // where forget() goes on
    std::optional<MonoTime> full_at_;
};

} // namespace holdfast
