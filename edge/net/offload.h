// Work that must not run on the loop: disk commits, fsync, scans, RSA. The work gets values only, never something that
// the loop goes on using.
#pragma once

#include <functional>
#include <memory>

namespace holdfast {

// Destroying it drops the `done` callback (the work itself may still run; it owns its values).
class OffloadHandle {
  public:
    virtual ~OffloadHandle() = default;
};

class Offload {
  public:
    virtual ~Offload() = default;
    // Runs `work` on another thread, then `done` on the loop. Jobs may run at the same time and end in any order; who
    // needs an order starts the next one in `done`.
    [[nodiscard]] virtual std::unique_ptr<OffloadHandle> run(std::function<void()> work,
                                                             std::function<void()> done) = 0;
};

}  // namespace holdfast
