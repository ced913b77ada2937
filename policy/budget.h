// How many provisional answers may still be given: per scene and minute, per subject and hour. Exact over any such
// span, bounded in memory, and kept over a restart as one small record a spend. Ages are the certain ones
// (youngest_age), so that no jump of the wall clock refills anything.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "edge/base/result.h"
#include "policy/siphash.h"
#include "policy/stamp.h"

namespace holdfast {

inline constexpr std::size_t kSpendsMax = 65'536; // in one hour, all scenes; beyond it nothing is provisional
inline constexpr std::size_t kSpendsRestoredMax = 2 * kSpendsMax; // with those whose ages a reboot has blurred
inline constexpr std::size_t kBudgetScenesMax = 256;

struct Spend {
    std::uint64_t serial = 0; // rises by one a spend; the key in state/
    std::string scene;
    std::uint64_t subject = 0; // keyed hash of scene, credential and subject
    Stamp at;
    std::string key() const;    // "spend/" and the serial in 16 hex digits: its name in state/
    std::string encode() const; // versioned
    bool operator==(const Spend&) const = default;
};
Result<Spend> decode_spend(std::string_view text); // Code::corrupt

struct BudgetLimits {
    std::uint32_t per_minute = 0; // the node's share, when the fleet shares a budget
    std::uint32_t per_subject_per_hour = 0;
};

class Budget {
  public:
    // `key` must be the same after a restart.
    Budget(const SipKey& key, std::uint64_t boot) : key_(key), boot_(boot) {}

    std::uint64_t subject_hash(std::string_view credential, std::string_view scene, std::string_view subject) const;
    // Facts for decide(); they spend nothing. has_room() is both together.
    bool has_room(std::string_view scene, std::uint64_t subject, const BudgetLimits& limits, Now now);
    bool has_scene_room(std::string_view scene, const BudgetLimits& limits, Now now);
    bool has_subject_room(std::uint64_t subject, const BudgetLimits& limits, Now now);
    // Spends one, or nothing when there is no room. The answer waits until the spend is durable.
    std::optional<Spend> try_spend(std::string_view scene, std::uint64_t subject, const BudgetLimits& limits, Now now);
    // Takes a spend back whose answer was never given. False when it is over or unknown.
    bool refund(const Spend& spend);
    // Of before a restart, in any order. False when it is over, and only then: its record may be erased. Beyond
    // kSpendsRestoredMax the record alone is kept; nothing is provisional then anyway.
    bool restore(const Spend& spend, Now now);
    std::uint32_t spent_last_minute(std::string_view scene, Now now);
    // Forgets spends older than an hour and returns them, so that the shell can erase their records.
    std::vector<Spend> expire(Now now);
    std::size_t size() const { return spends_.size(); }

  private:
    struct Held {
        Spend spend;
        MonoTime when; // the latest moment that it can have happened at, on this boot's clock
    };
    void age(Now now);
    void hold(Held held);
    void forget(std::uint64_t subject);

    SipKey key_;
    std::uint64_t boot_;
    std::uint64_t serial_ = 0;
    std::deque<Held> spends_;                                           // by `when`
    std::unordered_map<std::uint64_t, std::uint32_t> by_subject_;       // how many of spends_
    std::map<std::string, std::deque<MonoTime>, std::less<>> by_scene_; // of the last minute, oldest first
    std::vector<Spend> over_; // older than an hour, not yet handed out by expire()
};

} // namespace holdfast
