#include "policy/decision.h"

#include <algorithm>

namespace holdfast {
namespace {

// Ten years: what a grant is cut to, so that sums of it stay in range.
constexpr Seconds kGrantCeiling{10LL * 365 * 24 * 3600};

bool may_ask(const Facts& facts) {
    if (facts.call != CallEnd::none) return false;
    switch (facts.mode) {
        case Mode::live:
            return true;
        case Mode::automatic:
            return facts.gate == Gate::admitted;
        case Mode::degraded:
            return false;
    }
    return false;
}

// Why the centre's answer is not the answer. Requires: !may_ask(facts).
Reason reason_of(const Facts& facts) {
    switch (facts.call) {
        case CallEnd::none:
            break;
        case CallEnd::timeout:
            return Reason::call_timeout;
        case CallEnd::unusable:
            return Reason::call_unusable;
        case CallEnd::rejected:
            return Reason::call_rejected;
        case CallEnd::setup:
            return Reason::call_setup;
        case CallEnd::not_sent:
            return Reason::call_not_sent;
    }
    if (facts.mode == Mode::degraded) return Reason::forced_degraded;
    return facts.gate == Gate::throttled ? Reason::throttled : Reason::circuit_open;
}

// 502 and 504 say that the centre was tried; what never left the node is 503.
ApiCode code_of(CallEnd call) {
    switch (call) {
        case CallEnd::none:
        case CallEnd::not_sent:
            return ApiCode::verification_unavailable;
        case CallEnd::timeout:
            return ApiCode::upstream_timeout;
        case CallEnd::unusable:
        case CallEnd::rejected:
        case CallEnd::setup:
            return ApiCode::upstream_invalid_response;
    }
    return ApiCode::verification_unavailable;
}

// A failed call opens the ladder only when the failure is the centre's and not the request's: otherwise an image that
// makes the centre stumble would buy its victim's remembered pass.
LadderBar bar_of(const Facts& facts, const ScenePolicy& scene) {
    if (facts.call == CallEnd::rejected || facts.call == CallEnd::setup) return LadderBar::definite;
    if (facts.call != CallEnd::none) {
        const bool centre_fails = facts.failures_diverse || facts.circuit_open || facts.mode == Mode::degraded;
        if (!centre_fails) return LadderBar::one_subject_only;
    }
    if (!facts.terms.degraded) return LadderBar::caller_forbids;
    return scene.ladder.size() == 0 ? LadderBar::empty : LadderBar::none;
}

Nanos tightened(Nanos max_age, const Terms& terms) {
    return terms.max_age ? std::min(max_age, Nanos(*terms.max_age)) : max_age;
}

Nanos own_limit(const CachedFacts& cached, const ScenePolicy& scene, const Terms& terms) {
    const bool pass = cached.verdict == Verdict::pass;
    return tightened(pass ? scene.cache.max_age : scene.cache.fail_max_age, terms);
}

// Whether the centre has said no, and only the caller's own limit keeps that from being the answer: to ask for less
// must not buy a lower rung.
bool known_not_to_pass(const CachedFacts& cached, const ScenePolicy& scene) {
    return cached.verdict != Verdict::pass && *cached.age <= own_limit(cached, scene, Terms{});
}

// The centre's grant with what the scene may overrun of it; nothing when it gave none.
std::optional<Nanos> grant_limit(const CachedFacts& cached, const ScenePolicy& scene) {
    if (!cached.grant) return std::nullopt;
    const Seconds grant = std::clamp(*cached.grant, Seconds{0}, kGrantCeiling);
    return Nanos(grant) / 100 * (100 + static_cast<int>(std::min(scene.cache.overrun_percent, kOverrunPercentMax)));
}

RungSays says_of(Rung rung, const Facts& facts, const ScenePolicy& scene) {
    switch (rung) {
        case Rung::cache:
            return cache_rung(facts, scene);
        case Rung::feature:
            return feature_rung(facts, scene);
        case Rung::provisional:
            return provisional_rung(facts, scene);
    }
    return RungSays::absent;
}

bool provisional_holds(const GivenFacts& given, const Facts& facts, const ScenePolicy& scene) {
    if (!scene.ladder.has(Rung::provisional) || !facts.state_sound) return false;
    if (!facts.outage.active) return given.left > Nanos{0};
    // One of an outage that is over may have been reconciled since; the next one pays for its own.
    if (given.age > facts.outage.longest) return false;
    if (provisional_rung(facts, scene) != RungSays::answers) return false;
    return given.left > Nanos{0} || given.age <= facts.outage.certain;
}

// Of an answer from memory or by comparison. The record that it came from may be gone.
bool remembered_holds(const GivenFacts& given, const Facts& facts, const ScenePolicy& scene) {
    const bool cache = given.source == Source::cache, pass = given.outcome == Outcome::pass;
    if (given.left <= Nanos{0} || !scene.ladder.has(cache ? Rung::cache : Rung::feature)) return false;
    if (pass && !(facts.clock_trusted && facts.state_sound)) return false;
    if (cache && scene.cache.require_device && !given.has_device) return false;
    const Nanos limit = !cache ? scene.feature.max_age : pass ? scene.cache.max_age : scene.cache.fail_max_age;
    if (given.decided_ago > limit) return false;
    if (!cache && pass && judge_similarity(given.score, scene) != Verdict::pass) return false;
    const RungSays says = cache ? cache_rung(facts, scene) : feature_rung(facts, scene);
    return says == RungSays::answers || says == RungSays::absent;
}

Decision::Kind answer_of(Rung rung) {
    switch (rung) {
        case Rung::cache:
            return Decision::Kind::answer_cached;
        case Rung::feature:
            return Decision::Kind::compare_feature;
        case Rung::provisional:
            return Decision::Kind::provisional;
    }
    return Decision::Kind::deny;
}

} // namespace

RungSays cache_rung(const Facts& facts, const ScenePolicy& scene) {
    const CachedFacts& cached = facts.cached;
    if (!cached.present) {
        // Absence is a fact only where everything is known.
        if (!facts.state_sound) return RungSays::state_unsound;
        return facts.clock_trusted ? RungSays::absent : RungSays::clock_untrusted;
    }
    if (cached.revoked) return RungSays::revoked;
    if (!cached.age || *cached.age < Nanos{0}) return RungSays::from_future;
    if (scene.cache.require_device && !cached.has_device) return RungSays::no_device;
    if (cached.verdict == Verdict::pass) {
        // What lets somebody in leans on the clock and on knowing every revocation.
        if (!facts.state_sound) return RungSays::state_unsound;
        if (!facts.clock_trusted) return RungSays::clock_untrusted;
        if (scene.cache.max_age <= Nanos{0}) return RungSays::too_old;
    }
    if (*cached.age > own_limit(cached, scene, facts.terms)) return RungSays::too_old;
    const auto grant = grant_limit(cached, scene);
    if (grant && (*grant == Nanos{0} || *cached.age > *grant)) return RungSays::grant_over;
    return RungSays::answers;
}

RungSays feature_rung(const Facts& facts, const ScenePolicy& scene) {
    const FeatureFacts& feature = facts.feature;
    if (!feature.present) return RungSays::absent;
    // The face of somebody whom the centre did not let through must not be what lets him through now.
    if (feature.verdict != Verdict::pass) return RungSays::not_a_pass;
    if (!feature.age || *feature.age < Nanos{0}) return RungSays::from_future;
    // It can end in a pass, so it needs what a remembered pass needs.
    if (!facts.state_sound) return RungSays::state_unsound;
    if (!facts.clock_trusted) return RungSays::clock_untrusted;
    if (scene.feature.max_age <= Nanos{0} || *feature.age > tightened(scene.feature.max_age, facts.terms))
        return RungSays::too_old;
    if (!feature.comparable) return RungSays::not_comparable;
    return RungSays::answers;
}

RungSays provisional_rung(const Facts& facts, const ScenePolicy& scene) {
    if (!facts.state_sound) return RungSays::state_unsound;
    if (!facts.outage.active) return RungSays::no_outage;
    if (facts.outage.certain < scene.provisional.after) return RungSays::outage_too_young;
    if (facts.outage.since_renewal >= scene.provisional.hard_stop) return RungSays::hard_stop;
    if (!facts.provisional.scene_budget) return RungSays::budget_spent;
    if (!facts.provisional.subject_budget) return RungSays::subject_spent;
    if (!facts.provisional.journal_ok) return RungSays::journal_down;
    if (!facts.provisional.evidence_ok) return RungSays::no_room_for_evidence;
    return RungSays::answers;
}

Decision decide(const Facts& facts, const ScenePolicy& scene) {
    Decision out;
    if (may_ask(facts)) {
        out.kind = Decision::Kind::ask;
        return out;
    }
    out.reason = reason_of(facts);
    out.code = code_of(facts.call);
    out.bar = bar_of(facts, scene);
    if (out.bar != LadderBar::none) return out;
    for (Rung rung : scene.ladder) {
        const RungSays says = says_of(rung, facts, scene);
        out.rungs[static_cast<std::size_t>(rung)] = says;
        if (says == RungSays::answers) out.kind = answer_of(rung);
        const bool ends = rung == Rung::cache && says == RungSays::too_old && known_not_to_pass(facts.cached, scene);
        if (says == RungSays::answers || ends) return out;
    }
    return out;
}

Verdict judge_similarity(std::optional<double> similarity, const ScenePolicy& scene) {
    const double threshold = scene.feature.threshold;
    return similarity && threshold > 0 && *similarity >= threshold ? Verdict::pass : Verdict::review;
}

bool holds_again(const GivenFacts& given, const Facts& facts, const ScenePolicy& scene) {
    if (given.refuted) return false;
    switch (given.source) {
        case Source::cache:
        case Source::feature:
            return remembered_holds(given, facts, scene);
        case Source::policy:
            return provisional_holds(given, facts, scene);
        case Source::live:
            break;
    }
    return false;
}

Nanos cache_ttl(const CachedFacts& cached, const ScenePolicy& scene, const Terms& terms) {
    if (!cached.age) return Nanos{0};
    Nanos limit = own_limit(cached, scene, terms);
    if (const auto grant = grant_limit(cached, scene)) limit = std::min(limit, *grant);
    return std::max(Nanos{0}, limit - *cached.age);
}

} // namespace holdfast
