#include "policy/decision.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace holdfast;
using Kind = Decision::Kind;

namespace {

ScenePolicy full_scene() {
    ScenePolicy out;
    for (Rung rung : {Rung::cache, Rung::feature, Rung::provisional}) out.ladder.add(rung);
    out.cache.max_age = 15min;
    out.feature = {24h, 0.82};
    out.provisional = {60s, 100, 1, 30min};
    return out;
}

// A node in an outage of 5 minutes at which every rung would answer.
Facts all_answer() {
    Facts out;
    out.gate = Gate::open;
    out.circuit_open = true;
    out.outage = {true, 5min, 5min};
    out.cached = {true, Verdict::pass, Nanos(10s), true, std::nullopt, false};
    out.feature = {true, Verdict::pass, Nanos(1h), true};
    out.provisional = {true, true, true, true};
    out.clock_trusted = true;
    out.state_sound = true;
    return out;
}

Kind kind_with(auto change) {
    Facts facts = all_answer();
    ScenePolicy scene = full_scene();
    change(facts, scene);
    return decide(facts, scene).kind;
}

RungSays cache_says(auto change) {
    Facts facts = all_answer();
    ScenePolicy scene = full_scene();
    change(facts, scene);
    return cache_rung(facts, scene);
}

} // namespace

TEST_CASE("decision: a healthy node asks, and never looks at what it remembers") {
    CHECK(kind_with([](Facts& f, ScenePolicy&) { f.gate = Gate::admitted; }) == Kind::ask);
    CHECK(kind_with([](Facts& f, ScenePolicy& s) { f.gate = Gate::admitted, s = {}, f.state_sound = false; }) ==
          Kind::ask);
}

TEST_CASE("decision: forced live asks whatever the circuit says, forced degraded never") {
    for (Gate gate : {Gate::admitted, Gate::open, Gate::throttled}) {
        CHECK(kind_with([gate](Facts& f, ScenePolicy&) { f.mode = Mode::live, f.gate = gate; }) == Kind::ask);
        CHECK(kind_with([gate](Facts& f, ScenePolicy&) { f.mode = Mode::degraded, f.gate = gate; }) ==
              Kind::answer_cached);
    }
}

TEST_CASE("decision: the rungs answer in the scene's order") {
    CHECK(kind_with([](Facts&, ScenePolicy&) {}) == Kind::answer_cached);
    CHECK(kind_with([](Facts& f, ScenePolicy&) { f.cached.present = false; }) == Kind::compare_feature);
    CHECK(kind_with([](Facts& f, ScenePolicy&) { f.cached.present = f.feature.present = false; }) == Kind::provisional);
    CHECK(kind_with([](Facts&, ScenePolicy& s) {
              s.ladder = {};
              s.ladder.add(Rung::provisional);
              s.ladder.add(Rung::cache);
          }) == Kind::provisional);
    CHECK(kind_with([](Facts&, ScenePolicy& s) { s.ladder = {}; }) == Kind::deny);
    CHECK(kind_with([](Facts&, ScenePolicy& s) { s = {}; }) == Kind::deny);
}

TEST_CASE("decision: one poisoned request never becomes its victim's remembered pass") {
    for (CallEnd end : {CallEnd::timeout, CallEnd::unusable, CallEnd::not_sent}) {
        Facts facts = all_answer();
        facts.gate = Gate::admitted;
        facts.circuit_open = false;
        facts.call = end;
        Decision decision = decide(facts, full_scene());
        CHECK(decision.kind == Kind::deny);
        CHECK(decision.bar == LadderBar::one_subject_only);
        facts.failures_diverse = true;
        CHECK(decide(facts, full_scene()).kind == Kind::answer_cached);
        facts.failures_diverse = false;
        facts.circuit_open = true;
        CHECK(decide(facts, full_scene()).kind == Kind::answer_cached);
    }
}

