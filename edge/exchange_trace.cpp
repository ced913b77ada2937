// What is told of an exchange beside its answer: its part of a trace (W3C Trace Context), which is its own span, child
// of the caller's, and that of its call; and what the ladder said, for `holdfastctl explain`.
#include "edge/exchange.h"
#include "edge/span_export.h"

namespace holdfast {

const Traceparent& Exchange::span() {
    if (span_) return *span_;
    caller_span_ = parse_traceparent(begin_.traceparent);
    span_ = child_of(caller_span_);
    constexpr std::uint64_t kWhole = 1'000'000;
    // The caller's word counts where there is one; where the trace begins here, the configured share of them.
    if (!caller_span_ && parts_.spans != nullptr &&
        parts_.rng.below(kWhole) < static_cast<std::uint64_t>(parts_.spans->sample() * double(kWhole)))
        span_->flags = 1;
    return *span_;
}

TraceText Exchange::call_span_text() {
    call_span_ = child_of(span());
    return to_text(*call_span_);
}

// What the logs show: the trace of the caller, or the one that the centre was told of.
void Exchange::note_trace() {
    if (begin_.traceparent.empty() && !span_ && parts_.spans == nullptr) return;
    trace_.trace_id = span().trace_id;
}

void Exchange::note_rungs() {
    trace_.bar = decision_.bar;
    trace_.rungs = decision_.rungs;
    RungSays& cache = trace_.rungs[static_cast<std::size_t>(Rung::cache)];
    if (cache == RungSays::absent) cache = cached_.absent;
}

void Exchange::export_spans(Now now) {
    if (parts_.spans == nullptr || (span().flags & 1) == 0) return;
    const bool verify = verifies();
    Span own;
    own.trace = span_->trace_id;
    own.id = span_->parent_id;
    if (caller_span_) own.parent = caller_span_->parent_id;
    own.name = drop_in_ ? "POST /gateway.do" : verify ? "POST /v1/verifications" : "GET /v1/verifications/{orderNo}";
    own.begin = began_.wall;
    own.end = began_.wall + (now.mono - began_.mono);
    own.status = trace_.status;
    own.failed = trace_.status >= 500;
    own.labels = {{"http.request.method", verify ? "POST" : "GET"},
                  {"holdfast.request_id", trace_.request_id},
                  {"holdfast.credential", trace_.credential},
                  {"holdfast.scene", scene_ == nullptr ? std::string() : trace_.scene},
                  {"holdfast.outcome", std::string(trace_.outcome)},
                  {"holdfast.source", std::string(trace_.source)},
                  {"holdfast.code", std::string(trace_.code)},
                  {"holdfast.rung", std::string(trace_.rung)}};
    parts_.spans->add(std::move(own));
    if (!call_span_ || trace_.attempt_count == 0) return;
    const AttemptTrace& first = trace_.attempts[0];
    const AttemptTrace& last = trace_.attempts[trace_.attempt_count - 1u];
    Span call;
    call.trace = call_span_->trace_id;
    call.id = call_span_->parent_id;
    call.parent = span_->parent_id;
    call.kind = Span::Kind::client;
    call.name = "call of the centre";
    call.begin = began_.wall + std::chrono::milliseconds(first.started_ms);
    call.end = began_.wall + std::chrono::milliseconds(last.started_ms + last.duration_ms);
    call.failed = last.result != "ok";
    call.labels = {{"server.address", std::string(last.endpoint)},
                   {"holdfast.result", std::string(last.result)},
                   {"holdfast.attempts", std::to_string(trace_.attempt_count)}};
    parts_.spans->add(std::move(call));
}

}  // namespace holdfast
