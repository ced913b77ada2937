#include "tests/bench/recovery/study.h"

#include <algorithm>

#include "tests/bench/recovery/pop.h"

namespace holdfast::recovery {
namespace {

constexpr double kStable = 0.99;
constexpr std::size_t kSpan = 5;  // seconds over which it is judged

// The first second since `from` after which every span has been answered live, but for one in a hundred.
std::size_t stable_from(const std::vector<Outcome::Second>& all, std::size_t from) {
    std::size_t at = all.size();
    while (at >= from + kSpan) {
        std::uint64_t asked = 0, live = 0;
        for (std::size_t i = at - kSpan; i < at; ++i) asked += all[i].asked, live += all[i].live;
        if (static_cast<double>(live) < kStable * static_cast<double>(asked)) break;
        --at;
    }
    return at < from + kSpan ? from : at;
}

}  // namespace

std::string_view name(Arm arm) {
    constexpr std::string_view kNames[] = {"half-open per node", "throttle only", "leased prober only", "Holdfast",
                                           "Holdfast (open_wait_max 10 s)"};
    return kNames[static_cast<std::size_t>(arm)];
}

Outcome run(const Study& study) {
    sim::SimLoop world;
    Rng rng(study.seed);
    sim::SimStore store(world, rng);
    const double load = study.asks * static_cast<double>(study.pops);
    CentrePlan plan;
    plan.down_at = world.now().mono + study.before;
    plan.back_at = plan.down_at + study.away;
    plan.growth = study.growth;
    plan.full = plan.queue = 1.3 * load;
    SlowCentre centre(plan, study.seed + 7);
    const Nanos whole = study.before + study.away + study.growth + study.after;
    Outcome out;
    out.seconds.resize(static_cast<std::size_t>(whole / 1s));
    const MonoTime begun = world.now().mono;
    for (std::size_t i = 0; i < out.seconds.size(); ++i)
        out.seconds[i].capacity = centre.rate_at_best(begun + Seconds(i)) / load;
    std::vector<std::unique_ptr<Pop>> pops;
    for (std::size_t i = 0; i < study.pops; ++i)
        pops.push_back(std::make_unique<Pop>(world, store, centre, study, i, out.seconds));
    world.run_for(whole - Nanos(1));
    const auto back = static_cast<std::size_t>((study.before + study.away) / 1s);
    double could = 0;
    // The last seconds are cut: what was asked in them is still under way.
    const std::vector<Outcome::Second> judged(out.seconds.begin(), out.seconds.end() - 4);
    for (std::size_t i = back; i < judged.size(); ++i) {
        const Outcome::Second& s = judged[i];
        out.asked += s.asked;
        out.live += s.live;
        out.failed += s.failed;
        could += std::min(1.0, s.capacity) * static_cast<double>(s.asked);
    }
    out.calls = out.live + out.failed;
    out.ideal = could / static_cast<double>(out.asked);
    const std::size_t at = stable_from(judged, back);
    out.ever_stable = at < judged.size();
    out.stable = Seconds(at - back);
    return out;
}

}  // namespace holdfast::recovery
