// What a node wants to write next. Every transaction compares the revisions it was decided on.
#include <algorithm>
#include <utility>

#include "edge/base/check.h"
#include "upstream/fleet_circuit.h"
#include "upstream/mutant.h"

namespace holdfast {
namespace {

using Kind = FleetWrite::Kind;

}  // namespace

std::optional<FleetWrite> FleetCircuit::plan(Now now) {
    if (!loaded_ok_ || view_.problem() || !write_due(now.mono) || !node_lease_.usable(now.mono)) return std::nullopt;
    if (!enrolled()) return plan_enroll(now);
    if (!view_.state() && memory_.epoch == 0) {
        FleetWrite w = write(Kind::create);
        guard_state(w.txn);
        put_state(w.txn, CircuitState::closed, "created", 0, 0);
        return w;
    }
    // An epoch that is not durable here yet is nothing to decide on.
    if (takes_no_writes(now.mono)) return plan_refresh(now, kVoteRefresh);  // does it again?
    if (mode(now.mono) == FleetMode::autonomous || view_.state()->value.epoch != applied_->epoch) return std::nullopt;
    if (view_.override_stands()) {
        if (auto w = plan_end_order(now)) return w;
        return plan_refresh(now, kNodeRefresh);
    }
    if (auto w = plan_verdict(now)) return w;
    if (auto w = plan_open(now)) return w;
    if (must_read_) return std::nullopt;
    if (opens_soon(now.mono)) return std::nullopt;  // a vote before it would take the gap between two writes
    if (auto w = plan_vote(now)) return w;
    if (auto w = plan_probe(now)) return w;
    return plan_refresh(now, kNodeRefresh);
}

// A life of the process takes its name over once; later only when nobody else has it.
std::optional<FleetWrite> FleetCircuit::plan_enroll(Now now) const {
    const auto* there = view_.node(options_.node);
    if (there && there->lease != 0 && enrolled_once_ && there->value.instance != options_.instance) return std::nullopt;
    if (!there && view_.live() >= FleetView::kNodesMax) return std::nullopt;
    FleetWrite w = write(Kind::enroll);
    guard(w.txn, view_.keys().node(options_.node), view_.mod_of(view_.keys().node(options_.node)));
    w.txn.success.push_back(
        {TxnOp::Kind::put, view_.keys().node(options_.node), encode(node_record(now)), node_lease_.id(), false});
    return w;
}

// Whether the override may be taken from the store, for all. Who saw it come counts its span. Who only read it would
// begin anew with every restart, so its author's deadline counts too, with slack: a wall clock that is ahead must not
// end it early. By how much ours is, the records show that other nodes write meanwhile.
bool FleetCircuit::order_over(Now now) const {
    if (now.mono >= order_clear_) return true;
    Nanos ahead{0};
    for (const auto& [node, skew] : skews_) ahead = std::max(ahead, -skew);
    return now.mono >= order_until_ + kOrderSlack && now.wall >= order_.deadline + kOrderSlack + ahead;
}

std::optional<FleetWrite> FleetCircuit::plan_end_order(Now now) const {
    if (!order_over(now) || view_.order()->mod != order_mod_) return std::nullopt;
    FleetWrite w = write(Kind::end_order);
    guard_state(w.txn);
    put_state(w.txn, CircuitState::half_open, "override_ended", 0, 0);
    const OverrideRecord none{FleetOrder::none, options_.node, std::string(kOrderOver), Nanos{0}, now.wall};
    w.txn.success.push_back({TxnOp::Kind::put, view_.keys().override_(), encode(none), 0, false});
    return w;
}

std::optional<FleetWrite> FleetCircuit::plan_verdict(Now now) const {
    if (!own_.verdict || !probing(now.mono) || own_.verdict->epoch != applied_->epoch) return std::nullopt;
    const ProbeVerdict& verdict = *own_.verdict;
    FleetWrite w = write(Kind::verdict);
    guard_state(w.txn);
    const std::string probe = view_.keys().probe();
    guard(w.txn, probe, view_.probe()->mod);
    w.txn.compares.push_back(
        {probe, Compare::Target::lease, Compare::Is::equal, static_cast<std::int64_t>(probe_lease_.id()), {}, false});
    if (HF_MUTANT(verdict_not_fenced)) w.txn.compares.clear();
    w.txn.success.push_back({TxnOp::Kind::erase, probe, {}, 0, false});
    if (verdict.kind == ProbeVerdict::Kind::good)
        put_state(w.txn, CircuitState::closed, "probes_succeeded", 0, 0);
    else
        put_state(w.txn, CircuitState::open,
                  verdict.kind == ProbeVerdict::Kind::bad ? "probes_failed" : "probe_timeout",
                  applied_->rounds + (verdict.clean ? 0 : 1), applied_->subjects);
    return w;
}

// Whether this node's vote is to stand for the present epoch.
bool FleetCircuit::wants_vote(Now now) {
    if (own_.state == CircuitState::closed || !own_.evidence) return volunteers(now);
    return applied_->state != CircuitState::closed || own_.openings > openings_mark_;
}

// How much later than it could this node offers to probe, or takes the probe: its last round saw no call at all, and
// one that may have calls goes first. Where every node has had such a round, none waits for another. Or its last round
// failed, and one that has not failed offers.
Nanos FleetCircuit::lets_others_first() const {
    const bool failed = applied_->state == CircuitState::open && applied_->rounds > 0 && applied_->by == options_.node;
    for (const auto& [node, record] : view_.nodes()) {
        if (node == options_.node || !view_.is_live(node)) continue;
        const std::string_view vote = view_.stands(node) ? view_.vote_of(node)->value.cause : std::string_view();
        if ((idle_ && vote != kVoteIdle) || (failed && vote == kVoteVolunteer))
            return std::min(kIdleWait, options_.circuit.open_wait);
    }
    return Nanos{0};
}

// Fewer than a quorum vote, with calls, for what is open (who did have gone or have none, others have joined since, or
// an override has ended): then someone else must offer to probe, or a minority whose road is dead would hold it open
// for all. With a minority there is somebody who does not wait for the offer, so it comes before the wait is over.
bool FleetCircuit::volunteers(Now now) {
    if (applied_->state == CircuitState::closed) return false;
    const auto* mine = view_.vote_of(options_.node);
    bool offered = false;
    std::size_t evidence = 0;
    for (const std::string& node : view_.standing()) {
        const std::string& cause = view_.vote_of(node)->value.cause;
        if (node == options_.node || cause == kVoteIdle) continue;
        if (cause == kVoteVolunteer)
            offered = true;
        else
            ++evidence;
    }
    const bool held = evidence >= view_.needed(options_.min_votes, options_.quorum);
    if (mine && vote_stands() && mine->value.cause == kVoteVolunteer) return !held || probing(now.mono);
    if (held || offered || view_.probe()) {
        volunteer_at_.reset();
        return false;
    }
    const bool waits = applied_->state == CircuitState::open && evidence == 0;
    if (!volunteer_at_ || volunteer_for_ != applied_->epoch || volunteer_waits_ != waits) {
        const MonoTime from = waits ? std::max(now.mono, open_until()) : now.mono;
        const Nanos jitter(static_cast<std::int64_t>(rng_.unit() * static_cast<double>(Nanos(1s).count())));
        volunteer_at_ = from + kVolunteerWait + jitter + (own_.proof ? options_.lease_ttl : Nanos{0});
        volunteer_for_ = applied_->epoch;
        volunteer_waits_ = waits;
    }
    return now.mono >= *volunteer_at_ + lets_others_first();
}

// Whether there is a quorum, and the jitter before the write that opens is not over.
bool FleetCircuit::opens_soon(MonoTime t) const {
    return applied_->state == CircuitState::closed && open_at_ && open_for_ == applied_->epoch && t < *open_at_;
}

std::optional<FleetWrite> FleetCircuit::plan_open(Now now) {
    if (applied_->state != CircuitState::closed) return std::nullopt;
    std::vector<std::string> voters = view_.standing();
    if (HF_MUTANT(old_votes_counted)) {
        voters.clear();
        for (const auto& [node, vote] : view_.votes()) voters.push_back(node);
    }
    const bool stands = vote_stands();
    const bool wanted = wants_vote(now);
    if (stands && !wanted) std::erase(voters, options_.node);  // about to be withdrawn
    const bool adds = !stands && wanted;
    const std::size_t needed = HF_MUTANT(minority_opens) ? 1 : view_.needed(options_.min_votes, options_.quorum);
    if (voters.size() + (adds ? 1 : 0) < needed) {
        open_at_.reset();
        return std::nullopt;
    }
    if (!open_at_ || open_for_ != applied_->epoch) {
        open_at_ = now.mono + Nanos(static_cast<std::int64_t>(rng_.unit() * static_cast<double>(kOpenJitter.count())));
        open_for_ = applied_->epoch;
    }
    if (now.mono < *open_at_) return std::nullopt;
    if (view_.joined()) {  // the write would fail, and the gap to the next one is longer than a read
        must_read_ = true;
        read_after_ = now.mono;
        return std::nullopt;
    }
    FleetWrite w = write(Kind::open);
    guard_state(w.txn);
    // No node has joined since the last read, so that the quorum is still what was counted.
    w.txn.compares.push_back(
        {view_.keys().nodes(), Compare::Target::create_revision, Compare::Is::less, view_.loaded() + 1, {}, true});
    std::uint32_t subjects = adds ? own_.subjects : 0;
    if (adds) {
        guard(w.txn, view_.keys().vote(options_.node), view_.mod_of(view_.keys().vote(options_.node)));
        put_vote(w.txn, applied_->epoch);
    }
    for (std::size_t i = 0; i + (adds ? 1 : 0) < needed; ++i) {
        const auto* vote = view_.vote_of(voters[i]);
        guard(w.txn, view_.keys().vote(voters[i]), vote->mod);
        subjects = std::max(subjects, vote->value.subjects);
    }
    put_state(w.txn, CircuitState::open, "quorum", 0, subjects);
    HF_CHECK(w.txn.compares.size() <= kTxnOpsMax);
    return w;
}

std::optional<FleetWrite> FleetCircuit::plan_vote(Now now) {
    const auto* mine = view_.vote_of(options_.node);
    if (!wants_vote(now)) {
        if (!mine) return std::nullopt;
        FleetWrite w = write(Kind::withdraw);
        guard(w.txn, view_.keys().vote(options_.node), mine->mod);
        w.txn.success.push_back({TxnOp::Kind::erase, view_.keys().vote(options_.node), {}, 0, false});
        return w;
    }
    const bool news = mine && !(mine->value == vote_record(applied_->epoch));
    if (vote_stands() && !(news && now.mono >= vote_written_ + kVoteRefresh)) return std::nullopt;
    FleetWrite w = write(Kind::vote);
    guard(w.txn, view_.keys().state(), view_.state()->mod);
    guard(w.txn, view_.keys().vote(options_.node), view_.mod_of(view_.keys().vote(options_.node)));
    put_vote(w.txn, applied_->epoch);
    return w;
}

// Whether this node may take the probe now, if it holds a lease for it. Only one whose own vote stands may.
bool FleetCircuit::may_elect(Now now) {
    if (!applied_ || mode(now.mono) == FleetMode::autonomous || view_.override_stands() || !vote_stands() ||
        view_.probe() || applied_->state == CircuitState::closed ||
        view_.state()->value.epoch != applied_->epoch) {
        elect_at_.reset();
        return false;
    }
    if (!elect_at_ || elect_for_ != applied_->epoch) {
        const MonoTime from = applied_->state == CircuitState::open ? std::max(now.mono, open_until()) : now.mono;
        elect_at_ = from + Nanos(static_cast<std::int64_t>(rng_.unit() * static_cast<double>(kElectionJitter.count())));
        elect_for_ = applied_->epoch;
    }
    return now.mono >= *elect_at_ + lets_others_first();
}

bool FleetCircuit::wants_probe_lease(Now now) {
    return probing(now.mono) || probes_soon(now.mono) || may_elect(now);
}

Nanos FleetCircuit::probe_ttl() const {
    return std::max(options_.lease_ttl, 3 * options_.probe_limit);
}

std::optional<FleetWrite> FleetCircuit::plan_probe(Now now) {
    if (!may_elect(now) || !probe_lease_.usable(now.mono + options_.probe_limit)) return std::nullopt;
    const bool opening = applied_->state == CircuitState::open;
    FleetWrite w = write(opening ? Kind::half_open : Kind::take_probe);
    guard_state(w.txn);
    guard(w.txn, view_.keys().probe(), view_.mod_of(view_.keys().probe()));  // what hangs on no lease gives way
    guard(w.txn, view_.keys().vote(options_.node), view_.vote_of(options_.node)->mod);
    const std::uint64_t epoch = applied_->epoch + (opening ? 1 : 0);
    if (opening) {
        put_state(w.txn, CircuitState::half_open, "open_wait_over", applied_->rounds, applied_->subjects);
        put_vote(w.txn, epoch);  // it stands for the new epoch too
    }
    w.txn.success.push_back(
        {TxnOp::Kind::put, view_.keys().probe(), encode(ProbeRecord{options_.node, epoch}), probe_lease_.id(), false});
    return w;
}

std::optional<FleetWrite> FleetCircuit::plan_refresh(Now now, Nanos every) const {
    const auto* there = view_.node(options_.node);
    NodeRecord next = node_record(now);
    next.wall = there->value.wall;
    const bool news = !(next == there->value) && now.mono >= node_written_ + kVoteRefresh;
    if (!news && now.mono < node_written_ + every) return std::nullopt;
    FleetWrite w = write(Kind::refresh);
    guard(w.txn, view_.keys().node(options_.node), there->mod);
    w.txn.success.push_back(
        {TxnOp::Kind::put, view_.keys().node(options_.node), encode(node_record(now)), node_lease_.id(), false});
    return w;
}

}  // namespace holdfast
