// The keys of [upstream.circuit], with their defaults, and what is wrong with a set of them. Reading them from TOML is
// edge/config's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "edge/base/time.h"
#include "upstream/outcome_window.h"

namespace holdfast {

struct CircuitOptions {
    double failure_rate_threshold = 50;   // percent, above 0 to 100
    double slow_call_rate_threshold = 80; // percent, above 0 to 100
    Nanos slow_call_duration = 2s;        // a try that took longer is slow
    WindowType window_type = WindowType::count;
    std::uint32_t window_size = 100; // tries; ignored for a time window
    std::uint32_t minimum_calls = 20;
    std::uint32_t min_subjects = 5;     // 1 to OutcomeWindow::kDistinctMax
    std::uint32_t connect_failures = 5; // in a row
    double throttle_below = 95;         // percent of success; 0: no throttle
    Nanos open_wait = 10s;
    Nanos open_wait_max = 120s;
    std::uint32_t half_open_calls = 5;
    Nanos half_open_wait = 30s;
    std::vector<std::uint32_t> ramp_steps = {5, 10, 25, 50, 100}; // percent; empty: no ramp
    Nanos ramp_step = 6s;

    bool operator==(const CircuitOptions&) const = default;
};

inline constexpr std::size_t kRampStepsMax = 32;
inline constexpr std::uint32_t kHalfOpenCallsMax = 1000;

struct OptionProblem {
    std::string key; // "open_wait_max"
    std::string message;
    bool warning = false; // valid, but hardly meant
};
// Empty when all is well.
std::vector<OptionProblem> check(const CircuitOptions& options);

} // namespace holdfast
