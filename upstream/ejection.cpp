#include "upstream/ejection.h"

#include <algorithm>

#include "edge/base/check.h"

namespace holdfast {

std::string_view name(Out out) {
    constexpr std::string_view kNames[] = {"no", "tries", "probes", "operator"};
    return kNames[static_cast<std::size_t>(out)];
}

Ejection::Ejection(std::size_t endpoints, EjectionOptions options) {
    reconfigure(options, std::vector<bool>(endpoints, true));
}

void Ejection::reconfigure(EjectionOptions options, const std::vector<bool>& present) {
    options_ = options;
    options_.min_subjects = std::clamp(options_.min_subjects, 1u, kSubjectsMax);
    options_.failures = std::max(options_.failures, 1u);
    options_.probe_failures = std::max(options_.probe_failures, 1u);
    options_.probe_successes = std::max(options_.probe_successes, 1u);
    endpoints_.resize(present.size());
    for (std::size_t i = 0; i < present.size(); ++i)
        if (endpoints_[i].present != present[i]) {
            endpoints_[i] = One{};
            endpoints_[i].present = present[i];
        }
}

void Ejection::end_streak(One& one) {
    one.streak = 0;
    one.subjects.clear();
    one.credential.reset();
    one.several = false;
}

void Ejection::success(std::size_t endpoint, Caller caller, MonoTime now) {
    HF_CHECK(endpoint < endpoints_.size());
    One& one = endpoints_[endpoint];
    end_streak(one);
    one.served.add(caller.credential, now);
    one.last_good = now;
    // Back and well for as long as it was away: the next ejection begins with the base again.
    if (one.times > 0 && now >= one.until + wait_of(one.times)) one.times = 0;
}

bool Ejection::failure(std::size_t endpoint, Caller caller, bool unconnected, MonoTime now) {
    HF_CHECK(endpoint < endpoints_.size());
    One& one = endpoints_[endpoint];
    if (!one.present || ejected(endpoint, now)) return false;  // tries that began before
    one.streak = std::min(one.streak + 1, options_.failures);
    const bool known = std::find(one.subjects.begin(), one.subjects.end(), caller.subject) != one.subjects.end();
    if (!known && one.subjects.size() < options_.min_subjects) one.subjects.push_back(caller.subject);
    if (!one.credential) one.credential = caller.credential;
    one.several |= unconnected || *one.credential != caller.credential;
    return tries_fail(one, now) && eject_with_backoff(endpoint, now);
}

// Enough of them in a row, and it is not one caller's affair.
bool Ejection::tries_fail(const One& one, MonoTime now) const {
    if (one.streak < options_.failures || one.subjects.size() < options_.min_subjects) return false;
    return one.several || !one.served.another_until(*one.credential, now);
}

Out Ejection::failing(std::size_t endpoint, MonoTime now) const {
    const One& one = endpoints_[endpoint];
    if (ejected(endpoint, now)) return Out::no;
    if (tries_fail(one, now)) return Out::tries;
    return one.bad_probes >= options_.probe_failures ? Out::probes : Out::no;
}

bool Ejection::probe(std::size_t endpoint, bool healthy, MonoTime now) {
    HF_CHECK(endpoint < endpoints_.size());
    One& one = endpoints_[endpoint];
    one.probed = healthy;
    one.good_probes = healthy ? std::min(one.good_probes + 1, options_.probe_successes) : 0;
    one.bad_probes = healthy ? 0 : std::min(one.bad_probes + 1, options_.probe_failures);
    if (one.down && one.good_probes == options_.probe_successes) {
        one.down = false;
        one.back = now;
    }
    if (one.down || one.bad_probes < options_.probe_failures || !half_serves(endpoint, now)) return false;
    const bool served = !ejected(endpoint, now);
    one.down = one.was_out = true;
    return served;
}

Out Ejection::out(std::size_t endpoint, MonoTime now) const {
    const One& one = endpoints_[endpoint];
    if (now < one.until) return one.by_hand ? Out::by_hand : Out::tries;
    return one.down ? Out::probes : Out::no;
}

std::optional<Nanos> Ejection::back_in(std::size_t endpoint, MonoTime now) const {
    const One& one = endpoints_[endpoint];
    if (one.down || now >= one.until) return std::nullopt;
    return one.until - now;
}

double Ejection::share(std::size_t endpoint, MonoTime now) const {
    const One& one = endpoints_[endpoint];
    if (one.until == MonoTime{} && !one.back) return 1;
    const MonoTime since = std::max(one.until, one.back.value_or(one.until));
    if (now - since >= options_.slow_start) return 1;
    const double grown = static_cast<double>((now - since).count()) / static_cast<double>(options_.slow_start.count());
    return kFirstShare + (1 - kFirstShare) * std::max(0.0, grown);
}

std::optional<std::size_t> Ejection::next_returned(MonoTime now) {
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
        if (!endpoints_[i].was_out || ejected(i, now)) continue;
        endpoints_[i].was_out = false;
        return i;
    }
    return std::nullopt;
}

