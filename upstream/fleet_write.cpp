// The parts of a node's transactions, the operator's one, and what became of those that were sent.
#include <algorithm>
#include <utility>

#include "upstream/fleet_circuit.h"

namespace holdfast {
namespace {

using Kind = FleetWrite::Kind;

}  // namespace

std::string_view name(FleetWrite::Kind kind) {
    constexpr std::string_view kNames[] = {"enroll",     "create",  "vote",    "withdraw",  "open", "half_open",
                                           "take_probe", "verdict", "refresh", "end_order", "order"};
    return kNames[static_cast<std::size_t>(kind)];
}

FleetWrite FleetCircuit::write(Kind kind) const {
    return {kind, {}};
}

// 0 stands for a key that is not there.
void FleetCircuit::guard(Txn& txn, const std::string& key, Revision mod) const {
    txn.compares.push_back({key, Compare::Target::mod_revision, Compare::Is::equal, mod, {}, false});
}

void FleetCircuit::guard_state(Txn& txn) const {
    guard(txn, view_.keys().state(), view_.state() ? view_.state()->mod : 0);
    guard(txn, view_.keys().override_(), view_.order() ? view_.order()->mod : 0);
}

void FleetCircuit::put_state(Txn& txn, CircuitState state, std::string cause, std::uint32_t rounds,
                             std::uint32_t subjects) const {
    const std::uint64_t epoch = view_.state() ? view_.state()->value.epoch + 1 : 1;
    const StateRecord next{state, epoch, std::move(cause), options_.node, std::min(rounds, kRoundsMax), subjects};
    txn.success.push_back({TxnOp::Kind::put, view_.keys().state(), encode(next), 0, false});
}

VoteRecord FleetCircuit::vote_record(std::uint64_t epoch) const {
    VoteRecord vote;
    vote.epoch = epoch;
    vote.cause = std::string(!own_.evidence ? kVoteVolunteer : idle_ ? kVoteIdle : own_.cause);
    vote.calls = own_.counts.calls();
    vote.failures = own_.counts.failures;
    vote.slow = own_.counts.slow;
    vote.subjects = own_.subjects;
    vote.window = options_.circuit.window_type == WindowType::count
                      ? std::to_string(options_.circuit.window_size) + " calls"
                      : std::to_string(OutcomeWindow::kBuckets) + "s";
    return vote;
}

void FleetCircuit::put_vote(Txn& txn, std::uint64_t epoch) const {
    txn.success.push_back(
        {TxnOp::Kind::put, view_.keys().vote(options_.node), encode(vote_record(epoch)), node_lease_.id(), false});
}

NodeRecord FleetCircuit::node_record(Now now) const {
    return {options_.instance, options_.region, memory_.epoch, own_.state, own_.proof, now.wall, options_.upstream};
}

Error FleetCircuit::not_linked(MonoTime t) const {
    return {Code::unavailable, Origin::local, false, "this node is not linked to its fleet: " + why_autonomous(t)};
}

Result<FleetWrite> FleetCircuit::order(FleetOrder order, Nanos span, std::string by, std::string why, Now now) const {
    if (!loaded_ok_ || !view_.state() || mode(now.mono) == FleetMode::autonomous)
        return tl::unexpected(not_linked(now.mono));
    const bool ends = order == FleetOrder::none;
    if (!ends && (span < kOverrideMin || span > kOverrideMax))
        return fail(Code::invalid, Origin::client, "an override lasts 1s to 4h");
    if (ends && !view_.override_stands()) return fail(Code::not_found, Origin::client, "no override stands");
    FleetWrite w = write(Kind::order);
    guard_state(w.txn);
    if (ends)
        put_state(w.txn, CircuitState::half_open, "override_ended", 0, 0);
    else
        put_state(w.txn, view_.state()->value.state, "override", view_.state()->value.rounds,
                  view_.state()->value.subjects);
    const Nanos whole = ends ? Nanos{0} : Nanos(std::chrono::floor<Millis>(span));
    const OverrideRecord record{order, std::move(by), std::move(why), whole, now.wall + whole};
    w.txn.success.push_back({TxnOp::Kind::put, view_.keys().override_(), encode(record), 0, false});
    return w;
}

void FleetCircuit::sent(const FleetWrite& write, Now now) {
    in_flight_ = true;
    if (write.kind != Kind::order) next_write_ = now.mono + kFleetWriteGap;
    if (write.kind == Kind::vote) vote_written_ = now.mono;
    if (write.kind == Kind::refresh || write.kind == Kind::enroll) node_written_ = now.mono;
}

// A store may renew a lease that it has ended: what it says where a key is to be hung on it is what counts. Of two that
// a write hangs keys on, the probe's is the one given up: were it the node's, the read that follows shows it.
void FleetCircuit::lease_unknown(const FleetWrite& write, Now now) {
    const auto hangs = [&write](const Lease& lease) {
        return lease.held() && std::any_of(write.txn.success.begin(), write.txn.success.end(),
                                           [&lease](const TxnOp& op) { return op.lease == lease.id(); });
    };
    if (hangs(probe_lease_))
        probe_lease_.lost();
    else if (hangs(node_lease_))
        lease_gone(now);
}

// A lease that the store does not know is a matter of that lease, and what did not leave the node is none of the store.
void FleetCircuit::wrote(const Error* error, Now now) {
    if (error == nullptr || error->code == Code::not_found) {
        untaken_ = 0;
        untaken_since_.reset();
    } else if (error->origin != Origin::local) {
        ++untaken_;
        if (!untaken_since_) untaken_since_ = now.mono;
    }
    note_mode(now);
}

// Its reads are fresh and its leases hold, and nothing that is decided can be written: the circuit of the fleet stands
// still, so nobody goes by it.
bool FleetCircuit::takes_no_writes(MonoTime t) const {
    return untaken_ >= kUntakenMin && t >= *untaken_since_ + options_.lease_ttl;
}

void FleetCircuit::answered(const FleetWrite& write, const Result<TxnAnswer>& answer, Now now) {
    in_flight_ = false;
    wrote(answer ? nullptr : &answer.error(), now);
    if (!answer && answer.error().code == Code::not_found) lease_unknown(write, now);
    if (!answer || !answer->succeeded) {
        // Unknown, or decided on what is no longer so: read, and decide anew.
        must_read_ = true;
        read_after_ = now.mono;
        return;
    }
    if (write.kind == Kind::verdict && own_.verdict)
        idle_ = own_.verdict->kind == ProbeVerdict::Kind::timeout && own_.verdict->reported == 0;
    view_.apply_own(write.txn.success, answer->header.revision);
    see_override(true, now);
    look(now);
}

}  // namespace holdfast
