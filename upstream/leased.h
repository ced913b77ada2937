// What passes between a node's own circuit and the fleet's: Leased is what the node may believe of the store right now
// (merged into the circuit by Circuit::adopt), OwnCircuit what the node itself knows (merged into the fleet by votes).
// Values only.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "edge/base/time.h"
#include "upstream/outcome_window.h"

namespace holdfast {

enum class CircuitState : std::uint8_t { closed = 0, half_open = 1, open = 2 };  // the numbers of the metric
enum class Forced : std::uint8_t { none, open, closed };
std::string_view name(CircuitState s);  // "closed", "half-open", "open"
std::string_view name(Forced f);

struct Leased {
    enum class Bind : std::uint8_t {
        none,       // autonomous: only the own circuit counts
        closed,     // the central circuit
        half_open,  // another node probes, or nobody yet
        open,
        probe,  // half-open, and this node holds the probe lease
    };
    Bind bind = Bind::none;
    std::uint64_t epoch = 0;
    MonoTime until{};            // believed before this; afterwards as none
    MonoTime open_until{};       // open: when the fleet may begin to probe
    MonoTime probe_until{};      // probe: none may start at or after this, so that its whole limit fits into the lease
    bool closing = false;        // the first adoption of an epoch that closed the central circuit
    bool local_proof = true;     // fresh proof of its own exempts a node from open and half_open
    std::uint32_t subjects = 0;  // distinct failing subjects that the central circuit opened on
    bool diverse = false;        // those of a quorum, hence evidence against the centre
    Forced forced = Forced::none;  // the fleet's override: in force without a lease
    bool outage = false;           // that override makes an outage (open, degraded): its time ends half-open
    MonoTime forced_until{};       // of both
};

// What a round of probes under the probe lease came to.
struct ProbeVerdict {
    enum class Kind : std::uint8_t { good, bad, timeout };
    Kind kind = Kind::timeout;
    std::uint64_t epoch = 0;     // of its beginning
    bool clean = true;           // no bad probe in it
    std::uint32_t reported = 0;  // probes that came back
};

struct OwnCircuit {
    CircuitState state = CircuitState::closed;
    bool evidence = false;       // not closed, because of calls of this node (not by force, not by the fleet's word)
    std::uint64_t openings = 0;  // rises with every opening on evidence
    std::string_view cause;      // of that opening
    WindowCounts counts;         // of that opening
    std::uint32_t subjects = 0;
    bool proof = false;   // of a healthy road, in the last 10 s
    WindowCounts recent;  // of the last 10 s
    std::optional<ProbeVerdict> verdict;
};

}  // namespace holdfast
