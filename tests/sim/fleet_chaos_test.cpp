// Fleets under random trouble of every kind, then quiet: safety throughout (fleet_rules), and all well again in time.
#include <catch2/catch.hpp>

#include "tests/sim/fleet_chaos.h"
#include "tests/support/effort.h"

using namespace holdfast::sim;

namespace {

constexpr std::uint64_t kSeeds = 60;

} // namespace

TEST_CASE("fleet: random trouble for three minutes, then quiet: safe throughout, and all well in the end") {
    for (std::uint64_t seed = 1; seed <= holdfast::effort(kSeeds); ++seed) {
        std::string all;
        for (const std::string& one : run_fleet_chaos(seed)) all += one + "\n";
        INFO("seed " << seed);
        CHECK(all == "");
    }
}
