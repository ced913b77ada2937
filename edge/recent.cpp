#include "edge/recent.h"

#include "edge/base/json.h"

namespace holdfast {

void Recent::add(RequestTrace&& trace) {
    if (traces_.size() < kRecentMax) {
        traces_.push_back(std::move(trace));
        return;
    }
    traces_[next_] = std::move(trace);
    next_ = (next_ + 1) % kRecentMax;
}

const RequestTrace* Recent::find(std::string_view request_id) const {
    for (std::size_t i = traces_.size(); i-- > 0;) {
        const RequestTrace& trace = traces_[(next_ + i) % traces_.size()];
        if (trace.request_id == request_id) return &trace;
    }
    return nullptr;
}

std::string to_json(const RequestTrace& trace) {
    std::string out;
    json::Writer w(out);
    w.begin_object()
        .member("requestId", trace.request_id)
        .member("traceId", trace.trace_text())
        .member("began", rfc3339(trace.began))
        .member("credential", trace.credential)
        .member("scene", trace.scene)
        .member("orderNo", trace.order_no)
        .member("auth", trace.auth)
        .member("precheck", trace.precheck)
        .member("mode", trace.mode)
        .member("circuit", trace.circuit);
    w.key("attempts").begin_array();
    for (std::size_t i = 0; i < trace.attempt_count; ++i) {
        const AttemptTrace& a = trace.attempts[i];
        w.begin_object()
            .member("endpoint", a.endpoint)
            .member("result", a.result)
            .member("startedMs", a.started_ms)
            .member("durationMs", a.duration_ms)
            .member("upstreamCode", a.said)
            .member("upstreamTraceId", a.trace)
            .end_object();
    }
    w.end_array()
        .member("rung", trace.rung)
        .member("reason", trace.reason)
        .member("source", trace.source)
        .member("outcome", trace.outcome)
        .member("status", trace.status)
        .member("code", trace.code)
        .member("durationUs", trace.duration_us)
        .end_object();
    return out;
}

}  // namespace holdfast
