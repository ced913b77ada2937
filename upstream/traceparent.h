// W3C Trace Context, level 1: the caller's traceparent read, and a child made for each call to the centre. tracestate
// is not passed on: nothing of the caller's head is.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

struct Traceparent {
    std::array<char, 32> trace_id;  // lower-case hex, not all zero
    std::array<char, 16> parent_id; // lower-case hex, not all zero
    std::uint8_t flags = 0;         // bit 0: sampled
};

// Nothing for a value that must be ignored; white space around it is. An unknown version is read by its first 55
// characters when the 56th is absent or '-'.
std::optional<Traceparent> parse_traceparent(std::string_view value);
// A new span of the same trace, or of a new one without a parent; ids are random. Version 00; only the sampled bit of
// the parent's flags is passed on.
Traceparent child_of(const std::optional<Traceparent>& parent);
std::string to_text(const Traceparent& t);

} // namespace holdfast
