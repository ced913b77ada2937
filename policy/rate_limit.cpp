#include "policy/rate_limit.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace holdfast {
namespace {

struct Gcra {
    std::int64_t interval;  // nanoseconds that one request costs
    std::int64_t tolerance; // how far ahead of now the next arrival may be due
};

Gcra gcra_of(const RateSpec& spec) {
    const double interval = 1e9 / std::clamp(spec.per_second, 1e-6, kRatePerSecondMax);
    const double burst = std::clamp(spec.burst, 1.0, kRateBurstMax);
    // At most 1e15 ns an interval; the product stays below 2^63 by the second bound.
    const double tolerance = std::min(interval * (burst - 1), 4e18);
    return {std::max<std::int64_t>(1, std::llround(interval)), std::llround(tolerance)};
}

std::int64_t nanos(MonoTime t) {
    return t.time_since_epoch().count();
}

// A key is never due further ahead than this: one that was charged under a rate that has been corrected since is let in
// as soon as the one in force says.
std::int64_t bounded(std::int64_t due, std::int64_t now, const Gcra& rate) {
    return std::min(due, now + rate.tolerance + rate.interval);
}

RateVerdict judge(std::int64_t due, std::int64_t now, const Gcra& rate) {
    const std::int64_t early = due - rate.tolerance - now;
    if (early <= 0) return {};
    return {false, Nanos(early)};
}

} // namespace

bool is_valid(const RateSpec& spec) {
    return std::isfinite(spec.per_second) && std::isfinite(spec.burst) && spec.per_second >= 1e-6 &&
           spec.per_second <= kRatePerSecondMax && spec.burst >= 1 && spec.burst <= kRateBurstMax;
}

RateLimiter::RateLimiter(const SipKey& key, std::size_t slots)
    : key_(key), slots_(std::bit_ceil(std::clamp<std::size_t>(slots, 64, kRateKeysMax))) {}

std::uint64_t RateLimiter::hash_of(std::string_view owner, std::string_view key) const {
    const std::uint64_t hash = siphash64(key_, {owner, key});
    return hash == 0 ? 1 : hash;
}

RateVerdict RateLimiter::take(std::string_view owner, std::string_view key, const RateSpec& spec, MonoTime now) {
    const std::uint64_t hash = hash_of(owner, key);
    const std::size_t mask = slots_.size() - 1;
    const Gcra rate = gcra_of(spec);
    const std::int64_t at = nanos(now);
    Slot* vacant = nullptr;
    std::int64_t soonest = std::numeric_limits<std::int64_t>::max();
    for (std::size_t i = 0; i < kNeighbours; ++i) {
        Slot& slot = slots_[(hash + i) & mask];
        if (slot.hash == hash) {
            slot.due = bounded(slot.due, at, rate);
            const RateVerdict verdict = judge(slot.due, at, rate);
            if (verdict.allowed) slot.due = std::max(slot.due, at) + rate.interval;
            return verdict;
        }
        if (vacant == nullptr && (slot.hash == 0 || slot.due <= at)) vacant = &slot;
        soonest = std::min(soonest, slot.due);
    }
    if (vacant == nullptr) return {false, Nanos(std::max<std::int64_t>(1, soonest - at))};
    *vacant = {hash, at + rate.interval};
    return {};
}

RateVerdict RateLimiter::peek(std::string_view owner, std::string_view key, const RateSpec& spec, MonoTime now) const {
    const std::uint64_t hash = hash_of(owner, key);
    const std::size_t mask = slots_.size() - 1;
    const std::int64_t at = nanos(now);
    const Gcra rate = gcra_of(spec);
    bool vacant = false;
    std::int64_t soonest = std::numeric_limits<std::int64_t>::max();
    for (std::size_t i = 0; i < kNeighbours; ++i) {
        const Slot& slot = slots_[(hash + i) & mask];
        if (slot.hash == hash) return judge(bounded(slot.due, at, rate), at, rate);
        vacant = vacant || slot.hash == 0 || slot.due <= at;
        soonest = std::min(soonest, slot.due);
    }
    if (!vacant) return {false, Nanos(std::max<std::int64_t>(1, soonest - at))};
    return {};
}

} // namespace holdfast
