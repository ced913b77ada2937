// The middle of an exchange: gather the facts, ask the table, carry out what it says.
#include <algorithm>

#include "edge/base/check.h"
#include "edge/exchange.h"
#include "edge/exchanges.h"
#include "edge/replay.h"
#include "policy/feature_match.h"

namespace holdfast {
namespace {

std::string_view message_of(const Decision& decision) {
    switch (decision.reason) {
        case Reason::none:
            return "the verification could not be made";
        case Reason::forced_degraded:
            return "live verification is switched off by the operator, and no degraded answer applies";
        case Reason::circuit_open:
            return "the verification service is not reachable, and no degraded answer applies";
        case Reason::throttled:
            return "the verification service is overloaded, and no degraded answer applies";
        case Reason::call_timeout:
            return "the verification service did not answer in time";
        case Reason::call_unusable:
            return "the verification service gave no usable answer";
        case Reason::call_rejected:
            return "the verification service refused the request";
        case Reason::call_setup:
            return "the verification service refused this gateway";
        case Reason::call_not_sent:
            return "the gateway could not ask the verification service";
    }
    return "the verification could not be made";
}

}  // namespace

Caller Exchange::caller() {
    if (!caller_)
        caller_ = {siphash64(parts_.caller_key, request_.subject), siphash64(parts_.caller_key, credential_->id)};
    return *caller_;
}

Gate Exchange::admit(Mode mode, Now now) {
    if (mode == Mode::degraded) return Gate::open;
    Circuit& circuit = parts_.upstream.circuit();
    if (mode == Mode::live) {
        permit_ = circuit.admit_always(caller(), now);
        return Gate::admitted;
    }
    Admission admission = circuit.admit(caller(), now, parts_.rng);
    trace_.circuit = name(admission.why);
    permit_ = std::move(admission.permit);
    switch (admission.why) {
        case Admission::Why::admitted:
            return Gate::admitted;
        case Admission::Why::open:
        case Admission::Why::half_open_full:
            return Gate::open;
        case Admission::Why::ramp:
        case Admission::Why::throttled:
            return Gate::throttled;
    }
    return Gate::open;
}

Facts Exchange::gather(Now now) {
    Facts facts = facts_now(parts_, request_.terms);
    facts.mode = parts_.overrides.mode_of(request_.scene, now);
    trace_.mode = name(facts.mode);
    facts.call = call_end_;
    facts.gate = call_end_ == CallEnd::none ? admit(facts.mode, now) : Gate::admitted;
    const bool ladder = facts.mode == Mode::degraded || facts.gate != Gate::admitted || call_end_ != CallEnd::none;
    if (ladder) gather_ladder(facts, now);
    return facts;
}

void Exchange::gather_ladder(Facts& facts, Now now) {
    Circuit& circuit = parts_.upstream.circuit();
    const ScenePolicy& policy = scene_->config->policy;
    // By what it has seen: of an operator's word alone nobody knows that the centre fails others as well.
    facts.circuit_open = circuit.state() == CircuitState::open && !circuit.forced_open();
    facts.failures_diverse = circuit.failures_diverse(now);
    facts.outage = parts_.outages.facts(request_.scene, now);
    const bool remembers = policy.ladder.has(Rung::cache) || policy.ladder.has(Rung::feature);
    if (remembers || prior_) look_at_memory(now);
    if (remembers) (cached_.outcome ? parts_.metrics.cache_hits() : parts_.metrics.cache_misses()).Increment();
    if (const auto& known = cached_.outcome) {
        const CentreOutcome& o = known->outcome;
        if (policy.ladder.has(Rung::feature) && !o.feature.empty() && !request_.feature.empty())
            similarity_ = similarity(request_.feature, request_.feature_model, o.feature, o.feature_model);
        note_known(facts, *known, similarity_.has_value());
    }
    if (policy.ladder.has(Rung::provisional)) gather_provisional(facts, now);
}

void Exchange::look_at_memory(Now now) {
    cached_ = believed_of(parts_, subject_key(), now);
}

// Whether the centre has said otherwise of the subject, of another order, than this answer does, which lets through: a
// provisional one, given `age` ago, since then.
bool Exchange::refuted(const Answer& answer, Nanos age, Now now) const {
    const auto& known = cached_.outcome;
    const bool refused = known && known->outcome.verdict != Verdict::pass;
    if (answer.outcome == Outcome::pass) return refused || cached_.disbelieved();
    if (answer.outcome != Outcome::provisional) return false;
    if (known && !refused) return false;  // the last word is a pass
    if (refused && (known->age <= age || known->decided.wall >= answer.decided_at)) return true;
    // A scene that answers nothing from memory has none to look at, and one that could not be written down is not
    // there. Without room to know there is no reason to let the order pay twice.
    return parts_.refusals.known_since(subject_key(), now.mono - age);
}

void Exchange::gather_provisional(Facts& facts, Now now) {
    const ScenePolicy& policy = scene_->config->policy;
    const std::uint64_t subject = parts_.budget.subject_hash(credential_->id, request_.scene, request_.subject);
    const BudgetLimits limits = provisional_limits(parts_, policy);
    facts.provisional.scene_budget = parts_.budget.has_scene_room(request_.scene, limits, now);
    facts.provisional.subject_budget = parts_.budget.has_subject_room(subject, limits, now);
    facts.provisional.journal_ok = parts_.storage.can_answer_provisional();
    EvidenceVault* vault = parts_.storage.evidence();
    const auto kept = [this, &policy] {
        return policy.keep_evidence ? body_->size() : without_evidence(request_, request_.order_no).size();
    };
    facts.provisional.evidence_ok = vault != nullptr && vault->has_room(kept() + 1024);
}

Exchange::Next Exchange::decide_now() {
    const Now t = now();
    const Facts facts = gather(t);
    decision_ = decide(facts, scene_->config->policy);
    trace_.reason = name(decision_.reason);
    note_rungs();
    if (decision_.kind == Decision::Kind::ask) return go(Step::ask);
    permit_.drop();
    return carry_out(t);
}

// Whether what an order's degraded answer was given under, `age` ago and with so much `left` of its time, holds now.
// Requires: look_at_memory().
bool Exchange::holds_again(const RecordedAnswer& given, Nanos age, Nanos left, Now now) const {
    const SceneRuntime* scene = snapshot_->scene(given.scene);
    if (scene == nullptr) return false;
    Facts facts = facts_now(parts_, request_.terms);
    facts.outage = parts_.outages.facts(given.scene, now);
    // It compares nothing and spends nothing.
    if (const auto& known = cached_.outcome) note_known(facts, *known, true);
    facts.provisional = {true, true, parts_.storage.can_answer_provisional(), true};
    const Answer& a = given.answer;
    GivenFacts was;
    was.outcome = a.outcome;
    was.source = a.source;
    was.score = a.score;
    was.has_device = names_device(given.device);
    was.age = age;
    was.decided_ago = now.wall - a.decided_at;
    was.left = left;
    was.refuted = refuted(a, age, now);
    return holdfast::holds_again(was, facts, scene->config->policy);
}

// Whether an order that has had a degraded answer gets it again: while the ladder may be climbed, and what it was given
// under still holds. It spends nothing, so a spent budget does not end it.
bool Exchange::may_repeat() const {
    if (!prior_ || decision_.bar != LadderBar::none) return false;
    if (!holds_again(*prior_, prior_age_, prior_left_, now())) return false;
    if (prior_->answer.source != Source::policy) return true;
    // Not where a rung before it has an answer by now, nor where there is no outage.
    const RungSays says = decision_.rungs[static_cast<std::size_t>(Rung::provisional)];
    return says != RungSays::not_asked && says != RungSays::no_outage;
}

// As it was given, but for the end of one that an operator's renewal has put off. Requires: holds_again().
Answer Exchange::given_again(Answer answer, Nanos left, Now now) const {
    if (answer.source == Source::policy && left <= Nanos(0))
        answer.expires_at = now.wall + to_hard_stop(snapshot_->scene(request_.scene)->config->policy, now);
    return answer;
}

// Of the outage that provisional answers are given in; negative where it is past.
Nanos Exchange::to_hard_stop(const ScenePolicy& policy, Now now) const {
    return policy.provisional.hard_stop - parts_.outages.facts(request_.scene, now).since_renewal;
}

Exchange::Next Exchange::carry_out(Now now) {
    if (may_repeat()) {
        repeated_ = true;
        trace_.rung = "repeated";
        return answer_with(given_again(prior_->answer, prior_left_, now));
    }
    switch (decision_.kind) {
        case Decision::Kind::answer_cached:
            return answer_cached(now);
        case Decision::Kind::compare_feature:
            return compare_feature(now);
        case Decision::Kind::provisional:
            trace_.rung = "provisional";
            return go(Step::audit);
        case Decision::Kind::ask:
        case Decision::Kind::deny:
            break;
    }
    return deny(now);
}

Exchange::Next Exchange::deny(Now now) {
    remember_failed(now);
    // A definite refusal is said again whenever it is asked.
    if (decision_.reason == Reason::call_rejected) return refuse(decision_.code, message_of(decision_));
    Nanos wait = 1s;
    if (const auto retry = parts_.upstream.circuit().view(now).retry_in;
        retry && decision_.reason == Reason::circuit_open)
        wait = std::clamp<Nanos>(*retry, 1s, 30s);
    const Override* order = parts_.overrides.mode_order(request_.scene, now);
    if (order != nullptr && decision_.reason == Reason::forced_degraded)
        wait = std::clamp<Nanos>(order->remaining(now), 1s, 30s);
    wait = std::max(wait, centre_wants_);
    wait += Nanos(parts_.rng.below(static_cast<std::uint64_t>(std::chrono::nanoseconds(2s).count())));
    return refuse(decision_.code, message_of(decision_), wait);
}

Exchange::Next Exchange::answer_cached(Now now) {
    trace_.rung = "cache";
    const OutcomeRecord& known = *cached_.outcome;
    Answer answer;
    answer.outcome = to_outcome(known.outcome.verdict);
    answer.source = Source::cache;
    answer.score = known.outcome.score;
    answer.decided_at = known.decided.wall;
    answer.age = std::chrono::duration_cast<Seconds>(known.age);
    answer.expires_at = now.wall + cache_ttl(facts_of(known), scene_->config->policy, request_.terms);
    answer.verification_id = known.outcome.verification_id;
    remember_degraded(answer, now);
    return answer_with(std::move(answer));
}

Exchange::Next Exchange::compare_feature(Now now) {
    trace_.rung = "feature";
    const ScenePolicy& policy = scene_->config->policy;
    Answer answer;
    answer.outcome = to_outcome(judge_similarity(similarity_, policy));
    answer.source = Source::feature;
    answer.score = similarity_;
    answer.decided_at = now.wall;
    Nanos max_age = policy.feature.max_age;
    if (request_.terms.max_age) max_age = std::min(max_age, Nanos(*request_.terms.max_age));
    answer.expires_at = now.wall + std::max(Nanos(0), max_age - cached_.outcome->age);
    remember_degraded(answer, now);
    return answer_with(std::move(answer));
}

bool Exchange::is_final(const OrderRecord& found) const {
    return has_final(parts_, live_record(), found);
}

}  // namespace holdfast
