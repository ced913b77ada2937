#include "tests/sim/fleet_world.h"

#include <algorithm>
#include <utility>

namespace holdfast::sim {

struct FleetNode::Try {
    Permit permit;
    std::unique_ptr<Timer> timer;
    bool flying = false;
    bool over = false;
    MonoTime sent{}; // true time
};

FleetNode::FleetNode(FleetWorld& w, std::string n)
    : world(w), name(std::move(n)), rng(w.rng.next()), view(w.loop), store(w.store, view) {}

FleetNode::~FleetNode() {
    if (running()) crash();
}

bool FleetNode::saw(const std::string& text) const {
    return std::any_of(events.begin(), events.end(),
                       [&](const FleetEvent& e) { return e.text.find(text) != std::string::npos; });
}

std::size_t FleetNode::probes() const {
    const MonoTime since = world.loop.now().mono - world.options.probe_limit; // older ones have timed out
    return static_cast<std::size_t>(std::count_if(tries_.begin(), tries_.end(), [since](const auto& one) {
        return !one->over && one->flying && one->permit.epoch() != 0 && one->sent >= since;
    }));
}

std::size_t FleetNode::held() const {
    return static_cast<std::size_t>(std::count_if(tries_.begin(), tries_.end(), [this](const auto& one) {
        return one->permit.valid() && one->permit.probe() && one->permit.generation() == circuit->generation();
    }));
}

void FleetNode::start() {
    view.revive();
    FleetOptions o = world.options;
    o.node = name;
    o.region = "here";
    o.fleet = "prod";
    o.upstream = "central";
    o.instance = name + "-" + std::to_string(++lives);
    circuit = std::make_unique<Circuit>(o.circuit, view.now());
    if (!snapshot.empty()) static_cast<void>(circuit->restore(snapshot, view.now(), 7));
    FleetHooks hooks;
    hooks.clock = [this] { return view.now().mono; };
    hooks.save = [this](const FleetMemory& memory, std::function<void(bool)> done) {
        world.loop.post(&view, world.loop.now().mono + 5ms,
                        [this, memory, done = std::move(done)] { saved(memory, done); });
    };
    hooks.on_event = [this](const FleetEvent& e) { events.push_back(e); };
    hooks.on_circuit_touched = [this] { touched(); };
    fleet = std::make_unique<Fleet>(store, view, rng, *circuit, o, disk, std::move(hooks));
    arrivals_ = view.after(1ms, [this] { arrive(); });
    second_ = view.after(100ms, [this] {
        second_->restart(100ms);
        circuit->tick(view.now());
        touched();
    });
}

void FleetNode::saved(const FleetMemory& memory, const std::function<void(bool)>& done) {
    if (disk_hangs) return hung_.push_back([this, memory, done] { saved(memory, done); });
    if (disk_works) disk = memory;
    done(disk_works);
}

void FleetNode::disk_answers() {
    disk_hangs = false;
    for (const auto& one : std::exchange(hung_, {})) one();
}

void FleetNode::crash() {
    view.kill();
    fleet.reset();
    hung_.clear();
    arrivals_.reset();
    second_.reset();
    tries_.clear();
    circuit.reset();
}

void FleetNode::touched() {
    if (circuit->take_transitions().empty()) return;
    snapshot = circuit->snapshot(view.now(), 7);
    if (fleet) fleet->circuit_changed();
}

void FleetNode::arrive() {
    arrivals_->restart(every > 0s ? every : 100ms);
    std::erase_if(tries_, [](const auto& one) { return one->over; });
    if (every == 0s) return;
    Admission a = circuit->admit({++subject_ % 50, subject_ % 3}, view.now(), rng);
    touched();
    if (!a.admitted()) {
        ++refused;
        return;
    }
    ++admitted;
    auto one = std::make_unique<Try>();
    one->permit = std::move(a.permit);
    one->timer = view.after(pause_before_send, [this, raw = one.get()] { send(*raw); });
    tries_.push_back(std::move(one));
}

void FleetNode::send(Try& one) {
    if (!ignores_clock && !one.permit.may_send(view.now().mono)) {
        one.over = true;
        return one.permit.drop();
    }
    one.flying = true;
    one.sent = world.loop.now().mono;
    if (one.permit.epoch() != 0 && !world.excused_probes && !world.excused_leases && world.prober() != name)
        world.violated("S2: " + name + " probes without the probe's lease");
    world.newest_probe_epoch = std::max(world.newest_probe_epoch, one.permit.epoch());
    one.timer = view.after(call_takes, [this, &one] { end(one); });
}

// An answer of before the last change of state moves nothing.
void FleetNode::end(Try& one) {
    one.over = true;
    if (leaves > 0 && rng.chance(leaves)) return one.permit.drop();
    const bool spared = world.centre_failures == 0 || world.centre_failures-- == 0;
    const bool good = road && world.centre && spared;
    if (!good) ++failed;
    const CircuitView before = circuit->view(view.now());
    const bool old = one.permit.generation() != circuit->generation();
    one.permit.report({good ? CallKind::success : CallKind::failure, !road, call_takes}, view.now());
    const CircuitView after = circuit->view(view.now());
    if (old && (before.state != after.state || before.window.calls() != after.window.calls() ||
                before.probes_done != after.probes_done))
        world.violated("an answer of an older generation counts at " + name);
    touched();
    if (fleet) fleet->circuit_changed();
}

FleetWorld::FleetWorld(std::size_t count, std::uint64_t seed, FleetOptions o)
    : rng(seed),
      store(loop, rng),
      options(std::move(o)),
      store_judge_(store, "prod", [this](std::string what) { violated(std::move(what)); }) {
    store_judge_.quorum = options.quorum;
    store_judge_.min_votes = options.min_votes;
    for (std::size_t i = 0; i < count; ++i)
        nodes.push_back(std::make_unique<FleetNode>(*this, "pop-" + std::to_string(i)));
    epochs_.resize(count);
    store.on_change = [this] { store_judge_.judge(); };
    judge_ = loop.after(5ms, [this] {
        judge_->restart(5ms);
        judge_nodes();
    });
}

FleetWorld::~FleetWorld() {
    for (auto& node : nodes)
        if (node->running()) node->crash();
}

void FleetWorld::start() {
    for (auto& node : nodes) node->start();
}

void FleetWorld::run(Nanos span) {
    loop.run_for(span);
}

bool FleetWorld::run_until(const std::function<bool()>& done, Nanos limit) {
    const MonoTime end = loop.now().mono + limit;
    while (!done()) {
        if (loop.now().mono >= end) return false;
        loop.run_for(5ms);
    }
    return true;
}

bool FleetWorld::all(const std::function<bool(FleetNode&)>& holds) {
    return std::all_of(nodes.begin(), nodes.end(), [&](auto& n) { return !n->running() || holds(*n); });
}

bool FleetWorld::all_are(CircuitState state) {
    return all([&](FleetNode& n) { return n.state() == state; });
}

bool FleetWorld::all_shared() {
    return all([](FleetNode& n) { return n.shared(); });
}

std::optional<StateRecord> FleetWorld::state() {
    for (const KeyValue& kv : store.data().range("/holdfast/prod/state/", 9, loop.now().mono).kvs)
        if (const auto read = decode_state(kv.key, kv.value)) return *read;
    return std::nullopt;
}

std::string FleetWorld::prober() {
    for (const KeyValue& kv : store.data().range("/holdfast/prod/probe/", 9, loop.now().mono).kvs)
        if (const auto read = decode_probe(kv.key, kv.value)) return read->node;
    return {};
}

std::string FleetWorld::put(const std::string& below, const std::string& value, bool leased) {
    const LeaseId lease = leased ? store.data().grant(10s, loop.now().mono)->id : 0;
    if (leased) store.data().lease_forever(lease);
    Txn txn;
    txn.success.push_back({TxnOp::Kind::put, "/holdfast/prod/" + below, value, lease, false});
    static_cast<void>(store.data().txn(txn, loop.now().mono));
    store_judge_.accept(); // a hand is no node
    store.changed();
    return "/holdfast/prod/" + below;
}

} // namespace holdfast::sim
