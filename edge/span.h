// Spans of requests for a tracing backend, as OTLP/JSON (OpenTelemetry protocol 1.x, the JSON of ExportTraceService-
// Request). Values only; sending them is span_export.h. No subject, order, device or secret is ever an attribute.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "edge/base/time.h"

namespace holdfast {

struct Span {
    enum class Kind { server = 2, client = 3 };  // as OTLP numbers them

    std::array<char, 32> trace{};
    std::array<char, 16> id{}, parent{};  // hex; parent[0] == 0: none
    Kind kind = Kind::server;
    std::string_view name;  // a literal
    WallTime begin{}, end{};
    bool failed = false;
    int status = 0;                                                // HTTP; 0: none
    std::vector<std::pair<std::string_view, std::string>> labels;  // names are literals
};

struct SpanSource {
    std::string node, region;
};

// The body of POST /v1/traces.
std::string otlp_json(const SpanSource& source, std::span<const Span> spans);

}  // namespace holdfast
