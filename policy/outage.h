// When an outage began, and how long it has lasted. It begins when the circuit (own or central) leaves closed, or with a
// forced `degraded`; it ends only when the circuit is closed and nothing is forced: half-open does not end it. It survives a
// restart. Two lengths, because two rules lean on it: what needs an outage old enough asks for the certain length, what
// needs one young enough for the greatest that it can have.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "edge/base/result.h"
#include "policy/stamp.h"

namespace holdfast {

inline constexpr std::size_t kOutageScenesMax = 256;

struct OutageFacts {
    bool active = false;
    Nanos certain{0};        // at least so long
    Nanos since_renewal{0};  // at most so long since it began or an operator last renewed it
};

class Outage {
  public:
    explicit Outage(std::uint64_t boot) : boot_(boot) {}
    // Call at each transition of the circuit and of an order, and before facts(). True when the outage began or ended.
    bool observe(bool circuit_closed, bool forced_degraded, Now now);
    void renew(Now now);  // the operator lets provisional answers go on; nothing without an outage
    OutageFacts facts(Now now) const;
    std::optional<WallTime> began_wall() const;

    std::string encode(Now now) const;  // "" without an outage
    // Code::corrupt, and no outage, when the text is not one of encode()'s.
    Result<bool> decode(std::string_view text, Now now);

  private:
    struct State {
        Stamp began;
        Stamp renewed;
        Nanos certain_before{0};  // certain length when it was read back, after another boot
        MonoTime certain_from;    // since when it has been counted since
        Nanos length_before{0};   // greatest length since renewal when read back
        MonoTime length_from;
    };
    std::uint64_t boot_;
    std::optional<State> state_;
};

}  // namespace holdfast
