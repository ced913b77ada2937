// One verification at the centre: at most three tries within one deadline. A try is retried when it failed and nothing
// definite was answered (every request carries its idempotency key), after a jittered wait, on a fresh connection, at
// another endpoint where there is one, if the budget, the circuit and the time left allow it. Every try is reported to
// the circuit through its permit. A try that timed out goes on for its late answer, beside a retry and when the owner
// has been told.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/result.h"
#include "edge/net/loop.h"
#include "policy/verification.h"
#include "upstream/attempt.h"
#include "upstream/central_codec.h"
#include "upstream/circuit.h"
#include "upstream/traceparent.h"

namespace holdfast {

class Upstream;

inline constexpr std::size_t kRetriesMax = 2;
inline constexpr std::size_t kAttemptsMax = 1 + kRetriesMax;

struct CallSpec {
    std::string_view request_id, credential, order_no;  // they live as long as the call
    TraceText traceparent;                              // of this hop
    Caller caller;                                      // keyed hashes
    Permit permit;                            // for the first try; from Circuit::admit() or admit_always()
    bool always = false;                      // the operator's `live`: retries need no admission
    bool once = false;                        // no retry, and nothing of the budget of retries
    std::shared_ptr<const std::string> body;  // owners: the exchange and its call, whichever lives longer
    std::shared_ptr<const Forward> forward{};  // goes out instead of `body`; owners: the same
    MonoTime deadline;                        // the whole call's
    // Asked before each retry, and before a request leaves: false ends the call with what it has (the operator has
    // ordered `degraded` meanwhile). Empty: always. May be called as long as the call lives.
    std::function<bool()> may_retry;
    // The same for its copy for a shadow, asked as that leaves: at any time while the Upstream lives. Empty: always.
    std::function<bool()> may_copy{};
    // Asked for room for what a signed request takes beside `body`; it is held for as long as that is. nullptr: there
    // is none, and the try is not made. Empty: there always is.
    std::function<std::shared_ptr<const void>(std::size_t bytes)> room{};
    // Asked, before `done`, for each try that timed out and goes on: who takes its late answer, at most once a try, at
    // any time while the Upstream lives, also while the call goes on. Empty: such a try ends.
    std::function<LateRecorder()> on_late;
};

// What one try came to, for `explain`.
struct AttemptRecord {
    std::size_t endpoint = 0;
    MonoTime started{};
    Nanos duration{0};
    FailureKind failure = FailureKind::none;
    bool was_sent = false;
    bool probe = false;
    int status = 0;
    std::string detail; // of a failure
    std::shared_ptr<const CentreSaid> said; // owners: the call, and whoever shows what happened; nullptr: nothing
};

// Why there was no (further) try.
enum class CallStop : std::uint8_t {
    answered, // an outcome, or a definite refusal
    attempts_spent,
    no_time,         // another try could not finish within the deadline
    budget,          // of retries
    circuit,         // did not admit another try
    forbidden,       // may_retry said no
    nothing_to_call, // the queue is full, or its place did not come in time
    cancelled,
};
std::string_view name(CallStop stop);

struct CallResult {
    std::optional<CentreOutcome> outcome;
    FailureKind failure = FailureKind::none; // of the last try; none with an outcome
    CallStop stop = CallStop::answered;
    Error error;                         // of the last try, when there is no outcome
    std::optional<Nanos> retry_after;    // what the centre asked for, when it throttled
    std::string pending_id;              // with FailureKind::pending; empty: the centre gave none
    std::shared_ptr<const RawAnswer> raw; // of the last try, to a call passed on; owners: this, and who answers with it
    std::vector<AttemptRecord> attempts; // at most kAttemptsMax
    bool late_kept = false;              // a try, or more, went on for on_late
    bool ok() const { return outcome.has_value(); }
    // Whether the centre has said what stands, an outcome or not.
    bool definite() const {
        return ok() || failure == FailureKind::pending || failure == FailureKind::caller_error ||
               failure == FailureKind::setup || failure == FailureKind::caller_setup ||
               failure == FailureKind::rejected;
    }
    // Whether the centre's own word is that it decides nothing now; other failures are no word of it that counts.
    bool said_to_wait() const {
        return !ok() && (failure == FailureKind::unavailable || failure == FailureKind::throttled);
    }
    // Whether the centre was tried and failed, so that the ladder may be asked under its rule. Not after a definite
    // refusal. Ours to shed (overloaded_local) is neither.
    bool ladder_may_follow() const {
        return failure != FailureKind::none && failure != FailureKind::rejected && failure != FailureKind::setup &&
               failure != FailureKind::caller_error && failure != FailureKind::caller_setup &&
               failure != FailureKind::pending && failure != FailureKind::overloaded_local &&
               failure != FailureKind::cancelled;
    }
};

class Call {
  public:
    using Done = std::function<void(CallResult)>;
    ~Call(); // cancels: the permit goes back, the connection is closed, `done` is never called
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

  private:
    friend class Upstream;
    enum class Step : std::uint8_t { preparing, queued, trying, waiting, over };

    Call(Upstream& upstream, CallSpec spec, Done done);
    void start_attempt();
    void prepare();
    void prepared(Result<AlipayWire::Made> made);
    void send_attempt(std::shared_ptr<const std::string> body);
    void attempt_started();
    bool place_came();
    void limit(Nanos limit);
    void leaves();
    void attempt_done(AttemptResult&& result);
    void arm(Nanos delay);
    void timer_fired();
    void no_place(std::string why);
    bool take_room(std::shared_ptr<const std::string>& body);
    void timed_out();
    void retry();
    void settle(AttemptResult&& result, Now now);
    std::optional<CallStop> plan_retry(Nanos& wait, Now now);
    void next_or_finish();
    void keep_late();
    void finish(CallStop stop);
    std::optional<CallStop> refusal(Now now);
    Attempt::Head write_head();
    bool over() const { return step_ == Step::over; }

    Upstream& upstream_;
    CallSpec spec_;
    const Nanos allowed_;  // what the call had in all
    Done done_;
    Step step_ = Step::queued;
    std::unique_ptr<AlipayWire::Ticket> preparing_;
    std::string head_;  // of the try, where it was prepared
    std::unique_ptr<Attempt> attempt_;
    std::unique_ptr<Timer> timer_; // of the step
    std::size_t endpoint_ = 0;
    std::optional<std::string> taken_; // some try said that the order is pending: the centre's number of it
    std::shared_ptr<std::optional<std::string>> taken_late_;  // the same, by late tries; owners: this, their recorders
    std::uint64_t tried_ = 0; // a bit for each endpoint that failed, for the choice of the next
    bool fresh_ = false;      // the next try takes a fresh connection
    std::optional<CallStop> refused_;  // why the try, which has its connection, is not sent
    MonoTime started_{};      // of the try
    MonoTime sent_at_{};      // its request
    Nanos limit_{0};          // of the try
    bool late_kept_ = false;  // a try has been given to those that are late
    bool stalled_ = false;    // the limit was found late, and the loop has had its turn since
    AttemptResult last_;      // of the last try that has ended
    std::vector<AttemptRecord> records_;
};

} // namespace holdfast