TEST_CASE("decision: a definite refusal of the centre and a set-up of ours that is wrong use no ladder") {
    for (CallEnd end : {CallEnd::rejected, CallEnd::setup})
        for (Mode mode : {Mode::automatic, Mode::live, Mode::degraded}) {
            Facts facts = all_answer();
            facts.mode = mode;
            facts.call = end;
            facts.failures_diverse = true;
            const Decision decision = decide(facts, full_scene());
            CHECK(decision.kind == Kind::deny);
            CHECK(decision.bar == LadderBar::definite);
            CHECK(decision.code == ApiCode::upstream_invalid_response);
        }
}

TEST_CASE("decision: a refusal says whether the centre was tried, and why it was not") {
    const auto denied = [](Mode mode, Gate gate, CallEnd call) {
        Facts facts;
        facts.mode = mode;
        facts.gate = gate;
        facts.call = call;
        return decide(facts, full_scene());
    };
    struct Row {
        Mode mode;
        Gate gate;
        CallEnd call;
        ApiCode code;
        Reason reason;
    };
    for (const Row& row : {
             Row{Mode::automatic, Gate::open, CallEnd::none, ApiCode::verification_unavailable, Reason::circuit_open},
             Row{Mode::automatic, Gate::throttled, CallEnd::none, ApiCode::verification_unavailable, Reason::throttled},
             Row{Mode::degraded, Gate::admitted, CallEnd::none, ApiCode::verification_unavailable,
                 Reason::forced_degraded},
             Row{Mode::automatic, Gate::admitted, CallEnd::timeout, ApiCode::upstream_timeout, Reason::call_timeout},
             Row{Mode::live, Gate::open, CallEnd::unusable, ApiCode::upstream_invalid_response, Reason::call_unusable},
             Row{Mode::automatic, Gate::admitted, CallEnd::rejected, ApiCode::upstream_invalid_response,
                 Reason::call_rejected},
             Row{Mode::automatic, Gate::admitted, CallEnd::setup, ApiCode::upstream_invalid_response,
                 Reason::call_setup},
             Row{Mode::automatic, Gate::admitted, CallEnd::not_sent, ApiCode::verification_unavailable,
                 Reason::call_not_sent},
         }) {
        const Decision decision = denied(row.mode, row.gate, row.call);
        CHECK(decision.kind == Kind::deny);
        CHECK(decision.code == row.code);
        CHECK(decision.reason == row.reason);
    }
}

TEST_CASE("decision: a remembered pass at every bound of its age") {
    const auto aged = [](Nanos age) { return cache_says([age](Facts& f, ScenePolicy&) { f.cached.age = age; }); };
    CHECK(aged(0s) == RungSays::answers);
    CHECK(aged(15min) == RungSays::answers);
    CHECK(aged(Nanos(15min) + Nanos(1)) == RungSays::too_old);
    CHECK(aged(-1s) == RungSays::from_future);
    CHECK(cache_says([](Facts& f, ScenePolicy&) { f.cached.age.reset(); }) == RungSays::from_future);
    CHECK(cache_says([](Facts& f, ScenePolicy& s) { s.cache.max_age = Nanos(0), f.cached.age = Nanos(0); }) ==
          RungSays::too_old);
}

TEST_CASE("decision: fail and review are remembered for a short time only") {
    for (Verdict verdict : {Verdict::fail, Verdict::review}) {
        const auto aged = [verdict](Nanos age) {
            return cache_says(
                [verdict, age](Facts& f, ScenePolicy&) { f.cached.verdict = verdict, f.cached.age = age; });
        };
        CHECK(aged(30s) == RungSays::answers);
        CHECK(aged(Nanos(30s) + Nanos(1)) == RungSays::too_old);
    }
}

