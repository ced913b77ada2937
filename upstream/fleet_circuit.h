// One node's part in the circuit of its fleet: what it may believe of the store now (leased), and what it wants to
// write next (plan). Inputs are answers of the store, the own circuit and what is durable; it sends nothing and owns no
// timer: Fleet does. Pure: values in, values out.
//
// What keeps it safe, whatever a lease says: every write compares the revisions that it was decided on, an epoch is on
// the node's own disk before it is acted on, a write whose fate is unknown is followed by a read before the next, and
// nothing is believed past the node's own clock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "edge/base/rng.h"
#include "upstream/circuit_options.h"
#include "upstream/fleet_view.h"
#include "upstream/lease.h"
#include "upstream/leased.h"

namespace holdfast {

inline constexpr Nanos kFleetWriteGap = 1s;      // between two automatic writes of a node for one upstream
inline constexpr Nanos kVoteRefresh = 5s;        // of evidence that has changed
inline constexpr Nanos kNodeRefresh = 30s;       // of a node's record
inline constexpr Nanos kOpenJitter = 100ms;      // so that not every node opens at once
inline constexpr Nanos kElectionJitter = 500ms;  // of nodes that may probe
inline constexpr Nanos kVolunteerWait = 2s;      // for votes of the new epoch, before a node without one offers
// For another to offer and to begin, of one whose round saw no call: kVolunteerWait, kElectionJitter and the writes of
// both fit into it, and it is half of an open_wait.
inline constexpr Nanos kIdleWait = 5s;
inline constexpr std::uint32_t kUntakenMin = 3;  // lost writes in a row, so that loss alone is no verdict on the store
inline constexpr Nanos kOrderSlack = 60s;        // for wall clocks that differ; more than kNodeRefresh shows how much
inline constexpr Nanos kReadEvery = 5s;          // linearizable reads, as proof of freshness; D/3 when shorter

struct FleetOptions {
    std::string node;  // is_fleet_name()
    std::string region;
    std::string fleet;     // is_fleet_name()
    std::string upstream;  // is_fleet_name(): "central"
    std::string instance;  // of this life of the process: 16 random hex digits
    Nanos lease_ttl = 10s;
    std::uint32_t min_votes = 2;
    double quorum = 0.5;
    bool local_proof = true;
    Nanos probe_limit = 3s;  // T, the hard timeout of one try
    CircuitOptions circuit;
};

enum class FleetMode : std::uint8_t { autonomous, shared };
std::string_view name(FleetMode mode);

// A transaction that the node wants now.
struct FleetWrite {
    enum class Kind : std::uint8_t {
        enroll,  // the node's own record
        create,  // the first state of a fleet
        vote,
        withdraw,   // the vote
        open,       // on a quorum
        half_open,  // and take the probe
        take_probe,
        verdict,
        refresh,    // the node's record
        end_order,  // an override whose time is over
        order,      // the operator's word
    };
    Kind kind = Kind::vote;
    Txn txn;
};
std::string_view name(FleetWrite::Kind kind);

// One thing that happened, for log, journal and events.
struct FleetEvent {
    enum class Kind : std::uint8_t { mode, state, order, alarm, notice };
    Kind kind = Kind::notice;
    std::string text;
    std::uint64_t epoch = 0;
};

class FleetCircuit {
  public:
    static constexpr std::size_t kEventsMax = 64;  // kept for take_events(); the oldest leave first

    // Requires: the names are fleet names. `rng` outlives it. `memory`: what was durable at the end of the last life.
    FleetCircuit(FleetOptions options, FleetMemory memory, Rng& rng, Now now);

    // A reload: what follows from the circuit's waits and from a try's hard timeout holds from now on.
    void reconfigure(Nanos probe_limit, const CircuitOptions& circuit) {
        options_.probe_limit = probe_limit;
        options_.circuit = circuit;
    }
    void reading() { view_.begin_read(); }  // a linearizable read of the prefix leaves now
    // Its answer; `sent` was read before it left.
    void loaded(const RangeAnswer& answer, MonoTime sent, Now now);
    void watched(const WatchBatch& batch, Now now);
    void own(const OwnCircuit& own, Now now);
    Lease& node_lease() { return node_lease_; }
    Lease& probe_lease() { return probe_lease_; }
    void lease_gone(Now now);  // the node's; after node_lease() was lost
    // What must be durable before it can be acted on; each value is given once. persisted() with the answer.
    std::optional<FleetMemory> take_unsaved();
    void persisted(const FleetMemory& memory, bool ok, Now now);

