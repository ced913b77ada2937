#include "tests/sim/pop_node.h"

#include <fmt/format.h>

#include <filesystem>

#include "edge/base/check.h"
#include "tests/sim/pop_world.h"

namespace holdfast::sim {
namespace {

constexpr std::uint64_t kBoot = 4711;

constexpr const char* kMemoryKey = "fleet/prod/central";

void replace(std::string& text, const std::string& what, const std::string& with) {
    const auto at = text.find(what);
    HF_CHECK(at != std::string::npos);
    text.replace(at, what.size(), with);
}

std::string config_of(const PopNode& node) {
    std::string text = config_text(WorldPlan{}, node.folder.path());
    replace(text, "name = \"sim\"", fmt::format("name = \"{}\"", node.name));
    replace(text, fmt::format("{}:{}", kNodeAddress, kNodePort), fmt::format("{}:{}", node.address, kNodePort));
    return text + "[coordination]\nkind = \"etcd\"\nfleet = \"prod\"\nlease_ttl = \"6s\"\n";
}

}  // namespace

PopNode::PopNode(PopWorld& world, std::size_t number)
    : name(fmt::format("pop-{}", number)),
      address(fmt::format("127.0.2.{}", number + 1)),
      view(world.loop),
      host(world.net, view, address),
      offload(view, world.plan.seed * 100 + number),
      road(world.store, view),
      caller(world.net, number, world.plan.seed * 100 + 50 + number, [this] { return view.now().wall; },
             [this](const PopAsk& ask) { world_.answered(*this, ask); }),
      world_(world) {
    ConfigEnvironment env;
    env.host_name = "sim";
    env.now = world.loop.now().wall;
    ConfigOutcome parsed = parse_config(config_of(*this), "sim.toml", env);
    if (!parsed.config) world.bad("configuration", render_all(parsed));
    HF_CHECK(parsed.config);
    config_ = std::move(*parsed.config);
    road.on_txn = [this](bool applied) { return dies_of(applied); };
    if (number < world.plan.drift_ppm.size()) view.set_drift(world.plan.drift_ppm[number]);
}

PopNode::~PopNode() {
    view.kill();
    node_.reset();
}

bool PopNode::stalled() const {
    return view.stalled_until() > world_.loop.now().mono;
}

void PopNode::start() {
    restart_.reset();
    armed_.reset();
    if (running()) return;
    if (!view.alive()) view.revive();
    NodeSeams seams{view, host, host, offload, {}, world_.plan.seed * 1000 + ++starts_, kBoot, {}, {}, {}};
    seams.make_coordinator = [this](const NodeSeams::StoreSaid&, std::uint64_t) {
        return std::make_unique<BorrowedRoad>(road);
    };
    auto node = Node::start(config_, std::move(seams));
    if (!node) return world_.bad("node-starts", name + ": " + node.error().detail);
    node_ = std::move(*node);
    last_disturbance_ = std::max(last_disturbance_, world_.loop.now().mono);
    world_.note(name + " starts");
    if (fleet().epoch < acted)
        world_.bad("S1", fmt::format("{} starts with epoch {}, and had acted on {}", name, fleet().epoch, acted));
}

// A kill -9. What was to be on disk in place of the epoch is there a moment before.
void PopNode::crash(Memory memory) {
    if (!running()) return;
    StateStore& state = node_->parts().storage.state();
    if (memory == Memory::old && !older.empty()) state.put_soon(kMemoryKey, older);
    if (memory == Memory::damaged) state.put_soon(kMemoryKey, "no epoch at all");
    const Nanos wait = memory == Memory::old || memory == Memory::damaged ? Millis(60) : Millis(0);
    world_.loop.post(nullptr, world_.loop.now().mono + wait, [this, memory, life = starts_] {
        if (running() && life == starts_) kill(memory);
    });
}

void PopNode::kill(Memory memory) {
    static constexpr const char* kHow[] = {"kept", "lost", "old", "damaged"};
    world_.note(fmt::format("{} is killed, its memory is {}", name, kHow[static_cast<int>(memory)]));
    ++crashes;
    last_disturbance_ = std::max(last_disturbance_, world_.loop.now().mono);
    if (memory != Memory::kept) acted = 0;
    view.kill();
    node_.reset();
    if (memory == Memory::lost) std::filesystem::remove_all(folder.path() + "/data/state");
    restart_ = world_.loop.after(Millis(50 + world_.rng.below(8000)), [this] {
        world_.loop.defer([this] { start(); });
    });
}

// A transaction leaves (false), or was applied (true): whether the node dies of it, and the message with it.
bool PopNode::dies_of(bool applied) {
    if (!armed_ || *armed_ != applied) return false;
    armed_.reset();
    crash();
    return true;
}

void PopNode::stall(Nanos span) {
    view.stall(span);
    last_disturbance_ = std::max(last_disturbance_, world_.loop.now().mono + span);
}

void PopNode::give_up() {
    node_->shut_down(true, [this](const Result<void>&) { gone = true; });
}

}  // namespace holdfast::sim
