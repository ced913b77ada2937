// Fleet as its owner sees it, and what it shows.
#include "upstream/fleet.h"

#include <algorithm>
#include <utility>

#include "upstream/circuit.h"
#include "upstream/fleet_link.h"

namespace holdfast {

Fleet::Fleet(Coordinator& store, Loop& loop, Rng& rng, Circuit& circuit, FleetOptions options, FleetMemory memory,
             FleetHooks hooks, Nanos spread)
    : link_(std::make_unique<Link>(store, loop, rng, circuit, std::move(options), std::move(memory), std::move(hooks),
                                   spread)) {}

Fleet::~Fleet() = default;

void Fleet::reconfigure(Nanos probe_limit, const CircuitOptions& circuit) {
    link_->reconfigure(probe_limit, circuit);
}
void Fleet::circuit_changed() {
    link_->soon();
}
FleetStatus Fleet::status() const {
    return link_->status();
}
FleetMode Fleet::mode() const {
    return link_->machine().mode(link_->now().mono);
}
FleetShare Fleet::share() const {
    const FleetView& view = link_->machine().view();
    const std::size_t nodes = std::max<std::size_t>(1, view.live());
    return {nodes, std::min(nodes - 1, view.rank(link_->machine().options().node))};
}
FleetOrder Fleet::order_in_force() const {
    return link_->machine().order_in_force(link_->now().mono);
}
void Fleet::order(FleetOrder order, Nanos span, std::string by, std::string why, std::function<void(Result<void>)> done,
                  std::optional<OrderKind> ends) {
    link_->order(order, span, std::move(by), std::move(why), std::move(done), ends);
}
void Fleet::accept_store() {
    link_->accept_store();
}
void Fleet::leave(std::function<void()> done) {
    link_->leave(true, std::move(done));
}
void Fleet::hand_over(std::function<void()> done) {
    link_->leave(false, std::move(done));
}

void Fleet::Link::accept_store() {
    store_.accept_store();
    machine_.accept_store(now());
    soon();
}

void Fleet::Link::leave(bool for_good, std::function<void()> done) {
    if (leaving_) return;
    if (order_)
        end_order(order_->stands ? Result<void>() : fail(Code::cancelled, Origin::local, "the node leaves its fleet"));
    read_.reset();
    watch_.reset();
    txn_.reset();
    node_revoke_.reset();
    probe_revoke_.reset();
    leaving_ = true;
    left_ = std::move(done);
    leaving_for_ = (for_good && machine_.node_lease().held() ? 1 : 0) + (machine_.probe_lease().held() ? 1 : 0);
    const bool nothing = leaving_for_ == 0;
    drop(true);
    if (for_good) drop(false);
    const Now now = this->now();
    circuit_.adopt(machine_.take_leased(now), now);
    if (hooks_.on_circuit_touched) hooks_.on_circuit_touched();
    if (nothing) loop_.defer(std::exchange(left_, nullptr));
}

// Between the circuit's change and the word of it, so that nobody sees what one order has left without what the next
// one brings.
void Fleet::Link::tell_order() {
    const Now now = this->now();
    const FleetOrder order = machine_.order_in_force(now.mono);
    const MonoTime until = machine_.order_until();
    const bool changed = order != told_order_ || (order != FleetOrder::none && until != told_order_until_);
    told_order_ = order;
    told_order_until_ = until;
    if (changed && hooks_.on_order) hooks_.on_order();
}

// Tells its owner what has happened.
void Fleet::Link::tell() {
    if (!hooks_.on_event) return void(machine_.take_events());
    for (const FleetEvent& event : machine_.take_events()) hooks_.on_event(event);
}

FleetPeer Fleet::Link::peer(const std::string& name, Now now) const {
    const FleetView& view = machine_.view();
    FleetPeer p;
    p.name = name;
    p.self = name == machine_.options().node;
    p.voted = view.stands(name);
    if (const auto* vote = view.vote_of(name)) p.vote = vote->value;
    p.probing = view.probe() && view.probe()->value.node == name;
    const auto* record = view.node(name);
    p.readable = record != nullptr;
    p.counted = view.is_live(name);
    if (record != nullptr) {
        p.region = record->value.region;
        p.upstream = record->value.upstream;
        p.own = record->value.own;
        p.proof = record->value.proof;
        p.epoch = record->value.epoch;
        p.revision = record->mod;
    }
    if (p.self) {  // what the store has of this node may be as old as its last word to it
        p.own = machine_.own().state;
        p.proof = machine_.own().proof;
        p.epoch = machine_.memory().epoch;
    }
    const auto& applied = machine_.applied();
    p.disagrees = record != nullptr && p.counted && applied && applied->state != CircuitState::closed && !p.vote &&
                  p.own == CircuitState::closed;
    if (const auto skew = machine_.skews().find(name); skew != machine_.skews().end()) p.skew = skew->second;
    if (p.self) p.lease_remaining = machine_.lease_remaining(now.mono);
    return p;
}

FleetStatus Fleet::Link::status() const {
    const Now now = this->now();
    const FleetView& view = machine_.view();
    FleetStatus s;
    s.why = machine_.why_autonomous(now.mono);
    s.mode = machine_.mode(now.mono);
    if (!s.why.empty() && !told_problem_.empty()) s.why += " (" + told_problem_ + ")";
    s.alarm = machine_.alarm();
    if (s.alarm.empty()) s.alarm = store_.estranged();
    s.store = store_.describe();
    s.lease_remaining = machine_.lease_remaining(now.mono);
    s.lease_valid = s.lease_remaining > Nanos{0};
    s.revision = view.loaded();
    s.cluster = machine_.memory().cluster;
    s.epoch = machine_.memory().epoch;
    s.central = machine_.memory().state;
    if (const auto& applied = machine_.applied()) {
        s.central = applied->state;
        s.cause = applied->cause;
        s.by = applied->by;
        s.since = now.mono - machine_.applied_at();
        if (applied->state == CircuitState::open)
            s.retry_in = std::max(Nanos{0}, Nanos(machine_.open_until() - now.mono));
    }
    s.live = view.live();
    s.votes = view.standing().size();
    s.needed = view.needed(machine_.options().min_votes, machine_.options().quorum);
    if (view.probe()) s.prober = view.probe()->value.node;
    s.order = machine_.order_in_force(now.mono);
    if (s.order != FleetOrder::none) {
        s.order_by = machine_.order_record().by;
        s.order_why = machine_.order_record().why;
        s.order_ends = machine_.order_until();
        s.order_left = s.order_ends - now.mono;
    }
    for (const auto& [name, record] : view.nodes()) s.peers.push_back(peer(name, now));
    return s;
}

}  // namespace holdfast
