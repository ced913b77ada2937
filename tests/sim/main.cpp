// sim_main --fleet --seed=S [--count=N] [--verbose]: likewise fleets of whole nodes.
// sim_main --seed=S [--count=N] [--verbose] [--mutant=NAME]: runs worlds, prints each seed with every rate of its plan
// (with --count only those that fail), and exits with 1 when a rule was broken.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>

#include "tests/sim/pop_world.h"
#include "tests/sim/world.h"

namespace {

// How many seeds failed; prints those, and with `all` every one.
template <typename Run>
std::uint64_t run_seeds(std::uint64_t seed, std::uint64_t count, bool all, Run run) {
    std::uint64_t failed = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto report = run(seed + i);
        failed += !report.ok();
        if (!report.ok() || all || count == 1) fmt::print("{}", report.text());
        std::fflush(stdout);
    }
    return failed;
}

}  // namespace

int main(int argc, char** argv) {
    using namespace holdfast::sim;
    std::uint64_t seed = 1, count = 1;
    bool verbose = false, all = false, fleet = false;
    std::string mutant = "none";
    CLI::App app("Simulated worlds around one whole node");
    app.add_option("--seed", seed, "the first seed");
    app.add_option("--count", count, "how many seeds, one after the other");
    app.add_flag("--verbose", verbose, "print everything that happens");
    app.add_flag("--fleet", fleet, "fleets of whole nodes instead of one node");
    app.add_flag("--all", all, "print the plan of every seed, not only of those that fail");
    app.add_option("--mutant", mutant, "a bug planted on purpose");
    CLI11_PARSE(app, argc, argv);
    WorldOptions options;
    options.verbose = verbose;
    for (std::size_t i = 0; i < kMutants; ++i)
        if (name(static_cast<Mutant>(i)) == mutant) options.mutant = static_cast<Mutant>(i);
    const auto begun = holdfast::MonoClock::read();
    const auto one = [&options](std::uint64_t s) {
        options.seed = s;
        return run_world(options);
    };
    const std::uint64_t failed =
        fleet ? run_seeds(seed, count, all, [verbose](std::uint64_t s) { return run_pops(s, verbose); })
              : run_seeds(seed, count, all, one);
    const double took = std::chrono::duration<double>(holdfast::MonoClock::read() - begun).count();
    fmt::print("{} worlds from seed {}, {} failed, {:.1f} a second\n", count, seed, failed,
               static_cast<double>(count) / took);
    return failed == 0 ? 0 : 1;
}
