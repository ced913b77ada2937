// recovery_study [--seeds=N] [--series=FILE]: runs the whole study and prints its table, as Markdown; the series are
// what plot.py draws. recovery_study --smoke: a reduced run that exits with 1 when a claim of the README does not hold.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <fstream>
#include <string>

#include "edge/base/rng.h"
#include "tests/bench/recovery/study.h"

using namespace holdfast;
using namespace holdfast::recovery;

namespace {

constexpr std::array<Nanos, 3> kGrowths = {Nanos(30s), Nanos(120s), Nanos(480s)};

double seconds(Nanos d) {
    return static_cast<double>(d.count()) / 1e9;
}

// Outages of other seeds have other lengths: 20 s to 200 s.
Study study_of(Arm arm, std::uint64_t seed, Nanos growth) {
    Study s;
    s.arm = arm;
    s.seed = seed;
    s.growth = growth;
    Rng rng(seed * 31 + 5);
    s.away = Seconds(20 + rng.below(181));
    return s;
}

struct Row {
    double failed = 0, calls = 0, stable = 0, share = 0, ideal = 0;
    std::uint64_t runs = 0, never = 0;
    void add(const Outcome& o) {
        ++runs;
        failed += static_cast<double>(o.failed);
        calls += static_cast<double>(o.calls);
        stable += seconds(o.stable);
        never += !o.ever_stable;
        share += o.share();
        ideal += o.ideal;
    }
    double mean(double sum) const { return sum / static_cast<double>(runs); }
};

void print(const std::array<Row, kArms.size()>& rows, Nanos growth) {
    for (std::size_t i = 0; i < kArms.size(); ++i) {
        const Row& r = rows[i];
        fmt::print("| {:.0f} s | {} | {:.0f} | {:.1f} % | {:.0f} s{} | {:.1f} % of {:.1f} % |\n", seconds(growth),
                   name(kArms[i]), r.mean(r.failed), 100 * r.failed / r.calls, r.mean(r.stable),
                   r.never > 0 ? fmt::format(" ({} of {} never)", r.never, r.runs) : "", 100 * r.mean(r.share),
                   100 * r.mean(r.ideal));
    }
    std::fflush(stdout);
}

void add_series(std::ofstream& file, Arm arm, const Study& study, const Outcome& outcome) {
    for (std::size_t i = 0; i < outcome.seconds.size(); ++i) {
        const auto& s = outcome.seconds[i];
        file << fmt::format("{},{:.0f},{},{},{},{},{:.3f}\n", name(arm), seconds(study.growth),
                            static_cast<double>(i) - seconds(study.before + study.away), s.asked, s.live, s.failed,
                            s.capacity);
    }
}

int study(std::uint64_t seeds, const std::string& series) {
    std::ofstream file;
    if (!series.empty()) file.open(series);
    fmt::print("| centre grows in | guard | failed calls | of its calls | stable after "
               "| answered live, of what could be |\n|---|---|---|---|---|---|\n");
    for (const Nanos growth : kGrowths) {
        std::array<Row, kArms.size()> rows;
        for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
            for (std::size_t i = 0; i < kArms.size(); ++i) {
                const Study one = study_of(kArms[i], seed, growth);
                const Outcome outcome = run(one);
                rows[i].add(outcome);
                if (seed == 1 && file.is_open()) add_series(file, kArms[i], one, outcome);
            }
        }
        print(rows, growth);
    }
    return 0;
}

int claim(bool holds, const char* what) {
    fmt::print("{} {}\n", holds ? "holds:" : "BROKEN:", what);
    return holds ? 0 : 1;
}

// What README.md says of the table, on one short outage and a centre that grows in two minutes.
int smoke() {
    std::array<Outcome, kArms.size()> all;
    Study s;
    s.asks = 8;
    s.away = 40s;
    s.growth = 120s;
    s.after = 60s;
    for (std::size_t i = 0; i < kArms.size(); ++i) {
        s.arm = kArms[i];
        all[i] = run(s);
        fmt::print("{}: {} failed of {}, stable after {:.0f} s, {:.1f} % live\n", name(s.arm), all[i].failed,
                   all[i].calls, seconds(all[i].stable), 100 * all[i].share());
    }
    const auto& [half_open, throttle, leased, ours, ours_short] = all;
    s.arm = Arm::ours;
    const Outcome again = run(s);
    return claim(ours.failed * 2 < half_open.failed, "fewer than half the failed calls of half-open per node") +
           claim(ours.failed < leased.failed, "fewer failed calls than with a leased prober only") +
           claim(ours.share() > throttle.share(), "more answered live than by a throttle only") +
           claim(ours.ever_stable && ours_short.ever_stable, "stable in the end") +
           claim(again.live == ours.live && again.failed == ours.failed, "a seed replays");
}

}  // namespace

int main(int argc, char** argv) {
    std::uint64_t seeds = 6;
    bool smokes = false;
    std::string series;
    CLI::App app("How fleets recover when their centre comes back weak");
    app.add_option("--seeds", seeds, "runs of each row, each with its own outage");
    app.add_option("--series", series, "CSV of the first seed, for plot.py");
    app.add_flag("--smoke", smokes, "a reduced run that fails when a claim does not hold");
    CLI11_PARSE(app, argc, argv);
    return smokes ? smoke() : study(seeds, series);
}
