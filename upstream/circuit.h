// The circuit of one upstream: whether a call may go to the centre now. Closed, open, half-open after resilience4j,
// with a diversity floor (one caller cannot open it), a throttle between closed and open, and a ramp after closing.
// Pure: it takes the time and returns values; who owns it runs a timer for tick() and keeps snapshot() on disk. Not
// thread-safe.
//
// Rules that the names do not tell:
// - Half-open gives each subject one probe at a time, and none after a bad one in this round: one poisoned request
//   cannot keep the circuit open. Nor can one caller: while others ask, its bad probes are at most half of a round. The
//   round is judged when half_open_calls probes have been reported.
// - In a fleet the own circuit goes on below what adopt() says; state() is what binds this node: its force, the fleet's
//   override, the own circuit while it is open, the central one (but for fresh local proof), the own one. While the
//   central circuit is not closed, the own one stays open without probes; its own half-open has one probe in flight.
//   A prober with fresh proof goes on serving: its probes are some of its calls.
// - Randomness is drawn only where a share strictly between 0 and 1 applies: first the ramp, then the throttle.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/result.h"
#include "edge/base/rng.h"
#include "edge/base/time.h"
#include "upstream/circuit_options.h"
#include "upstream/half_open_round.h"
#include "upstream/leased.h"
#include "upstream/outcome_window.h"
#include "upstream/recent_calls.h"
#include "upstream/recent_successes.h"
#include "upstream/throttle.h"

namespace holdfast {

enum class CircuitCause : std::uint8_t {
    failure_rate,
    slow_rate,
    connect_failures,
    open_wait_over,    // open to half-open
    probes_succeeded,  // half-open to closed
    probes_failed,     // half-open to open
    probe_timeout,     // half_open_wait passed without a verdict
    forced,            // the operator's word, or its end
    restored,          // at a start
    fleet_opened,      // the central circuit, or its override
    fleet_probing,
    fleet_closed,
    lease_lost,  // what the fleet said last is now this node's own affair
    started,     // nothing has happened to it yet
};
std::string_view name(CircuitCause c); // "failure_rate", …

enum class CallKind : std::uint8_t {
    success,   // any definite answer of the centre
    failure,   // no connection, a timeout, a 5xx, a malformed answer
    throttled, // 429, or 503 with Retry-After
    ignored,   // a fault of our own: counts for nothing
};

struct CallReport {
    CallKind kind = CallKind::ignored;
    bool connect_failure = false; // of a failure: no connection came about
    Nanos duration{0};            // of the try
};

class Circuit;

// The right to make one try. Dropped, it is returned as if it had never been given; an answer reported with a permit of
// an older generation is not counted. Requires: its Circuit outlives it.
class Permit {
  public:
    Permit() = default; // of nobody: reports go nowhere
    Permit(Permit&& other) noexcept;
    Permit& operator=(Permit&& other) noexcept;
    Permit(const Permit&) = delete;
    Permit& operator=(const Permit&) = delete;
    ~Permit();
    void report(const CallReport& report, Now now); // once; the permit is of nobody afterwards
    void drop();
    bool valid() const { return circuit_ != nullptr; }
    bool probe() const { return probe_; }
    std::uint64_t generation() const { return generation_; }
    // Of a probe for the fleet: its fencing token, for X-Edge-Probe; else 0.
    std::uint64_t epoch() const { return epoch_; }
    // Whether the bytes may leave at `t`, read anew right before: false for a fleet's probe whose lease could run out
    // during it. Then drop the permit.
    bool may_send(MonoTime t) const;

