// Whether a degraded answer that an order has had still holds: what each rung asks of it when it is asked for again.
#include <catch2/catch.hpp>

#include "policy/decision.h"

using namespace holdfast;

namespace {

struct Case {
    GivenFacts given;
    Facts facts;
    ScenePolicy scene;

    explicit Case(Source source) {
        given = {Outcome::pass, source, 0.95, true, 10s, 10s, 1min, false};
        if (source == Source::policy) given.outcome = Outcome::provisional;
        for (const Rung rung : {Rung::cache, Rung::feature, Rung::provisional}) scene.ladder.add(rung);
        scene.cache.max_age = 15min;
        scene.feature = {24h, 0.9};
        scene.provisional.budget_per_minute = 10;
        facts.outage = {true, 5min, 5min, 5min};
        facts.cached = {true, Verdict::pass, 1min, true, std::nullopt, false};
        facts.feature = {true, Verdict::pass, 1min, true};
        facts.provisional = {true, true, true, true};
        facts.clock_trusted = facts.state_sound = true;
    }
    bool holds() const { return holds_again(given, facts, scene); }
};

template <typename Change>
bool holds(Source source, Change change) {
    Case c(source);
    change(c);
    return c.holds();
}

}  // namespace

TEST_CASE("given again: each answer holds as long as nothing speaks against it, and a live one is none") {
    for (const Source source : {Source::cache, Source::feature, Source::policy}) {
        CHECK(Case(source).holds());
        CHECK_FALSE(holds(source, [](Case& c) { c.given.refuted = true; }));
        CHECK_FALSE(holds(source, [](Case& c) { c.scene.ladder = Ladder(); }));
        CHECK_FALSE(holds(source, [](Case& c) { c.facts.state_sound = false; }));
    }
    CHECK_FALSE(Case(Source::live).holds());
}

TEST_CASE("given again: a pass asks what its rung asks today, and of a record that is gone what the order says") {
    for (const Source source : {Source::cache, Source::feature}) {
        CHECK_FALSE(holds(source, [](Case& c) { c.given.left = Nanos(0); }));
        CHECK_FALSE(holds(source, [](Case& c) { c.facts.clock_trusted = false; }));
        const auto gone = [](Case& c) { c.facts.cached = {}, c.facts.feature = {}; };
        CHECK(holds(source, gone));
        CHECK_FALSE(holds(source, [&gone](Case& c) { gone(c), c.facts.clock_trusted = false; }));
        const auto shorter = [](Case& c) { c.scene.cache.max_age = c.scene.feature.max_age = 30s; };
        CHECK_FALSE(holds(source, shorter));  // of what is remembered
        CHECK(holds(source, [&](Case& c) { gone(c), shorter(c); }));
        CHECK_FALSE(holds(source, [&](Case& c) { gone(c), shorter(c), c.given.decided_ago = 31s; }));
    }
    CHECK_FALSE(holds(Source::cache, [](Case& c) { c.facts.cached.grant = Seconds(30); }));
    const auto device = [](Case& c) { c.scene.cache.require_device = true; };
    CHECK(holds(Source::cache, device));
    CHECK_FALSE(holds(Source::cache, [&](Case& c) { device(c), c.facts.cached.has_device = false; }));
    CHECK_FALSE(holds(Source::cache, [&](Case& c) { device(c), c.facts.cached = {}, c.given.has_device = false; }));
}

TEST_CASE("given again: a comparison is held against today's threshold, and only a pass is") {
    const auto at = [](double threshold, Outcome outcome, std::optional<double> score) {
        return holds(Source::feature, [&](Case& c) {
            c.scene.feature.threshold = threshold;
            c.given.outcome = outcome;
            c.given.score = score;
        });
    };
    CHECK(at(0.95, Outcome::pass, 0.95));
    CHECK_FALSE(at(0.951, Outcome::pass, 0.95));
    CHECK_FALSE(at(0.5, Outcome::pass, std::nullopt));
    CHECK(at(0.951, Outcome::review, 0.95));
}

TEST_CASE("given again: a fail is held against its own limit, and needs no clock") {
    const auto fail = [](Case& c) {
        c.given.outcome = Outcome::fail;
        c.facts.cached.verdict = Verdict::fail;
        c.facts.cached.age = 20s;
        c.facts.clock_trusted = c.facts.state_sound = false;
    };
    CHECK(holds(Source::cache, fail));
    CHECK_FALSE(holds(Source::cache, [&](Case& c) { fail(c), c.scene.cache.fail_max_age = 9s; }));
}

TEST_CASE("given again: a provisional answer is that of the outage that it was given in") {
    const auto says = [](auto change) { return holds(Source::policy, change); };
    CHECK_FALSE(says([](Case& c) { c.given.age = 6min; }));
    CHECK_FALSE(says([](Case& c) { c.facts.outage.since_renewal = 30min; }));
    CHECK_FALSE(says([](Case& c) { c.scene.provisional.after = 6min; }));
    CHECK_FALSE(says([](Case& c) { c.facts.provisional.journal_ok = false; }));
    CHECK(says([](Case& c) { c.given.left = Nanos(-1); }));  // renewed since
    CHECK_FALSE(says([](Case& c) { c.given.left = Nanos(-1), c.given.age = 4min, c.facts.outage.certain = 3min; }));
    // Once it is over, to the end of its time.
    CHECK(says([](Case& c) { c.facts.outage = {}; }));
    CHECK_FALSE(says([](Case& c) { c.facts.outage = {}, c.given.left = Nanos(0); }));
}
