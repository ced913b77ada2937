#include "tests/sim/world.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "cache/journal_reader.h"
#include "edge/base/check.h"
#include "edge/base/log.h"

namespace holdfast::sim {

namespace {

constexpr std::uint64_t kBoot = 4711;  // the machine of a world is never started anew
constexpr Nanos kSampleEvery = 100ms;
constexpr Nanos kConvergeMax = 240s;
constexpr Nanos kReconcileMax = Reconciler::kAgainMax + 1min;
constexpr Nanos kStays = 3s;

}  // namespace

WorldFolder::WorldFolder() {
    const bool in_memory = std::filesystem::is_directory("/dev/shm");
    std::string name = (in_memory ? std::string("/dev/shm") : std::filesystem::temp_directory_path().string()) +
                       "/holdfast-sim-XXXXXX";
    HF_CHECK(::mkdtemp(name.data()) != nullptr);
    path_ = name;
    write("cache.key", std::string(32, 'k'));
    for (const char* id : {"app-a", "app-b"}) write(std::string(id) + ".secret", Clients::secret_of(id) + "\n");
}

WorldFolder::~WorldFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

void WorldFolder::write(const std::string& name, const std::string& bytes) const {
    const auto file = std::filesystem::path(path_) / name;
    std::ofstream(file, std::ios::binary) << bytes;
    std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

World::World(const WorldOptions& options)
    : options_(options),
      plan_(WorldPlan::of(options.seed)),
      net_(world_, options.seed + 1),
      node_view_(world_),
      node_host_(net_, node_view_, kNodeAddress),
      offload_(node_view_, options.seed + 2),
      central_(net_, fmt::format("{}:{}", kCentreAddress, kCentrePort), options.seed + 3),
      journal_(folder_.path() + "/data/journal"),
      checkers_({history_, journal_, orders_, plan_, [this] { return now(); }, [this] { return open_since(); },
                 options.mutant}) {
    log::set_level(log::Level::error);
    history_.verbose = options.verbose;
    ConfigEnvironment env;
    env.host_name = "sim";
    env.now = world_.now().wall;
    ConfigOutcome parsed = parse_config(config_text(plan_, folder_.path()), "sim.toml", env);
    if (!parsed.config) bad("configuration", render_all(parsed));
    config_ = std::move(parsed.config);
    central_.on_call([this](const CentreCall& call) {
        Called seen{call, node_view_.now().wall, central_.plan().max_age, central_.plan().feature, Nanos(0)};
        const CentrePlan& plan = central_.plan();
        seen.answer_within = std::max(plan.latency_max, plan.slow_share > 0 ? plan.slow : Nanos(0)) + 100ms +
                             plan_.centre_link.delay_max;
        // A slow answer is still taken for a while; a partition holds it until it heals.
        if (call.mode == CentreMode::drip || plan_.centre_partitions > 0 || plan_.stalls > 0) seen.answer_within = 13s;
        if (plan_.centre_link.late > 0) seen.answer_within += 8 * plan_.centre_link.late_by;
        if (options_.mutant == Mutant::centre_flips && seen.call.verdict == Verdict::pass)
            seen.call.verdict = Verdict::fail;
        checkers_.on_call(seen);
        history_.called(std::move(seen));
    });
    Clients::Seams seams{world_,
                         net_,
                         history_,
                         [this] { return node_view_.now().wall; },
                         [this](const Asked& asked) { checkers_.on_end(asked); },
                         options.seed + 4,
                         options.mutant};
    clients_ = std::make_unique<Clients>(std::move(seams), plan_);
    Faults::Seams faults{world_,
                         net_,
                         history_,
                         node_view_,
                         offload_,
                         central_,
                         [this] { crash_node(); },
                         [this] { start_node(); },
                         [this] { return up(); },
                         [this](Rng& rng) { order(rng, false); },
                         [this](Rng& rng) { order_circuit(rng); },
                         [this](Rng& rng) { order_revoke(rng); },
                         [this](Rng& rng) { order(rng, true); },
                         options.seed + 5,
                         options.mutant};
    faults_ = std::make_unique<Faults>(std::move(faults), plan_);
}

World::~World() = default;

std::optional<MonoTime> World::open_since() const {
    if (!up() || node_->parts().upstream.circuit().state() != CircuitState::open) return std::nullopt;
    const CircuitView view = node_->parts().upstream.circuit().view(node_view_.now());
    if (view.state != CircuitState::open) return std::nullopt;
    return now() - (node_view_.now().mono - view.since.mono);
}

void World::bad(std::string_view rule, const std::string& what) {
    history_.violated(rule, what, now());
}

bool World::start_node() {
    if (!node_view_.alive()) node_view_.revive();
    NodeSeams seams{node_view_, node_host_, node_host_, offload_, {}, options_.seed * 1000 + ++starts_, kBoot, {}};
    auto node = Node::start(*config_, std::move(seams));
    if (!node) {
        bad("node-starts", node.error().detail);
        return false;
    }
    node_ = std::move(*node);
    history_.note(now(), "the node starts");
    if (down_ < history_.troubles.size() && starts_ > 1) history_.troubles[down_].to = now();
    if (std::exchange(left_open_, false) && node_->parts().upstream.circuit().state() == CircuitState::closed)
        bad("circuit", "it was open at the crash and is closed at the start");
    const StorageHealth health = node_->parts().storage.health();
    if (!health.sound || !health.cache.ok || !health.state.ok || !health.journal.ok)
        bad("storage-well", health.unsound_reason + health.cache.reason + health.state.reason);
    for (const std::string& text : health.notes) bad("storage-well", text);
    return true;
}

// A kill -9: what is armed or queued is gone, what was committed stays.
void World::crash_node() {
    history_.note(now(), "the node is killed");
    history_.crashes.push_back(now());
    down_ = history_.troubles.size();
    history_.troubles.push_back({Trouble::Kind::node_down, now(), std::nullopt});
    const auto open = open_since();
    left_open_ = open && now() - *open > checkers_.may_lose() &&
                 node_->parts().upstream.circuit().view(node_view_.now()).forced == Forced::none;
    node_view_.kill();
    node_.reset();
    if (options_.mutant != Mutant::erases_state) return;
    for (const char* part : {"/data/state", "/data/cache", "/data/journal"})
        std::filesystem::remove_all(folder_.path() + part);
}

void World::sample() {
    sampler_->restart(kSampleEvery);
    if (!journal_.poll(now()) && options_.mutant == Mutant::none) bad("journal", "its files shrank or are no journal");
    if (!up()) return;
    const Parts& parts = node_->parts();
    const Now node_now = node_view_.now();
    const bool closed = parts.upstream.circuit().state() == CircuitState::closed;
    std::array<bool, kScenes.size()> no_outage{};
    for (std::size_t i = 0; i < kScenes.size(); ++i) {
        const auto expected = orders_.mode_of(kScenes[i], now());
        const Mode mode = parts.overrides.mode_of(kScenes[i], node_now);
        // By the order that binds the scene, whatever the others say.
        no_outage[i] = closed && mode != Mode::degraded;
        // What is left of an order after a restart goes by both clocks.
        if (expected && *expected != mode && history_.wall_jumps.empty())
            bad("order-stands", fmt::format("{} is {} and should be {}", kScenes[i], name(mode), name(*expected)));
    }
    checkers_.sample(no_outage);
}

WorldReport World::run() {
    if (!config_ || !start_node()) return report();
    sampler_ = world_.after(kSampleEvery, [this] { sample(); });
    faults_->begin();
    clients_->begin();
    world_.run_for(plan_.phase1);
    faults_->heal();
    healed_at_ = now();
    if (!up() && !start_node()) return report();
    clients_->behave(8);
    orders_over();
    converge();
    ask_after_healing();
    reconcile();
    end_node();
    checkers_.at_end();
    return report();
}

bool World::converged() const {
    const CircuitView view = node_->parts().upstream.circuit().view(node_view_.now());
    // Below that share of success the throttle may come back at any time.
    const bool well = view.window.calls() < NodeNumbers::kMinimumCalls ||
                      static_cast<double>(view.window.successes) >= 0.95 * static_cast<double>(view.window.calls());
    return view.state == CircuitState::closed && view.forced == Forced::none && !view.ramp && view.throttle >= 1 &&
           well;
}

void World::converge() {
    // What was under way at the healing may still fail, so it must hold for a while.
    const MonoTime end = now() + kConvergeMax;
    bool stays = false;
    while (!stays && now() < end) {
        world_.run_until_true([this] { return converged(); }, end - now());
        world_.run_for(kStays);
        stays = converged();
    }
    if (!stays) {
        const CircuitView view = node_->parts().upstream.circuit().view(node_view_.now());
        bad("converges", fmt::format("the circuit is {}, forced {}, throttle {:.2f}, ramp {}", name(view.state),
                                     name(view.forced), view.throttle, view.ramp.value_or(0)));
    }
    well_at_ = now();
    history_.note(now(), "converged");
    clients_->stop();
    if (!world_.run_until_true([this] { return clients_->open() == 0; }, Clients::kPatience + 1s))
        bad("converges", fmt::format("{} requests have no end", clients_->open()));
}

void World::ask_after_healing() {
    const std::size_t from = history_.asked.size();
    for (int i = 0; i < 20; ++i) {
        clients_->ask_fresh();
        world_.run_for(50ms);
    }
    world_.run_until_true([this] { return clients_->open() == 0; }, 5s);
    for (std::size_t i = from; i < history_.asked.size(); ++i) {
        const Asked& a = history_.asked[i];
        if (!a.ok() || a.source != "live")
            bad("live-after-heal", fmt::format("request {}: {} {} {}", a.id, a.status, a.code, a.source));
    }
}

// Checkers::check_reconciled() says whether that was enough.
void World::reconcile() {
    const EvidenceVault* vault = node_->parts().storage.evidence();
    if (vault == nullptr) return bad("reconciled", "there is no folder of evidence");
    world_.run_until_true([vault] { return vault->count() == 0; }, kReconcileMax);
}

WorldReport World::report() const {
    WorldReport out;
    out.seed = options_.seed;
    out.plan = plan_.describe();
    out.hash = history_.hash();
    out.events = world_.events_run();
    out.requests = history_.asked.size();
    for (const Asked& a : history_.asked) {
        out.answered += a.end == AskEnd::answered;
        out.lost += a.end == AskEnd::lost;
        out.live += a.ok() && a.source == "live";
        out.cached += a.ok() && a.source == "cache";
        out.featured += a.ok() && a.source == "feature";
        out.provisional += a.ok() && a.source == "policy";
        out.refused += a.end == AskEnd::answered && a.status >= 400;
    }
    out.calls = history_.calls.size();
    out.crashes = history_.crashes.size();
    out.healed_within = well_at_ - healed_at_;
    out.violation_count = history_.violation_count();
    out.violations = history_.violations();
    return out;
}

bool WorldReport::broke(const std::string& rule) const {
    return std::any_of(violations.begin(), violations.end(), [&rule](const Violation& v) { return v.rule == rule; });
}

std::string WorldReport::text() const {
    std::string out = plan + fmt::format(
                                 "  {} requests: {} live, {} cached, {} feature, {} provisional, {} refused, "
                                 "{} lost; {} calls, {} crashes, well {:.0f} s after healing, {} events, hash "
                                 "{:016x}\n",
                                 requests, live, cached, featured, provisional, refused, lost, calls, crashes,
                                 static_cast<double>(healed_within.count()) / 1e9, events, hash);
    for (const Violation& v : violations)
        out += fmt::format("  VIOLATED {} at {:.6f}: {}\n", v.rule,
                           static_cast<double>((v.at.time_since_epoch() - Nanos(24h)).count()) / 1e9, v.what);
    if (violation_count > violations.size()) out += fmt::format("  and {} more\n", violation_count - violations.size());
    return out;
}

WorldReport run_world(const WorldOptions& options) {
    return World(options).run();
}

}  // namespace holdfast::sim
