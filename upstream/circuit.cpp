#include "upstream/circuit.h"

#include <algorithm>
#include <utility>

#include "edge/base/check.h"
#include "upstream/mutant.h"

namespace holdfast {
namespace {

bool has_error(const CircuitOptions& options) {
    const auto problems = check(options);
    return std::any_of(problems.begin(), problems.end(), [](const OptionProblem& p) { return !p.warning; });
}

bool passes(double share, Rng& rng) {
    return share >= 1 || (share > 0 && rng.chance(share));
}

} // namespace

Permit::Permit(Permit&& other) noexcept
    : circuit_(std::exchange(other.circuit_, nullptr)),
      generation_(other.generation_),
      caller_(other.caller_),
      probe_(other.probe_),
      epoch_(other.epoch_) {}

Permit& Permit::operator=(Permit&& other) noexcept {
    if (this == &other) return *this;
    drop();
    circuit_ = std::exchange(other.circuit_, nullptr);
    generation_ = other.generation_;
    caller_ = other.caller_;
    probe_ = other.probe_;
    epoch_ = other.epoch_;
    return *this;
}

Permit::~Permit() {
    drop();
}

void Permit::drop() {
    if (Circuit* circuit = std::exchange(circuit_, nullptr)) circuit->returned(*this);
}

void Permit::report(const CallReport& report, Now now) {
    if (Circuit* circuit = std::exchange(circuit_, nullptr)) circuit->report(*this, report, now);
}

Circuit::Circuit(const CircuitOptions& options, Now now)
    : options_(options), window_(options.window_type, options.window_size), since_(now), bound_since_(now) {
    HF_CHECK(!has_error(options));
    last_.cause = CircuitCause::started;
    last_.at = now;
}

Admission Circuit::admit(Caller caller, Now now, Rng& rng) {
    using Why = Admission::Why;
    tick(now);
    const bool beside = probes_beside();
    if (bound_ != CircuitState::closed || beside) round_.asked(caller.credential);
    if (bound_ == CircuitState::open) return {Why::open, {}};
    if (bound_ == CircuitState::half_open || beside) {
        if (may_probe(now.mono) && round_.may_take(caller)) {
            round_.take(caller);
            const bool for_fleet = leased_.bind == Leased::Bind::probe;
            return {Why::admitted, Permit(*this, generation_, caller, true, for_fleet ? leased_.epoch : 0)};
        }
        if (!beside) return {Why::half_open_full, {}};
    }
    if (!forced_closed()) {
        if (ramp_at_ && !passes(options_.ramp_steps[*ramp_at_] / 100.0, rng)) return {Why::ramp, {}};
        if (!passes(throttle_share(now), rng)) {
            throttle_.held_back(now.mono);
            return {Why::throttled, {}};
        }
    }
    return {Why::admitted, Permit(*this, generation_, caller, false)};
}

Permit Circuit::admit_always(Caller caller, Now now) {
    tick(now);
    if (bound_ != CircuitState::closed) round_.asked(caller.credential);
    // It is asked in any case: where a probe is wanted it serves as one, or nothing would ever close the circuit.
    const bool probe = bound_ == CircuitState::half_open && leased_.bind != Leased::Bind::probe &&
                       may_probe(now.mono) && round_.may_take(caller);
    if (probe) round_.take(caller);
    return Permit(*this, generation_, caller, probe);
}

void Circuit::returned(const Permit& permit) {
    if (HF_MUTANT(permit_not_returned)) return;
    if (permit.probe_ && permit.generation_ == generation_) round_.give_back(permit.caller_);
}

void Circuit::report(const Permit& permit, const CallReport& report, Now now) {
    tick(now);
    if (permit.generation_ != generation_ && !(HF_MUTANT(old_generation_counted) && !permit.probe_)) return;
    if (report.kind == CallKind::ignored) return returned(permit);
    WindowEntry entry{permit.caller_};
    entry.failed = report.kind == CallKind::failure;
    entry.throttled = report.kind == CallKind::throttled;
    entry.slow = !entry.throttled && report.duration > options_.slow_call_duration;
    if (!entry.failed && !entry.throttled && !entry.slow) served_.add(entry.caller.credential, now.mono);
    if (permit.probe_) {
        const bool beside = probes_beside();
        round_.done(entry);
        if (!entry.failed && !entry.throttled) probe_progress_ = now.mono;
        if (round_.complete()) judge_round(now);
        if (!beside) return;
    }
    if (state_ != CircuitState::closed) {                 // a call that the operator's `live` let through
        if (forced_open()) window_.add(entry, now.mono);  // nothing else shows whether the centre fails many
        return;
    }
    if (in_fleet_) recent_.add(entry, now.mono);
    window_.add(entry, now.mono);
    throttle_.answered(report.kind == CallKind::success, now.mono);
    connect_streak_ = entry.failed && report.connect_failure ? connect_streak_ + 1 : 0;
    if (ramp_at_ && !entry.throttled) {
        ++ramp_calls_;
        if (entry.failed) ++ramp_failures_;
    }
    if (!forced_closed()) judge_window(now);
}

void Circuit::judge_round(Now now) {
    const WindowCounts counts = round_.counts();
    const bool failed = reaches(counts.failures, counts.judged(), options_.failure_rate_threshold);
    const bool slow = reaches(counts.slow, counts.judged(), options_.slow_call_rate_threshold);
    const bool bad =
        counts.successes == 0 || (failed && round_.failures_shared()) || (slow && round_.slow_shared());
    if (leased_.bind == Leased::Bind::probe) { // the fleet's to say what follows
        verdict_ = {bad ? ProbeVerdict::Kind::bad : ProbeVerdict::Kind::good, leased_.epoch, !bad, round_.reported()};
        ++revision_;
        return;
    }
    if (bad) {
        ++failed_rounds_;
        open(CircuitCause::probes_failed, counts, now);
    } else {
        close(CircuitCause::probes_succeeded, counts, true, now);
    }
}

double Circuit::throttle_share(Now now) {
    if (options_.throttle_below <= 0) return 1;
    window_.expire(now.mono);
    const WindowCounts& counts = window_.counts();
    if (counts.calls() < options_.minimum_calls) return 1;
    if (reaches(counts.successes, counts.calls(), options_.throttle_below)) return 1;
    if (!diverse(Trait::unaccepted, now.mono)) return 1;
    // Calls held back leave no trace in a window of calls: without this an old window would hold them back for ever.
    if (throttle_.sent(now.mono) < options_.minimum_calls) return 1;
    return throttle_.probability(now.mono);
}

void Circuit::tick(Now now) {
    if (forced_ != Forced::none && now.mono >= forced_until_) force(Forced::none, {}, now);
    if (in_fleet_) tick_leased(now);
    if (state_ == CircuitState::open && forced_ != Forced::open && !central_holds() && now.mono >= open_until_)
        half_open(CircuitCause::open_wait_over, now);
    if (state_ == CircuitState::half_open && now.mono >= since_.mono + options_.half_open_wait) {
        const WindowCounts counts = round_.counts();
        if (!round_.clean()) ++failed_rounds_;
        open(CircuitCause::probe_timeout, counts, now);
    }
    // By time, not by the next failure: the throttle may let none through.
    if (judge_again_ && now.mono >= *judge_again_ && !forced_closed()) judge_window(now);
    if (state_ == CircuitState::closed) step_ramp(now);
}

void Circuit::step_ramp(Now now) {
    while (ramp_at_ && now.mono >= ramp_until_) {
        const bool bad = reaches(ramp_failures_, ramp_calls_, options_.failure_rate_threshold) && failures_diverse(now);
        if (bad && *ramp_at_ > 0)
            --*ramp_at_;
        else if (!bad && ++*ramp_at_ >= options_.ramp_steps.size())
            ramp_at_.reset();
        ramp_calls_ = ramp_failures_ = 0;
        ramp_until_ += options_.ramp_step;
        ++revision_;
    }
}

std::optional<MonoTime> Circuit::next_deadline() const {
    std::optional<MonoTime> next;
    const auto consider = [&next](MonoTime t) {
        if (!next || t < *next) next = t;
    };
    if (forced_ != Forced::none) consider(forced_until_);
    if (leased_.bind != Leased::Bind::none) consider(leased_.until);
    if (fleet_orders()) consider(leased_.forced_until);
    if (leased_.bind == Leased::Bind::probe && !verdict_) consider(probe_progress_ + options_.half_open_wait);
    if (state_ == CircuitState::open && forced_ != Forced::open && !central_holds()) consider(open_until_);
    if (state_ == CircuitState::half_open) consider(since_.mono + options_.half_open_wait);
    if (state_ == CircuitState::closed && ramp_at_) consider(ramp_until_);
    if (judge_again_ && !forced_closed()) consider(*judge_again_);
    return next;
}

void Circuit::open(CircuitCause cause, const WindowCounts& counts, Now now) {
    if (state_ == CircuitState::closed) {
        failing_at_opening_ = window_.subjects(Trait::failed);
        diverse_at_opening_ = cause != CircuitCause::forced;
    }
    if (cause != CircuitCause::probe_timeout) leave_round();
    const std::uint32_t doublings = std::min(failed_rounds_, 32u);
    Nanos wait = options_.open_wait;
    for (std::uint32_t i = 0; i < doublings && wait < options_.open_wait_max; ++i) wait *= 2;
    wait = std::min(wait, options_.open_wait_max);
    open_until_ = now.mono + wait;
    ramp_at_.reset();
    if (cause == CircuitCause::forced || cause == CircuitCause::lease_lost) {
        opened_by_ = cause == CircuitCause::forced ? OpenedBy::force : OpenedBy::fleet;
    } else if (cause != CircuitCause::probe_timeout || opened_by_ == OpenedBy::nothing) {
        opened_by_ = OpenedBy::evidence;
        ++openings_;
        opening_cause_ = cause;
        opening_counts_ = counts;
    }
    if (!enter(CircuitState::open, cause, counts, now)) return;
    last_.wait = wait;
    transitions_.back().wait = wait;
}

void Circuit::half_open(CircuitCause cause, Now now) {
    round_.begin(options_.half_open_calls);
    enter(CircuitState::half_open, cause, window_.counts(), now);
}

void Circuit::close(CircuitCause cause, const WindowCounts& counts, bool with_ramp, Now now) {
    opened_by_ = OpenedBy::nothing;
    enter(CircuitState::closed, cause, counts, now);
    window_.clear();
    throttle_.clear();
    leave_round();
    connect_streak_ = failed_rounds_ = failing_at_opening_ = 0;
    diverse_at_opening_ = false;
    ramp_at_.reset();
    if (!with_ramp || options_.ramp_steps.empty()) return;
    ramp_at_ = 0;
    ramp_until_ = now.mono + options_.ramp_step;
    ramp_calls_ = ramp_failures_ = 0;
}

bool Circuit::enter(CircuitState to, CircuitCause cause, const WindowCounts& counts, Now now) {
    state_ = to;
    since_ = now;
    judge_again_.reset();
    ++generation_;
    ++revision_;
    return bind(cause, counts, now);
}

void Circuit::force(Forced forced, MonoTime until, Now now) {
    const Forced before = std::exchange(forced_, forced);
    forced_until_ = until;
    ++revision_;
    if (forced == Forced::open && state_ == CircuitState::open) {
        opened_by_ = OpenedBy::force;  // whoever opened it does not close it
    } else if (forced == Forced::open) {
        open(CircuitCause::forced, window_.counts(), now);
    } else if (forced == Forced::closed && state_ != CircuitState::closed) {
        close(CircuitCause::forced, window_.counts(), false, now);
    } else if (forced == Forced::none && before == Forced::open) {
        half_open(CircuitCause::forced, now);
    } else if (forced == Forced::none && before == Forced::closed) {
        judge_window(now);
    }
    if (in_fleet_) bind(CircuitCause::forced, window_.counts(), now);
}

} // namespace holdfast