    // The write that is wanted now; sent() once it leaves, answered() with its fate. One at a time.
    std::optional<FleetWrite> plan(Now now);
    void sent(const FleetWrite& write, Now now);
    void answered(const FleetWrite& write, const Result<TxnAnswer>& answer, Now now);
    // What became of a write or a grant that was sent; null: the store took it, as it does where a compare is lost.
    // answered() tells of its own.
    void wrote(const Error* error, Now now);
    Error not_linked(MonoTime t) const;  // what an order is refused with at a node that is autonomous
    // The operator's word for the whole fleet; FleetOrder::none ends what stands. Guarded by what was read last.
    Result<FleetWrite> order(FleetOrder order, Nanos span, std::string by, std::string why, Now now) const;
    // The operator accepts what the store holds although it is older than what this node knows, or of another cluster.
    void accept_store(Now now);

    FleetMode mode(MonoTime t) const { return why_autonomous(t).empty() ? FleetMode::shared : FleetMode::autonomous; }
    std::string why_autonomous(MonoTime t) const;  // empty: shared
    // For Circuit::adopt. The closing of an epoch is told once, in the first call after it was applied.
    Leased take_leased(Now now);
    bool wants_node_lease() const { return loaded_ok_ && !node_lease_.held(); }
    bool wants_probe_lease(Now now);
    Nanos probe_ttl() const;
    bool must_read() const { return must_read_; }  // before anything else is written
    MonoTime fresh_until() const { return fresh_until_; }
    // Why nothing of the store is believed, for as long as it is so; empty when it is.
    const std::string& alarm() const { return alarm_; }
    bool override_in_force(MonoTime t) const;
    // The store has ended it, and it binds until the epoch of that is applied.
    bool order_ending(MonoTime t) const { return ending_ && override_in_force(t); }
    std::vector<FleetEvent> take_events();

    const FleetOptions& options() const { return options_; }
    const FleetView& view() const { return view_; }
    const FleetMemory& memory() const { return memory_; }
    const std::optional<StateRecord>& applied() const { return applied_; }
    const OwnCircuit& own() const { return own_; }
    MonoTime open_until() const;  // of the applied state, when it is open
    MonoTime applied_at() const { return applied_at_; }
    bool probing(MonoTime t) const;  // this node holds the probe and may believe so
    // It has taken the probe, and the epoch of it is not durable yet. Its lease is kept for that, but not renewed: a
    // disk that hangs must not keep the probe from the others.
    bool probes_soon(MonoTime t) const;
    bool vote_stands() const { return view_.stands(options_.node); }
    FleetOrder order_in_force(MonoTime t) const { return override_in_force(t) ? order_.order : FleetOrder::none; }
    const OverrideRecord& order_record() const { return order_; }
    MonoTime order_until() const;
    Nanos lease_remaining(MonoTime t) const { return node_lease_.remaining(t); }
    const std::map<std::string, Nanos>& skews() const { return skews_; }  // of other nodes' wall clocks, as seen live

