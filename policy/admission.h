// Whether a node still takes a request on: bounds on what is in flight, so that overload is an early 503 and not a slow
// death. Health, admin and metrics never ask.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast {

struct Load {
    std::uint64_t body_bytes = 0; // request bodies in memory, all connections
    std::uint64_t in_flight = 0;  // exchanges not yet answered
    bool draining = false;
};
struct LoadLimits {
    std::uint64_t body_bytes = 512u << 20;
    std::uint64_t in_flight = 20'000;
};

enum class Shed : std::uint8_t { no, memory, in_flight, draining };
std::string_view name(Shed shed);

// `body_bytes` is what the request will hold: its Content-Length, or the most that a chunked body may have.
Shed shed(const Load& load, const LoadLimits& limits, std::uint64_t body_bytes);

} // namespace holdfast
