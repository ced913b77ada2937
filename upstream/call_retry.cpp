// From one try of a call to the next, or to its end.
#include <algorithm>
#include <utility>

#include "upstream/backoff.h"
#include "upstream/call.h"
#include "upstream/upstream.h"

namespace holdfast {

void Call::next_or_finish() {
    if (last_.outcome || last_.failure == FailureKind::rejected || last_.no_retry) return finish(CallStop::answered);
    Nanos wait{0};
    if (const auto stop = plan_retry(wait, upstream_.loop_.now())) return finish(*stop);
    // The retry needs the line itself, and what the centre has not got whole it cannot answer.
    if (attempt_ && attempt_->all_left()) keep_late();
    attempt_.reset();
    step_ = Step::waiting;
    arm(wait);
}

// Why there is to be no other try; or nothing, and the wait before it.
std::optional<CallStop> Call::plan_retry(Nanos& wait, Now now) {
    const UpstreamOptions& options = upstream_.options_;
    // What replaces a connection that was dead already is no retry; it takes a fresh one, so there is one of it at
    // most.
    const std::size_t most = last_.stale_connection ? std::max(options.retries, 1u) : options.retries;
    if (spec_.once || records_.size() > most) return CallStop::attempts_spent;
    if (!last_.stale_connection)
        wait = backoff(options.retry_base, static_cast<std::uint32_t>(records_.size() - 1), upstream_.rng_);
    if (last_.retry_after) wait = std::max(wait, *last_.retry_after);
    if (now.mono + wait + upstream_.time_needed_to_retry(now.mono) > spec_.deadline) return CallStop::no_time;
    if (!last_.stale_connection && !upstream_.budget_.take(now.mono)) return CallStop::budget;
    return std::nullopt;
}

void Call::retry() {
    const Now now = upstream_.loop_.now();
    if (spec_.may_retry && !spec_.may_retry()) return finish(CallStop::forbidden);
    if (now.mono + upstream_.time_needed_to_retry(now.mono) > spec_.deadline)
        return finish(CallStop::no_time);  // we stalled
    // Also a permit that served no try yet, when it was given under another state of the circuit.
    const bool spent = !spec_.permit.valid() || spec_.permit.generation() != upstream_.circuit_.generation();
    if (spent && spec_.always) {
        spec_.permit = upstream_.circuit_.admit_always(spec_.caller, now);
    } else if (spent) {
        Admission again = upstream_.circuit_.admit(spec_.caller, now, upstream_.rng_);
        upstream_.circuit_touched();
        if (!again.admitted()) return finish(CallStop::circuit);
        spec_.permit = std::move(again.permit);
    }
    if (upstream_.observers_.on_retry) upstream_.observers_.on_retry();
    fresh_ = true;
    start_attempt();
}

}  // namespace holdfast
