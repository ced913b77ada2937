// The own circuit below what the fleet says: what binds, and how either becomes the other.
#include <catch2/catch.hpp>

#include <functional>
#include <vector>

#include "upstream/circuit.h"

using namespace holdfast;

namespace {

using Bind = Leased::Bind;
using Why = Admission::Why;
constexpr CircuitState kClosed = CircuitState::closed, kOpen = CircuitState::open, kHalf = CircuitState::half_open;

struct Bench {
    Now now{MonoTime(1000s), WallTime(Seconds(1'767'312'000))};
    Rng rng{7};
    Circuit circuit{unthrottled(), now};
    std::uint64_t subject = 0;

    static CircuitOptions unthrottled() {
        CircuitOptions o;
        o.throttle_below = 0;
        return o;
    }

    Leased said(Bind bind, std::uint64_t epoch = 2) const {
        Leased l;
        l.bind = bind;
        l.epoch = epoch;
        l.until = now.mono + 10s;
        l.open_until = now.mono + 10s;
        l.probe_until = now.mono + 6s;
        l.subjects = 9;
        l.diverse = true;
        return l;
    }
    void adopt(Bind bind, std::uint64_t epoch = 2, bool closing = false) {
        Leased l = said(bind, epoch);
        l.closing = closing;
        circuit.adopt(l, now);
    }
    void wait(Nanos span) {
        now.mono += span;
        now.wall += span;
        circuit.tick(now);
    }
    Admission ask() { return circuit.admit({++subject % 40, subject % 3}, now, rng); }
    Why call(CallKind kind) {
        auto a = ask();
        if (a.admitted()) a.permit.report({kind, false, 10ms}, now);
        return a.why;
    }
    void calls(int n, CallKind kind) {
        for (int i = 0; i < n; ++i) call(kind);
    }
};

} // namespace

TEST_CASE("circuit: the fleet's open and half-open bind a node without proof, and its own circuit stays as it was") {
    for (const Bind bind : {Bind::open, Bind::half_open}) {
        Bench b;
        b.adopt(bind);
        CHECK(b.circuit.state() == (bind == Bind::open ? kOpen : kHalf));
        CHECK(b.call(CallKind::success) == (bind == Bind::open ? Why::open : Why::half_open_full));
        CHECK(b.circuit.own(b.now).state == kClosed);
        CHECK(b.circuit.outage_since());
        CHECK(b.circuit.failing_subjects() == 9);
        CHECK(b.circuit.failures_diverse(b.now));
        CHECK(b.circuit.take_transitions().size() == 1);
        CHECK(b.circuit.view(b.now).leased->epoch == 2);
    }
}

TEST_CASE("circuit: the fleet's closing clears the window and begins the ramp of a node that was bound") {
    Bench b;
    b.calls(30, CallKind::failure);
    Bench c;
    c.calls(15, CallKind::failure);
    c.adopt(Bind::open);
    c.adopt(Bind::closed, 4, true);
    CHECK(c.circuit.state() == kClosed);
    CHECK(c.circuit.view(c.now).window.calls() == 0);
    CHECK(c.circuit.view(c.now).ramp == 5u);
    CHECK_FALSE(c.circuit.outage_since());
}

TEST_CASE("circuit: fresh proof of a healthy road exempts from the fleet's circuit, until it fades") {
    Bench b;
    b.adopt(Bind::closed, 1);
    b.calls(20, CallKind::success);
    CHECK(b.circuit.own(b.now).proof);
    b.adopt(Bind::open);
    CHECK(b.circuit.state() == kClosed);
    CHECK(b.call(CallKind::success) == Why::admitted);
    Leased strict = b.said(Bind::open);
    strict.local_proof = false;
    b.circuit.adopt(strict, b.now);
    CHECK(b.circuit.state() == kOpen);
    Bench c;
    c.adopt(Bind::closed, 1);
    c.calls(20, CallKind::success);
    c.adopt(Bind::open);
    c.wait(9s);
    CHECK(c.circuit.state() == kClosed);
    c.adopt(Bind::open);
    c.wait(2s);
    CHECK(c.circuit.state() == kOpen); // too few calls to prove anything
}

TEST_CASE("circuit: proof takes minimum_calls and less than half of the threshold") {
    for (const auto& [good, bad, proof] : {std::tuple{19, 0, false}, {20, 0, true}, {31, 9, true}, {30, 10, false}}) {
        Bench b;
        b.adopt(Bind::closed, 1);
        b.calls(good, CallKind::success);
        b.calls(bad, CallKind::failure);
        CHECK(b.circuit.own(b.now).proof == proof);
    }
}

TEST_CASE("circuit: an own open circuit binds under a closed fleet, and probes with one call in flight") {
    Bench b;
    b.adopt(Bind::closed, 1);
    b.calls(20, CallKind::failure);
    CHECK(b.circuit.state() == kOpen);
    const OwnCircuit own = b.circuit.own(b.now);
    CHECK(own.evidence);
    CHECK(own.openings == 1);
    CHECK(own.cause == "failure_rate");
    CHECK(own.counts.failures == 20);
    b.wait(9900ms);
    b.adopt(Bind::closed, 1);
    b.wait(100ms);
    CHECK(b.circuit.state() == kHalf);
    const auto first = b.ask();
    CHECK(first.admitted());
    CHECK(first.permit.epoch() == 0);
    CHECK(b.ask().why == Why::half_open_full);
}

TEST_CASE("circuit: while the fleet is open its own open circuit sends no probe, whatever its wait") {
    Bench b;
    b.adopt(Bind::closed, 1);
    b.calls(20, CallKind::failure);
    for (int i = 0; i < 20; ++i) {
        b.adopt(Bind::open);
        b.wait(5s);
    }
    CHECK(b.circuit.state() == kOpen);
    b.adopt(Bind::closed, 4, true); // at once half-open, with a probe of its own
    CHECK(b.circuit.state() == kHalf);
    CHECK(b.circuit.own(b.now).openings == 1);
    b.adopt(Bind::closed, 4);
    for (int i = 0; i < 5; ++i) b.call(CallKind::failure);
    CHECK(b.circuit.state() == kOpen);
    CHECK(b.circuit.own(b.now).openings == 2); // new evidence
}

TEST_CASE("circuit: the prober sends a round, tells its verdict, and closes by the fleet's word only") {
    Bench b;
    b.adopt(Bind::closed, 1);
    b.calls(20, CallKind::failure);
    b.adopt(Bind::probe, 3);
    CHECK(b.circuit.state() == kHalf);
    for (int i = 0; i < 5; ++i) {
        auto a = b.ask();
        REQUIRE(a.admitted());
        CHECK(a.permit.epoch() == 3);
        CHECK(a.permit.may_send(b.now.mono));
        a.permit.report({CallKind::success, false, 10ms}, b.now);
    }
    CHECK(b.ask().why == Why::half_open_full);
    REQUIRE(b.circuit.own(b.now).verdict);
    CHECK(b.circuit.own(b.now).verdict->kind == ProbeVerdict::Kind::good);
    CHECK(b.circuit.state() == kHalf);
    b.adopt(Bind::closed, 4, true);
    CHECK(b.circuit.state() == kClosed);
    CHECK(b.circuit.own(b.now).state == kClosed);
    CHECK(b.circuit.view(b.now).ramp == 5u);
}

TEST_CASE("circuit: a prober with fresh proof probes with some of its calls, serves all, and has no ramp after it") {
    for (const CallKind kind : {CallKind::success, CallKind::failure}) {
        Bench b;
        b.adopt(Bind::closed, 1);
        b.calls(80, CallKind::success);
        b.adopt(Bind::open);
        b.adopt(Bind::probe, 3);
        CHECK(b.circuit.state() == kClosed);
        for (int i = 0; i < 5; ++i) {
            auto a = b.ask();
            REQUIRE(a.admitted());
            CHECK(a.permit.probe());
            CHECK(a.permit.epoch() == 3);
            CHECK(a.permit.may_send(b.now.mono));
            CHECK(b.circuit.view(b.now).probes_in_flight == 1);
            a.permit.report({kind, false, 10ms}, b.now);
        }
        CHECK(b.circuit.view(b.now).window.calls() == 85);  // its own circuit counts them too
        auto more = b.ask();
        CHECK(more.admitted());
        CHECK(more.permit.epoch() == 0);
        REQUIRE(b.circuit.own(b.now).verdict);
        CHECK((b.circuit.own(b.now).verdict->kind == ProbeVerdict::Kind::good) == (kind == CallKind::success));
        b.adopt(Bind::closed, 4, true);
        CHECK(b.circuit.state() == kClosed);
        CHECK_FALSE(b.circuit.view(b.now).ramp);
        CHECK_FALSE(b.circuit.outage_since());
        CHECK(b.circuit.take_transitions().empty());
    }
}

TEST_CASE("circuit: a prober that an operator's word binds sends none of its calls as probes for the fleet") {
    Bench b;
    b.adopt(Bind::closed, 1);
    b.calls(20, CallKind::success);
    b.adopt(Bind::probe, 3);
    b.circuit.force(Forced::closed, b.now.mono + 60s, b.now);
    auto a = b.ask();
    CHECK(a.admitted());
    CHECK(a.permit.epoch() == 0);
}

TEST_CASE("circuit: probes in flight when an operator closes hold no place of the fleet's round afterwards") {
    Bench b;
    b.adopt(Bind::probe, 3);
    REQUIRE(b.circuit.state() == kHalf);
    std::vector<Admission> held;
    for (int i = 0; i < 3; ++i) held.push_back(b.ask());
    for (const Admission& one : held) REQUIRE(one.permit.epoch() == 3);
    b.circuit.force(Forced::closed, b.now.mono + 60s, b.now);
    b.calls(20, CallKind::success);
    b.circuit.force(Forced::none, {}, b.now);
    REQUIRE(b.circuit.state() == kClosed);  // by its proof
    for (Admission& one : held) one.permit.report({CallKind::success, false, 10ms}, b.now);
    CHECK(b.circuit.view(b.now).probes_in_flight == 0);
    b.calls(5, CallKind::success);
    REQUIRE(b.circuit.own(b.now).verdict);
    CHECK(b.circuit.own(b.now).verdict->kind == ProbeVerdict::Kind::good);
}

TEST_CASE("circuit: a prober whose proof fades, or comes, or whose own circuit opens, goes on with its round") {
    for (const int what : {0, 1, 2}) {
        Bench b;
        b.adopt(Bind::closed, 1);
        if (what != 1) b.calls(20, CallKind::success);
        b.wait(9s);
        b.adopt(Bind::probe, 3);
        CHECK(b.circuit.state() == (what == 1 ? kHalf : kClosed));
        auto old = b.ask();
        REQUIRE(old.permit.epoch() == 3);
        if (what == 0) b.wait(2s), b.adopt(Bind::probe, 3);
        if (what == 1) {
            for (std::uint64_t i = 0; i < 20; ++i)  // as `live` asks
                b.circuit.admit_always({100 + i, i % 3}, b.now).report({CallKind::success, false, 10ms}, b.now);
            b.circuit.tick(b.now);
        }
        if (what == 2)
            for (std::uint64_t i = 0; i < 40; ++i)
                b.circuit.admit_always({100 + i, i % 3}, b.now).report({CallKind::failure, true, 10ms}, b.now);
        CHECK(b.circuit.state() == (what == 1 ? kClosed : kHalf));
        CHECK(b.circuit.own(b.now).state == (what == 2 ? kOpen : kClosed));
        old.permit.report({CallKind::success, false, 10ms}, b.now);  // of before
        CHECK_FALSE(b.circuit.own(b.now).verdict);
        for (int i = 0; i < 5; ++i) {
            auto a = b.ask();
            if (what == 1 && !a.admitted()) continue;  // the ramp
            REQUIRE(a.admitted());
            CHECK(a.permit.epoch() == 3);
            a.permit.report({CallKind::success, false, 10ms}, b.now);
        }
        if (what != 1) REQUIRE(b.circuit.own(b.now).verdict);
    }
}

TEST_CASE("circuit: no probe starts that could outlive its lease, by the clock of admission and of sending") {
    Bench b;
    b.adopt(Bind::probe, 3);
    auto held = b.ask();
    REQUIRE(held.admitted());
    CHECK(held.permit.may_send(b.now.mono + 6s - Nanos(1)));
    CHECK_FALSE(held.permit.may_send(b.now.mono + 6s));
    b.wait(6s);
    CHECK(b.ask().why == Why::half_open_full);
    Leased short_lease = b.said(Bind::probe, 3);
    short_lease.until = b.now.mono + 1s;
    b.circuit.adopt(short_lease, b.now);
    CHECK_FALSE(held.permit.may_send(b.now.mono + 1s)); // the node's own lease
    b.adopt(Bind::half_open, 3);
    CHECK_FALSE(held.permit.may_send(b.now.mono)); // no longer the prober
}

TEST_CASE("circuit: results of probes from before the lease was lost, or of another epoch, count for nothing") {
    for (const Bind next : {Bind::half_open, Bind::none, Bind::closed, Bind::probe}) {
        Bench b;
        b.adopt(Bind::closed, 1);
        b.calls(20, CallKind::failure);
        b.adopt(Bind::probe, 3);
        std::vector<Admission> held;
        for (int i = 0; i < 5; ++i) held.push_back(b.ask());
        b.adopt(next, 5);
        for (auto& a : held) a.permit.report({CallKind::success, false, 10ms}, b.now);
        CHECK_FALSE(b.circuit.own(b.now).verdict);
        CHECK(b.circuit.own(b.now).state != kClosed);
    }
}

TEST_CASE("circuit: a permit of an own probe that ends after the fleet took over is returned to nobody") {
    for (const Bind next : {Bind::half_open, Bind::open, Bind::probe}) {
        Bench b;
        b.adopt(Bind::closed, 1);
        b.calls(20, CallKind::failure);
        b.wait(9900ms);
        b.adopt(Bind::closed, 1);
        b.wait(100ms);
        auto held = b.ask();
        REQUIRE(held.admitted());
        b.adopt(next, 3);
        held.permit.drop();
        CHECK(b.circuit.own(b.now).state == kOpen);
    }
}

TEST_CASE("circuit: a round without progress for half_open_wait ends in a timeout, good probes keep it going") {
    Bench b;
    b.adopt(Bind::probe, 3);
    const auto pass = [&b](Nanos span) {
        for (Nanos left = span; left > 0s; left -= 1s) {
            b.wait(1s);
            b.adopt(Bind::probe, 3);
        }
    };
    pass(29s);
    b.call(CallKind::success);
    pass(29s);
    CHECK_FALSE(b.circuit.own(b.now).verdict);
    pass(1s);
    const auto verdict = b.circuit.own(b.now).verdict;
    REQUIRE(verdict);
    CHECK(verdict->kind == ProbeVerdict::Kind::timeout);
    CHECK(verdict->clean);
    CHECK(verdict->reported == 1);
}

TEST_CASE("circuit: a lease that runs out leaves an open node open for the rest of the fleet's wait, then half-open") {
    Bench b;
    Leased l = b.said(Bind::open);
    l.open_until = b.now.mono + 25s;
    b.circuit.adopt(l, b.now);
    REQUIRE(b.circuit.next_deadline() == b.now.mono + 10s);
    b.wait(10s);
    CHECK(b.circuit.state() == kOpen);
    CHECK_FALSE(b.circuit.view(b.now).leased);
    CHECK_FALSE(b.circuit.own(b.now).evidence); // no vote follows from it
    CHECK(b.circuit.failures_diverse(b.now));
    b.wait(15s);
    CHECK(b.circuit.state() == kHalf);
    CHECK(b.ask().admitted());
    b.adopt(Bind::closed, 4); // the reason has gone with the fleet's word
    CHECK(b.circuit.state() == kClosed);
    CHECK(b.circuit.view(b.now).ramp == 5u);
}

TEST_CASE("circuit: a closed fleet that is lost changes nothing") {
    Bench b;
    b.adopt(Bind::closed);
    b.wait(30s);
    CHECK(b.circuit.state() == kClosed);
    CHECK(b.circuit.take_transitions().empty());
}

TEST_CASE("circuit: precedence: own force, the fleet's force, the own open circuit, the fleet's circuit") {
    for (const Forced own : {Forced::none, Forced::open, Forced::closed})
        for (const Forced fleet : {Forced::none, Forced::open, Forced::closed})
            for (const bool own_open : {false, true})
                for (const Bind bind : {Bind::none, Bind::closed, Bind::open}) {
                    Bench b;
                    b.adopt(Bind::closed, 1);
                    if (own_open) b.calls(20, CallKind::failure);
                    if (own != Forced::none) b.circuit.force(own, b.now.mono + 60s, b.now);
                    Leased l = b.said(bind);
                    l.forced = fleet;
                    l.forced_until = b.now.mono + 60s;
                    b.circuit.adopt(l, b.now);
                    const bool open = own != Forced::none     ? own == Forced::open
                                      : fleet != Forced::none ? fleet == Forced::open
                                                              : own_open || bind == Bind::open;
                    CHECK(b.circuit.state() == (open ? kOpen : kClosed));
                    CHECK(b.ask().admitted() == !open);
                }
}

TEST_CASE("circuit: the fleet's override is in force without a lease until its own deadline") {
    Bench b;
    Leased l = b.said(Bind::none);
    l.forced = Forced::open;
    l.forced_until = b.now.mono + 60s;
    b.circuit.adopt(l, b.now);
    b.wait(59s);
    CHECK(b.circuit.state() == kOpen);
    CHECK(b.circuit.view(b.now).retry_in == Nanos(1s));
    b.wait(1s);
    CHECK(b.circuit.state() == kHalf); // as after a force of its own
}

TEST_CASE("circuit: the fleet's override that makes an outage ends half-open by its time, but for one with proof") {
    for (const Bind bind : {Bind::none, Bind::closed})
        for (const bool proof : {false, true}) {
            Bench b;
            Leased l = b.said(bind);
            l.until = b.now.mono + 90s;
            l.outage = true;  // degraded
            l.forced_until = b.now.mono + 60s;
            b.circuit.adopt(l, b.now);
            CHECK(b.circuit.next_deadline() == l.forced_until);
            b.wait(59s);
            if (proof) b.calls(20, CallKind::success);
            b.wait(1s);
            CHECK(b.circuit.state() == (proof ? kClosed : kHalf));
        }
}

TEST_CASE("circuit: what the fleet held open survives a restart as open, without a vote") {
    Bench b;
    Leased l = b.said(Bind::open);
    l.open_until = b.now.mono + 25s;
    b.circuit.adopt(l, b.now);
    const std::string saved = b.circuit.snapshot(b.now, 7);
    Bench c;
    c.now = b.now;
    REQUIRE(c.circuit.restore(saved, c.now, 7));
    CHECK(c.circuit.state() == kOpen);
    CHECK_FALSE(c.circuit.own(c.now).evidence);
    CHECK(c.circuit.view(c.now).retry_in == Nanos(25s));
    c.adopt(Bind::closed, 9);
    CHECK(c.circuit.state() == kClosed);
}

TEST_CASE("circuit: what opened on evidence is still an opening after a restart, until the fleet has closed") {
    Bench b;
    b.adopt(Bind::closed, 1);
    b.calls(20, CallKind::failure);
    REQUIRE(b.circuit.own(b.now).openings == 1);
    const auto openings_after_restart = [&b] {
        Circuit other(Bench::unthrottled(), b.now);
        REQUIRE(other.restore(b.circuit.snapshot(b.now, 7), b.now, 7));
        const OwnCircuit own = other.own(b.now), before = b.circuit.own(b.now);
        CHECK(own.evidence);
        CHECK(own.cause == before.cause);
        CHECK(own.counts.calls() == before.counts.calls());
        CHECK(own.counts.failures == before.counts.failures);
        CHECK(own.counts.slow == before.counts.slow);
        CHECK(own.subjects == before.subjects);
        return own.openings;
    };
    CHECK(openings_after_restart() == 1);
    b.adopt(Bind::open, 2);
    CHECK(openings_after_restart() == 1);
    b.adopt(Bind::closed, 3, true);
    REQUIRE(b.circuit.state() == kHalf);
    CHECK(openings_after_restart() == 0);
}

TEST_CASE("circuit: one that an operator opened stays open when the fleet is heard again, whoever opened it before") {
    Bench b;
    Leased l = b.said(Bind::open);
    l.open_until = b.now.mono + 60s;
    b.circuit.adopt(l, b.now);
    b.wait(11s);  // the lease is over: the node has taken the fleet's circuit over
    REQUIRE(b.circuit.state() == kOpen);
    b.circuit.force(Forced::open, b.now.mono + 1h, b.now);
    for (const Bind bind : {Bind::none, Bind::closed}) {
        b.adopt(bind, 4);
        CHECK(b.circuit.state() == kOpen);
        CHECK_FALSE(b.ask().admitted());
        Circuit other(Bench::unthrottled(), b.now);
        CHECK(other.restore(b.circuit.snapshot(b.now, 7), b.now, 7));
    }
}

TEST_CASE("circuit: every state in a fleet writes a snapshot that reads back") {
    for (const Bind bind : {Bind::none, Bind::closed, Bind::half_open, Bind::open, Bind::probe})
        for (const Forced fleet : {Forced::none, Forced::open, Forced::closed})
            for (const bool own_open : {false, true}) {
                Bench b;
                b.adopt(Bind::closed, 1);
                if (own_open) b.calls(20, CallKind::failure);
                Leased l = b.said(bind);
                l.forced = fleet;
                l.forced_until = b.now.mono + 60s;
                b.circuit.adopt(l, b.now);
                Circuit other({}, b.now);
                const auto done = other.restore(b.circuit.snapshot(b.now, 7), b.now, 7);
                INFO((done ? "" : done.error().detail));
                CHECK(done);
            }
}