Result<void> Ejection::eject(std::size_t endpoint, MonoTime until, MonoTime now) {
    if (endpoint >= endpoints_.size()) return fail(Code::not_found, Origin::client, "no such endpoint");
    if (!half_serves(endpoint, now))
        return fail(Code::denied, Origin::client,
                    "fewer than half of the endpoints with a weight would be left to serve; to call none of them, "
                    "`holdfastctl degrade on`");
    One& one = endpoints_[endpoint];
    one.until = until;
    one.by_hand = one.was_out = true;
    return {};
}

void Ejection::restore(std::size_t endpoint, MonoTime now) {
    HF_CHECK(endpoint < endpoints_.size());
    One& one = endpoints_[endpoint];
    One fresh;
    if (ejected(endpoint, now))
        fresh.back = now;
    else if (one.until != MonoTime{} || one.back)
        fresh.back = std::max(one.until, one.back.value_or(one.until));
    fresh.was_out = one.was_out;
    fresh.probed = one.probed;
    fresh.present = one.present;
    fresh.weighs = one.weighs;
    one = std::move(fresh);
}

void Ejection::end_probes(MonoTime now) {
    for (One& one : endpoints_) {
        if (one.down) one.back = now;
        one.down = false;
        one.good_probes = one.bad_probes = 0;
        one.probed.reset();
    }
}

void Ejection::keep_half(MonoTime now) {
    while (!half_serves(std::nullopt, now)) {
        const auto next = soonest_back(now, [&](std::size_t i) { return ejected(i, now); });
        if (!next) return;
        restore(*next, now);
    }
}

std::optional<std::size_t> Ejection::soonest_back(MonoTime now, const std::function<bool(std::size_t)>& may) const {
    std::optional<std::size_t> out;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
        if (!endpoints_[i].present || !endpoints_[i].weighs || !may(i)) continue;
        if (!out || sooner_back(i, *out, now)) out = i;
    }
    return out;
}

bool Ejection::sooner_back(std::size_t a, std::size_t b, MonoTime now) const {
    const Out why = out(a, now), other = out(b, now);
    return why != other ? why < other : endpoints_[a].until < endpoints_[b].until;
}

bool Ejection::half_serves(std::optional<std::size_t> without, MonoTime now) const {
    std::size_t left = 0, all = 0;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
        if (!endpoints_[i].present || !endpoints_[i].weighs) continue;
        ++all;
        if (i != without && !ejected(i, now)) ++left;
    }
    return left > 0 && left * 2 >= all;
}

Nanos Ejection::wait_of(std::uint32_t times) const {
    Nanos wait = options_.base;
    for (std::uint32_t i = 1; i < times && wait < options_.max; ++i) wait *= 2;
    return std::min(wait, options_.max);
}

// Where half must serve: one that its tries took out before comes back for this one, since it may be well by now. Not
// for a hiccup of one that was well a moment ago, and each time for longer.
bool Ejection::change_places(std::size_t endpoint, MonoTime now) {
    const auto& good = endpoints_[endpoint].last_good;
    if (good && now - *good < options_.base) return false;
    const auto other =
        soonest_back(now, [&](std::size_t i) { return !endpoints_[i].down && out(i, now) == Out::tries; });
    if (!other) return false;
    const std::uint32_t times = endpoints_[*other].times;
    restore(*other, now);
    endpoints_[*other].times = times;
    endpoints_[*other].last_good = now;  // it has as long to show it
    return half_serves(endpoint, now);
}

bool Ejection::eject_with_backoff(std::size_t endpoint, MonoTime now) {
    if (!half_serves(endpoint, now) && !change_places(endpoint, now)) return false;
    One& one = endpoints_[endpoint];
    one.times = std::min(one.times + 1, 32u);
    one.until = now + wait_of(one.times);
    one.by_hand = false;
    one.was_out = true;
    end_streak(one);
    return true;
}

} // namespace holdfast
