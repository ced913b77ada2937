// Whether this node's wall clock has jumped, seen by the clock that never does: asked at each tick. What it does shows
// elsewhere (timestamps of callers are refused as expired, ages become uncertain), and nothing there names the cause.
#pragma once

#include <optional>

#include "edge/base/time.h"

namespace holdfast {

class ClockWatch {
  public:
    static constexpr Nanos kStepMin = 1s;     // between two ticks; a clock that is slewed stays far below it
    static constexpr Nanos kSaidFor = 15min;  // after the last step

    // By how much the wall clock has jumped since the last call; nothing where it has not.
    std::optional<Nanos> observe(Now now) {
        const Nanos apart = now.wall.time_since_epoch() - now.mono.time_since_epoch();
        const Nanos step = apart - apart_.value_or(apart);
        apart_ = apart;
        if (std::chrono::abs(step) < kStepMin) return std::nullopt;
        sum_ = recent(now.mono) + step;
        at_ = now.mono;
        return step;
    }
    // What the steps of late come to; 0: there were none, or they took each other back.
    Nanos recent(MonoTime now) const {
        return now - at_ < kSaidFor && std::chrono::abs(sum_) >= kStepMin ? sum_ : Nanos(0);
    }
    MonoTime at() const { return at_; }  // of the last one

  private:
    std::optional<Nanos> apart_;
    Nanos sum_{0};
    MonoTime at_{};
};

}  // namespace holdfast
