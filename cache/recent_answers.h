// What the store has lately seen to be on disk (or on its way there), so that the same answer again need not be read
// and opened to be found unchanged. A hint only: an entry that is lost costs a look, and one that says "unchanged" must
// be right, so it is forgotten with whatever leaves the store.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "cache/record.h"

namespace holdfast {

class RecentAnswers {
  public:
    static constexpr std::size_t kRecentAnswersMax = 4096;  // a power of two; 288 KiB

    struct Seen {
        Now decided{};
        std::uint64_t asked_epoch = 0;
        std::uint64_t print = 0;  // of everything that makes the answer what it is
    };
    // What was seen under the key last, or nothing.
    const Seen* find(const OutcomeKey& key) const {
        for (const Slot& slot : sets_[index(key)])
            if (slot.used && slot.key == key) return &slot.seen;
        return nullptr;
    }
    // In a full set the oldest answer makes room.
    void note(const OutcomeKey& key, const Seen& seen) {
        forget(key);
        Set& set = sets_[index(key)];
        *std::min_element(set.begin(), set.end(), [](const Slot& a, const Slot& b) {
            return std::pair(a.used, a.seen.decided.mono) < std::pair(b.used, b.seen.decided.mono);
        }) = {true, key, seen};
    }
    void forget(const OutcomeKey& key) {
        for (Slot& slot : sets_[index(key)])
            if (slot.key == key) slot.used = false;
    }
    void forget_all() { sets_.assign(sets_.size(), {}); }

  private:
    struct Slot {
        bool used = false;
        OutcomeKey key{};
        Seen seen;
    };
    // With one place for each hash every third of 2,000 people finds it taken by somebody else, with eight every
    // twentieth.
    using Set = std::array<Slot, 8>;
    // The key is a keyed hash already.
    static std::size_t index(const OutcomeKey& key) {
        std::size_t out;
        std::memcpy(&out, key.data() + 8, sizeof out);
        std::size_t context;
        std::memcpy(&context, key.data() + 24, sizeof context);
        return (out ^ context) & (kRecentAnswersMax / std::tuple_size_v<Set> - 1);
    }
    std::vector<Set> sets_{kRecentAnswersMax / std::tuple_size_v<Set>};
};

}  // namespace holdfast
