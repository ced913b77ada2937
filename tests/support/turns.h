// Turns of a real loop of which none waits for long. A timer that is armed anew before each turn does not see to that:
// on a busy machine it is due before the turn begins, fires first, and the turn waits for ever.
#pragma once

#include <memory>

#include "edge/net/uv_loop.h"

namespace holdfast::testing {

// While it lives a turn of `loop` ends after kTick at the latest.
class Ticking {
  public:
    static constexpr Nanos kTick = Millis(2);
    explicit Ticking(Loop& loop) : timer_(loop.after(kTick, [this] { timer_->restart(kTick); })) {}
    Ticking(const Ticking&) = delete;
    Ticking& operator=(const Ticking&) = delete;

  private:
    std::unique_ptr<Timer> timer_;
};

// Runs the loop until `holds()`, or for `limit` of real time; whether it held.
template <typename Holds>
bool turn_until(UvLoop& loop, Nanos limit, Holds holds) {
    const Ticking ticking(loop);
    const MonoTime end = MonoClock::read() + limit;
    while (!holds()) {
        if (MonoClock::read() >= end) return false;
        loop.run_once(true);
    }
    return true;
}

inline void turn_for(UvLoop& loop, Nanos span) {
    turn_until(loop, span, [] { return false; });
}

}  // namespace holdfast::testing
