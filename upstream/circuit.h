// The circuit of one upstream: whether a call may go to the centre now. Closed, open, half-open after resilience4j,
// with a diversity floor (one caller cannot open it), a throttle between closed and open, and a ramp after closing.
// Pure: it takes the time and returns values; who owns it runs a timer for tick() and keeps snapshot() on disk. Not
// thread-safe.
//
// Rules that the names do not tell:
// - Half-open gives each subject one probe at a time, and none after a bad one in this round: one poisoned request
//   cannot keep the circuit open. The round is judged when half_open_calls probes have been reported.
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
#include "upstream/outcome_window.h"
#include "upstream/throttle.h"

namespace holdfast {

enum class CircuitState : std::uint8_t { closed = 0, half_open = 1, open = 2 }; // the numbers of the metric
enum class Forced : std::uint8_t { none, open, closed };
enum class CircuitCause : std::uint8_t {
    failure_rate,
    slow_rate,
    connect_failures,
    open_wait_over,   // open to half-open
    probes_succeeded, // half-open to closed
    probes_failed,    // half-open to open
    probe_timeout,    // half_open_wait passed without a verdict
    forced,           // the operator's word, or its end
    restored,         // at a start
};
std::string_view name(CircuitState s); // "closed", "half-open", "open"
std::string_view name(CircuitCause c); // "failure_rate", …
std::string_view name(Forced f);

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

  private:
    friend class Circuit;
    Permit(Circuit& circuit, std::uint64_t generation, Caller caller, bool probe)
        : circuit_(&circuit), generation_(generation), caller_(caller), probe_(probe) {}
    Circuit* circuit_ = nullptr;
    std::uint64_t generation_ = 0;
    Caller caller_;
    bool probe_ = false;
};

struct Admission {
    enum class Why : std::uint8_t {
        admitted,
        open,           // also while forced open
        half_open_full, // every probe of the round is given, or this subject has had its own
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
    std::uint32_t connect_failures = 0; // in a row, now
    std::optional<Nanos> retry_in;      // open: until half-open
    std::uint32_t probes_in_flight = 0, probes_done = 0;
    std::uint32_t failed_rounds = 0;   // in a row: each doubled the wait
    std::optional<std::uint32_t> ramp; // percent let through, while recovering
    double throttle = 1;               // probability that the throttle lets a call through; 1: not active
    Forced forced = Forced::none;
    std::optional<Nanos> forced_for; // what is left of it
    std::optional<Now> outage_since;
};

class Circuit {
  public:
    static constexpr std::size_t kTransitionsMax = 32; // kept for take_transitions(); the oldest leave first

    // Begins closed and empty. Requires: no error in check(options).
    Circuit(const CircuitOptions& options, Now now);
    Circuit(const Circuit&) = delete;
    Circuit& operator=(const Circuit&) = delete;

    Admission admit(Caller caller, Now now, Rng& rng);
    // The operator's `live`: a permit whatever the state is. In half-open it is no probe.
    Permit admit_always(Caller caller, Now now);

    void tick(Now now); // does what time alone does; admit() and report() call it first
    // When tick() has something to do next; nothing while only calls can change the state.
    std::optional<MonoTime> next_deadline() const;

    CircuitState state() const { return state_; }
    std::uint64_t generation() const { return generation_; }
    // Since when the circuit has not been closed, through half-open and restarts.
    std::optional<Now> outage_since() const { return outage_since_; }
    // Distinct subjects among the failures of the current window; outside of closed, never fewer than when it opened.
    std::uint32_t failing_subjects() const;
    // Whether the failures are evidence against the centre and not against one caller (the ladder's rule for a failed
    // live call).
    bool failures_diverse() const;
    // Open or closed by the operator's word until `until`, or its end (none: to half-open when it was forced open).
    void force(Forced forced, MonoTime until, Now now);
    void reconfigure(const CircuitOptions& options, Now now); // state stays; a changed window begins empty

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
    void judge_window(Now now);
    void judge_round(Now now);
    void step_ramp(Now now);
    double throttle_share(Now now);
    void open(CircuitCause cause, const WindowCounts& counts, Now now);
    void half_open(CircuitCause cause, Now now);
    void close(CircuitCause cause, const WindowCounts& counts, bool with_ramp, Now now);
    void enter(CircuitState to, CircuitCause cause, const WindowCounts& counts, Now now);

    CircuitOptions options_;
    OutcomeWindow window_;
    Throttle throttle_;
    HalfOpenRound round_;
    CircuitState state_ = CircuitState::closed;
    std::uint64_t generation_ = 1; // rises with every transition
    std::uint64_t revision_ = 0;
    Now since_;
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
};

} // namespace holdfast
