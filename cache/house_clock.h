// The time by which things are erased for good. Within one boot of the machine it goes on with the monotonic clock: a
// wall clock that steps ahead is not believed until it has stood there for kBelievedAfter, one that steps back at once.
// So what a clock that was wrong for a while takes for over is still there when it is right again; what is over is at
// worst kept that much longer. Not for what is answered: that goes by the greater age of both clocks (record.h).
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>

#include "edge/base/time.h"

namespace holdfast {

inline constexpr const char* kClockLineName = "clock.line";  // in state/: keep()

class HouseClock {
  public:
    // A choice: by then somebody has seen the alarm about the clock, and what is kept that much longer has room.
    static constexpr Nanos kBelievedAfter = 2h;
    static constexpr Nanos kStepMin = 1s;  // a clock that is slewed stays far below it

    // `kept`: keep() of a process before, or empty. `boot`: boot_id(); that of another boot, or 0, says nothing.
    HouseClock(const std::string& kept, std::uint64_t boot, Now now) : boot_(boot), line_(now) {
        unsigned long long of = 0;
        long long wall = 0, mono = 0;
        if (std::sscanf(kept.c_str(), "%llu %lld %lld", &of, &wall, &mono) != 3) return;
        const MonoTime then{Nanos(mono)};
        if (boot != 0 && of == boot && then <= now.mono) line_ = {then, WallTime(Nanos(wall))};
    }

    // By how much the wall clock is ahead of what is believed; 0: it is not.
    Nanos ahead(Now now) const { return std::max(Nanos(0), apart(now)); }
    Now at(Now now) const { return {now.mono, now.wall - ahead(now)}; }
    // To be called now and then. True: keep() says something else than before.
    bool observe(Now now) {
        const Nanos step = apart(now);
        if (step >= kStepMin) {
            if (!since_ || std::chrono::abs(step - step_) >= kStepMin) {
                since_ = now.mono;
                step_ = step;
            }
            if (now.mono - *since_ < kBelievedAfter) return false;
        }
        since_.reset();
        line_ = now;
        return std::chrono::abs(step) >= kStepMin;
    }
    std::string keep() const {
        return fmt::format("{} {} {}", boot_, line_.wall.time_since_epoch().count(),
                           line_.mono.time_since_epoch().count());
    }

  private:
    Nanos apart(Now now) const { return (now.wall - line_.wall) - (now.mono - line_.mono); }

    std::uint64_t boot_;
    Now line_;                       // a moment of both clocks; it goes on with the monotonic one
    std::optional<MonoTime> since_;  // when the wall clock was first seen ahead of it by `step_`
    Nanos step_{0};
};

}  // namespace holdfast
