#include "upstream/call.h"

#include <algorithm>
#include <utility>

#include "upstream/central_request.h"
#include "upstream/upstream.h"

namespace holdfast {

std::string_view name(CallStop stop) {
    constexpr std::string_view kNames[] = {"answered", "attempts_spent", "no_time",         "budget",
                                           "circuit",  "forbidden",      "nothing_to_call", "cancelled"};
    return kNames[static_cast<std::size_t>(stop)];
}

Call::Call(Upstream& upstream, CallSpec spec, Done done)
    : upstream_(upstream),
      spec_(std::move(spec)),
      allowed_(spec_.deadline - upstream.loop_.now().mono),
      done_(std::move(done)) {
    ++upstream_.calls_;
    upstream_.budget_.call(upstream_.loop_.now().mono);
}

Call::~Call() {
    if (!over()) --upstream_.calls_;
}

void Call::start_attempt() {
    const Now now = upstream_.loop_.now();
    endpoint_ = upstream_.choose_endpoint(spec_.caller.subject, tried_, now.mono);
    if (upstream_.wire_) return prepare();
    send_attempt(spec_.body);
}

void Call::send_attempt(std::shared_ptr<const std::string> body) {
    const Now now = upstream_.loop_.now();
    step_ = Step::queued;
    Attempt::Spec spec{std::move(body),
                       fresh_,
                       upstream_.fresh_timeout(endpoint_, now.mono),
                       spec_.deadline,
                       upstream_.wire_.get(),
                       {},
                       {}};
    if (spec.wire != nullptr) {
        spec.order_no = spec_.order_no;
        spec.forward = spec_.forward;
    }
    attempt_ = std::make_unique<Attempt>(
        upstream_.loop_, *upstream_.endpoints_[endpoint_].pool, upstream_.doc_, std::move(spec),
        [this] { return write_head(); }, [this] { return place_came(); },
        [this](AttemptResult&& r) { attempt_done(std::move(r)); });
    if (attempt_->started()) return attempt_started();
    arm(spec_.deadline - now.mono);  // a place may never come
}

void Call::attempt_started() {
    step_ = Step::trying;
    started_ = upstream_.loop_.now().mono;
    stalled_ = false;
    limit(attempt_->sent() ? upstream_.try_timeout(endpoint_, started_) : upstream_.fresh_timeout(endpoint_, started_));
}

// Of the try, from when it started; always inside the deadline.
void Call::limit(Nanos limit) {
    limit_ = std::min(limit, Nanos(spec_.deadline - started_));
    arm(limit_ - (upstream_.loop_.now().mono - started_));
}

// It has its connection. One that had to wait for it has from here on what the others have.
void Call::leaves() {
    sent_at_ = upstream_.loop_.now().mono;
    if (step_ != Step::trying) return;  // a kept one, before anything began
    const Nanos longest = std::max(upstream_.options_.timeout.max, limit_);
    limit(std::min(sent_at_ - started_ + upstream_.try_timeout(endpoint_, sent_at_), longest));
}

// From the queue; whether the try may begin: one that cannot finish in what is left of the deadline does not.
bool Call::place_came() {
    const MonoTime now = upstream_.loop_.now().mono;
    const bool fits = now + upstream_.time_needed_behind_queue(allowed_, now) <= spec_.deadline;
    fits ? attempt_started() : arm(Nanos{0});  // which ends it as if no place had come
    return fits;
}

void Call::arm(Nanos delay) {
    if (timer_)
        timer_->restart(delay);
    else
        timer_ = upstream_.loop_.after(delay, [this] { timer_fired(); });
}

// Why the request may not leave any more: place, connection and signature take their time, and what allowed the try may
// be over meanwhile. A permit of another state of the circuit needs a new one.
std::optional<CallStop> Call::refusal(Now now) {
    if (spec_.may_retry && !spec_.may_retry()) return CallStop::forbidden;
    if (now.mono >= spec_.deadline) return CallStop::no_time;
    Circuit& circuit = upstream_.circuit_;
    if (spec_.always || spec_.permit.generation() == circuit.generation()) return std::nullopt;
    Admission again = circuit.admit(spec_.caller, now, upstream_.rng_);
    upstream_.circuit_touched();
    if (!again.admitted()) return CallStop::circuit;
    spec_.permit = std::move(again.permit);
    return std::nullopt;
}

Attempt::Head Call::write_head() {
    std::string& head = upstream_.head_;
    head.clear();
    refused_ = refusal(upstream_.loop_.now());
    if (refused_) return {};
    leaves();
    CentralRequest request;
    request.probe_epoch = spec_.permit.epoch();
    if (request.probe_epoch != 0) {
        const auto& clock = upstream_.options_.boot_clock;
        if (!spec_.permit.may_send(clock ? clock() : upstream_.loop_.now().mono)) return {};
    }
    if (upstream_.wire_) return {head_, {}};
    request.request_id = spec_.request_id;
    request.traceparent = spec_.traceparent.view();
    request.credential = spec_.credential;
    request.order_no = spec_.order_no;
    request.left = spec_.deadline - upstream_.loop_.now().mono;
    request.attempt = static_cast<std::uint32_t>(records_.size() + 1);
    request.content_length = spec_.body->size();
    const Echo sent_as = upstream_.endpoints_[endpoint_].head.append(head, request);
    return {head, sent_as};
}

void Call::timer_fired() {
    switch (step_) {
        case Step::preparing:
        case Step::queued:
            return no_place("no place for a try came in time");
        case Step::trying:
            return timed_out();
        case Step::waiting:
            return retry();
        case Step::over:
            return;
    }
}

// The deadline came while we waited for a place: nothing was sent, and it is nobody's failure but ours.
void Call::no_place(std::string why) {
    preparing_.reset();
    attempt_.reset();
    spec_.permit.drop();
    if (records_.empty()) {
        last_.failure = FailureKind::overloaded_local;
        last_.error = Error{Code::full, Origin::local, false, std::move(why)};
    }
    finish(CallStop::nothing_to_call);
}

void Call::timed_out() {
    if (refused_) return;  // attempt_done comes
    const Now now = upstream_.loop_.now();
    // It has been answered: what takes the time is ours, and the limit of a try is the centre's.
    if (attempt_->reading_since() && now.mono < spec_.deadline) return arm(spec_.deadline - now.mono);
    if (now.mono - started_ > limit_ + kStallSeen && !std::exchange(stalled_, true)) return arm(Nanos{0});
    const Pool& pool = *upstream_.endpoints_[endpoint_].pool;
    AttemptResult result;
    result.was_sent = attempt_->sent();
    result.failure = FailureKind::timeout;
    result.kind = CallKind::failure;
    result.connect_failure = !attempt_->sent();
    result.error = Error{Code::timeout, Origin::upstream, attempt_->sent(),
                         attempt_->sent() ? "no answer in time" : "no connection in time"};
    // The deadline left it no fair chance: that is no failure of the centre.
    if (limit_ < upstream_.time_needed(now.mono)) result.kind = CallKind::ignored;
    if (attempt_->reading_since()) {
        result.kind = CallKind::ignored;
        result.error = Error{Code::timeout, Origin::local, true, "the answer came and was not read in time"};
    }
    if (!attempt_->sent() && pool.resolver().addresses().empty()) {
        result.kind = CallKind::ignored;
        result.failure = FailureKind::local;
        result.connect_failure = false;
        result.error = Error{Code::timeout, Origin::local, false, "the name did not resolve in time"};
    }
    settle(std::move(result), now);
    next_or_finish();
}

void Call::attempt_done(AttemptResult&& result) {
    const Now now = upstream_.loop_.now();
    if (refused_ || result.failure == FailureKind::overloaded_local) {  // or the queue was full: it was no try
        spec_.permit.drop();
        if (records_.empty()) last_ = std::move(result);
        return finish(refused_.value_or(CallStop::nothing_to_call));
    }
    settle(std::move(result), now);
    next_or_finish();
}

// Books a try that has ended: circuit, estimator, ejection, observers, explain.
void Call::settle(AttemptResult&& result, Now now) {
    last_ = std::move(result);
    if (last_.failure == FailureKind::pending) taken_ = last_.pending_id;
    // The centre's: without what reading its answer took.
    const MonoTime end = (attempt_ ? attempt_->reading_since() : std::nullopt).value_or(now.mono);
    const Nanos duration = end - started_;
    const auto answer = attempt_ && attempt_->sent() ? std::optional<Nanos>(end - sent_at_) : std::nullopt;
    AttemptRecord record;
    record.endpoint = endpoint_;
    record.started = started_;
    record.duration = now.mono - started_;
    record.failure = last_.failure;
    record.was_sent = last_.was_sent;
    record.probe = spec_.permit.probe();
    record.status = last_.status;
    record.detail = last_.error.detail;
    record.said = last_.said;
    records_.push_back(std::move(record));
    // A connection that died between two requests is nobody's failure: the permit serves for the fresh one.
    if (!last_.stale_connection) {
        spec_.permit.report({last_.kind, last_.connect_failure, duration}, now);
        // Also what is ours and meets one endpoint only, as a certificate that it refuses: the next try goes elsewhere.
        const bool spent = last_.kind == CallKind::failure || last_.failure == FailureKind::local;
        if (spent) tried_ |= std::uint64_t(1) << endpoint_;
    }
    upstream_.tried(endpoint_, last_, spec_.caller, {duration, answer}, now);
}

// Only a try that timed out is still there to be answered. That its order is pending is told the call too, which may go
// on meanwhile.
void Call::keep_late() {
    if (!attempt_ || !attempt_->sent() || last_.failure != FailureKind::timeout || last_.status != 0 || !spec_.on_late)
        return;
    if (!taken_late_) taken_late_ = std::make_shared<std::optional<std::string>>();
    const bool kept = upstream_.late_.keep(std::move(attempt_),
                                           [record = spec_.on_late(), taken = taken_late_](const AttemptResult& late) {
                                               if (late.failure == FailureKind::pending) *taken = late.pending_id;
                                               record(late);
                                           });
    late_kept_ = late_kept_ || kept;
}

void Call::finish(CallStop stop) {
    step_ = Step::over;
    timer_.reset();
    --upstream_.calls_;
    CallResult result;
    result.outcome = std::move(last_.outcome);
    result.failure = last_.failure;
    result.stop = stop;
    result.error = std::move(last_.error);
    result.retry_after = last_.retry_after;
    result.pending_id = std::move(last_.pending_id);
    result.raw = std::move(last_.raw);
    result.attempts = std::move(records_);
    keep_late();
    attempt_.reset();
    result.late_kept = late_kept_;
    // It had taken the order, and then had no word about it.
    if (!taken_ && taken_late_) taken_ = std::move(*taken_late_);
    if (taken_ && result.ladder_may_follow()) {
        result.failure = FailureKind::pending;
        result.pending_id = std::move(*taken_);
    }
    const Done done = std::move(done_);
    done(std::move(result));
}

}  // namespace holdfast
