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

inline constexpr std::size_t kTraceparentBytes = 55;  // of version 00

// A header value by itself: no allocation for what every call sends.
struct TraceText {
    std::array<char, kTraceparentBytes> text{};
    std::string_view view() const { return {text.data(), text[0] == 0 ? 0 : text.size()}; }  // empty: there is none
};

// Nothing for a value that must be ignored; white space around it is. An unknown version is read by its first 55
// characters when the 56th is absent or '-'.
std::optional<Traceparent> parse_traceparent(std::string_view value);
// A new span of the same trace, or of a new one without a parent; ids are random. Version 00; only the sampled bit of
// the parent's flags is passed on.
Traceparent child_of(const std::optional<Traceparent>& parent);
TraceText to_text(const Traceparent& t);

} // namespace holdfast
