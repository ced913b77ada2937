#include "tests/sim/pop_world.h"

#include <fmt/format.h>

#include <algorithm>

#include "edge/base/log.h"

namespace holdfast::sim {
namespace {

constexpr Nanos kSampleEvery = 100ms;
constexpr Nanos kConvergeMax = 180s;
constexpr Nanos kStays = 3s;
constexpr Nanos kAcceptEvery = 5s;
constexpr Nanos kLease = 6s, kOpenWaitMax = 4s;  // of config_text and the coordination of PopNode

double seconds(Nanos d) {
    return static_cast<double>(d.count()) / 1e9;
}

}  // namespace

PopWorld::PopWorld(std::uint64_t seed, bool verbose)
    : plan(PopPlan::of(seed)),
      net(loop, seed + 1),
      rng(seed * 31 + 2),
      store(loop, rng),
      judge(store, "prod", [this](const std::string& what) { judged(what); }),
      central(net, fmt::format("{}:{}", kCentreAddress, kCentrePort), seed + 3) {
    log::set_level(log::Level::error);
    history.verbose = verbose;
    store.on_change = [this] {
        const auto before = judge.state();
        judge.judge();
        if (!judge.state() || (before && *before == *judge.state())) return;
        const StateRecord& now = *judge.state();
        report_.epochs = now.epoch;
        report_.openings += now.cause == "quorum";
        note(fmt::format("epoch {}: {} by {}, {}", now.epoch, name(now.state), now.by, now.cause));
    };
    central.on_call([this](const CentreCall& call) { judge_call(call); });
    for (std::size_t i = 0; i < plan.nodes; ++i) nodes.push_back(std::make_unique<PopNode>(*this, i));
    seen_.resize(plan.nodes);
}

// After a restore revisions are used anew: a write from before it can pass a comparison, which is why nodes stand alone
// until an operator accepts the store.
void PopWorld::judged(const std::string& what) {
    if (!restored) bad(what.substr(0, what.find(':')), what);
}

PopWorld::~PopWorld() {
    timers_.clear();
    sampler_.reset();
}

bool PopWorld::all(const std::function<bool(PopNode&)>& holds) {
    return std::all_of(nodes.begin(), nodes.end(), [&](auto& node) { return holds(*node); });
}

bool PopWorld::well(bool healed) {
    const auto one = [this, healed](PopNode& node) {
        if (node.stalled() || !node.shared()) return false;  // what stands still tells of before
        const CircuitView view = node.circuit();
        const FleetStatus fleet = node.fleet();
        return view.state == CircuitState::closed && view.own == CircuitState::closed &&
               view.forced == Forced::none && fleet.epoch == judge.state()->epoch && fleet.order == FleetOrder::none &&
               (!healed || (!view.ramp && view.throttle >= 1));
    };
    return judge.state() && judge.state()->state == CircuitState::closed && judge.prober().empty() &&
           !judge.override_stands() && all(one);
}

// Looks every 20 ms: after each event would be dear.
bool PopWorld::until(const std::function<bool()>& met, Nanos limit) {
    const MonoTime end = loop.now().mono + limit;
    while (!met()) {
        if (loop.now().mono >= end) return false;
        loop.run_for(20ms);
    }
    return true;
}

void PopWorld::converge() {
    const MonoTime end = loop.now().mono + kConvergeMax;
    bool stays = false;
    while (!stays && loop.now().mono < end) {
        until([this] { return well(true); }, std::min<Nanos>(kAcceptEvery, end - loop.now().mono));
        for (auto& node : nodes)
            if (plan.restores > 0 && node->running() && !node->fleet().alarm.empty()) {
                node->node().membership()->accept_store();
                node->acted = 0;
            }
        if (!well(true)) continue;
        loop.run_for(kStays);
        stays = well(true);
    }
    if (stays) return note("converged");
    std::string how = judge.state() ? fmt::format("the store says {}", name(judge.state()->state)) : "no state";
    for (auto& node : nodes) {
        if (!node->running()) continue;
        const FleetStatus fleet = node->fleet();
        how += fmt::format("; {}: {}, own {}, {} {}{}", node->name, name(node->circuit().state),
                           name(node->circuit().own), name(fleet.mode), fleet.why, fleet.alarm);
    }
    bad("converges", how);
}

bool PopWorld::quiet(Nanos limit) {
    for (auto& node : nodes) node->caller.stop();
    return until([this] { return all([](PopNode& n) { return n.caller.open() == 0; }); }, limit);
}

void PopWorld::ask_after_healing() {
    const std::size_t live = report_.live;
    for (auto& node : nodes) node->caller.ask();
    quiet(5s);
    // A node that lost its nonces refuses what was signed before its start, by a wall clock that went back perhaps.
    if (plan.memories > 0 && plan.wall_jumps > 0) return;
    if (report_.live != live + nodes.size()) bad("live-after-heal", "a node does not answer live");
}

bool PopWorld::within(Nanos limit, std::string_view rule, const std::string& what, const std::function<bool()>& met) {
    const MonoTime begun = loop.now().mono;
    if (until(met, limit)) {
        note(fmt::format("{} after {:.3f} s", what, seconds(loop.now().mono - begun)));
        return true;
    }
    std::string how;
    for (auto& node : nodes)
        if (node->running())
            how += fmt::format("; {}: {}, own {}", node->name, name(node->circuit().state), name(node->circuit().own));
    bad(rule, fmt::format("not {} within {}{}", what, format_duration(limit), how));
    return false;
}

// The centre dies once more, and nothing else is wrong: L1 to L7 by the clock.
void PopWorld::coda() {
    const auto central_is = [this](CircuitState state) { return judge.state()->state == state; };
    const auto open_at = [this](std::size_t needed) {
        return static_cast<std::size_t>(std::count_if(nodes.begin(), nodes.end(), [](auto& node) {
                   return node->circuit().own == CircuitState::open;
               })) >= needed;
    };
    for (auto& node : nodes) node->caller.begin(8);
    loop.run_for(1s);
    CentrePlan dead;
    dead.mode = CentreMode::error;
    central.apply(dead);
    const std::size_t quorum = std::max<std::size_t>(2, (nodes.size() + 1) / 2);
    within(10s, "L1", "open by its own calls", [&] { return open_at(quorum); });
    // A second until the last vote may be written, a second until the opening may.
    within(2200ms, "L2", "open as a fleet", [&] { return central_is(CircuitState::open); });
    const auto applied = [this](PopNode& node) { return node.fleet().epoch == judge.state()->epoch; };
    within(1s, "L3", "known to all", [&] { return all(applied); });
    within(10s, "L1", "open everywhere", [this] {
        return all([](PopNode& node) { return node.circuit().state != CircuitState::closed; });
    });
    Nanos limit = 2 * kOpenWaitMax + 6s;
    if (rng.chance(0.5) && until([this] { return !judge.prober().empty(); }, 10s)) {
        for (auto& node : nodes)
            if (node->name == judge.prober()) node->crash();
        limit += 2 * kLease + 1s;  // L4
    }
    central.apply(CentrePlan{});
    within(limit, "L5", "closed again", [&] { return central_is(CircuitState::closed); });
    within(15s, "L4", "all back", [this] { return all([](PopNode& node) { return node.shared(); }); });
    bool told = false;
    ++nodes[0]->orders;
    nodes[0]->node().membership()->order(FleetOrder::closed, 3s, "uid 0", "coda",
                                         [&told](const Result<void>&) { told = true; });
    within(5s, "L7", "ordered everywhere", [&] {
        return told && all([](PopNode& node) { return node.fleet().order == FleetOrder::closed; });
    });
    loop.run_for(3s);
}

void PopWorld::end() {
    if (!quiet(PopCaller::kPatience + 1s)) bad("queues-drain", "a request has no end");
    for (auto& node : nodes)
        if (node->running()) node->give_up();
    const auto gone = [](PopNode& node) { return !node.running() || node.gone; };
    if (!until([&] { return all(gone); }, 15s)) return bad("shuts-down", "the drain has no end");
    sampler_.reset();
    for (auto& node : nodes) node->forget();
    loop.run_for(1s);
    // An orphan of a lost grant answer, or of a crash, ends by itself; late messages arrive at nobody.
    loop.run_for(2 * kLease + 20s);
    for (auto& node : nodes)
        if (const std::size_t left = loop.armed_of(&node->view); left > 0)
            bad("closes-clean", fmt::format("{} events of {} are left", left, node->name));
    if (!store.data().leases().empty()) bad("closes-clean", "a lease is left in the store");
}

PopReport PopWorld::run() {
    report_.plan = plan.describe();
    report_.seed = plan.seed;
    sampler_ = loop.after(kSampleEvery, [this] {
        sampler_->restart(kSampleEvery);
        sample();
    });
    for (auto& node : nodes) {
        node->start();
        node->caller.begin(plan.arrivals);
    }
    within(20s, "joins", "a fleet", [this] { return well(false); });
    arm_faults();
    loop.run_for(plan.phase1);
    heal();
    const MonoTime healed = loop.now().mono;
    converge();
    report_.well_after = loop.now().mono - healed;
    if (plan.coda && history.violation_count() == 0) {
        coda();
        converge();
    }
    quiet(PopCaller::kPatience);
    if (all([](PopNode& node) { return node.running(); })) ask_after_healing();
    end();
    report_.hash = history.hash();
    report_.events = loop.events_run();
    for (auto& node : nodes) report_.crashes += node->crashes;
    report_.violations = history.violations();
    report_.violation_count = history.violation_count();
    return report_;
}

std::string PopReport::text() const {
    std::string out = plan + fmt::format(
                                 "  {} requests: {} live, {} degraded, {} refused, {} lost; {} crashes, {} epochs, {} "
                                 "openings, {} probes, well {:.0f} s after healing, {} events, hash {:016x}\n",
                                 requests, live, degraded, refused, lost, crashes, epochs, openings, probes,
                                 seconds(well_after), events, hash);
    for (const Violation& v : violations)
        out += fmt::format("  VIOLATED {} at {:.6f}: {}\n", v.rule,
                           static_cast<double>((v.at.time_since_epoch() - Nanos(24h)).count()) / 1e9, v.what);
    return out;
}

PopReport run_pops(std::uint64_t seed, bool verbose) {
    return PopWorld(seed, verbose).run();
}

}  // namespace holdfast::sim
