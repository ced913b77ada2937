// Tries that timed out but whose answers may still come: kept for a while, so that a definite answer is recorded for
// the client that asks again, and no older pass stays where it is a refusal. Bounded in number, bytes and time.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>

#include "edge/net/loop.h"
#include "upstream/attempt.h"

namespace holdfast {

class LateCalls {
  public:
    static constexpr std::size_t kLateCallsMax = 512; // each holds a connection
    static constexpr std::size_t kLateBytesMax = 64u << 20;  // of their requests that have not wholly left

    LateCalls(Loop& loop, Nanos limit) : loop_(loop), limit_(limit) {}
    // False, and the try is ended, when a bound is reached. Requires: attempt->sent().
    bool keep(std::unique_ptr<Attempt> attempt, LateRecorder on_late);
    void set_limit(Nanos limit) { limit_ = limit; } // of tries that are kept from now on
    std::size_t size() const { return late_.size(); }
    std::size_t bytes() const { return bytes_; }
    std::uint64_t recorded() const { return recorded_; } // definite answers that came
    std::uint64_t dropped() const { return dropped_; }   // not kept, or nothing came in time

  private:
    struct Late {
        std::unique_ptr<Attempt> attempt;
        std::unique_ptr<Timer> timer;
        LateRecorder on_late;
        std::size_t bytes = 0;
    };
    void drop(std::list<Late>::iterator at);
    Loop& loop_;
    Nanos limit_;
    std::list<Late> late_;
    std::size_t bytes_ = 0; // the sum of theirs
    std::uint64_t recorded_ = 0, dropped_ = 0;
};

} // namespace holdfast
