#include "edge/recent.h"

#include "edge/base/json.h"

namespace holdfast {

void Recent::Ring::add(RequestTrace&& trace, std::size_t max) {
    if (traces.size() < max) {
        traces.push_back(std::move(trace));
        return;
    }
    traces[next] = std::move(trace);
    next = (next + 1) % max;
    // Not touched for thousands of requests: on its way into the cache of the processor while the next one is decided.
    const char* place = reinterpret_cast<const char*>(&traces[next]);
    for (std::size_t at = 0; at < sizeof(RequestTrace); at += 64) __builtin_prefetch(place + at, 1);
}

const RequestTrace* Recent::Ring::find(std::string_view request_id) const {
    for (std::size_t i = traces.size(); i-- > 0;) {
        const RequestTrace& trace = traces[(next + i) % traces.size()];
        if (trace.request_id == request_id) return &trace;
    }
    return nullptr;
}

void Recent::add(RequestTrace&& trace) {
    asked_.add(std::move(trace), kRecentMax);
}

void Recent::add_refused(RequestTrace&& trace) {
    refused_.add(std::move(trace), kRecentRefusedMax);
}

const RequestTrace* Recent::find(std::string_view request_id) const {
    const RequestTrace* found = asked_.find(request_id);
    return found != nullptr ? found : refused_.find(request_id);
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
        .member("auth", trace.auth);
    if (!trace.claimed.empty()) w.member("claimed", trace.claimed);
    if (trace.skew) w.member("skewSeconds", std::int64_t(trace.skew->count()));
    w.member("precheck", trace.precheck).member("mode", trace.mode).member("circuit", trace.circuit);
    w.key("attempts").begin_array();
    for (std::size_t i = 0; i < trace.attempt_count; ++i) {
        const AttemptTrace& a = trace.attempts[i];
        w.begin_object()
            .member("endpoint", a.endpoint)
            .member("result", a.result)
            .member("startedMs", a.started_ms)
            .member("durationMs", a.duration_ms)
            .member("upstreamCode", a.said != nullptr ? a.said->code : "")
            .member("upstreamTraceId", a.said != nullptr ? a.said->trace : "")
            .end_object();
    }
    w.end_array().member("rung", trace.rung).member("ladder", name(trace.bar)).key("rungs").begin_array();
    for (std::size_t i = 0; i < kRungs; ++i) {
        if (trace.rungs[i] == RungSays::not_asked) continue;
        w.begin_object().member("rung", name(static_cast<Rung>(i))).member("why", name(trace.rungs[i])).end_object();
    }
    w.end_array()
        .member("reason", trace.reason)
        .member("repeated", trace.repeated)
        .member("source", trace.source)
        .member("outcome", trace.outcome)
        .member("status", trace.status)
        .member("code", trace.code)
        .member("durationUs", trace.duration_us)
        .end_object();
    return out;
}

}  // namespace holdfast
