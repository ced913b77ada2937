// Fleets of whole nodes under trouble of every kind, then healed: safe throughout, and well again.
#include <catch2/catch.hpp>

#include "tests/sim/pop_world.h"
#include "tests/support/effort.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

// More than these by sim_main --fleet --seed=S --count=N.
constexpr std::uint64_t kPerCase = 125;

void hold(std::uint64_t part) {
    for (std::uint64_t seed = part * kPerCase + 1; seed <= part * kPerCase + effort(kPerCase); ++seed) {
        const PopReport report = run_pops(seed);
        INFO(report.text());
        CHECK(report.ok());
    }
}

}  // namespace

TEST_CASE("sim: fleets of whole nodes stay safe and heal, seeds 1 to 125") {
    hold(0);
}

TEST_CASE("sim: fleets of whole nodes stay safe and heal, seeds 126 to 250") {
    hold(1);
}

TEST_CASE("sim: fleets of whole nodes stay safe and heal, seeds 251 to 375") {
    hold(2);
}

TEST_CASE("sim: fleets of whole nodes stay safe and heal, seeds 376 to 500") {
    hold(3);
}

TEST_CASE("sim: a seed of a fleet replays exactly, and the fleets together reach what they are to") {
    constexpr std::uint64_t kAll = 12, kFleets = effort(kAll, 4);
    PopReport sum;
    for (std::uint64_t seed = 1; seed <= kFleets; ++seed) {
        const PopReport one = run_pops(seed);
        if (seed <= effort(3)) {
            const PopReport again = run_pops(seed);
            CHECK(one.hash == again.hash);
            CHECK(one.events == again.events);
        }
        sum.live += one.live;
        sum.degraded += one.degraded;
        sum.crashes += one.crashes;
        sum.probes += one.probes;
        sum.openings += one.openings;
    }
    // Bounds of all of them; of a part, the part.
    CHECK(sum.live * kAll > 1000 * kFleets);
    CHECK(sum.degraded * kAll > 100 * kFleets);
    CHECK(sum.crashes * kAll > 5 * kFleets);
    CHECK(sum.probes * kAll > 20 * kFleets);
    CHECK(sum.openings * kAll > 4 * kFleets);
}
