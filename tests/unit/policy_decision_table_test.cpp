// All rows of the table: every combination of the states that a fact can be in, against an oracle that is told the
// states by name and not the facts.
#include <array>
#include <catch2/catch.hpp>
#include <string>

#include "policy/decision.h"

using namespace holdfast;
using Kind = Decision::Kind;

namespace {

enum class Record {
    absent,
    pass_5s,
    pass_20s,
    pass_16min,
    fail_20s,
    fail_40s,
    review_5s,
    revoked,
    future,
    past_grant,
    count
};
enum class Stored { absent, good_5s, good_20s, too_old, other_model, of_a_fail, of_a_review, count };
enum class Out { none, young, ripe, stopped, count };
enum class Lacks { nothing, scene_budget, subject_budget, journal, evidence, count };
enum class Asks { nothing, no_degraded, max_10s, count };
enum class Steps { none, cache, feature, provisional, all, provisional_first, count };

struct Row {
    Mode mode;
    Gate gate;
    CallEnd call;
    bool circuit_open, diverse, clock, sound;
    Record record;
    Stored stored;
    Out out;
    Lacks lacks;
    Asks asks;
};

Verdict verdict_behind(Stored stored) {
    if (stored == Stored::of_a_fail) return Verdict::fail;
    return stored == Stored::of_a_review ? Verdict::review : Verdict::pass;
}

Facts facts_of(const Row& row) {
    Facts f;
    f.mode = row.mode;
    f.gate = row.gate;
    f.call = row.call;
    f.circuit_open = row.circuit_open;
    f.failures_diverse = row.diverse;
    f.clock_trusted = row.clock;
    f.state_sound = row.sound;
    switch (row.out) {
        case Out::young:
            f.outage = {true, 59s, 59s};
            break;
        case Out::ripe:
            f.outage = {true, 60s, 60s};
            break;
        case Out::stopped:
            f.outage = {true, 30min, 30min};
            break;
        default:
            break;
    }
    const auto record = [&f](Verdict verdict, Nanos age) {
        f.cached = {true, verdict, age, true, std::nullopt, false};
    };
    switch (row.record) {
        case Record::pass_5s:
            record(Verdict::pass, 5s);
            break;
        case Record::pass_20s:
            record(Verdict::pass, 20s);
            break;
        case Record::pass_16min:
            record(Verdict::pass, 16min);
            break;
        case Record::fail_20s:
            record(Verdict::fail, 20s);
            break;
        case Record::fail_40s:
            record(Verdict::fail, 40s);
            break;
        case Record::review_5s:
            record(Verdict::review, 5s);
            break;
        case Record::revoked:
            record(Verdict::pass, 5s), f.cached.revoked = true;
            break;
        case Record::future:
            record(Verdict::pass, 5s), f.cached.age.reset();
            break;
        case Record::past_grant:
            record(Verdict::pass, 5s), f.cached.grant = Seconds(4);
            break;
        default:
            break;
    }
    if (row.stored != Stored::absent) {
        const Nanos age = row.stored == Stored::good_5s   ? Nanos(5s)
                          : row.stored == Stored::too_old ? Nanos(25h)
                                                          : Nanos(20s);
        f.feature = {true, verdict_behind(row.stored), age, row.stored != Stored::other_model};
    }
    f.provisional = {row.lacks != Lacks::scene_budget, row.lacks != Lacks::subject_budget, row.lacks != Lacks::journal,
                     row.lacks != Lacks::evidence};
    if (row.asks == Asks::no_degraded) f.terms.degraded = false;
    if (row.asks == Asks::max_10s) f.terms.max_age = Seconds(10);
    return f;
}

ScenePolicy scene_of(Steps steps) {
    ScenePolicy s;
    s.cache.max_age = 15min;
    s.feature = {24h, 0.8};
    s.provisional = {60s, 10, 1, 30min};
    switch (steps) {
        case Steps::cache:
            s.ladder.add(Rung::cache);
            break;
        case Steps::feature:
            s.ladder.add(Rung::feature);
            break;
        case Steps::provisional:
            s.ladder.add(Rung::provisional);
            break;
        case Steps::all:
            for (Rung rung : {Rung::cache, Rung::feature, Rung::provisional}) s.ladder.add(rung);
            break;
        case Steps::provisional_first:
            for (Rung rung : {Rung::provisional, Rung::feature, Rung::cache}) s.ladder.add(rung);
            break;
        default:
            break;
    }
    return s;
}

// --- the oracle: what the contract says, state by state ---

bool asks_centre(const Row& row) {
    if (row.call != CallEnd::none || row.mode == Mode::degraded) return false;
    return row.mode == Mode::live || row.gate == Gate::admitted;
}

bool ladder_is_up(const Row& row) {
    if (row.asks == Asks::no_degraded) return false;
    if (row.call == CallEnd::none) return true; // held back by the circuit, the throttle or the operator
    if (row.call == CallEnd::rejected || row.call == CallEnd::setup) return false;
    return row.diverse || row.circuit_open || row.mode == Mode::degraded;
}

bool cache_serves(const Row& row) {
    const bool whole = row.clock && row.sound;
    switch (row.record) {
        case Record::pass_5s:
            return whole;
        case Record::pass_20s:
            return whole && row.asks != Asks::max_10s;
        case Record::fail_20s:
            return row.asks != Asks::max_10s;
        case Record::review_5s:
            return true;
        default:
            return false;
    }
}

bool feature_serves(const Row& row) {
    if (!row.clock || !row.sound) return false;
    return row.stored == Stored::good_5s || (row.stored == Stored::good_20s && row.asks != Asks::max_10s);
}

bool provisional_serves(const Row& row) {
    return row.sound && row.out == Out::ripe && row.lacks == Lacks::nothing;
}

Kind expected(const Row& row, Steps steps) {
    if (asks_centre(row)) return Kind::ask;
    if (!ladder_is_up(row)) return Kind::deny;
    const bool all = steps == Steps::all;
    const bool last_first = steps == Steps::provisional_first;
    const bool cache = cache_serves(row) && (all || last_first || steps == Steps::cache);
    const bool feature = feature_serves(row) && (all || last_first || steps == Steps::feature);
    const bool provisional = provisional_serves(row) && (all || last_first || steps == Steps::provisional);
    if (last_first && provisional) return Kind::provisional;
    if (last_first && feature) return Kind::compare_feature;
    if (cache) return Kind::answer_cached;
    if (all && row.record == Record::fail_20s && row.asks == Asks::max_10s) return Kind::deny;  // no lower rung for it
    if (feature) return Kind::compare_feature;
    return provisional ? Kind::provisional : Kind::deny;
}

// What may never be, whichever way the table came to it; empty when all holds.
std::string broken(const Row& row, const Facts& facts, const Decision& d) {
    const bool live_call_went_well = row.call == CallEnd::none && asks_centre(row);
    if (live_call_went_well && d.kind != Kind::ask) return "not asked though it could be";
    if (row.mode == Mode::degraded && d.kind == Kind::ask) return "asked in forced degraded mode";
    if (row.call != CallEnd::none && d.kind == Kind::ask) return "asked twice";
    if (d.kind == Kind::answer_cached) {
        if (!facts.cached.present || facts.cached.revoked || !facts.cached.age)
            return "answered without a valid record";
        if (*facts.cached.age > Nanos(15min)) return "outlived max_age";
        const bool pass = facts.cached.verdict == Verdict::pass;
        if (pass && (!row.clock || !row.sound)) return "pass on doubt";
    }
    if (d.kind == Kind::compare_feature && (!facts.feature.comparable || !row.sound || !row.clock))
        return "compared on doubt";
    if (d.kind == Kind::compare_feature && facts.feature.verdict != Verdict::pass)
        return "compared with the face of somebody who was refused";
    if (d.kind == Kind::provisional) {
        if (row.out != Out::ripe) return "provisional outside its outage";
        if (row.lacks != Lacks::nothing || !row.sound) return "provisional without its means";
    }
    const bool degraded = d.kind != Kind::ask && d.kind != Kind::deny;
    if (degraded && row.asks == Asks::no_degraded) return "degraded against the caller's terms";
    const bool one_request_failed =
        row.call != CallEnd::none && !row.diverse && !row.circuit_open && row.mode != Mode::degraded;
    if (degraded && one_request_failed) return "a poisoned request climbed the ladder";
    if (d.kind != Kind::ask && d.reason == Reason::none) return "no reason";
    const bool tried = row.call != CallEnd::none && row.call != CallEnd::not_sent;
    if (d.kind == Kind::deny && tried != (text_of(d.code).status != 503))
        return "a refusal that tells wrongly whether it was tried";
    return {};
}

template <typename E>
constexpr int size_of() {
    return static_cast<int>(E::count);
}

void check_row(const Row& row, const std::array<ScenePolicy, size_of<Steps>()>& scenes, std::uint64_t& rows) {
    const Facts facts = facts_of(row);
    for (int steps = 0; steps < size_of<Steps>(); ++steps, ++rows) {
        const Decision decision = decide(facts, scenes[static_cast<std::size_t>(steps)]);
        const Kind wanted = expected(row, static_cast<Steps>(steps));
        const std::string fault = broken(row, facts, decision);
        if (decision.kind == wanted && fault.empty()) continue;
        INFO("mode " << int(row.mode) << " gate " << int(row.gate) << " call " << int(row.call) << " open "
                     << row.circuit_open << " diverse " << row.diverse << " clock " << row.clock << " sound "
                     << row.sound << " record " << int(row.record) << " stored " << int(row.stored) << " out "
                     << int(row.out) << " lacks " << int(row.lacks) << " asks " << int(row.asks) << " steps " << steps);
        INFO("decided " << name(decision.kind) << ", wanted " << name(wanted) << ", " << fault);
        FAIL();
    }
}

// The states of what is remembered and left, under one state of the node.
void check_memory(Row row, const std::array<ScenePolicy, size_of<Steps>()>& scenes, std::uint64_t& rows) {
    for (int record = 0; record < size_of<Record>(); ++record)
        for (int stored = 0; stored < size_of<Stored>(); ++stored)
            for (int out = 0; out < size_of<Out>(); ++out)
                for (int lacks = 0; lacks < size_of<Lacks>(); ++lacks)
                    for (int asks = 0; asks < size_of<Asks>(); ++asks) {
                        row.record = static_cast<Record>(record);
                        row.stored = static_cast<Stored>(stored);
                        row.out = static_cast<Out>(out);
                        row.lacks = static_cast<Lacks>(lacks);
                        row.asks = static_cast<Asks>(asks);
                        check_row(row, scenes, rows);
                    }
}

} // namespace

TEST_CASE("decision: every row of the table is what the contract says") {
    std::array<ScenePolicy, size_of<Steps>()> scenes;
    for (int steps = 0; steps < size_of<Steps>(); ++steps)
        scenes[static_cast<std::size_t>(steps)] = scene_of(static_cast<Steps>(steps));
    std::uint64_t rows = 0;
    for (Mode mode : {Mode::automatic, Mode::degraded, Mode::live})
        for (Gate gate : {Gate::admitted, Gate::open, Gate::throttled})
            for (CallEnd call : {CallEnd::none, CallEnd::timeout, CallEnd::unusable, CallEnd::rejected, CallEnd::setup,
                                 CallEnd::not_sent})
                for (unsigned bits = 0; bits < 16; ++bits) {
                    Row row{
                        mode, gate, call, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0, {}, {},
                        {},   {},   {}};
                    check_memory(row, scenes, rows);
                }
    CHECK(rows == 3ull * 3 * 6 * 16 * 10 * 7 * 4 * 5 * 3 * 6);
}
