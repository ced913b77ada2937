// What a scene lets happen while the centre cannot be asked (SPEC: degraded mode, [scene.NAME]). As compiled it denies:
// without rungs nothing but the centre answers.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "edge/base/time.h"

namespace holdfast {

enum class Rung : std::uint8_t { cache = 0, feature = 1, provisional = 2 };
inline constexpr std::size_t kRungs = 3;
std::string_view name(Rung rung);
std::optional<Rung> parse_rung(std::string_view text);

// The ladder: rungs in the order of the configuration, none twice.
class Ladder {
  public:
    bool add(Rung rung); // false: it is there already
    bool has(Rung rung) const;
    std::size_t size() const { return size_; }
    Rung operator[](std::size_t i) const { return rungs_[i]; } // Requires: i < size()
    const Rung* begin() const { return rungs_.data(); }
    const Rung* end() const { return rungs_.data() + size_; }
    bool operator==(const Ladder& other) const;

  private:
    std::array<Rung, kRungs> rungs_{};
    std::size_t size_ = 0;
};

inline constexpr unsigned kOverrunPercentMax = 25;
inline constexpr std::uint32_t kBudgetPerMinuteMax = 10'000;
inline constexpr std::uint32_t kPerSubjectPerHourMax = 100;

struct CachePolicy {
    Nanos max_age{0};             // of a pass; 0: none is served
    Nanos fail_max_age = 30s;     // of fail and review
    unsigned overrun_percent = 0; // how far beyond the centre's own grant; at most kOverrunPercentMax
    bool require_device = false;
};
struct FeaturePolicy {
    Nanos max_age{0};
    double threshold = 1.0; // cosine, in (0, 1]
};
struct ProvisionalPolicy {
    Nanos after = 60s;
    std::uint32_t budget_per_minute = 0;
    std::uint32_t per_subject_per_hour = 1;
    Nanos hard_stop = 30min;
};

struct ScenePolicy {
    Ladder ladder;
    CachePolicy cache;
    FeaturePolicy feature;
    ProvisionalPolicy provisional;
    bool keep_evidence = true;
};

// Why the numbers cannot stand ("cache.overrun: …"), or nothing.
std::optional<std::string> fault_of(const ScenePolicy& policy);

} // namespace holdfast