  private:
    friend class Circuit;
    Permit(Circuit& circuit, std::uint64_t generation, Caller caller, bool probe, std::uint64_t epoch = 0)
        : circuit_(&circuit), generation_(generation), caller_(caller), probe_(probe), epoch_(epoch) {}
    Circuit* circuit_ = nullptr;
    std::uint64_t generation_ = 0;
    Caller caller_;
    bool probe_ = false;
    std::uint64_t epoch_ = 0;
};

struct Admission {
    enum class Why : std::uint8_t {
        admitted,
        open,           // also while forced open
        half_open_full, // every probe of the round is given, this subject has had its own, or another node probes
        ramp,           // closed, but still recovering
        throttled,
    };
    Why why = Why::open;
    Permit permit; // valid only when admitted
    bool admitted() const { return why == Why::admitted; }
};
std::string_view name(Admission::Why why);

// One change of state, with the counts that led to it.
struct CircuitTransition {
    CircuitState from = CircuitState::closed;
    CircuitState to = CircuitState::closed;
    CircuitCause cause = CircuitCause::forced;
    Now at{};
    WindowCounts counts; // of the window; of the round of probes when it leaves half-open
    std::uint32_t failing_subjects = 0;
    Nanos wait{0}; // when it opens: how long it stays open
};

// For `circuit show` and status: a copy, nothing in it changes.
struct CircuitView {
    CircuitState state = CircuitState::closed;
    Now since{};
    CircuitCause cause = CircuitCause::restored; // of the last transition
    WindowCounts why;                            // its counts
    std::uint32_t why_subjects = 0;
    WindowCounts window; // now
    std::uint32_t failing_subjects = 0, failing_credentials = 0;
    bool one_caller = false;            // closed only because all that failed, or was slow, is one caller's
    std::uint32_t connect_failures = 0; // in a row, now
    std::optional<Nanos> retry_in;      // open: until half-open
    std::uint32_t probes_in_flight = 0, probes_done = 0, probes_failed = 0; // of this round
    std::uint32_t failed_rounds = 0;   // in a row: each doubled the wait
    std::optional<std::uint32_t> ramp; // percent let through, while recovering
    double throttle = 1;               // probability that the throttle lets a call through; 1: not active
    Forced forced = Forced::none;
    std::optional<Nanos> forced_for; // what is left of it
    std::optional<Now> outage_since;
    CircuitState own = CircuitState::closed; // the own circuit, below the fleet's word
    bool proof = false;                      // fresh proof of a healthy road
    std::optional<Leased> leased;            // while the central circuit is believed
};

class Circuit {
  public:
    static constexpr std::size_t kTransitionsMax = 32; // kept for take_transitions(); the oldest leave first

    // Begins closed and empty. Requires: no error in check(options).
    Circuit(const CircuitOptions& options, Now now);
    Circuit(const Circuit&) = delete;
    Circuit& operator=(const Circuit&) = delete;

    Admission admit(Caller caller, Now now, Rng& rng);
    // The operator's `live`: a permit whatever the state is. Where the node itself wants a probe it is one.
    Permit admit_always(Caller caller, Now now);

    void tick(Now now); // does what time alone does; admit() and report() call it first
    // When tick() has something to do next; nothing while only calls can change the state.
    std::optional<MonoTime> next_deadline() const;

    CircuitState state() const { return bound_; } // that binds this node
    // By an operator's word, this node's or the fleet's.
    bool forced_open() const { return forced_ == Forced::open || leased_.forced == Forced::open; }
    std::uint64_t generation() const { return generation_; }
    // Since when the circuit has not been closed, through half-open and restarts.
    std::optional<Now> outage_since() const { return outage_since_; }
    // Distinct subjects among the failures of the current window; outside of closed, never fewer than when it opened.
    std::uint32_t failing_subjects() const;
    // Whether the failures are evidence against the centre and not against one caller (the ladder's rule for a failed
    // live call, as it is that for opening).
    bool failures_diverse(Now now);
    // Open or closed by the operator's word until `until`, or its end (none: to half-open when it was forced open).
    void force(Forced forced, MonoTime until, Now now);
    void reconfigure(const CircuitOptions& options, Now now); // state stays; a changed window begins empty

    // What the fleet says, as far as it may be believed; again with every renewal. Never called in a node that stands
    // alone by configuration. When the belief runs out (tick), an open or half-open central circuit becomes the own.
    void adopt(const Leased& leased, Now now);
    OwnCircuit own(Now now); // what the fleet may know of this node

    CircuitView view(Now now);
    // Oldest first; the caller journals, counts, and saves a snapshot.
    std::vector<CircuitTransition> take_transitions();
    // Rises with every change that a snapshot holds: save one when it differs from the last saved.
    std::uint64_t revision() const { return revision_; }

