#include "policy/nonce_window.h"

#include <algorithm>
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

NonceWindow::NonceWindow(std::size_t capacity, Seconds window, const SipKey& key)
    : key_(key), table_(std::clamp(capacity, kNonceCapacityMin, kNonceCapacityMax)), tags_(1) {
    HF_CHECK(window.count() > 0);
    // A timestamp may lie a window ahead and counts until a window after it, whole seconds rounded up.
    lifetime_ = 2 * std::min(window, kNonceWindowMax).count() + 2;
    buckets_.resize(static_cast<std::size_t>(lifetime_) + 2);
    dying_.reserve(buckets_.size());
}

Hash128 NonceWindow::fingerprint(std::string_view secret_id, std::string_view nonce) const {
    Hash128 out = siphash128(key_, {secret_id, nonce});
    const std::uint32_t caller = tag_of(secret_id);
    std::memcpy(out.data(), &caller, sizeof caller);
    return out;
}

void NonceWindow::prefetch(const Hash128& fingerprint) const {
    table_.prefetch(hash_of(words_of<Words>(fingerprint)));
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
    for (std::uint32_t i = 1; i < tags_.size(); ++i) {
        if (table_.held(i) > 0 || std::binary_search(tags.begin(), tags.end(), tags_[i])) continue;
        owner_by_tag_.erase(tags_[i]);
        vacant.push_back(i);
    }
    for (std::uint32_t tag : tags) {
        if (owner_by_tag_.contains(tag)) continue;
        if (!vacant.empty()) {
            tags_[vacant.back()] = tag;
            owner_by_tag_.emplace(tag, vacant.back());
            vacant.pop_back();
        } else if (tags_.size() <= 2 * kNonceOwnersMax) {
            owner_by_tag_.emplace(tag, static_cast<std::uint32_t>(tags_.size()));
            tags_.push_back(tag);
        }
    }
    for (std::uint32_t i : vacant) tags_[i] = 0;
    std::vector<std::uint32_t> sharers;
    for (std::uint32_t tag : tags) sharers.push_back(owner_of(tag));
    table_.add_owners(tags_.size());
    table_.set_shares(sharers);
}

std::uint32_t NonceWindow::tag_of(std::string_view secret_id) const {
    return static_cast<std::uint32_t>(siphash64(key_, secret_id));
}

std::uint32_t NonceWindow::owner_of(std::uint32_t tag) const {
    const auto found = owner_by_tag_.find(tag);
    return found == owner_by_tag_.end() ? 0 : found->second;
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

void NonceWindow::reclaim(std::size_t entries_max) {
    for (; entries_max > 0 && !dying_.empty(); --entries_max) {
        std::uint32_t& head = dying_.back();
        const Entry& entry = table_[head];
        const std::uint32_t next = entry.next_in_bucket;
        table_.release(head, hash_of(entry.fingerprint));
        head = next;
        if (head == 0) dying_.pop_back();
    }
}

bool NonceWindow::holds(const Words& words) const {
    return table_.find(hash_of(words), [&words](const Entry& one) { return one.fingerprint == words; }) != 0;
}

void NonceWindow::put(const Words& words, std::uint32_t owner, std::int64_t second, std::int64_t expiry) {
    Bucket& bucket = buckets_[static_cast<std::size_t>(second % static_cast<std::int64_t>(buckets_.size()))];
    bucket.head = table_.put(hash_of(words), {words, 0, bucket.head, owner});
    bucket.expiry_max = std::max(bucket.expiry_max, expiry);
}

NonceWindow::Insert NonceWindow::admit(const Words& words, std::int64_t expiry, Now now) {
    // An entry that is over but not yet given back still refuses its nonce for a moment: the safe side. One that was
    // given back lies at or below the mark.
    if (holds(words)) return Insert::replayed;
    if (expiry <= low_water_) return Insert::expired;
    const std::uint32_t owner = owner_of(words[0]);
    if (!table_.has_room(owner)) return Insert::full;
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
    if (size() == capacity()) return Insert::full;
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