TEST_CASE(
    "decision: the centre's grant is overrun by no more than the scene allows, and never by more than a quarter") {
    const auto says = [](Seconds grant, unsigned overrun, Nanos age) {
        return cache_says([=](Facts& f, ScenePolicy& s) {
            f.cached.grant = grant;
            f.cached.age = age;
            s.cache.overrun_percent = overrun;
        });
    };
    CHECK(says(100s, 0, 100s) == RungSays::answers);
    CHECK(says(100s, 0, Nanos(100s) + Nanos(1)) == RungSays::grant_over);
    CHECK(says(100s, 25, 125s) == RungSays::answers);
    CHECK(says(100s, 25, Nanos(125s) + Nanos(1)) == RungSays::grant_over);
    CHECK(says(100s, 400, 126s) == RungSays::grant_over);
    CHECK(says(0s, 25, 0s) == RungSays::grant_over);
    CHECK(says(-5s, 0, 0s) == RungSays::grant_over);
    CHECK(says(Seconds(INT64_MAX), 25, 15min) == RungSays::answers);
    CHECK(says(10h, 0, 16min) == RungSays::too_old);
}

TEST_CASE("decision: what hides a remembered pass") {
    CHECK(cache_says([](Facts& f, ScenePolicy&) { f.cached.present = false; }) == RungSays::absent);
    CHECK(cache_says([](Facts& f, ScenePolicy&) { f.cached.present = f.state_sound = false; }) ==
          RungSays::state_unsound);
    CHECK(cache_says([](Facts& f, ScenePolicy&) { f.cached.present = f.clock_trusted = false; }) ==
          RungSays::clock_untrusted);
    CHECK(cache_says([](Facts& f, ScenePolicy&) { f.cached.revoked = true; }) == RungSays::revoked);
    CHECK(cache_says([](Facts& f, ScenePolicy&) { f.clock_trusted = false; }) == RungSays::clock_untrusted);
    CHECK(cache_says([](Facts& f, ScenePolicy&) { f.state_sound = false; }) == RungSays::state_unsound);
    CHECK(cache_says([](Facts& f, ScenePolicy& s) { f.cached.has_device = false, s.cache.require_device = true; }) ==
          RungSays::no_device);
    CHECK(cache_says([](Facts& f, ScenePolicy&) { f.cached.has_device = false; }) == RungSays::answers);
    // A remembered refusal lets nobody in, so it needs neither the clock nor the revocations.
    CHECK(cache_says([](Facts& f, ScenePolicy&) {
              f.cached.verdict = Verdict::fail, f.clock_trusted = f.state_sound = false;
          }) == RungSays::answers);
}

TEST_CASE("decision: the caller's own terms only tighten") {
    const auto with = [](Seconds max_age, Nanos age) {
        return cache_says([=](Facts& f, ScenePolicy&) { f.terms.max_age = max_age, f.cached.age = age; });
    };
    CHECK(with(10s, 10s) == RungSays::answers);
    CHECK(with(10s, 11s) == RungSays::too_old);
    CHECK(with(10h, 16min) == RungSays::too_old);
    CHECK(with(0s, 1s) == RungSays::too_old);
    CHECK(kind_with([](Facts& f, ScenePolicy&) { f.terms.degraded = false; }) == Kind::deny);
    CHECK(kind_with([](Facts& f, ScenePolicy&) { f.terms.degraded = false, f.gate = Gate::admitted; }) == Kind::ask);
    Facts facts = all_answer();
    facts.terms.max_age = Seconds(60);
    CHECK(feature_rung(facts, full_scene()) == RungSays::too_old);
}

TEST_CASE("decision: who wants no old answer gets no better one than the refusal that is known") {
    for (const Verdict known : {Verdict::fail, Verdict::review}) {
        const auto kind_at = [known](Nanos age) {
            return kind_with([&](Facts& f, ScenePolicy&) {
                f.terms.max_age = Seconds(0);
                f.cached.verdict = known;
                f.cached.age = age;
                f.feature.present = false;
            });
        };
        CHECK(kind_at(5s) == Kind::deny);
        CHECK(kind_at(5min) == Kind::provisional);  // longer than a fail is remembered by anybody
    }
}

