// Whether the tries of the window speak against the centre, and not against one subject or one caller.
#include <algorithm>

#include "upstream/circuit.h"

namespace holdfast {

void Circuit::judge_window(Now now) {
    window_.expire(now.mono);
    const WindowCounts counts = window_.counts();
    judge_again_ = many(Trait::failed) || many(Trait::slow) ? others_served_until(now.mono) : std::nullopt;
    if (many(Trait::failed) && diverse(Trait::failed, now.mono))
        open(CircuitCause::failure_rate, counts, now);
    else if (many(Trait::slow) && diverse(Trait::slow, now.mono))
        open(CircuitCause::slow_rate, counts, now);
    else if (connect_streak_ >= options_.connect_failures && window_.diverse(Trait::failed, options_.min_subjects))
        open(CircuitCause::connect_failures, counts, now);  // no request's doing: who was served before does not matter
}

// Whether as many tries of the window failed (were slow) as open it, whosever they are.
bool Circuit::many(Trait trait) const {
    const WindowCounts& counts = window_.counts();
    if (counts.judged() < options_.minimum_calls) return false;
    return trait == Trait::slow ? reaches(counts.slow, counts.judged(), options_.slow_call_rate_threshold)
                                : reaches(counts.failures, counts.judged(), options_.failure_rate_threshold);
}

// A caller that was served a moment ago is active as well, where a faster one has pushed it out of the window.
std::optional<MonoTime> Circuit::others_served_until(MonoTime t) const {
    const auto only = window_.only_credential();
    return only ? served_.another_until(*only, t) : std::nullopt;
}

bool Circuit::diverse(Trait trait, MonoTime t) const {
    return window_.diverse(trait, options_.min_subjects) && !others_served_until(t);
}

std::uint32_t Circuit::failing_subjects() const {
    const std::uint32_t now = window_.subjects(Trait::failed);
    const std::uint32_t own = state_ == CircuitState::closed ? now : std::max(now, failing_at_opening_);
    return central_holds() && bound_ != CircuitState::closed ? std::max(own, leased_.subjects) : own;
}

bool Circuit::failures_diverse(Now now) {
    window_.expire(now.mono);
    if (state_ != CircuitState::closed && diverse_at_opening_) return true;
    if (central_holds() && bound_ != CircuitState::closed && leased_.diverse) return true;
    return diverse(Trait::failed, now.mono);
}

bool Circuit::held_by_one_caller(MonoTime t) const {
    if (bound_ != CircuitState::closed || state_ != CircuitState::closed || forced_closed()) return false;
    const auto held = [&](Trait trait) {
        return many(trait) && window_.subjects(trait) >= options_.min_subjects && !diverse(trait, t);
    };
    return held(Trait::failed) || held(Trait::slow);
}

}  // namespace holdfast
