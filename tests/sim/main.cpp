// sim_main --seed=S [--count=N] [--verbose] [--mutant=NAME]: runs worlds, prints each seed with every rate of its plan
// (with --count only those that fail), and exits with 1 when a rule was broken.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>

#include "tests/sim/world.h"

int main(int argc, char** argv) {
    using namespace holdfast::sim;
    std::uint64_t seed = 1, count = 1;
    bool verbose = false, all = false;
    std::string mutant = "none";
    CLI::App app("Simulated worlds around one whole node");
    app.add_option("--seed", seed, "the first seed");
    app.add_option("--count", count, "how many seeds, one after the other");
    app.add_flag("--verbose", verbose, "print everything that happens");
    app.add_flag("--all", all, "print the plan of every seed, not only of those that fail");
    app.add_option("--mutant", mutant, "a bug planted on purpose");
    CLI11_PARSE(app, argc, argv);
    WorldOptions options;
    options.verbose = verbose;
    for (std::size_t i = 0; i < kMutants; ++i)
        if (name(static_cast<Mutant>(i)) == mutant) options.mutant = static_cast<Mutant>(i);
    std::uint64_t failed = 0;
    const auto begun = holdfast::MonoClock::read();
    for (std::uint64_t i = 0; i < count; ++i) {
        options.seed = seed + i;
        const WorldReport report = run_world(options);
        failed += !report.ok();
        if (!report.ok() || all || count == 1) fmt::print("{}", report.text());
        std::fflush(stdout);
    }
    const double took = std::chrono::duration<double>(holdfast::MonoClock::read() - begun).count();
    fmt::print("{} worlds from seed {}, {} failed, {:.1f} a second\n", count, seed, failed,
               static_cast<double>(count) / took);
    return failed == 0 ? 0 : 1;
}
