// What the store has lately seen to be on disk (or on its way there), so that the same answer again need not be read
// and opened to be found unchanged. A hint only: an entry that is lost costs a look, and one that says "unchanged" must
// be right, so it is forgotten with whatever leaves the store.
#pragma once

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
    RecentAnswers() : slots_(kRecentAnswersMax) {}
    // What was seen under the key last, or nothing.
    const Seen* find(const OutcomeKey& key) const {
        const Slot& slot = slots_[index(key)];
        return slot.used && slot.key == key ? &slot.seen : nullptr;
    }
    void note(const OutcomeKey& key, const Seen& seen) { slots_[index(key)] = {true, key, seen}; }
    void forget(const OutcomeKey& key) {
        Slot& slot = slots_[index(key)];
        if (slot.key == key) slot.used = false;
    }
    void forget_all() {
        for (Slot& slot : slots_) slot.used = false;
    }

  private:
    struct Slot {
        bool used = false;
        OutcomeKey key{};
        Seen seen;
    };
    // The key is a keyed hash already.
    static std::size_t index(const OutcomeKey& key) {
        std::size_t out;
        std::memcpy(&out, key.data() + 8, sizeof out);
        std::size_t context;
        std::memcpy(&context, key.data() + 24, sizeof context);
        return (out ^ context) & (kRecentAnswersMax - 1);
    }
    std::vector<Slot> slots_;
};

}  // namespace holdfast
