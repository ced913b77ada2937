// Keys whose memory must not be believed for a while: a newer answer than the recorded one could not be written down,
// and it was no pass. Without this a full queue or an ill disk would leave the older pass to be answered in an outage.
#pragma once

#include <string>
#include <unordered_map>

#include "edge/base/time.h"
#include "policy/siphash.h"
#include "policy/verification.h"

namespace holdfast {

class Distrust {
  public:
    static constexpr std::size_t kKeysMax = 65'536;  // beyond it every key is distrusted until the last one ends

    explicit Distrust(const SipKey& key) : key_(key) {}

    void add(const SubjectKey& subject, MonoTime until) {
        if (until > all_until_) all_until_ = full() ? until : all_until_;
        if (!full()) keys_[hash(subject)] = until;
    }
    bool holds(const SubjectKey& subject, MonoTime now) {
        if (now < all_until_) return true;
        const auto at = keys_.find(hash(subject));
        if (at == keys_.end()) return false;
        if (now < at->second) return true;
        keys_.erase(at);
        return false;
    }
    // Forgets what is over; for the tick.
    void expire(MonoTime now) {
        std::erase_if(keys_, [now](const auto& one) { return one.second <= now; });
    }
    std::size_t size() const { return keys_.size(); }

  private:
    bool full() const { return keys_.size() >= kKeysMax; }
    std::uint64_t hash(const SubjectKey& k) const {
        return siphash64(key_, {k.credential, k.subject, k.scene, k.device});
    }
    SipKey key_;
    std::unordered_map<std::uint64_t, MonoTime> keys_;
    MonoTime all_until_{};
};

}  // namespace holdfast
