#include "policy/rate_limit.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "edge/base/check.h"

namespace holdfast {
namespace {

using Gcra = RateTable::Gcra;

Gcra gcra_of(const RateSpec& spec) {
    const double interval = 1e9 / std::clamp(spec.per_second, 1e-6, kRatePerSecondMax);
    const double burst = std::clamp(spec.burst, 1.0, kRateBurstMax);
    // At most 1e15 ns an interval; the product stays below 2^63 by the second bound.
    const double tolerance = std::min(interval * (burst - 1), 4e18);
    return {std::max<std::int64_t>(1, std::llround(interval)), std::llround(tolerance)};
}

constexpr Nanos kNoRoomWait = 1s;  // where nothing tells when there will be some

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

RateTable::RateTable(const SipKey& key, std::size_t keys) : key_(key) {
    keys = std::clamp(keys, kKeysMin, kRateKeysMax);
    heads_.resize(std::bit_ceil(keys));
    mask_ = static_cast<std::uint32_t>(heads_.size() - 1);
    entries_.resize(keys + 1);
    owners_.resize(1);
}

// Keys that are held count for whoever had the seat when they came.
void RateTable::set_shares(const std::vector<RateSeat>& seats) {
    for (Owner& owner : owners_) owner.share = 0;
    for (const RateSeat seat : seats) {
        if (owners_.size() <= seat) owners_.resize(std::size_t(seat) + 1);
        owners_[seat].share = capacity() / 2 / seats.size();
    }
    owners_[kNoSeat].share = 0;
    unclaimed_ = 0;
    for (const Owner& owner : owners_) unclaimed_ += owner.unused();
}

std::uint64_t RateTable::hash_of(std::string_view key) const {
    const std::uint64_t hash = siphash64(key_, key);
    return hash == 0 ? 1 : hash;
}

RateTable::Entry* RateTable::find(std::uint64_t hash) {
    for (std::uint32_t at = heads_[hash & mask_]; at != 0; at = entries_[at].next)
        if (entries_[at].hash == hash) return &entries_[at];
    return nullptr;
}

// One with some of its share left takes of that; beyond it, only what nobody else's share needs.
bool RateTable::has_room(RateSeat owner) const {
    return capacity() - live_ > (owners_[owner].unused() > 0 ? 0 : unclaimed_);
}

void RateTable::hold(RateSeat owner, int change) {
    Owner& one = owners_[owner];
    unclaimed_ -= one.unused();
    one.held += static_cast<std::size_t>(change);
    unclaimed_ += one.unused();
    live_ += static_cast<std::size_t>(change);
}

void RateTable::release(std::uint32_t at) {
    Entry& entry = entries_[at];
    std::uint32_t* link = &heads_[entry.hash & mask_];
    while (*link != at) {
        HF_CHECK(*link != 0);
        link = &entries_[*link].next;
    }
    *link = entry.next;
    hold(entry.owner, -1);
    entry = {0, 0, free_, kNoSeat};
    free_ = at;
}

std::int64_t RateTable::forget(std::size_t looks, std::int64_t now, const Gcra& rate) {
    std::int64_t soonest = kNever;
    for (looks = std::min<std::size_t>(looks, used_); looks > 0; --looks) {
        looked_ = looked_ < used_ ? looked_ + 1 : 1;
        Entry& entry = entries_[looked_];
        if (entry.hash == 0) continue;
        entry.due = bounded(entry.due, now, rate);
        if (entry.due <= now)
            release(looked_);
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
    const RateSeat owner = seat < owners_.size() ? seat : kNoSeat;
    if (!has_room(owner)) {
        const std::int64_t soonest = forget(kLooksForRoom, at, rate);
        if (!has_room(owner)) {
            full_at_ = now;
            return no_room(soonest, at);
        }
    }
    std::uint32_t fresh = free_;
    if (fresh != 0) {
        free_ = entries_[fresh].next;
    } else {
        fresh = ++used_;
        HF_CHECK(fresh < entries_.size());
    }
    std::uint32_t& head = heads_[hash & mask_];
    entries_[fresh] = {hash, at + rate.interval, head, owner};
    head = fresh;
    hold(owner, +1);
    return {};
}

RateVerdict RateTable::peek(RateSeat seat, std::string_view key, const RateSpec& spec, MonoTime now) {
    const std::int64_t at = nanos(now);
    const Gcra rate = gcra_of(spec);
    if (const Entry* held = find(hash_of(key))) return judge(bounded(held->due, at, rate), at, rate);
    const std::int64_t soonest = forget(used_, at, rate);
    return has_room(seat < owners_.size() ? seat : kNoSeat) ? RateVerdict{} : no_room(soonest, at);
}

} // namespace holdfast
