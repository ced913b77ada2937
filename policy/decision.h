// What a request gets: the one table (SPEC: degraded mode, what is never let in). decide() is called before the centre
// is asked, and again with `call` when the call has failed. It reads facts only; permits, budgets and the journal are
// the shell's. On any doubt it denies.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "edge/base/api_error.h"
#include "edge/base/time.h"
#include "policy/degrade_mode.h"
#include "policy/outage.h"
#include "policy/scene_policy.h"
#include "policy/verification.h"

namespace holdfast {

// What the circuit said to this request.
enum class Gate : std::uint8_t { admitted, open, throttled };

// How the call went, after its retries.
enum class CallEnd : std::uint8_t {
    none,     // not made yet
    timeout,  // no answer in time
    unusable, // no connection, a 5xx, a malformed or wrongly signed answer, throttled by the centre
    rejected, // a definite refusal of the request itself (4xx): no outcome, and no ladder
    setup,    // the centre says that our set-up is wrong: no ladder
    not_sent, // nothing left the node (own overload, DNS, descriptors)
};

struct CachedFacts {
    bool present = false;
    Verdict verdict = Verdict::review;
    std::optional<Nanos> age;     // oldest_age(); nothing: from the future
    bool has_device = false;      // the record is bound to a device
    std::optional<Seconds> grant; // the centre's maxAgeSeconds
    bool revoked = false;
};

struct FeatureFacts {
    bool present = false;              // stored for the same key, and not hidden by a revocation
    Verdict verdict = Verdict::review; // what the centre said of it
    std::optional<Nanos> age;          // as above
    bool comparable = false;           // similarity() would answer
};

struct ProvisionalFacts {
    bool scene_budget = false;   // one is left
    bool subject_budget = false; // one is left
    bool journal_ok = false;     // an entry can be made durable
    bool evidence_ok = false;    // there is room to keep the request for reconciliation
};

struct Facts {
    Mode mode = Mode::automatic;
    Gate gate = Gate::open;
    CallEnd call = CallEnd::none;
    bool circuit_open = false;     // binds this node now: with a failed call, by itself reason enough for the ladder
    bool failures_diverse = false;  // many subjects, and not one caller alone where others are served (circuit.h)
    OutageFacts outage;
    CachedFacts cached;
    FeatureFacts feature;
    ProvisionalFacts provisional;
    bool clock_trusted = false;
    bool state_sound = false; // revocations, budgets and orders are known
    Terms terms;
};

enum class Reason : std::uint8_t {
    none,
    forced_degraded,
    circuit_open,
    throttled,
    call_timeout,
    call_unusable,
    call_rejected,
    call_setup,
    call_not_sent,
};
std::string_view name(Reason reason); // a closed set for Proxy-Status, logs and `explain`

// Why a rung did not answer.
enum class RungSays : std::uint8_t {
    not_asked,  // a rung before it answered, or it is not on the ladder
    answers,
    absent,
    revoked,
    from_future,
    too_old,
    grant_over,
    no_device,
    clock_untrusted,
    state_unsound,
    not_comparable,
    not_a_pass,
    no_outage,
    outage_too_young,
    hard_stop,
    budget_spent,
    subject_spent,
    journal_down,
    no_room_for_evidence,
    disbelieved,  // a later word of the centre takes back what is remembered; what decide() is told is `absent`
};
std::string_view name(RungSays says);

// Why the ladder was not climbed at all.
enum class LadderBar : std::uint8_t { none, one_subject_only, caller_forbids, definite, empty };
std::string_view name(LadderBar bar);

struct Decision {
    enum class Kind : std::uint8_t { ask, answer_cached, compare_feature, provisional, deny };
    Kind kind = Kind::deny;
    Reason reason = Reason::none;                     // why the centre's answer is not the answer; none with `ask`
    ApiCode code = ApiCode::verification_unavailable; // with `deny`
    LadderBar bar = LadderBar::none;
    std::array<RungSays, kRungs> rungs{}; // by Rung, for `policy test` and `explain`
};
std::string_view name(Decision::Kind kind);

Decision decide(const Facts& facts, const ScenePolicy& scene);

// The rungs one by one, whatever their place on a ladder.
RungSays cache_rung(const Facts& facts, const ScenePolicy& scene);
RungSays feature_rung(const Facts& facts, const ScenePolicy& scene);
RungSays provisional_rung(const Facts& facts, const ScenePolicy& scene);

// The end of compare_feature: pass at the threshold or above, else review; never a lower rung. A similarity that is not
// there after all is review too.
Verdict judge_similarity(std::optional<double> similarity, const ScenePolicy& scene);

// A degraded answer that an order has had, as it is asked for again.
struct GivenFacts {
    Outcome outcome = Outcome::review;
    Source source = Source::policy;
    std::optional<double> score;  // of a comparison: the similarity
    bool has_device = false;      // the order named one
    Nanos age{0};                 // since it was given, by the greater of both clocks
    Nanos decided_ago{0};         // by the wall clock
    Nanos left{0};                // of its time; not above 0: that is over
    bool refuted = false;         // the centre has said otherwise of the subject since
};
// Whether it still holds, by today's policy and facts: what its rung asks for, and its time, which of a provisional one
// is that of the outage that it was given in. Without an outage now that one ends with its time. What giving it first
// has cost, room and budgets, is not asked again: `facts` are to say that there is enough.
bool holds_again(const GivenFacts& given, const Facts& facts, const ScenePolicy& scene);

// Until when a cached record could still be served: what Cache-Status and expiresAt say. Never negative.
Nanos cache_ttl(const CachedFacts& cached, const ScenePolicy& scene, const Terms& terms);

} // namespace holdfast
