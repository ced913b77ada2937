// Keys whose memory must not be believed for a while: a newer answer than the recorded one could not be written down,
// and it was no pass. Without this a full queue or an ill disk would leave the older pass to be answered in an outage.
// What that answer was stays known, since a refusal is the answer of an outage as long as it is young.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "edge/base/time.h"
#include "policy/siphash.h"
#include "policy/verification.h"

namespace holdfast {

class Distrust {
  public:
    static constexpr std::size_t kKeysMax = 65'536;  // beyond it every key is distrusted until the last one ends
    // At most so often room is looked for when it is full, however many come: all buckets are then seen within 7 s,
    // instead of the minute that the ticks take.
    static constexpr Nanos kExpireEvery = 100ms;

    // What could not be written down.
    struct Refusal {
        Now decided{};
        Verdict verdict = Verdict::fail;
        std::optional<Seconds> max_age{};  // the centre's grant
        std::uint64_t epoch = 0;           // as of LiveRecord::asked_epoch
    };

    explicit Distrust(const SipKey& key) : key_(key) {}

    // `refusal`: empty where there is none to tell of.
    void add(const SubjectKey& subject, MonoTime until, MonoTime now, const std::optional<Refusal>& refusal = {}) {
        if (!has_room(subject) && now - expired_ >= kExpireEvery) expire(now);
        if (has_room(subject))
            keys_[hash(subject)] = {until, refusal};
        else
            all_until_ = std::max(all_until_, until);
    }
    // Whether adding it costs nobody else's memory: it is in already, or there is room.
    bool has_room(const SubjectKey& subject) const { return !full() || keys_.contains(hash(subject)); }
    bool holds(const SubjectKey& subject, MonoTime now) {
        if (now < all_until_) return true;
        const auto at = keys_.find(hash(subject));
        if (at == keys_.end()) return false;
        if (now < at->second.until) return true;
        keys_.erase(at);
        return false;
    }
    std::optional<Refusal> refusal(const SubjectKey& subject) const {
        const auto at = keys_.find(hash(subject));
        return at == keys_.end() ? std::nullopt : at->second.refusal;
    }
    // Something newer is in the memory.
    void forget_refusal(const SubjectKey& subject) {
        if (keys_.empty()) return;
        if (const auto at = keys_.find(hash(subject)); at != keys_.end()) at->second.refusal.reset();
    }
    // Forgets what is over, at each call of the tick in some of the buckets: all of them at once may be 65,536 keys.
    void expire(MonoTime now) {
        expired_ = now;
        for (std::size_t i = 0; i < kBucketsAStep && !keys_.empty(); ++i) {
            next_ = next_ + 1 < keys_.bucket_count() ? next_ + 1 : 0;
            for (auto at = keys_.begin(next_); at != keys_.end(next_);) {
                const auto [key, entry] = *at++;
                if (entry.until <= now) keys_.erase(key);
            }
        }
    }
    std::size_t size() const { return keys_.size(); }

    bool full() const { return keys_.size() >= kKeysMax; }

  private:
    static constexpr std::size_t kBucketsAStep = 1024;  // about a key each: a 64th of a full table, in one turn

    struct Entry {
        MonoTime until{};
        std::optional<Refusal> refusal;
    };
    std::uint64_t hash(const SubjectKey& k) const {
        return siphash64(key_, {k.credential, k.subject, k.scene, k.device});
    }
    SipKey key_;
    std::unordered_map<std::uint64_t, Entry> keys_;
    std::size_t next_ = 0;  // the bucket looked at last
    MonoTime all_until_{}, expired_{};
};

}  // namespace holdfast