  private:
    struct Ending {  // an override whose end is not applied yet
        OverrideRecord next;
        std::uint64_t epoch = 0;  // of its end
        MonoTime until{};         // it binds no longer
    };
    struct Pending {  // being made durable
        FleetMemory memory;
        StateRecord state;
    };
    void judge(Now now);
    void look(Now now);
    void apply(const StateRecord& state, Now now);
    void see_override(bool live, Now now);
    void take_order(const OverrideRecord& next, bool live, Now now);
    void reckon_order(WallTime by_author, Now now);
    const Stored<NodeRecord>* author() const;
    WallTime order_wall(Now now);
    void say(FleetEvent::Kind kind, std::string text);
    void note_mode(Now now);
    void lease_unknown(const FleetWrite& write, Now now);
    bool enrolled() const;
    bool wants_vote(Now now);
    bool volunteers(Now now);
    Nanos lets_others_first() const;
    bool holds_probe(MonoTime t) const;
    bool opens_soon(MonoTime t) const;
    bool takes_no_writes(MonoTime t) const;
    // Past this it goes by no epoch that another has taken the place of: its disk may hang.
    MonoTime behind_until() const { return behind_since_ ? *behind_since_ + options_.lease_ttl : MonoTime::max(); }
    bool may_elect(Now now);
    bool write_due(MonoTime t) const { return !in_flight_ && !must_read_ && t >= next_write_; }
    FleetWrite write(FleetWrite::Kind kind) const;
    void guard(Txn& txn, const std::string& key, Revision mod) const;
    void guard_state(Txn& txn) const;
    void put_state(Txn& txn, CircuitState state, std::string cause, std::uint32_t rounds, std::uint32_t subjects) const;
    void put_vote(Txn& txn, std::uint64_t epoch) const;
    NodeRecord node_record(Now now) const;
    VoteRecord vote_record(std::uint64_t epoch) const;
    std::optional<FleetWrite> plan_enroll(Now now) const;
    bool order_over(Now now) const;
    std::optional<FleetWrite> plan_end_order(Now now) const;
    std::optional<FleetWrite> plan_verdict(Now now) const;
    std::optional<FleetWrite> plan_open(Now now);
    std::optional<FleetWrite> plan_vote(Now now);
    std::optional<FleetWrite> plan_probe(Now now);
    std::optional<FleetWrite> plan_refresh(Now now, Nanos every) const;

    FleetOptions options_;
    Rng& rng_;
    FleetView view_;
    Lease node_lease_, probe_lease_;
    FleetMemory memory_;  // durable
    std::optional<Pending> pending_;
    bool pending_taken_ = false;
    bool disk_failed_ = false;
    std::optional<MonoTime> behind_since_;  // the store has an epoch that is not durable here; anew with each that is
    std::optional<StateRecord> applied_;  // of this life; its epoch is memory_.epoch
    MonoTime applied_at_{};               // since when it is what it is
    MonoTime state_at_{};                 // since when its state holds: an order may leave that as it is
    bool closing_ = false;             // take_leased() has not told it yet
    std::uint64_t openings_mark_ = 0;  // own openings when the last closing was applied
    bool idle_ = false;                // its last round of probes since the last closing saw no call at all
    OwnCircuit own_;
    bool loaded_ok_ = false;  // the last read is believed
    bool enrolled_once_ = false;
    std::string alarm_;
    MonoTime fresh_until_{};
    std::uint64_t cluster_ = 0;  // of the last read
    bool must_read_ = false;
    MonoTime read_after_{};  // must_read_: a read counts when it was sent at or after this
    bool in_flight_ = false;
    MonoTime next_write_{};
    MonoTime vote_written_{}, node_written_{};
    std::optional<MonoTime> untaken_since_;  // the first of `untaken_` writes in a row that the store did not take
    std::uint32_t untaken_ = 0;
    bool older_ = false;  // the store was once older than this node knows: an operator decides
    std::optional<MonoTime> open_at_, elect_at_, volunteer_at_;
    std::uint64_t open_for_ = 0, elect_for_ = 0, volunteer_for_ = 0;  // the epochs that those were drawn for
    bool volunteer_waits_ = false;                                    // whether for the end of the fleet's wait
    // The override that was seen last, and its times by this node's clock.
    std::optional<Revision> order_mod_;  // 0: the store has none; nothing: it is not read yet
    OverrideRecord order_;
    std::optional<Ending> ending_;  // of order_
    bool order_read_ = false;  // by this life, and not seen to come: it ends by its author's clock
    MonoTime order_until_{}, order_clear_{};
    WallTime order_wall_{};  // order_until_ by this node's wall clock, as it is kept
    std::map<std::string, Nanos> skews_;
    std::optional<FleetMode> told_mode_;
    std::vector<FleetEvent> events_;
};

}  // namespace holdfast
