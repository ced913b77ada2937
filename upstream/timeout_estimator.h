// The limit of time for one try: p99 of the measured latency × factor, between a minimum and a maximum. A logarithmic
// histogram (steps of 6 %, rounded up) over two generations of 30 s; the maximum until there are enough samples.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "edge/base/time.h"

namespace holdfast {

struct TimeoutOptions {
    Nanos min = 200ms;
    Nanos max = 3s;
    double factor = 2;
};

class TimeoutEstimator {
  public:
    static constexpr std::uint64_t kSamplesMin = 50; // fewer than this: the maximum
    static constexpr Nanos kGeneration = 30s;

    explicit TimeoutEstimator(TimeoutOptions options) : options_(options) {}
    // A try that was decided took this long; a try that timed out took at least this long, and must be told too, or a
    // centre that became slower would never be waited for again.
    void sample(Nanos latency, MonoTime now);
    Nanos timeout(MonoTime now);
    // p99 of the window, rounded up to a step; nothing before kSamplesMin samples.
    std::optional<Nanos> p99(MonoTime now);
    void reconfigure(TimeoutOptions options) { options_ = options; }

  private:
    static constexpr std::size_t kSteps = 352; // 16 an octave, 64 µs to more than four minutes
    using Histogram = std::array<std::uint32_t, kSteps>;
    static std::size_t step_of(Nanos latency);
    static Nanos upper_bound(std::size_t step);
    void rotate(MonoTime now);
    std::uint64_t in(std::size_t step) const { return std::uint64_t{current_[step]} + previous_[step]; }

    TimeoutOptions options_;
    Histogram current_{}, previous_{};
    std::uint64_t current_count_ = 0, previous_count_ = 0;
    MonoTime began_{};
    // Where p99 was when it was last asked for, and how many samples lie above it: a sample moves it by a step or two.
    std::size_t step_ = 0;
    std::uint64_t above_ = 0;
};

} // namespace holdfast
