// What a node believes of its fleet: reads, watches, durability, modes. What it writes is in fleet_plan.cpp, the
// override that binds it in fleet_override.cpp.
#include "upstream/fleet_circuit.h"

#include <algorithm>
#include <utility>

#include "edge/base/check.h"
#include "upstream/mutant.h"

namespace holdfast {

std::string_view name(FleetMode mode) {
    return mode == FleetMode::shared ? "shared" : "autonomous";
}

FleetCircuit::FleetCircuit(FleetOptions options, FleetMemory memory, Rng& rng, Now now)
    : options_(std::move(options)),
      rng_(rng),
      view_(FleetKeys(options_.fleet, options_.upstream)),
      memory_(std::move(memory)),
      older_(memory_.older) {
    HF_CHECK(is_fleet_name(options_.node) && is_fleet_name(options_.fleet) && is_fleet_name(options_.upstream));
    order_ = memory_.order;
    order_wall_ = memory_.order_until;
    const WallTime end = order_wall_ > WallTime{} ? order_wall_ : order_.deadline;
    order_until_ = now.mono + std::clamp(Nanos(end - now.wall), Nanos{0}, order_.span);
    order_clear_ = now.mono + order_.span;
}

void FleetCircuit::say(FleetEvent::Kind kind, std::string text) {
    if (events_.size() == kEventsMax) events_.erase(events_.begin());
    events_.push_back({kind, std::move(text), memory_.epoch});
}

std::vector<FleetEvent> FleetCircuit::take_events() {
    return std::exchange(events_, {});
}

void FleetCircuit::loaded(const RangeAnswer& answer, MonoTime sent, Now now) {
    cluster_ = answer.header.cluster;
    if (view_.load(answer))
        say(FleetEvent::Kind::notice, "the store's revisions fell to " + std::to_string(answer.header.revision));
    std::erase_if(skews_, [this](const auto& one) { return view_.node(one.first) == nullptr; });
    if (sent >= read_after_) must_read_ = false;
    judge(now);
    if (alarm_.empty()) fresh_until_ = believed_until(sent, options_.lease_ttl);
    see_override(false, now);
    look(now);
}

void FleetCircuit::watched(const WatchBatch& batch, Now now) {
    view_.apply(batch);
    const Stored<NodeRecord>* heard = nullptr;  // the author of an override, now
    for (const WatchEvent& event : batch.events) {
        if (event.erased || event.kv.key == view_.keys().node(options_.node)) continue;
        for (const auto& [node, stored] : view_.nodes()) {
            if (stored.mod != event.kv.mod_revision || event.kv.key != view_.keys().node(node)) continue;
            skews_[node] = stored.value.wall - now.wall;
            if (&stored == author()) heard = &stored;
        }
    }
    if (view_.problem() || !view_.state() || view_.state()->value.epoch < memory_.epoch) {
        must_read_ = true;  // only a linearizable read says what is true
        read_after_ = now.mono;
    }
    see_override(true, now);
    if (order_read_ && heard) reckon_order(heard->value.wall, now);
    look(now);
}

// What is new must be durable before it is applied.
void FleetCircuit::look(Now now) {
    const auto& state = view_.state();
    if (enrolled()) enrolled_once_ = true;
    if (ending_ && memory_.epoch >= ending_->epoch) take_order(std::exchange(ending_, std::nullopt)->next, true, now);
    if (older_ && !memory_.older && !pending_taken_) {
        FleetMemory same = memory_;
        same.older = true;
        pending_ = Pending{same, {}};
    }
    if (!loaded_ok_ || !state || view_.problem()) return note_mode(now);
    if (state->value.epoch <= memory_.epoch)
        behind_since_.reset();
    else if (!behind_since_)
        behind_since_ = now.mono;
    if (state->value.epoch == memory_.epoch && !applied_) {
        applied_ = state->value;  // durable from the last life
        state_at_ = applied_at_ = now.mono;
        openings_mark_ = 0;
    }
    FleetMemory wanted{state->value.epoch, state->value.state, cluster_, ending_ ? ending_->next : order_,
                       ending_ ? WallTime{} : order_wall(now)};
    if (applied_ && wanted.epoch == memory_.epoch && !(state->value == *applied_)) {
        must_read_ = true;  // another state for an epoch that was applied: the read will raise the alarm
        read_after_ = now.mono;
        return note_mode(now);
    }
    const bool newer = wanted.epoch > memory_.epoch || (wanted.epoch == memory_.epoch && !(wanted == memory_));
    if (HF_MUTANT(acted_before_durable) && wanted.epoch > memory_.epoch) {
        memory_ = wanted;
        apply(state->value, now);
        return note_mode(now);
    }
    if (newer && !(pending_ && pending_->memory == wanted) && !pending_taken_) pending_ = Pending{wanted, state->value};
    note_mode(now);
}

std::optional<FleetMemory> FleetCircuit::take_unsaved() {
    if (!pending_ || pending_taken_) return std::nullopt;
    pending_taken_ = true;
    return pending_->memory;
}

void FleetCircuit::persisted(const FleetMemory& memory, bool ok, Now now) {
    pending_taken_ = false;
    const auto pending = std::exchange(pending_, std::nullopt);
    if (!pending || !(pending->memory == memory)) return look(now);
    if (ok != !disk_failed_) {
        disk_failed_ = !ok;
        say(ok ? FleetEvent::Kind::notice : FleetEvent::Kind::alarm,
            ok ? "the epoch can be made durable again" : "the epoch cannot be made durable");
    }
    if (!ok || memory.epoch < memory_.epoch) return note_mode(now);
    const bool newer = memory.epoch > memory_.epoch;
    memory_ = memory;
    if (newer) {
        behind_since_.reset();
        apply(pending->state, now);
    }
    look(now);
}

void FleetCircuit::apply(const StateRecord& state, Now now) {
    const bool changed = !applied_ || applied_->state != state.state || state.state == CircuitState::open;
    applied_ = state;
    applied_at_ = now.mono;
    if (changed) state_at_ = now.mono;
    closing_ = state.state == CircuitState::closed;
    if (closing_) {
        openings_mark_ = own_.openings;
        idle_ = false;
    }
    say(FleetEvent::Kind::state, "central circuit " + std::string(name(state.state)) + ", epoch " +
                                     std::to_string(state.epoch) + ", " + state.cause + ", by " + state.by);
}

void FleetCircuit::own(const OwnCircuit& own, Now now) {
    own_ = own;
    note_mode(now);
}

void FleetCircuit::lease_gone(Now now) {
    node_lease_.lost();
    note_mode(now);
}

void FleetCircuit::note_mode(Now now) {
    const std::string why = why_autonomous(now.mono);
    const FleetMode mode = why.empty() ? FleetMode::shared : FleetMode::autonomous;
    if (told_mode_ == mode) return;
    told_mode_ = mode;
    say(FleetEvent::Kind::mode, std::string(name(mode)) + (why.empty() ? "" : ": " + why));
}

bool FleetCircuit::enrolled() const {
    const auto* record = view_.node(options_.node);
    return record && node_lease_.held() && record->lease == node_lease_.id() &&
           record->value.instance == options_.instance;
}

std::string FleetCircuit::why_autonomous(MonoTime t) const {
    if (!alarm_.empty()) return alarm_;
    if (disk_failed_) return "the epoch cannot be made durable";
    if (!loaded_ok_) return "the store has not been read";
    if (view_.problem()) return *view_.problem();
    if (t >= behind_until()) return "the epoch is not durable yet";
    if (!node_lease_.held()) return "no lease";
    if (!node_lease_.usable(t)) return "the lease could have run out";
    if (t >= fresh_until_) return "the last read is too old";
    if (takes_no_writes(t)) return "the store takes no writes";
    if (!enrolled()) {
        const auto* record = view_.node(options_.node);
        if (record && record->lease != 0 && record->value.instance != options_.instance && enrolled_once_)
            return "another node has the name " + options_.node;
        return "not registered";
    }
    if (!applied_ || !view_.state() || view_.state()->value.epoch < memory_.epoch) return "no state applied";
    return {};
}

MonoTime FleetCircuit::open_until() const {
    Nanos wait = options_.circuit.open_wait;
    for (std::uint32_t i = 0; applied_ && i < applied_->rounds && wait < options_.circuit.open_wait_max; ++i) wait *= 2;
    return state_at_ + std::min(wait, options_.circuit.open_wait_max);
}

// Whether the store says that the half-open epoch it holds is probed under this node's own lease.
bool FleetCircuit::holds_probe(MonoTime t) const {
    const auto* probe = view_.probe();
    const auto& state = view_.state();
    return probe && state && state->value.state == CircuitState::half_open && probe_lease_.usable(t) &&
           probe->lease == probe_lease_.id() && probe->value.node == options_.node &&
           probe->value.epoch == state->value.epoch && mode(t) == FleetMode::shared && !view_.override_stands();
}

bool FleetCircuit::probing(MonoTime t) const {
    return holds_probe(t) && applied_->state == CircuitState::half_open &&
           applied_->epoch == view_.state()->value.epoch;
}

bool FleetCircuit::probes_soon(MonoTime t) const {
    return holds_probe(t) && applied_->epoch < view_.state()->value.epoch;
}

Leased FleetCircuit::take_leased(Now now) {
    using Bind = Leased::Bind;
    Leased out;
    out.local_proof = options_.local_proof;
    if (override_in_force(now.mono)) {
        out.forced_until = order_until();
        if (order_.order == FleetOrder::open) out.forced = Forced::open;
        if (order_.order == FleetOrder::closed) out.forced = Forced::closed;
        out.outage = order_.order == FleetOrder::open || order_.order == FleetOrder::degraded;
    }
    note_mode(now);
    if (mode(now.mono) == FleetMode::autonomous) return out;
    out.epoch = applied_->epoch;
    out.until = std::min({node_lease_.until(), fresh_until_, behind_until()});
    out.subjects = applied_->subjects;
    out.diverse = applied_->subjects >= options_.circuit.min_subjects;
    out.closing = std::exchange(closing_, false);
    switch (applied_->state) {
        case CircuitState::closed:
            out.bind = Bind::closed;
            break;
        case CircuitState::open:
            out.bind = Bind::open;
            out.open_until = open_until();
            break;
        case CircuitState::half_open:
            out.bind = probing(now.mono) ? Bind::probe : Bind::half_open;
            if (out.bind == Bind::probe) out.probe_until = probe_lease_.until() - options_.probe_limit;
            break;
    }
    return out;
}

}  // namespace holdfast
