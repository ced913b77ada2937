// The circuit of a node in a fleet: which of its own state and the leased one binds, and how either becomes the other.
#include <algorithm>
#include <utility>

#include "upstream/circuit.h"
#include "upstream/mutant.h"

namespace holdfast {
namespace {

using Bind = Leased::Bind;

}  // namespace

bool Permit::may_send(MonoTime t) const {
    if (circuit_ == nullptr || epoch_ == 0) return true;
    if (HF_MUTANT(lost_lease_ignored)) return true;
    if (generation_ != circuit_->generation_ || circuit_->leased_.bind != Bind::probe) return false;
    return t < circuit_->leased_.probe_until && t < circuit_->leased_.until;
}

bool Circuit::proof(MonoTime t) {
    const WindowCounts& counts = recent_.counts(t);
    return state_ == CircuitState::closed && counts.judged() >= options_.minimum_calls &&
           static_cast<double>(counts.failures) * 200 <
               options_.failure_rate_threshold * static_cast<double>(counts.judged());
}

CircuitState Circuit::binding(MonoTime t) {
    if (forced_ != Forced::none) return state_;
    if (leased_.forced != Forced::none)
        return leased_.forced == Forced::open ? CircuitState::open : CircuitState::closed;
    if (central_holds() && leased_.local_proof && proof(t)) return CircuitState::closed;
    if (leased_.bind == Bind::probe) return CircuitState::half_open;
    if (state_ == CircuitState::open || !central_holds()) return state_;
    return leased_.bind == Bind::open ? CircuitState::open : CircuitState::half_open;
}

bool Circuit::bind(CircuitCause cause, const WindowCounts& counts, Now now) {
    const CircuitState to = binding(now.mono);
    if (to == bound_) return false;
    last_ = {bound_, to, cause, now, counts, failing_subjects(), Nanos{0}};
    if (transitions_.size() == kTransitionsMax) transitions_.erase(transitions_.begin());
    transitions_.push_back(last_);
    bound_ = to;
    bound_since_ = now;
    // What is in flight is of an older generation from here on: its report will give no place back. Open has no places
    // to give, and what is still out when a round's time is up keeps it from being clean.
    if (to == CircuitState::open)
        round_.opened();
    else
        round_.give_back_all();
    ++generation_;
    ++revision_;
    if (to == CircuitState::closed)
        outage_since_.reset();
    else if (!outage_since_)
        outage_since_ = now;
    return true;
}

bool Circuit::may_probe(MonoTime t) const {
    if (leased_.bind == Bind::probe) return !verdict_ && t < leased_.probe_until && t < leased_.until;
    if (central_holds()) return state_ == CircuitState::half_open && forced_ != Forced::none;
    return !in_fleet_ || round_.in_flight() == 0;
}

bool Circuit::probes_beside() const {
    return leased_.bind == Bind::probe && bound_ == CircuitState::closed && forced_ == Forced::none &&
           leased_.forced == Forced::none;
}

// What is in flight is of an older generation then, and will give no place back.
void Circuit::leave_round() {
    if (leased_.bind == Bind::probe)
        round_.give_back_all();
    else
        round_.forget();
}

void Circuit::adopt(const Leased& leased, Now now) {
    in_fleet_ = true;
    tick(now);
    const Leased before = std::exchange(leased_, leased);
    leased_.closing = false;
    const bool probing = leased.bind == Bind::probe;
    if (before.bind == Bind::probe && !(probing && before.epoch == leased.epoch)) end_probes();
    if (leased.bind == Bind::none) {
        lose_lease(before, now);
    } else if (opened_by_ == OpenedBy::fleet && forced_ == Forced::none) {
        // What was taken over while the store was away is the fleet's again.
        state_ = CircuitState::closed;
        opened_by_ = OpenedBy::nothing;
        end_probes();
    }
    if (central_holds() && state_ == CircuitState::half_open && forced_ == Forced::none) {
        state_ = CircuitState::open;
        end_probes();
    }
    if (probing && !(before.bind == Bind::probe && before.epoch == leased.epoch)) begin_probes(now);
    if (leased.closing && state_ != CircuitState::closed && forced_ == Forced::none) {
        const bool mine = verdict_ && verdict_->kind == ProbeVerdict::Kind::good && verdict_->epoch + 1 == leased.epoch;
        if (mine)
            close(CircuitCause::probes_succeeded, window_.counts(), true, now);
        else if (state_ == CircuitState::open)
            half_open(CircuitCause::fleet_closed, now);
    }
    if (leased.bind == Bind::closed) verdict_.reset();
    tick_leased(now);
}

void Circuit::begin_probes(Now now) {
    round_.forget();
    round_.begin(options_.half_open_calls);
    verdict_.reset();
    probe_progress_ = now.mono;
    ++generation_;
    ++revision_;
}

void Circuit::end_probes() {
    round_.forget();
    ++generation_;  // what is still in flight counts no more
}

// Time alone: beliefs and overrides that are over, a round of probes without progress, proof that has faded.
void Circuit::tick_leased(Now now) {
    if (fleet_orders() && now.mono >= leased_.forced_until) end_fleet_order(now);
    if (leased_.bind != Bind::none && now.mono >= leased_.until) {
        const Leased was = leased_;
        leased_.bind = Bind::none;
        if (was.bind == Bind::probe) end_probes();
        lose_lease(was, now);
    }
    if (leased_.bind == Bind::probe && !verdict_ && now.mono >= probe_progress_ + options_.half_open_wait) {
        verdict_ = {ProbeVerdict::Kind::timeout, leased_.epoch, round_.clean(), round_.reported()};
        ++revision_;
    }
    const CircuitState to = binding(now.mono);
    if (to == bound_) return;
    if (to == CircuitState::closed && state_ == CircuitState::closed && forced_ == Forced::none &&
        leased_.forced == Forced::none)
        return close(CircuitCause::fleet_closed, window_.counts(), true, now);
    const CircuitCause cause = leased_.forced != Forced::none  ? CircuitCause::forced
                               : leased_.bind == Bind::none    ? CircuitCause::lease_lost
                               : to == CircuitState::open      ? CircuitCause::fleet_opened
                               : to == CircuitState::half_open ? CircuitCause::fleet_probing
                                                               : CircuitCause::fleet_closed;
    bind(cause, window_.counts(), now);
}

// The outage that the fleet's override has made goes on until somebody's probes show that it is over, but not at a node
// that has shown it already, with calls that a `live` of its own let through.
void Circuit::end_fleet_order(Now now) {
    const bool opened = std::exchange(leased_.forced, Forced::none) == Forced::open;
    const bool outage = std::exchange(leased_.outage, false) || opened;
    const bool exempt = !opened && leased_.local_proof && proof(now.mono);
    if (!outage || exempt || state_ != CircuitState::closed || central_holds() || forced_ != Forced::none) return;
    opened_by_ = OpenedBy::force;
    half_open(CircuitCause::forced, now);
}

// Autonomous from here on. What bound this node stays: open for the rest of the fleet's wait, then its own half-open.
void Circuit::lose_lease(const Leased& was, Now now) {
    verdict_.reset();
    if (was.bind == Bind::none || was.bind == Bind::closed || state_ != CircuitState::closed) return;
    if (bound_ == CircuitState::closed) return;  // exempt, or forced
    open(CircuitCause::lease_lost, {}, now);
    failing_at_opening_ = was.subjects;
    diverse_at_opening_ = was.diverse;
    open_until_ = was.bind == Bind::open ? std::max(now.mono, was.open_until) : now.mono;
}

OwnCircuit Circuit::own(Now now) {
    tick(now);
    OwnCircuit o;
    o.state = state_;
    o.evidence = opened_by_ == OpenedBy::evidence;
    o.openings = openings_;
    if (o.evidence) {
        o.cause = name(opening_cause_);
        o.counts = opening_counts_;
        o.subjects = failing_at_opening_;
    }
    o.proof = proof(now.mono);
    o.recent = recent_.counts(now.mono);
    o.verdict = verdict_;
    return o;
}

}  // namespace holdfast
