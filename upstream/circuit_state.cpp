// What a circuit shows: names, and the view of it.
#include <algorithm>

#include "upstream/circuit.h"

namespace holdfast {

std::string_view name(CircuitState s) {
    switch (s) {
        case CircuitState::closed:
            return "closed";
        case CircuitState::half_open:
            return "half-open";
        case CircuitState::open:
            return "open";
    }
    return "open";
}

std::string_view name(CircuitCause c) {
    switch (c) {
        case CircuitCause::failure_rate:
            return "failure_rate";
        case CircuitCause::slow_rate:
            return "slow_rate";
        case CircuitCause::connect_failures:
            return "connect_failures";
        case CircuitCause::open_wait_over:
            return "open_wait_over";
        case CircuitCause::probes_succeeded:
            return "probes_succeeded";
        case CircuitCause::probes_failed:
            return "probes_failed";
        case CircuitCause::probe_timeout:
            return "probe_timeout";
        case CircuitCause::forced:
            return "forced";
        case CircuitCause::restored:
            return "restored";
        case CircuitCause::fleet_opened:
            return "fleet_opened";
        case CircuitCause::fleet_probing:
            return "fleet_probing";
        case CircuitCause::fleet_closed:
            return "fleet_closed";
        case CircuitCause::lease_lost:
            return "lease_lost";
        case CircuitCause::started:
            return "started";
    }
    return "restored";
}

std::string_view name(Forced f) {
    switch (f) {
        case Forced::none:
            return "none";
        case Forced::open:
            return "open";
        case Forced::closed:
            return "closed";
    }
    return "none";
}

std::string_view name(Admission::Why why) {
    switch (why) {
        case Admission::Why::admitted:
            return "admitted";
        case Admission::Why::open:
            return "open";
        case Admission::Why::half_open_full:
            return "half_open_full";
        case Admission::Why::ramp:
            return "ramp";
        case Admission::Why::throttled:
            return "throttled";
    }
    return "open";
}

void Circuit::reconfigure(const CircuitOptions& options, Now now) {
    tick(now);
    if (options.window_type != options_.window_type || options.window_size != options_.window_size)
        window_ = OutcomeWindow(options.window_type, options.window_size);
    options_ = options;
    if (ramp_at_ && *ramp_at_ >= options_.ramp_steps.size()) ramp_at_.reset();
    if (state_ == CircuitState::open) open_until_ = std::min(open_until_, now.mono + options_.open_wait_max);
    ++revision_;
}

CircuitView Circuit::view(Now now) {
    tick(now);
    window_.expire(now.mono);
    CircuitView v;
    v.state = bound_;
    v.since = bound_since_;
    v.cause = last_.cause;
    v.why = last_.counts;
    v.why_subjects = last_.failing_subjects;
    v.window = window_.counts();
    v.failing_subjects = failing_subjects();
    v.failing_credentials = window_.credentials(Trait::failed);
    v.one_caller = held_by_one_caller(now.mono);
    v.connect_failures = connect_streak_;
    if (forced_ != Forced::none) v.forced_for = forced_until_ - now.mono;
    if (bound_ == CircuitState::open) {
        const MonoTime until = leased_.forced == Forced::open ? leased_.forced_until
                               : central_holds()              ? leased_.open_until
                                                              : open_until_;
        v.retry_in = forced_ == Forced::open ? *v.forced_for : std::max(Nanos{0}, Nanos(until - now.mono));
    }
    if (bound_ == CircuitState::half_open || probes_beside()) {
        v.probes_in_flight = round_.in_flight();
        v.probes_done = round_.reported();
        v.probes_failed = static_cast<std::uint32_t>(round_.counts().failures);
    }
    v.failed_rounds = failed_rounds_;
    if (ramp_at_) v.ramp = options_.ramp_steps[*ramp_at_];
    if (bound_ == CircuitState::closed && !forced_closed()) v.throttle = throttle_share(now);
    v.forced = forced_;
    v.outage_since = outage_since_;
    v.own = state_;
    v.proof = proof(now.mono);
    if (leased_.bind != Leased::Bind::none) v.leased = leased_;
    return v;
}

std::vector<CircuitTransition> Circuit::take_transitions() {
    return std::exchange(transitions_, {});
}

} // namespace holdfast
