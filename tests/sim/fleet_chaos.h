// One seed of a fleet of circuits under random trouble of every kind, then quiet. Safety is judged throughout by
// fleet_rules; in the end all must be shared and closed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace holdfast::sim {

// What was violated; empty: nothing. The same seed and build give the same.
std::vector<std::string> run_fleet_chaos(std::uint64_t seed);

}  // namespace holdfast::sim
