// An exchange's way to the centre: the call, its end, and what is written down of it.
#include <algorithm>
#include <utility>

#include "edge/exchange.h"
#include "edge/exchanges.h"
#include "edge/notified.h"
#include "edge/proxy_status.h"
#include "edge/recorded_answer.h"
#include "edge/standing_word.h"

namespace holdfast {
namespace {

constexpr Nanos kReserve = 250ms;

CallEnd end_of(FailureKind failure) {
    switch (failure) {
        case FailureKind::timeout:
            return CallEnd::timeout;
        case FailureKind::rejected:
        case FailureKind::caller_error:
        case FailureKind::caller_setup:
            return CallEnd::rejected;
        case FailureKind::setup:
            return CallEnd::setup;
        case FailureKind::overloaded_local:
        case FailureKind::local:
        case FailureKind::cancelled:
            return CallEnd::not_sent;
        default:
            return CallEnd::unusable;
    }
}

}  // namespace

CallSpec Exchange::call_spec(Now now) {
    CallSpec spec;
    spec.request_id = trace_.request_id;
    spec.traceparent = call_span_text();
    spec.credential = credential_->id;
    spec.order_no = request_.order_no;
    spec.caller = caller();
    spec.always = parts_.overrides.mode_of(request_.scene, now) == Mode::live;
    // An order `degraded` that comes while the call waits for its next try: no retry any more.
    spec.may_retry = [this] { return parts_.overrides.mode_of(request_.scene, this->now()) != Mode::degraded; };
    if (parts_.upstream.mirrors())
        spec.may_copy = [&parts = parts_, scene = request_.scene] {
            return parts.overrides.mode_of(scene, parts.loop.now()) != Mode::degraded;
        };
    spec.room = [this](std::size_t bytes) -> std::shared_ptr<const void> {
        auto room = std::make_shared<MemoryCharge>(charge_.another());  // owners: what was made, wherever it is held
        return room->add(bytes, snapshot_->config.limits.memory) ? std::move(room) : nullptr;
    };
    spec.body = body_;
    if (drop_in_) spec.forward = drop_in_->forward;
    // A provisional answer after a failed call needs time to reach the disk before the deadline.
    const bool audits = scene_->config->policy.ladder.has(Rung::provisional);
    spec.deadline = audits ? audit_deadline() - reserve() : audit_deadline();
    spec.permit = std::move(permit_);  // last: what fails for want of memory before it leaves it here
    return spec;
}

// What one step that follows the call gets of the deadline.
Nanos Exchange::reserve() const {
    return std::min(kReserve, snapshot_->config.upstream.deadline / 8);
}

// By when it must be known what is answered: a drop_in has it signed then.
MonoTime Exchange::audit_deadline() const {
    return drop_in_ ? deadline_ - reserve() : deadline_;
}

Exchange::Next Exchange::ask() {
    const Now t = now();
    asked_epoch_ = parts_.storage.outcomes().epoch();
    asked_ = t.mono;
    words_aside_ = parts_.words_aside;
    CallSpec spec = call_spec(t);
    spec.on_late = [this] { return late_recorder(); };
    call_ = parts_.upstream.start(std::move(spec), [this](CallResult&& result) { call_done(std::move(result)); });
    return Next::wait;
}

void Exchange::call_done(CallResult&& result) {
    guarded([this, &result] { take_result(std::move(result)); });
}

void Exchange::take_result(CallResult&& result) {
    call_.reset();
    trace_attempts(result);
    const Now t = now();
    if (drop_in_ && result.definite())
        drop_in_->raw = std::move(result.raw);
    else if (drop_in_ && result.said_to_wait())
        drop_in_->aside = std::move(result.raw);
    if (result.ok()) {
        const Outcome said = to_outcome(result.outcome->verdict);
        if (words_aside_ != parts_.words_aside && final_meanwhile(t, said)) return run();
        answer_ = record(std::move(*result.outcome), t);
        // A notification that overruled it: then its bytes are not the answer.
        if (drop_in_ && answer_->outcome != said) drop_in_->raw.reset();
        step_ = Step::answer;
        return run();
    }
    if (final_meanwhile(t)) return run();
    if (result.failure == FailureKind::pending) {
        if (auto told = told_of(result.pending_id, t)) {
            if (drop_in_) drop_in_->raw.reset();  // they say "pending", which is not the answer any more
            answer_with(std::move(*told));
            return run();
        }
        pending_number_ = record_pending(parts_, live_record(), result.pending_id, t);  // asked again it is asked again
        step_ = Step::answer;  // without an answer: 202
        return run();
    }
    call_end_ = end_of(result.failure);
    centre_wants_ = result.retry_after.value_or(Nanos(0));
    if (result.failure == FailureKind::caller_setup || result.failure == FailureKind::caller_signature)
        owner_.tell_of_caller(credential_->id, result.error.detail);
    if (result.failure == FailureKind::caller_error || result.failure == FailureKind::caller_setup) {
        remember_failed(t);
        refuse(ApiCode::invalid_request, result.error.detail);
        return run();
    }
    call_status_ = proxy_status(result);
    if (result.failure == FailureKind::overloaded_local) {
        refuse(ApiCode::overloaded, "too many calls are in flight", 1s + Nanos(parts_.rng.below(1'000'000'000)));
    } else {
        step_ = Step::decide;
    }
    run();
}

// A notification, or the late answer of an earlier call for the order, may have come while this call was under way: it
// is the centre's word, and no degraded answer is needed. Where this call has brought a word as well (`said`), the one
// that lets through less stands.
bool Exchange::final_meanwhile(Now now, std::optional<Outcome> said) {
    const auto order = find_order(now);
    auto recorded = order && is_final(*order) ? decode_recorded(order->answer) : std::nullopt;
    if (!recorded) return false;
    const auto permitted = [](Outcome o) { return permits(static_cast<Verdict>(o)); };
    if (said && permitted(*said) < permitted(recorded->answer.outcome)) return false;
    repeat_raw(std::move(recorded->raw));
    answer_with(recorded->answer);
    return true;
}

// Its outcome may have come before the order did: then the centre's number shows that it is this one's.
std::optional<Answer> Exchange::told_of(const std::string& id, Now now) {
    if (id.empty()) return std::nullopt;
    auto told = notified_before(parts_, *snapshot_, live_record(), id, now);
    return told ? std::optional(std::move(told->answer)) : std::nullopt;
}

bool Exchange::is_of_other_app() const {
    return drop_in_ && drop_in_->forward && !drop_in_->forward->own_app;
}

LiveRecord Exchange::live_record() const {
    LiveRecord out{credential_->id, request_.subject, request_.scene, request_.device, request_.order_no, digest_};
    out.asked_epoch = asked_epoch_;
    out.raw = drop_in_ ? drop_in_->raw.get() : nullptr;
    out.key = ledger_key();
    out.other_app = is_of_other_app();
    out.remember_pass = !answers_alone_;
    out.asked = asked_;
    return out;
}

Answer Exchange::record(CentreOutcome&& outcome, Now now) {
    Recorded recorded = record_live(parts_, *snapshot_, live_record(), std::move(outcome), now);
    stored_ = recorded.stored;
    return std::move(recorded.answer);
}

// Values only: it may be called when this exchange is long gone.
LateRecorder Exchange::late_recorder() {
    return [&parts = parts_, snapshot = snapshot_, kept = KeptLiveRecord(live_record())](const AttemptResult& late) {
        const Now now = parts.loop.now();
        LiveRecord late_record = kept.view();
        if (!late.outcome) return record_pending_aside(parts, *snapshot, late_record, late.pending_id, now);
        late_record.raw = late.raw.get();
        record_aside(parts, *snapshot, late_record, *late.outcome, now);
    };
}

// The number of an order that ended without an answer stays with its body: the same one is a new try, another one is a
// conflict, and a late answer of the centre still finds its place.
void Exchange::remember_failed(Now now) {
    if (order_known_ || order_key_.empty()) return;
    // While this one was being decided the centre's late answer may have come.
    if (call_end_ != CallEnd::none && find_order(now)) return;
    OrderRecord order;
    order.body = digest_;
    order.epoch = call_end_ == CallEnd::none ? parts_.storage.outcomes().epoch() : asked_epoch_;
    order.decided = now;
    order.answer = encode_unanswered(
        {std::nullopt, false, request_.scene, request_.subject, request_.device, {}, {}, is_of_other_app(), {}});
    parts_.storage.orders().put(ledger_key(), std::move(order), now);
}

bool Exchange::remember_degraded(const Answer& answer, Now now, Durable done) {
    // The centre's word may have come while this one was on its way: it is final, and stays.
    const auto found = find_order(now);
    if (found && is_final(*found)) return false;
    OrderRecord order;
    order.body = digest_;
    order.epoch = parts_.storage.outcomes().epoch();
    order.decided = now;
    // The centre's word on an order that it has taken is still to come, under its number.
    const std::string pending_id = found ? pending_number(parts_, live_record(), *found) : "";
    order.answer = encode(answer, request_.scene, request_.subject, request_.device, nullptr,
                          OrderNotes{is_of_other_app(), pending_id, answers_alone_});
    return parts_.storage.orders().put(ledger_key(), std::move(order), now, std::move(done));
}

}  // namespace holdfast
