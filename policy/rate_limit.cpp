#include "policy/rate_limit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace holdfast {
namespace {

using Gcra = RateTable::Gcra;

Gcra gcra_of(const RateSpec& spec) {
    const double interval = 1e9 / std::clamp(spec.per_second, 1e-6, kRatePerSecondMax);
    const double burst = std::clamp(spec.burst, 1.0, kRateBurstMax);
    // At most 1e15 ns an interval; the product stays below 2^63 by the second bound.
    const double tolerance = std::min(interval * (burst - 1), 4e18);
    // Both are positive: adding a half rounds them, without a call for each request.
    return {std::max<std::int64_t>(1, static_cast<std::int64_t>(interval + 0.5)),
            static_cast<std::int64_t>(tolerance + 0.5)};
}

constexpr Nanos kNoRoomWait = 1s;  // where nothing tells when there will be some; as who is shed elsewhere is told

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
    return {false, false, Nanos(early)};
}

RateVerdict charge(std::int64_t& due, std::int64_t now, const Gcra& rate) {
    due = bounded(due, now, rate);
    const RateVerdict verdict = judge(due, now, rate);
    if (verdict.allowed) due = std::max(due, now) + rate.interval;
    return verdict;
}

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

RateVerdict no_room(std::int64_t soonest, std::int64_t now) {
    return {false, true, soonest == kNever ? kNoRoomWait : Nanos(soonest - now)};
}

} // namespace

bool is_valid(const RateSpec& spec) {
    return std::isfinite(spec.per_second) && std::isfinite(spec.burst) && spec.per_second >= 1e-6 &&
           spec.per_second <= kRatePerSecondMax && spec.burst >= 1 && spec.burst <= kRateBurstMax;
}

void CredentialRates::make_room(RateSeat last) {
    if (due_.size() <= last) due_.resize(std::size_t(last) + 1);
}

void CredentialRates::refill(RateSeat seat) {
    if (seat < due_.size()) due_[seat] = 0;
}

RateVerdict CredentialRates::take(RateSeat seat, const RateSpec& spec, MonoTime now) {
    if (seat == kNoSeat || seat >= due_.size()) return {false, true, kNoRoomWait};
    return charge(due_[seat], nanos(now), gcra_of(spec));
}

RateVerdict CredentialRates::peek(RateSeat seat, const RateSpec& spec, MonoTime now) const {
    if (seat == kNoSeat || seat >= due_.size()) return {false, true, kNoRoomWait};
    const Gcra rate = gcra_of(spec);
    return judge(bounded(due_[seat], nanos(now), rate), nanos(now), rate);
}

RateTable::RateTable(const SipKey& key, std::size_t keys)
    : key_(key), table_(std::clamp(keys, kKeysMin, kRateKeysMax)) {}

// Keys that are held count for whoever had the seat when they came.
void RateTable::set_shares(const std::vector<RateSeat>& seats) {
    if (!seats.empty()) table_.add_owners(std::size_t(*std::max_element(seats.begin(), seats.end())) + 1);
    table_.set_shares(seats);
}

std::uint64_t RateTable::hash_of(std::string_view key) const {
    const std::uint64_t hash = siphash64(key_, key);
    return hash == 0 ? 1 : hash;
}

RateTable::Entry* RateTable::find(std::uint64_t hash) {
    const std::uint32_t at = table_.find(hash, [hash](const Entry& one) { return one.hash == hash; });
    return at == 0 ? nullptr : &table_[at];
}

std::int64_t RateTable::forget(std::size_t looks, std::int64_t now, const Gcra& rate) {
    std::int64_t soonest = kNever;
    for (looks = std::min<std::size_t>(looks, table_.used()); looks > 0; --looks) {
        looked_ = looked_ < table_.used() ? looked_ + 1 : 1;
        Entry& entry = table_[looked_];
        if (entry.hash == 0) continue;
        entry.due = bounded(entry.due, now, rate);
        if (entry.due <= now)
            table_.release(looked_, std::exchange(entry.hash, 0));
        else
            soonest = std::min(soonest, entry.due);
    }
    return soonest;
}

RateVerdict RateTable::take(RateSeat seat, std::string_view key, const RateSpec& spec, MonoTime now) {
    const std::uint64_t hash = hash_of(key);
    const Gcra rate = gcra_of(spec);
    const std::int64_t at = nanos(now);
    if (Entry* held = find(hash)) return charge(held->due, at, rate);
    forget(kLooksPerKey, at, rate);
    if (!has_room(seat)) {
        const std::int64_t soonest = forget(kLooksForRoom, at, rate);
        if (!has_room(seat)) {
            full_at_ = now;
            return no_room(soonest, at);
        }
    }
    table_.put(hash, {hash, at + rate.interval, 0, owner_of(seat)});
    return {};
}

RateVerdict RateTable::peek(RateSeat seat, std::string_view key, const RateSpec& spec, MonoTime now) {
    const std::int64_t at = nanos(now);
    const Gcra rate = gcra_of(spec);
    if (const Entry* held = find(hash_of(key))) return judge(bounded(held->due, at, rate), at, rate);
    const std::int64_t soonest = forget(table_.used(), at, rate);
    return has_room(seat) ? RateVerdict{} : no_room(soonest, at);
}

} // namespace holdfast
