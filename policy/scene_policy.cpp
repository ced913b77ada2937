#include "policy/scene_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace holdfast {

std::string_view name(Rung rung) {
    switch (rung) {
        case Rung::cache:
            return "cache";
        case Rung::feature:
            return "feature";
        case Rung::provisional:
            return "provisional";
    }
    return "cache";
}

std::optional<Rung> parse_rung(std::string_view text) {
    for (Rung rung : {Rung::cache, Rung::feature, Rung::provisional})
        if (name(rung) == text) return rung;
    return std::nullopt;
}

bool Ladder::has(Rung rung) const {
    return std::find(begin(), end(), rung) != end();
}

bool Ladder::add(Rung rung) {
    if (has(rung)) return false;
    rungs_[size_++] = rung;
    return true;
}

bool Ladder::operator==(const Ladder& other) const {
    return std::equal(begin(), end(), other.begin(), other.end());
}

std::optional<std::string> fault_of(const ScenePolicy& policy) {
    if (policy.cache.max_age < Nanos{0}) return "cache.max_age: must not be negative";
    if (policy.cache.fail_max_age < Nanos{0}) return "cache.fail_max_age: must not be negative";
    if (policy.cache.overrun_percent > kOverrunPercentMax)
        return fmt::format("cache.overrun: must be at most {} %", kOverrunPercentMax);
    if (policy.ladder.has(Rung::cache) && policy.cache.max_age == Nanos{0}) return "cache.max_age: the rung needs it";
    if (policy.feature.max_age < Nanos{0}) return "feature.max_age: must not be negative";
    if (policy.ladder.has(Rung::feature)) {
        if (policy.feature.max_age == Nanos{0}) return "feature.max_age: the rung needs it";
        if (!(policy.feature.threshold > 0 && policy.feature.threshold <= 1))
            return "feature.threshold: must be above 0 and at most 1";
    }
    const ProvisionalPolicy& provisional = policy.provisional;
    if (provisional.after < Nanos{0} || provisional.hard_stop < Nanos{0})
        return "provisional: times must not be negative";
    if (provisional.budget_per_minute > kBudgetPerMinuteMax)
        return fmt::format("provisional.budget_per_minute: at most {}", kBudgetPerMinuteMax);
    if (provisional.per_subject_per_hour > kPerSubjectPerHourMax)
        return fmt::format("provisional.per_subject_per_hour: at most {}", kPerSubjectPerHourMax);
    if (policy.ladder.has(Rung::provisional)) {
        if (provisional.budget_per_minute == 0) return "provisional.budget_per_minute: the rung needs it";
        if (provisional.after >= provisional.hard_stop) return "provisional.after: must be below hard_stop";
    }
    return std::nullopt;
}

} // namespace holdfast
