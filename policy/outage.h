// When an outage began, and how long it has lasted. It begins when the circuit (own or central) leaves closed, or with
// a forced `degraded`; it ends only when the circuit is closed and nothing is forced: half-open does not end it. It
// survives a restart. Two lengths, because two rules lean on it: what needs an outage old enough asks for the certain
// length, what needs one young enough for the greatest that it can have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "edge/base/result.h"
#include "policy/stamp.h"

namespace holdfast {

struct OutageFacts {
    bool active = false;
    Nanos certain{0};       // at least so long
    Nanos since_renewal{0}; // at most so long since it began or an operator last renewed it
    Nanos longest{0};       // at most so long since it began
};

// One outage clock: the node keeps one for the circuit and the node's own order, and one for each scene under an order
// of its own; longer() joins them.
class Outage {
  public:
    explicit Outage(std::uint64_t boot) : boot_(boot) {}
    // Call at each transition of the circuit and of an order, and before facts(). True when the outage began or ended.
    bool observe(bool circuit_closed, bool forced_degraded, Now now);
    void renew(Now now); // the operator lets provisional answers go on; nothing without an outage
    // Of one read back: the order that renewed it was given at `at`, and the renewal may not have been written any
    // more. Nothing unless the order is certainly newer than the renewal that is known.
    void renew_as_of(const Stamp& at, Now now);
    OutageFacts facts(Now now) const;
    std::optional<WallTime> began_wall() const;

    std::string encode(Now now) const; // "" without an outage
    // Code::corrupt, and no outage, when the text is not one of encode()'s. After a reboot with the wall clock set back
    // since_renewal is as good as endless until an operator renews.
    Result<bool> decode(std::string_view text, Now now);

  private:
    struct State {
        Stamp began;
        Stamp renewed;           // equal to `began` until an operator renews
        Nanos certain_before{0}; // certain length at `from`
        Nanos length_before{0};  // greatest length since renewal at `from`
        MonoTime from;           // the beginning, the last renewal, or when it was read back
        Stamp written;           // when what was read back had been written
    };
    bool certainly_newer(const Stamp& at) const;
    std::uint64_t boot_;
    std::optional<State> state_;
};

// The facts of a scene that two clocks speak for.
OutageFacts longer(const OutageFacts& a, const OutageFacts& b);

} // namespace holdfast
