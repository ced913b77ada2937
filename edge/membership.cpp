#include "edge/membership.h"

#include <charconv>

#include "edge/base/check.h"
#include "edge/base/log.h"
#include "edge/node.h"

namespace holdfast {
namespace {

constexpr Nanos kSameEnd = 1500ms;  // of one and the same order, told by clocks that differ a little

std::string_view name(FleetEvent::Kind kind) {
    constexpr std::string_view kNames[] = {"mode", "state", "order", "alarm", "notice"};
    return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace

Membership::Membership(Node& node, const NodeSeams& seams, Rng& rng) : node_(node) {
    const Config& config = node.config();
    key_ = "fleet/" + config.coordination.fleet + "/" + config.upstream.kind;
    const StateStore& state = node.parts().storage.state();
    remember_share(state.get(key_ + "/live"));
    FleetMemory memory = remembered();
    store_ =
        seams.make_coordinator([this](bool good, const std::string& text) { store_said(good, text); }, memory.cluster);
    Loop& loop = seams.loop;
    const auto clock = seams.boot_clock ? seams.boot_clock : [&loop] { return loop.now().mono; };
    fleet_ = std::make_unique<Fleet>(*store_, loop, rng, node.parts().upstream.circuit(),
                                     options(fmt::format("{:016x}", rng.next())), std::move(memory), hooks(clock));
    order_changed();  // one that stands from before the restart
}

// "<nodes> <rank>"; of older versions "<nodes>", and the place may be the last one.
void Membership::remember_share(const std::optional<std::string>& text) {
    std::size_t nodes = 0, rank = FleetView::kNodesMax;
    if (text) {
        const char* const end = text->data() + text->size();
        const auto read = std::from_chars(text->data(), end, nodes);
        if (read.ec == std::errc() && read.ptr != end) std::from_chars(read.ptr + 1, end, rank);
    }
    if (nodes >= 1 && nodes <= FleetView::kNodesMax) {
        const MonoTime now = node_.loop().now().mono;  // what was spent in the last minute is remembered too
        nodes_ = {nodes, now};
        rank_ = {std::min(rank, nodes - 1), now};
    } else {
        log::info("fleet: how many nodes it has is not known yet: budgets are shared as among {}", nodes_.value);
    }
    node_.parts().sharing = nodes_.value;
    node_.parts().share_rank = rank_.value;
}

void Membership::Most::see(std::size_t n, MonoTime t) {
    if (at && n < value && t - *at < kShareMemory) return;
    value = n;
    at = t;
}

FleetOptions Membership::options(std::string instance) const {
    const Config& config = node_.config();
    FleetOptions o;
    o.node = config.node.name;
    o.region = config.node.region;
    o.fleet = config.coordination.fleet;
    o.upstream = config.upstream.kind;
    o.instance = std::move(instance);
    o.lease_ttl = config.coordination.lease_ttl;
    o.min_votes = config.coordination.min_votes;
    o.quorum = config.coordination.quorum;
    o.local_proof = config.coordination.local_proof;
    o.probe_limit = config.upstream.options.timeout.max;
    o.circuit = config.upstream.options.circuit;
    return o;
}

void Membership::reconfigured() {
    const UpstreamOptions& upstream = node_.config().upstream.options;
    fleet_->reconfigure(upstream.timeout.max, upstream.circuit);
}

FleetHooks Membership::hooks(std::function<MonoTime()> clock) {
    FleetHooks out;
    out.clock = std::move(clock);
    out.save = [this](const FleetMemory& memory, std::function<void(bool)> done) {
        node_.parts().storage.state().put_durable(
            key_, encode(memory), [done = std::move(done)](const Result<void>& stored) { done(stored.has_value()); });
    };
    out.on_circuit_touched = [this] { node_.parts().upstream.circuit_touched(); };
    out.on_event = [this](const FleetEvent& event) { happened(event); };
    out.on_order = [this] { order_changed(); };
    return out;
}

// The epoch of the last life. One that does not read back is as good as none: the store's is taken, and it is said.
FleetMemory Membership::remembered() const {
    const auto text = node_.parts().storage.state().get(key_);
    if (!text) return {};
    auto memory = decode_memory(key_, *text);
    if (memory) return std::move(*memory);
    log::error("state: {}; the fleet's epoch is taken from the store", memory.error().detail);
    node_.events().add(node_.loop().now().wall, "fleet", "the known epoch does not read back");
    return {};
}

void Membership::tell(std::string_view event, const std::string& text, std::uint64_t epoch) {
    node_.events().add(node_.loop().now().wall, "fleet", text);
    std::string fields;
    json::Writer(fields).begin_object().member("event", event).member("epoch", epoch).member("text", text).end_object();
    node_.journal("fleet", fields);
}

void Membership::happened(const FleetEvent& event) {
    if (event.kind == FleetEvent::Kind::mode) tick(node_.loop().now());  // a share that was not known yet is now
    const bool good = event.kind == FleetEvent::Kind::mode    ? shared()
                      : event.kind == FleetEvent::Kind::state ? fleet_->status().central == CircuitState::closed
                                                              : event.kind == FleetEvent::Kind::notice;
    if (event.kind == FleetEvent::Kind::alarm)
        log::error("fleet: {}", event.text);
    else if (good)
        log::info("fleet: {}", event.text);
    else
        log::warn("fleet: {}", event.text);
    tell(name(event.kind), event.text, event.epoch);
}

void Membership::store_said(bool good, const std::string& text) {
    if (good)
        log::info("etcd: {}", text);
    else
        log::warn("etcd: {}", text);
    tell("store", text, 0);
}

void Membership::tick(Now now) {
    Parts& parts = node_.parts();
    if (!shared()) return;
    const FleetShare share = fleet_->share();
    nodes_.see(share.nodes, now.mono);
    rank_.see(share.rank, now.mono);
    if (parts.sharing == nodes_.value && parts.share_rank == rank_.value) return;
    parts.sharing = nodes_.value;
    parts.share_rank = rank_.value;
    parts.storage.state().put_soon(key_ + "/live", fmt::format("{} {}", nodes_.value, rank_.value));
}

// `open` and `closed` bind through the circuit; here they only renew the outage that they make, as an order of the node
// does. What a restart has read back renews nothing.
void Membership::order_changed() {
    Parts& parts = node_.parts();
    const FleetStatus s = fleet_->status();
    const Now now = node_.loop().now();
    const Scope scope{Scope::Kind::fleet, ""};
    const MonoTime ends = s.order_ends;  // as the circuit has it, so that neither is over before the other
    const bool known = s.order == order_ && s.order_by == order_by_ && s.order_why == order_why_ &&
                       std::chrono::abs(ends - order_ends_) < kSameEnd;
    order_ = s.order;
    order_by_ = s.order_by;
    order_why_ = s.order_why;
    order_ends_ = ends;
    parts.overrides.clear(scope, false);
    if (order_ == FleetOrder::degraded || order_ == FleetOrder::live) {
        const Mode mode = order_ == FleetOrder::degraded ? Mode::degraded : Mode::live;
        Override order{scope,        mode, CircuitForce::none, order_why_, order_by_, stamp(now, parts.boot),
                       s.order_left, ends};
        HF_CHECK(parts.overrides.stand(std::move(order)));
    }
    node_.orders_changed();
    const bool makes_outage = order_ == FleetOrder::degraded || order_ == FleetOrder::open;
    if (makes_outage && !known && begun_) parts.outages.renew(scope, now, parts.storage.state());
    begun_ = true;
}

}  // namespace holdfast
