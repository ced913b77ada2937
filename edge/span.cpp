#include "edge/span.h"

#include "edge/base/json.h"

namespace holdfast {
namespace {

void attribute(json::Writer& w, std::string_view key, std::string_view value) {
    w.begin_object().member("key", key).key("value").begin_object().member("stringValue", value);
    w.end_object().end_object();
}

std::string nanos(WallTime t) {
    return std::to_string(t.time_since_epoch().count());  // 64-bit numbers are strings in OTLP's JSON
}

void write(json::Writer& w, const Span& span) {
    w.begin_object()
        .member("traceId", std::string_view(span.trace.data(), span.trace.size()))
        .member("spanId", std::string_view(span.id.data(), span.id.size()));
    if (span.parent[0] != 0) w.member("parentSpanId", std::string_view(span.parent.data(), span.parent.size()));
    w.member("name", span.name)
        .member("kind", static_cast<int>(span.kind))
        .member("startTimeUnixNano", nanos(span.begin))
        .member("endTimeUnixNano", nanos(span.end));
    w.key("attributes").begin_array();
    for (const auto& [key, value] : span.labels)
        if (!value.empty()) attribute(w, key, value);
    if (span.status != 0) {
        w.begin_object().member("key", "http.response.status_code").key("value").begin_object();
        w.member("intValue", std::to_string(span.status)).end_object().end_object();
    }
    w.end_array();
    if (span.failed) w.key("status").begin_object().member("code", 2).end_object();
    w.end_object();
}

}  // namespace

std::string otlp_json(const SpanSource& source, std::span<const Span> spans) {
    std::string out;
    json::Writer w(out);
    w.begin_object().key("resourceSpans").begin_array().begin_object();
    w.key("resource").begin_object().key("attributes").begin_array();
    attribute(w, "service.name", "holdfast");
    attribute(w, "service.version", HOLDFAST_VERSION);
    attribute(w, "service.instance.id", source.node);
    if (!source.region.empty()) attribute(w, "cloud.region", source.region);
    w.end_array().end_object();
    w.key("scopeSpans").begin_array().begin_object();
    w.key("scope").begin_object().member("name", "holdfast").end_object();
    w.key("spans").begin_array();
    for (const Span& span : spans) write(w, span);
    w.end_array().end_object().end_array().end_object().end_array().end_object();
    return out;
}

}  // namespace holdfast
