#include "policy/nonce_window.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "edge/base/check.h"

namespace holdfast {
namespace {

std::int64_t seconds_of(MonoTime t) {
    return std::chrono::floor<Seconds>(t.time_since_epoch()).count();
}

template <typename Words>
Words words_of(const Hash128& fingerprint) {
    Words out;
    static_assert(sizeof out == sizeof fingerprint);
    std::memcpy(out.data(), fingerprint.data(), sizeof out);
    return out;
}

} // namespace

NonceWindow::NonceWindow(std::size_t capacity, Seconds window, const SipKey& key) : key_(key) {
    HF_CHECK(window.count() > 0);
    capacity = std::clamp(capacity, kNonceCapacityMin, kNonceCapacityMax);
    // A timestamp may lie a window ahead and counts until a window after it, whole seconds rounded up.
    lifetime_ = 2 * std::min(window, kNonceWindowMax).count() + 2;
    heads_.resize(std::bit_ceil(capacity));
    mask_ = static_cast<std::uint32_t>(heads_.size() - 1);
    entries_.resize(capacity + 1);
    buckets_.resize(static_cast<std::size_t>(lifetime_) + 2);
    dying_.reserve(buckets_.size());
    owners_.resize(1);
}

Hash128 NonceWindow::fingerprint(std::string_view secret_id, std::string_view nonce) const {
    Hash128 out = siphash128(key_, {secret_id, nonce});
    const std::uint32_t caller = tag_of(secret_id);
    std::memcpy(out.data(), &caller, sizeof caller);
    return out;
}

void NonceWindow::prefetch(const Hash128& fingerprint) const {
    __builtin_prefetch(&heads_[slot_of(words_of<Words>(fingerprint))]);
}

// Entries keep the index of their owner, so owners keep theirs; one that is gone keeps its slot while it holds
// anything.
void NonceWindow::set_owners(const std::vector<std::string>& secret_ids) {
    std::vector<std::uint32_t> tags;
    for (std::size_t i = 0; i < std::min(secret_ids.size(), kNonceOwnersMax); ++i)
        tags.push_back(tag_of(secret_ids[i]));
    std::sort(tags.begin(), tags.end());
    tags.erase(std::unique(tags.begin(), tags.end()), tags.end());
    std::vector<std::uint32_t> vacant;
    for (std::uint32_t i = 1; i < owners_.size(); ++i) {
        Owner& owner = owners_[i];
        owner.share = 0;
        if (owner.held > 0 || std::binary_search(tags.begin(), tags.end(), owner.tag)) continue;
        owner_by_tag_.erase(owner.tag);
        vacant.push_back(i);
    }
    for (std::uint32_t tag : tags) {
        if (owner_by_tag_.contains(tag)) continue;
        if (!vacant.empty()) {
            owners_[vacant.back()] = {tag, 0, 0};
            owner_by_tag_.emplace(tag, vacant.back());
            vacant.pop_back();
        } else if (owners_.size() <= 2 * kNonceOwnersMax) {
            owner_by_tag_.emplace(tag, static_cast<std::uint32_t>(owners_.size()));
            owners_.push_back({tag, 0, 0});
        }
    }
    for (std::uint32_t i : vacant) owners_[i] = {};
    for (std::uint32_t tag : tags)
        if (const std::uint32_t i = owner_of(tag); i != 0) owners_[i].share = capacity() / 2 / tags.size();
    unclaimed_ = 0;
    for (const Owner& owner : owners_) unclaimed_ += owner.unused();
}

std::uint32_t NonceWindow::tag_of(std::string_view secret_id) const {
    return static_cast<std::uint32_t>(siphash64(key_, secret_id));
}

std::uint32_t NonceWindow::owner_of(std::uint32_t tag) const {
    const auto found = owner_by_tag_.find(tag);
    return found == owner_by_tag_.end() ? 0 : found->second;
}

void NonceWindow::hold(std::uint32_t owner, int change) {
    Owner& one = owners_[owner];
    unclaimed_ -= one.unused();
    one.held += static_cast<std::size_t>(change);
    unclaimed_ += one.unused();
}

// Buckets that are over become a list to be given back; the ring moves on.
void NonceWindow::advance(MonoTime now) {
    const std::int64_t second = seconds_of(now);
    if (!begun_) {
        second_ = second;
        begun_ = true;
    }
    const auto ring = static_cast<std::int64_t>(buckets_.size());
    // After a sleep longer than the ring every bucket is over.
    for (std::int64_t steps = 0; second_ < second && steps < ring; ++second_, ++steps) {
        Bucket& bucket = buckets_[static_cast<std::size_t>(second_ % ring)];
        if (bucket.head == 0) continue;
        low_water_ = std::max(low_water_, bucket.expiry_max);
        dying_.push_back(bucket.head);
        bucket = {};
    }
    second_ = std::max(second_, second);
}

// Takes an entry out of the chain of its hash and puts it on the free list.
void NonceWindow::release(std::uint32_t at) {
    Entry& entry = entries_[at];
    std::uint32_t* link = &heads_[slot_of(entry.fingerprint)];
    while (*link != at) {
        HF_CHECK(*link != 0);
        link = &entries_[*link].next;
    }
    *link = entry.next;
    entry.next = free_;
    free_ = at;
    hold(entry.owner, -1);
    --live_;
}

void NonceWindow::reclaim(std::size_t entries_max) {
    for (; entries_max > 0 && !dying_.empty(); --entries_max) {
        std::uint32_t& head = dying_.back();
        const std::uint32_t next = entries_[head].next_in_bucket;
        release(head);
        head = next;
        if (head == 0) dying_.pop_back();
    }
}

bool NonceWindow::holds(const Words& words) const {
    for (std::uint32_t at = heads_[slot_of(words)]; at != 0; at = entries_[at].next)
        if (entries_[at].fingerprint == words) return true;
    return false;
}

void NonceWindow::put(const Words& words, std::uint32_t owner, std::int64_t second, std::int64_t expiry) {
    std::uint32_t at = free_;
    if (at != 0) {
        free_ = entries_[at].next;
    } else {
        at = ++used_;
        HF_CHECK(at < entries_.size());
    }
    Bucket& bucket = buckets_[static_cast<std::size_t>(second % static_cast<std::int64_t>(buckets_.size()))];
    std::uint32_t& head = heads_[slot_of(words)];
    entries_[at] = {words, head, bucket.head, owner};
    head = at;
    bucket.head = at;
    bucket.expiry_max = std::max(bucket.expiry_max, expiry);
    hold(owner, +1);
    ++live_;
}

NonceWindow::Insert NonceWindow::admit(const Words& words, std::int64_t expiry, Now now) {
    // An entry that is over but not yet given back still refuses its nonce for a moment: the safe side. One that was
    // given back lies at or below the mark.
    if (holds(words)) return Insert::replayed;
    if (expiry <= low_water_) return Insert::expired;
    const std::uint32_t owner = owner_of(words[0]);
    const std::size_t room = capacity() - live_;
    // A caller with some of its share left takes of that; beyond it, only what nobody else's share needs.
    if (room <= (owners_[owner].unused() > 0 ? 0 : unclaimed_)) return Insert::full;
    const Nanos left = std::clamp<Nanos>(from_unix_seconds(expiry) - now.wall, Nanos{0}, Seconds(lifetime_ - 1));
    put(words, owner, seconds_of(now.mono + left) + 1, expiry);
    return Insert::fresh;
}

NonceWindow::Insert NonceWindow::insert(const Hash128& fingerprint, WallTime expiry, Now now) {
    advance(now.mono);
    reclaim(kReclaimPerInsert);
    const Insert inserted = admit(words_of<Words>(fingerprint), unix_seconds(expiry), now);
    if (inserted == Insert::full) full_at_ = now.mono;
    return inserted;
}

NonceWindow::Insert NonceWindow::restore(const Hash128& fingerprint, WallTime expiry, Now now) {
    advance(now.mono);
    const std::int64_t end = unix_seconds(expiry);
    if (end <= unix_seconds(now.wall)) {
        low_water_ = std::max(low_water_, end);
        return Insert::expired;
    }
    const Words words = words_of<Words>(fingerprint);
    if (holds(words)) return Insert::replayed;
    // What was let in once is held whatever the shares say now; only the room as a whole bounds it.
    if (live_ == capacity()) return Insert::full;
    const Nanos left = std::min<Nanos>(expiry - now.wall, Seconds(lifetime_ - 1));
    put(words, owner_of(words[0]), seconds_of(now.mono + left) + 1, end);
    return Insert::fresh;
}

void NonceWindow::forget(WallTime expiry) {
    low_water_ = std::max(low_water_, unix_seconds(expiry));
}

void NonceWindow::tick(Now now, std::size_t entries_max) {
    advance(now.mono);
    reclaim(entries_max);
}

} // namespace holdfast
