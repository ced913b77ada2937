#include "upstream/ejection.h"

#include <algorithm>

#include "edge/base/check.h"

namespace holdfast {

Ejection::Ejection(std::size_t endpoints, EjectionOptions options) {
    reconfigure(options, std::vector<bool>(endpoints, true));
}

void Ejection::reconfigure(EjectionOptions options, const std::vector<bool>& present) {
    options_ = options;
    options_.min_subjects = std::clamp(options_.min_subjects, 1u, kSubjectsMax);
    options_.failures = std::max(options_.failures, 1u);
    endpoints_.resize(present.size());
    for (std::size_t i = 0; i < present.size(); ++i)
        if (endpoints_[i].present != present[i]) {
            endpoints_[i] = One{};
            endpoints_[i].present = present[i];
        }
}

void Ejection::success(std::size_t endpoint, MonoTime now) {
    HF_CHECK(endpoint < endpoints_.size());
    One& one = endpoints_[endpoint];
    one.streak = 0;
    one.subjects.clear();
    // Back and well for as long as it was away: the next ejection begins with the base again.
    if (one.times > 0 && now >= one.until + wait_of(one.times)) one.times = 0;
}

bool Ejection::failure(std::size_t endpoint, std::uint64_t subject, MonoTime now) {
    HF_CHECK(endpoint < endpoints_.size());
    One& one = endpoints_[endpoint];
    if (ejected(endpoint, now)) return false; // tries that began before
    one.streak = std::min(one.streak + 1, options_.failures);
    const bool known = std::find(one.subjects.begin(), one.subjects.end(), subject) != one.subjects.end();
    if (!known && one.subjects.size() < options_.min_subjects) one.subjects.push_back(subject);
    if (one.streak < options_.failures || one.subjects.size() < options_.min_subjects) return false;
    return eject_with_backoff(endpoint, now);
}

bool Ejection::probe(std::size_t endpoint, bool healthy, MonoTime now) {
    HF_CHECK(endpoint < endpoints_.size());
    One& one = endpoints_[endpoint];
    one.probe_streak = healthy ? 0 : std::min(one.probe_streak + 1, kProbeFailures);
    if (one.probe_streak < kProbeFailures || ejected(endpoint, now)) return false;
    return eject_with_backoff(endpoint, now);
}

bool Ejection::ejected(std::size_t endpoint, MonoTime now) const {
    return now < endpoints_[endpoint].until;
}

std::optional<Nanos> Ejection::back_in(std::size_t endpoint, MonoTime now) const {
    if (!ejected(endpoint, now)) return std::nullopt;
    return endpoints_[endpoint].until - now;
}

Result<void> Ejection::eject(std::size_t endpoint, MonoTime until, MonoTime now) {
    if (endpoint >= endpoints_.size()) return fail(Code::not_found, Origin::client, "no such endpoint");
    if (!may_eject(endpoint, now))
        return fail(Code::denied, Origin::client, "fewer than half of the endpoints would be left");
    endpoints_[endpoint].until = until;
    return {};
}

void Ejection::restore(std::size_t endpoint) {
    HF_CHECK(endpoint < endpoints_.size());
    const bool present = endpoints_[endpoint].present;
    endpoints_[endpoint] = One{};
    endpoints_[endpoint].present = present;
}

bool Ejection::may_eject(std::size_t endpoint, MonoTime now) const {
    std::size_t left = 0, all = 0;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
        if (!endpoints_[i].present) continue;
        ++all;
        if (i != endpoint && !ejected(i, now)) ++left;
    }
    return left * 2 >= all;
}

Nanos Ejection::wait_of(std::uint32_t times) const {
    Nanos wait = options_.base;
    for (std::uint32_t i = 1; i < times && wait < options_.max; ++i) wait *= 2;
    return std::min(wait, options_.max);
}

bool Ejection::eject_with_backoff(std::size_t endpoint, MonoTime now) {
    if (!may_eject(endpoint, now)) return false;
    One& one = endpoints_[endpoint];
    one.times = std::min(one.times + 1, 32u);
    one.until = now + wait_of(one.times);
    one.streak = one.probe_streak = 0;
    one.subjects.clear();
    return true;
}

} // namespace holdfast
