// mutants [NAME...]: plants one bug after the other (upstream/mutant.h) and runs seeds of fleet_chaos until one of them
// is violated; those that found one must be clean without it. Exits with 1 when a bug is not found, or a seed is not
// clean. This program alone is built with the switches.
#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <set>
#include <string>

#include "tests/sim/fleet_chaos.h"
#include "upstream/mutant.h"

namespace holdfast {
Bug planted = Bug::none;
}

namespace {

using holdfast::Bug;

constexpr std::uint64_t kSeedsMax = 60;

struct Planted {
    Bug bug;
    const char* name;
    const char* rule;  // that must be violated: a part of its words
};

constexpr std::array kBugs = {
    Planted{Bug::permit_not_returned, "permit_not_returned", "held by nobody"},
    Planted{Bug::old_generation_counted, "old_generation_counted", "an older generation counts"},
    Planted{Bug::lost_lease_ignored, "lost_lease_ignored", "S2"},
    Planted{Bug::minority_opens, "minority_opens", "S3"},
    Planted{Bug::acted_before_durable, "acted_before_durable", "S1"},
    Planted{Bug::verdict_not_fenced, "verdict_not_fenced", "the epoch did not rise by one"},
    Planted{Bug::believed_too_long, "believed_too_long", "S6"},
    Planted{Bug::old_votes_counted, "old_votes_counted", "S3"},
};

// The first seed that violates the rule, 0: none does.
std::uint64_t find(const Planted& one) {
    holdfast::planted = one.bug;
    std::uint64_t found = 0;
    for (std::uint64_t seed = 1; seed <= kSeedsMax && found == 0; ++seed)
        for (const std::string& violation : holdfast::sim::run_fleet_chaos(seed))
            if (violation.find(one.rule) != std::string::npos) found = seed;
    holdfast::planted = Bug::none;
    return found;
}

}  // namespace

int main(int argc, char** argv) {
    int wrong = 0;
    std::set<std::uint64_t> used;
    for (const Planted& one : kBugs) {
        bool chosen = argc == 1;
        for (int i = 1; i < argc; ++i) chosen = chosen || std::string(argv[i]) == one.name;
        if (!chosen) continue;
        const std::uint64_t seed = find(one);
        fmt::print("{}: {}\n", one.name, seed > 0 ? fmt::format("found by seed {}", seed) : "NOT FOUND");
        std::fflush(stdout);
        wrong += seed == 0;
        if (seed > 0) used.insert(seed);
    }
    for (const std::uint64_t seed : used)
        for (const std::string& violation : holdfast::sim::run_fleet_chaos(seed)) {
            fmt::print("seed {} without a bug: {}\n", seed, violation);
            ++wrong;
        }
    return wrong == 0 ? 0 : 1;
}
