// The loop as everything above sees it: what time it is, call me later, call me at the end of this turn. UvLoop is the
// real one; the simulation has its own. Single-threaded: every method is called on the loop's thread.
#pragma once

#include <functional>
#include <memory>

#include "edge/base/time.h"

namespace holdfast {

// A pending call. Destroying it cancels; afterwards the callback is never called. It may be destroyed inside its own
// callback.
class Timer {
  public:
    virtual ~Timer() = default;
    // Arms it anew, `delay` from the loop's now(), with the same callback, whether it has fired or not.
    virtual void restart(Nanos delay) = 0;
    virtual void stop() = 0;  // disarmed until the next restart()
};

class Loop {
  public:
    virtual ~Loop() = default;
    // Both clocks, read once a turn: constant inside a callback.
    virtual Now now() const = 0;
    // Calls `callback` once, `delay` from now (rounded up to a millisecond; negative is zero), never inside this call.
    [[nodiscard]] virtual std::unique_ptr<Timer> after(Nanos delay, std::function<void()> callback) = 0;
    // Calls `callback` after the current callback has returned, before the loop waits again. Not cancellable: capture
    // only what outlives the loop turn.
    virtual void defer(std::function<void()> callback) = 0;
};

}  // namespace holdfast
