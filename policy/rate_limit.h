// GCRA (ITU-T I.371, the virtual scheduling algorithm) over many keys in a table of fixed size. A key costs 16 bytes
// and is forgotten once it is fully refilled; when the neighbourhood of a new key holds only keys that are still being
// held back, the newcomer is refused too. So a flood of keys can cost newcomers a wait, never a known key its limit.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "edge/base/time.h"
#include "policy/siphash.h"

namespace holdfast {

struct RateSpec {
    double per_second = 0; // > 0
    double burst = 1;      // >= 1: how many may come at once
    bool operator==(const RateSpec&) const = default;
};

inline constexpr std::size_t kRateKeysMax = 1u << 17;
inline constexpr double kRatePerSecondMax = 1e6;
inline constexpr double kRateBurstMax = 1e6;
bool is_valid(const RateSpec& spec);

struct RateVerdict {
    bool allowed = true;
    Nanos retry_after{0}; // when refused: the earliest moment at which the same request can pass
};

class RateLimiter {
  public:
    // `slots` is rounded up to a power of two, at least 64 and at most kRateKeysMax. `key` keys the table's hash.
    explicit RateLimiter(const SipKey& key, std::size_t slots = kRateKeysMax);
    // `owner` separates the keys of one rule from another's.
    RateVerdict take(std::string_view owner, std::string_view key, const RateSpec& spec, MonoTime now);
    // What take() would say, spending nothing.
    RateVerdict peek(std::string_view owner, std::string_view key, const RateSpec& spec, MonoTime now) const;

  private:
    static constexpr std::size_t kNeighbours = 16; // slots that a key may live in
    struct Slot {
        std::uint64_t hash = 0; // 0: never used
        std::int64_t due = 0;   // theoretical arrival time of the next request, MonoTime nanoseconds
    };
    std::uint64_t hash_of(std::string_view owner, std::string_view key) const;
    SipKey key_;
    std::vector<Slot> slots_;
};

} // namespace holdfast
