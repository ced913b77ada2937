// The end of an exchange: the answer in bytes, and the accounts, always last.
#include <new>

#include "edge/base/json.h"
#include "edge/connection.h"
#include "edge/exchange.h"
#include "edge/exchanges.h"
#include "edge/proxy_status.h"
#include "edge/reject_log.h"

namespace holdfast {
namespace {

Seconds whole_seconds(Nanos wait) {
    return std::chrono::ceil<Seconds>(wait);
}

// `number`: the centre's of the verification, by which its caller goes on with one that the call has begun; or empty.
Reply pending_reply(std::string_view request_id, std::string_view number) {
    Reply reply;
    reply.status = 202;
    json::Writer w(reply.body);
    w.begin_object().member("status", "pending");
    if (!number.empty()) w.member("verificationId", number);
    w.end_object();
    reply.headers.append("X-Request-Id: ").append(request_id).append("\r\nCache-Control: no-store\r\n");
    return reply;
}

}  // namespace

std::string Exchange::cache_status(Now now) const {
    if (answer_->source == Source::cache) {
        const auto ttl = std::chrono::floor<Seconds>(answer_->expires_at - now.wall).count();
        return "holdfast; hit; ttl=" + std::to_string(ttl) + "; detail=degraded";
    }
    if (repeated_) return "holdfast; hit; detail=order";
    if (answer_->source == Source::live) return stored_ ? "holdfast; fwd=miss; stored" : "holdfast; fwd=miss";
    return "holdfast; fwd=miss; detail=degraded";
}

Exchange::Next Exchange::answer() {
    if (drop_in_ && client_ != nullptr && !drop_in_->ready && sign_drop_in() == Next::wait) return Next::wait;
    step_ = Step::account;
    if (client_ != nullptr) {
        Reply reply;
        const std::string_view status = call_status_.empty() ? proxy_status(decision_.reason) : call_status_;
        if (error_) {
            reply = error_reply(*error_, error_message_, trace_.request_id, whole_seconds(retry_after_), !drop_in_);
            if (!status.empty()) reply.headers.append("Proxy-Status: ").append(status).append("\r\n");
        } else if (answer_) {
            const std::string cache = cache_status(now());
            reply = answer_reply(*answer_,
                                 {trace_.request_id, request_.order_no, request_.scene, cache,
                                  answer_->degraded() ? status : std::string_view(), begin_.kind == Kind::lookup});
        } else {
            reply = pending_reply(trace_.request_id, pending_number_);
        }
        if (drop_in_) reply = drop_in_reply(std::move(reply));
        trace_.status = reply.status;
        bytes_out_ = reply.body.size();
        Connection* client = client_;
        client_ = nullptr;
        client->reply(std::move(reply));
    } else {
        trace_.status = 499;  // nobody was there any more; never on a wire
    }
    if (!order_key_.empty()) {
        owner_.stop_leading(order_key_);
        order_key_.clear();
    }
    finish_followers();
    return Next::more;
}

// What has no answer yet is refused, also where its own caller has left: others may wait for the same order. Where even
// that cannot be said connections end: nobody is let through, and nobody waits for ever.
void Exchange::out_of_memory() {
    parts_.metrics.http_rejected("memory");
    permit_.drop();
    call_.reset();
    audit_timer_.reset();
    if (step_ != Step::account && step_ != Step::done) {
        answer_.reset();
        error_ = ApiCode::overloaded;
        error_message_ = "out of memory";  // short enough to need none
        retry_after_ = 1s;
        if (drop_in_) drop_in_->give_up();
        step_ = Step::answer;
        try {
            return steps();
        } catch (const std::bad_alloc&) {
        }
    }
    if (Connection* client = std::exchange(client_, nullptr)) client->cut();
    if (!order_key_.empty()) owner_.stop_leading(order_key_);
    order_key_.clear();
    finish_followers();
    if (std::exchange(step_, Step::done) != Step::done) owner_.erase_later(*this);
}

void Exchange::trace_attempts(const CallResult& result) {
    for (const AttemptRecord& attempt : result.attempts) {
        if (trace_.attempt_count == kTracedAttemptsMax) break;
        AttemptTrace& to = trace_.attempts[trace_.attempt_count++];
        to.endpoint = parts_.upstream.endpoint_url(attempt.endpoint);
        to.result = attempt.failure == FailureKind::none ? "ok" : name(attempt.failure);
        to.started_ms = static_cast<std::uint32_t>((attempt.started - began_.mono) / 1ms);
        to.duration_ms = static_cast<std::uint32_t>(attempt.duration / 1ms);
        to.said = attempt.said;
    }
}

Exchange::Next Exchange::account() {
    const Now t = now();
    const Nanos took = t.mono - began_.mono;
    trace_.duration_us = static_cast<std::uint32_t>(took / std::chrono::microseconds(1));
    if (answer_) {
        trace_.source = name(answer_->source);
        if (answer_->degraded()) ++parts_.degraded_answers;
        trace_.outcome = name(answer_->outcome);
    }
    trace_.repeated = repeated_;
    if (error_) trace_.code = text_of(*error_).code;
    if (error_ && credential_ == nullptr && trace_.auth != RequestTrace().auth) {
        trace_.reason = trace_.auth;  // for operators alone: the caller gets one answer for all
        parts_.rejects->note(trace_.auth, begin_.client, t.mono, bytes_in_, {trace_.claimed, trace_.skew});
    } else if (error_ && (trace_.reason == "json" || trace_.reason == "content_type")) {
        parts_.rejects->note(trace_.reason, begin_.client, t.mono, bytes_in_);
    }
    if (verifies()) {
        const SceneIndex scene = scene_ == nullptr ? kSceneOther : scene_->metric;
        if (error_) {
            ++parts_.refused;
            parts_.note_refused(*error_, trace_.skew);
        }
        if (error_)
            parts_.metrics.refused(scene, *error_, took);
        else if (!answer_)
            parts_.metrics.pending(scene, took);
        else
            parts_.metrics.answered(scene, answer_->source, answer_->outcome, took);
        const bool cached = answer_ && answer_->source == Source::cache;
        const std::optional<Source> source = answer_ ? std::optional(answer_->source) : std::nullopt;
        parts_.pulse.answered(Pulse::kind(source, error_.has_value()), took, cached ? answer_->age : Seconds(0),
                              t.mono);
    } else if (error_) {
        parts_.metrics.refused(kSceneOther, *error_, took);
    } else {
        parts_.metrics.looked_up(took);
    }
    note_trace();
    export_spans(t);
    write_access_line(took);
    trace_.order_no = std::move(request_.order_no);
    parts_.recent.add(std::move(trace_));
    step_ = Step::done;
    return Next::done;
}

void Exchange::write_access_line(Nanos took) const {
    if (!parts_.access.enabled()) return;
    AccessLine line;
    line.time = began_.wall;
    line.request_id = trace_.request_id;
    line.trace_id = trace_.trace_text();
    line.client = begin_.client;
    line.method = verifies() ? "POST" : "GET";
    line.route = drop_in_ ? "/gateway.do" : verifies() ? "/v1/verifications" : "/v1/verifications/{orderNo}";
    line.credential = trace_.credential;
    line.claimed = trace_.claimed;
    line.skew = trace_.skew;
    line.scene = trace_.scene;
    line.outcome = trace_.outcome;
    line.source = trace_.source;
    line.code = trace_.code;
    line.rung = trace_.rung;
    if (trace_.denied) line.rule = trace_.precheck;
    line.reason = trace_.reason;
    line.circuit = name(parts_.upstream.circuit().state());
    line.status = trace_.status;
    line.bytes_in = bytes_in_;
    line.bytes_out = bytes_out_;
    line.attempts = trace_.attempt_count;
    line.latency = took;
    parts_.access.write(line);
}

void Exchange::finish_followers() {
    const std::vector<Exchange*> followers = std::exchange(followers_, {});
    for (Exchange* one : followers) one->leader_done(*this);
}

void Exchange::leader_done(const Exchange& leader) {
    leader_ = nullptr;
    if (!may_take(leader)) {
        step_ = Step::join;
        return run();
    }
    repeated_ = true;
    step_ = Step::answer;
    guarded([this, &leader] { take_from(leader); });
}

// Whether the answer of the order's first request is this one's as well: not where this one began after a revocation
// that the first one was under way at, nor where a degraded answer was decided by another policy than this one's. Then
// the order is asked again, as it is whenever that is so of a recorded answer.
bool Exchange::may_take(const Exchange& leader) const {
    if (!leader.answer_) return true;
    if (leader.answer_->degraded() && leader.snapshot_ != snapshot_) return false;
    const auto revoked_since = [this](std::uint64_t epoch) {
        return parts_.storage.outcomes().hidden(request_.subject, request_.scene, epoch);
    };
    return !revoked_since(leader.joined_epoch_) || revoked_since(joined_epoch_);
}

void Exchange::take_from(const Exchange& leader) {
    answer_ = leader.answer_;
    error_ = leader.error_;
    error_message_ = leader.error_message_;
    pending_number_ = leader.pending_number_;
    retry_after_ = leader.retry_after_;
    decision_ = leader.decision_;
    trace_.bar = leader.trace_.bar;
    trace_.rungs = leader.trace_.rungs;
    call_status_ = leader.call_status_;
    if (drop_in_ && leader.drop_in_) {
        drop_in_->raw = leader.drop_in_->raw;
        drop_in_->aside = leader.drop_in_->aside;
    }
    steps();
}

}  // namespace holdfast