TEST_CASE("decision: a feature is compared when it is young, comparable, and all is known") {
    const auto says = [](auto change) {
        Facts facts = all_answer();
        change(facts);
        return feature_rung(facts, full_scene());
    };
    CHECK(says([](Facts& f) { f.feature.age = Nanos(24h); }) == RungSays::answers);
    CHECK(says([](Facts& f) { f.feature.age = Nanos(24h) + Nanos(1); }) == RungSays::too_old);
    CHECK(says([](Facts& f) { f.feature.age.reset(); }) == RungSays::from_future);
    CHECK(says([](Facts& f) { f.feature.present = false; }) == RungSays::absent);
    CHECK(says([](Facts& f) { f.feature.comparable = false; }) == RungSays::not_comparable);
    CHECK(says([](Facts& f) { f.feature.verdict = Verdict::fail; }) == RungSays::not_a_pass);
    CHECK(says([](Facts& f) { f.feature.verdict = Verdict::review; }) == RungSays::not_a_pass);
    CHECK(says([](Facts& f) { f.clock_trusted = false; }) == RungSays::clock_untrusted);
    CHECK(says([](Facts& f) { f.state_sound = false; }) == RungSays::state_unsound);
}

TEST_CASE("decision: a similarity passes at the threshold and is otherwise for review") {
    const ScenePolicy scene = full_scene();
    CHECK(judge_similarity(0.82, scene) == Verdict::pass);
    CHECK(judge_similarity(0.8199999, scene) == Verdict::review);
    CHECK(judge_similarity(-1.0, scene) == Verdict::review);
    CHECK(judge_similarity(std::nan(""), scene) == Verdict::review);
    CHECK(judge_similarity(std::nullopt, scene) == Verdict::review);
    ScenePolicy broken = scene;
    broken.feature.threshold = 0;
    CHECK(judge_similarity(1.0, broken) == Verdict::review);
}

TEST_CASE("decision: provisional needs an outage old enough and young enough, budgets, and a durable journal") {
    const auto says = [](auto change) {
        Facts facts = all_answer();
        change(facts);
        return provisional_rung(facts, full_scene());
    };
    CHECK(says([](Facts&) {}) == RungSays::answers);
    CHECK(says([](Facts& f) { f.outage = {}; }) == RungSays::no_outage);
    CHECK(says([](Facts& f) { f.outage.certain = 60s; }) == RungSays::answers);
    CHECK(says([](Facts& f) { f.outage.certain = Nanos(60s) - Nanos(1); }) == RungSays::outage_too_young);
    CHECK(says([](Facts& f) { f.outage.since_renewal = Nanos(30min) - Nanos(1); }) == RungSays::answers);
    CHECK(says([](Facts& f) { f.outage.since_renewal = 30min; }) == RungSays::hard_stop);
    CHECK(says([](Facts& f) { f.provisional.scene_budget = false; }) == RungSays::budget_spent);
    CHECK(says([](Facts& f) { f.provisional.subject_budget = false; }) == RungSays::subject_spent);
    CHECK(says([](Facts& f) { f.provisional.journal_ok = false; }) == RungSays::journal_down);
    CHECK(says([](Facts& f) { f.provisional.evidence_ok = false; }) == RungSays::no_room_for_evidence);
    CHECK(says([](Facts& f) { f.state_sound = false; }) == RungSays::state_unsound);
}

TEST_CASE("decision: the time that a remembered outcome has left") {
    CachedFacts cached = all_answer().cached;
    CHECK(cache_ttl(cached, full_scene(), {}) == Nanos(15min - 10s));
    CHECK(cache_ttl(cached, full_scene(), {Seconds(12), true}) == Nanos(2s));
    cached.grant = Seconds(30);
    CHECK(cache_ttl(cached, full_scene(), {}) == Nanos(20s));
    cached.age = Nanos(1h);
    CHECK(cache_ttl(cached, full_scene(), {}) == Nanos(0));
    cached.age.reset();
    CHECK(cache_ttl(cached, full_scene(), {}) == Nanos(0));
}

TEST_CASE("decision: every name is its own") {
    CHECK(name(Reason::circuit_open) == "circuit_open");
    CHECK(name(RungSays::hard_stop) == "hard_stop");
    CHECK(name(LadderBar::one_subject_only) == "one_subject_only");
    CHECK(name(Kind::provisional) == "provisional");
}
