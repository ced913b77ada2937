// The recovery study: twenty points of presence ask one centre that was away and comes back weak, growing. The same
// arrivals and the same centre for each way to guard it; the circuits, leases, throttle, backoff and retry budget are
// the production code on simulated time. See README.md here for what is measured and what came out.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "edge/base/time.h"

namespace holdfast::recovery {

enum class Arm : std::uint8_t {
    half_open,  // a circuit per node after resilience4j: half-open after a fixed wait, then all at once
    throttle,   // no circuit, client-side adaptive throttling only
    leased,     // the fleet's circuit with one leased prober, no ramp and no throttle
    ours,       // leased prober, recovery ramp, throttle: the defaults
    ours_short, // the same with open_wait_max = open_wait: no doubling, as the first arm
};
inline constexpr std::array kArms = {Arm::half_open, Arm::throttle, Arm::leased, Arm::ours, Arm::ours_short};
std::string_view name(Arm arm);

struct Study {
    std::uint64_t seed = 1;
    Arm arm = Arm::ours;
    std::size_t pops = 20;
    double asks = 25;          // of each, a second; the centre serves 1.3 times the sum at its best
    Nanos before = 20s;        // healthy
    Nanos away = 90s;          // the outage
    Nanos growth = 60s;        // of the centre's capacity, from 15 % to all
    Nanos after = 180s;        // watched so long beyond the growth
};

struct Outcome {
    std::uint64_t asked = 0, live = 0;   // requests since the centre's return, and those answered live
    std::uint64_t calls = 0, failed = 0; // tries since then, and those that failed
    double ideal = 0;                    // share that could have been answered live: min(1, capacity / load)
    Nanos stable{0};                     // from the return until 99 % are answered live for good; all of it: never
    bool ever_stable = false;
    struct Second {
        std::uint64_t asked = 0, live = 0, failed = 0;
        double capacity = 0;  // of the load
    };
    std::vector<Second> seconds;  // since the beginning
    double share() const { return asked == 0 ? 0 : static_cast<double>(live) / static_cast<double>(asked); }
};

Outcome run(const Study& study);

}  // namespace holdfast::recovery
