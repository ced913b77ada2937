// When the centre's word against somebody last came here, by the clock that nobody sets: a pass that was asked before
// has no place in the memory of outcomes, whatever the word and the clocks say of when it was decided. Not what was
// said, which is in the memory, or kept (unplaced). Of this process, as the calls are that it is asked about.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "edge/base/time.h"
#include "policy/siphash.h"
#include "policy/verification.h"

namespace holdfast {

class RefusalTimes {
  public:
    // A power of two; 544 KiB. At 1,000 refusals a second each is known for some 30 s, ten times as long as a call
    // takes. The oldest of a full set leaves: from then on whoever shares the set counts as refused when it was.
    static constexpr std::size_t kKeysMax = 32'768;

    explicit RefusalTimes(const SipKey& key) : key_(key) {}

    // Requires, of both: no earlier `now` than that of the call before.
    void note(const SubjectKey& subject, MonoTime now) { note(subjects_, hash(subject), now); }
    // Of a word that names a verification by the centre's number of it, and that no order here could be given.
    void note_number(std::string_view number, MonoTime now) { note(numbers_, hash(number), now); }
    // Whether one has come at `asked` or later; where there is no room to know, yes.
    bool since(const SubjectKey& subject, MonoTime asked) const {
        return subjects_ >= asked && since(hash(subject), asked);
    }
    // The same; where there is no room to know, no. For what was asked longer ago than a call takes.
    bool known_since(const SubjectKey& subject, MonoTime asked) const {
        return subjects_ >= asked && known_since(hash(subject), asked);
    }
    bool number_since(std::string_view number, MonoTime asked) const {
        return numbers_ >= asked && since(hash(number), asked);
    }
    bool any_number_since(MonoTime asked) const { return numbers_ >= asked; }

  private:
    static constexpr MonoTime kNever = MonoTime::min();
    struct Slot {
        std::uint64_t hash = 0;
        MonoTime at = kNever;
    };
    struct Set {
        std::array<Slot, 8> slots;
        MonoTime left = kNever;  // the newest that has had to make room
        const Slot* find(std::uint64_t hash) const {
            for (const Slot& slot : slots)
                if (slot.at != kNever && slot.hash == hash) return &slot;
            return nullptr;
        }
        bool known_since(std::uint64_t hash, MonoTime asked) const {
            const Slot* slot = find(hash);
            return slot != nullptr && slot->at >= asked;
        }
        bool since(std::uint64_t hash, MonoTime asked) const {
            const Slot* slot = find(hash);
            return (slot != nullptr ? slot->at : left) >= asked;
        }
    };

    void note(MonoTime& last, std::uint64_t hash, MonoTime now) {
        last = now;
        Set& set = sets_[hash % sets_.size()];
        auto slot = std::find_if(set.slots.begin(), set.slots.end(),
                                 [hash](const Slot& s) { return s.at != kNever && s.hash == hash; });
        if (slot == set.slots.end()) {
            slot = std::min_element(set.slots.begin(), set.slots.end(),
                                    [](const Slot& a, const Slot& b) { return a.at < b.at; });
            set.left = std::max(set.left, slot->at);
        }
        *slot = {hash, now};
    }
    bool known_since(std::uint64_t hash, MonoTime asked) const {
        return sets_[hash % sets_.size()].known_since(hash, asked);
    }
    bool since(std::uint64_t hash, MonoTime asked) const { return sets_[hash % sets_.size()].since(hash, asked); }
    std::uint64_t hash(const SubjectKey& k) const {
        return siphash64(key_, {k.credential, k.subject, k.scene, k.device});
    }
    std::uint64_t hash(std::string_view number) const { return siphash64(key_, {number}); }

    SipKey key_;
    std::vector<Set> sets_{kKeysMax / std::tuple_size_v<decltype(Set::slots)>};
    MonoTime subjects_ = kNever, numbers_ = kNever;  // of the last ones
};

}  // namespace holdfast
