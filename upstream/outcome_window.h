// The sliding window of a circuit: what the last tries came to, and how many distinct subjects and credentials they
// belong to. By count (the last N tries) or by time (ten exact one-second buckets). It judges nothing: circuit.h does.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "edge/base/time.h"
#include "upstream/second_buckets.h"

namespace holdfast {

enum class WindowType : std::uint8_t { count, time };

// Whose try it is. Both are keyed hashes, so that neither a subject nor a credential is kept in clear.
struct Caller {
    std::uint64_t subject = 0;
    std::uint64_t credential = 0;
};

// What one try adds to the window. A failure may be slow as well.
struct WindowEntry {
    Caller caller;
    bool failed = false;
    bool throttled = false; // the centre asked to wait; neither a failure nor a success
    bool slow = false;
};

struct WindowCounts {
    std::uint64_t successes = 0, failures = 0, throttled = 0;
    std::uint64_t slow = 0; // among successes and failures
    void add(const WindowEntry& entry) {
        ++(entry.throttled ? throttled : entry.failed ? failures : successes);
        if (entry.slow) ++slow;
    }
    std::uint64_t calls() const { return successes + failures + throttled; }
    std::uint64_t judged() const { return successes + failures; } // what rates are taken of
};

// Whether `part` of `whole` reaches `percent`.
inline bool reaches(std::uint64_t part, std::uint64_t whole, double percent) {
    return whole > 0 && static_cast<double>(part) * 100 >= percent * static_cast<double>(whole);
}

// The ways in which a try can be counted for its subject and credential.
enum class Trait : std::uint8_t { active, failed, unaccepted /* failed or throttled */, slow };
inline constexpr std::size_t kTraits = 4;

// How many distinct keys carry each trait, while tries come and go.
class DistinctKeys {
  public:
    using Traits = std::array<bool, kTraits>;
    void add(std::uint64_t key, const Traits& traits);
    void remove(std::uint64_t key, const Traits& traits); // Requires: added before
    std::uint32_t distinct(Trait trait) const { return distinct_[static_cast<std::size_t>(trait)]; }
    // The key, when there is one and no other.
    std::optional<std::uint64_t> only() const {
        return keys_.size() == 1 ? std::optional(keys_.begin()->first) : std::nullopt;
    }
    void clear();

  private:
    std::unordered_map<std::uint64_t, std::array<std::uint32_t, kTraits>> keys_;
    std::array<std::uint32_t, kTraits> distinct_{};
};

class OutcomeWindow {
  public:
    static constexpr std::size_t kSizeMax = 10'000; // tries of a count window
    static constexpr std::size_t kBuckets = 10;     // of one second each, of a time window
    // Distinct subjects, and distinct credentials, tracked in one bucket of a time window. Numbers are exact up to
    // here; beyond they say at least this many. A count window is always exact.
    static constexpr std::size_t kDistinctMax = 512;

    // `size`: tries of a count window, 1 to kSizeMax; a time window ignores it.
    OutcomeWindow(WindowType type, std::size_t size);
    void add(const WindowEntry& entry, MonoTime now);
    void expire(MonoTime now); // forgets what a time window must forget; add() does it by itself
    void clear();
    const WindowCounts& counts() const { return counts_; }
    std::uint32_t subjects(Trait trait) const { return subjects_.distinct(trait); } // `active` is not kept: 0
    std::uint32_t credentials(Trait trait) const { return credentials_.distinct(trait); }
    std::optional<std::uint64_t> only_credential() const { return credentials_.only(); }
    // Whether the tries with `trait` belong to at least `min_subjects` subjects and, while another credential was
    // active, to more than one credential: one caller alone is no evidence against the centre.
    bool diverse(Trait trait, std::uint32_t min_subjects) const;

  private:
    using Traits = DistinctKeys::Traits;
    // Distinct keys of one bucket; at most kDistinctMax for each trait.
    struct Tracked {
        std::unordered_map<std::uint64_t, Traits> keys;
        std::array<std::uint32_t, kTraits> distinct{};
    };
    struct Bucket {
        WindowCounts counts;
        Tracked subjects, credentials;
    };
    static void track(Tracked& bucket, DistinctKeys& all, std::uint64_t key, const Traits& traits);
    static void forget(Tracked& bucket, DistinctKeys& all);
    Bucket& current(MonoTime now);
    void add_counted(const WindowEntry& entry);

    WindowType type_;
    std::size_t size_;
    std::vector<WindowEntry> ring_; // of a count window: at most size_ entries, next_ is the oldest once it is full
    std::size_t next_ = 0;
    SecondBuckets<Bucket, kBuckets> buckets_; // of a time window
    WindowCounts counts_;
    DistinctKeys subjects_, credentials_;
};

} // namespace holdfast