    // State, wait, rounds, ramp, force and outage, with both clocks and the boot id; not the window.
    std::string snapshot(Now now, std::uint64_t boot) const;
    // Code::corrupt, and nothing changed, for bytes that snapshot() did not write. Open stays open for the rest of its
    // wait; half-open begins a new round; a ramp goes on at its step.
    Result<void> restore(std::string_view bytes, Now now, std::uint64_t boot);

  private:
    friend class Permit;
    void report(const Permit& permit, const CallReport& report, Now now);
    void returned(const Permit& permit);
    void report_probe(const Permit& permit, const CallReport& report, bool slow, Now now);
    bool many(Trait trait) const;
    std::optional<MonoTime> others_served_until(MonoTime t) const;
    bool diverse(Trait trait, MonoTime t) const;
    bool held_by_one_caller(MonoTime t) const;
    void judge_window(Now now);
    void judge_round(Now now);
    void step_ramp(Now now);
    double throttle_share(Now now);
    void open(CircuitCause cause, const WindowCounts& counts, Now now);
    void half_open(CircuitCause cause, Now now);
    void close(CircuitCause cause, const WindowCounts& counts, bool with_ramp, Now now);
    bool enter(CircuitState to, CircuitCause cause, const WindowCounts& counts, Now now); // whether state() changed
    CircuitState binding(MonoTime t);
    bool bind(CircuitCause cause, const WindowCounts& counts, Now now); // whether state() changed
    bool central_holds() const { return leased_.bind != Leased::Bind::none && leased_.bind != Leased::Bind::closed; }
    bool forced_closed() const { return forced_ == Forced::closed || leased_.forced == Forced::closed; }
    bool may_probe(MonoTime t) const;
    bool probes_beside() const;  // for the fleet, with some of the calls that it serves
    void leave_round();          // of the own circuit: a round for the fleet goes on
    bool proof(MonoTime t);
    void tick_leased(Now now);
    void begin_probes(Now now);
    void end_probes();
    void lose_lease(const Leased& was, Now now);
    bool fleet_orders() const { return leased_.forced != Forced::none || leased_.outage; }
    void end_fleet_order(Now now);  // by its time

    CircuitOptions options_;
    OutcomeWindow window_;
    Throttle throttle_;
    HalfOpenRound round_;
    RecentCalls recent_;
    RecentSuccesses served_;                    // of all states; never cleared
    std::optional<MonoTime> judge_again_;       // closed, since others were served: when nobody else is
    CircuitState state_ = CircuitState::closed; // of the own circuit
    CircuitState bound_ = CircuitState::closed; // what binds: equal to state_ without a fleet
    std::uint64_t generation_ = 1;              // rises with every transition
    std::uint64_t revision_ = 0;
    Now since_; // of state_
    Now bound_since_;
    std::optional<Now> outage_since_;
    CircuitTransition last_; // the last transition, for view()
    MonoTime open_until_{};
    std::uint32_t failed_rounds_ = 0;
    std::uint32_t connect_streak_ = 0;
    std::uint32_t failing_at_opening_ = 0;
    bool diverse_at_opening_ = false;
    std::optional<std::size_t> ramp_at_; // index of the step, while recovering
    MonoTime ramp_until_{};
    std::uint64_t ramp_calls_ = 0, ramp_failures_ = 0; // of this step
    Forced forced_ = Forced::none;
    MonoTime forced_until_{};
    std::vector<CircuitTransition> transitions_;
    enum class OpenedBy : std::uint8_t { nothing, evidence, force, fleet };
    OpenedBy opened_by_ = OpenedBy::nothing; // nothing: closed
    std::uint64_t openings_ = 0;             // on evidence
    CircuitCause opening_cause_ = CircuitCause::restored;
    WindowCounts opening_counts_;
    bool in_fleet_ = false; // adopt() has been called
    Leased leased_;         // bind is none once its time is over
    MonoTime probe_progress_{};
    std::optional<ProbeVerdict> verdict_; // of leased_.epoch, or of the epoch before
};

} // namespace holdfast
