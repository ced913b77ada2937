#include "upstream/circuit.h"

#include <catch2/catch.hpp>

using namespace holdfast;

namespace {

using Why = Admission::Why;

struct CircuitBench {
    explicit CircuitBench(CircuitOptions options = {}) : circuit(options, now) {}

    Now now{MonoTime(1000s), WallTime(Seconds(1'767'312'000))};
    Rng rng{7};
    Circuit circuit;

    void wait(Nanos d) {
        now.mono += d;
        now.wall += d;
        circuit.tick(now);
    }
    Why try_once(std::uint64_t subject, CallKind kind, std::uint64_t credential = 1, Nanos duration = 10ms,
                 bool connect = false) {
        auto a = circuit.admit({subject, credential}, now, rng);
        if (a.admitted()) a.permit.report({kind, connect, duration}, now);
        return a.why;
    }
    void tries(int n, CallKind kind, int subjects = 10) {
        for (int i = 0; i < n; ++i) try_once(static_cast<std::uint64_t>(i % subjects), kind);
    }
    void open() {
        tries(20, CallKind::failure);
        REQUIRE(circuit.state() == CircuitState::open);
    }
    void half_open() {
        open();
        wait(10s);
        REQUIRE(circuit.state() == CircuitState::half_open);
    }
};

CircuitOptions with(void (*change)(CircuitOptions&)) {
    CircuitOptions o;
    change(o);
    return o;
}

} // namespace

TEST_CASE("circuit: opens at the failure rate, from minimum_calls on, and not before") {
    CircuitBench b;
    b.tries(10, CallKind::success);
    for (int i = 0; i < 9; ++i) b.try_once(static_cast<std::uint64_t>(i), CallKind::failure);
    CHECK(b.circuit.state() == CircuitState::closed); // 19 calls
    b.try_once(99, CallKind::failure);
    CHECK(b.circuit.state() == CircuitState::open); // 10 of 20
    CHECK(b.circuit.view(b.now).cause == CircuitCause::failure_rate);
    CHECK(b.circuit.view(b.now).why.failures == 10);
    CHECK(b.try_once(1, CallKind::success) == Why::open);
}

TEST_CASE("circuit: fewer than min_subjects failing subjects never open it nor start the throttle") {
    CircuitBench b;
    for (int i = 0; i < 500; ++i)
        REQUIRE(b.try_once(static_cast<std::uint64_t>(i % 4), CallKind::failure) == Why::admitted);
    CHECK(b.circuit.state() == CircuitState::closed);
    CHECK_FALSE(b.circuit.failures_diverse(b.now));
    CHECK(b.circuit.view(b.now).throttle == 1);
    b.try_once(77, CallKind::failure);
    CHECK(b.circuit.state() == CircuitState::open);
    CHECK(b.circuit.failing_subjects() == 5);
}

TEST_CASE("circuit: one credential alone does not open it while another one is active") {
    CircuitBench b;
    b.try_once(1000, CallKind::success, 2);
    for (int i = 0; i < 90; ++i) b.try_once(static_cast<std::uint64_t>(i), CallKind::failure, 1);
    CHECK(b.circuit.state() == CircuitState::closed);
    CHECK_FALSE(b.circuit.failures_diverse(b.now));
    b.try_once(1001, CallKind::failure, 2);
    CHECK(b.circuit.state() == CircuitState::open);
}

TEST_CASE("circuit: a caller that was served within ten seconds is active, however fast another one calls") {
    CircuitBench b;
    b.try_once(1000, CallKind::success, 2);
    b.wait(10s - Nanos(1));
    for (std::uint64_t s = 0; s < 300; ++s) REQUIRE(b.try_once(s, CallKind::failure) == Why::admitted);
    CHECK(b.circuit.state() == CircuitState::closed);
    CHECK_FALSE(b.circuit.failures_diverse(b.now));
    CHECK(b.circuit.view(b.now).one_caller);
    CHECK(b.circuit.next_deadline() == b.now.mono + Nanos(1));
    b.wait(Nanos(1));  // nobody else is served any more, and it opens without another failure
    CHECK(b.circuit.state() == CircuitState::open);
    CHECK_FALSE(b.circuit.view(b.now).one_caller);
}

TEST_CASE("circuit: in the ramp who was served by a probe is active, and failures to connect wait for nobody") {
    CircuitBench b(with([](CircuitOptions& o) { o.ramp_steps = {100}; }));
    b.half_open();
    for (std::uint64_t s = 0; s < 5; ++s) b.try_once(s, CallKind::success, 2);
    REQUIRE(b.circuit.state() == CircuitState::closed);
    for (std::uint64_t s = 0; s < 50; ++s) REQUIRE(b.try_once(s, CallKind::failure) == Why::admitted);
    for (std::uint64_t s = 0; s < 5; ++s) b.try_once(s, CallKind::failure, 1, 1ms, true);
    CHECK(b.circuit.view(b.now).cause == CircuitCause::connect_failures);
}

TEST_CASE("circuit: slow answers to another caller are no sign that only one caller's are slow") {
    CircuitBench b(with([](CircuitOptions& o) { o.window_size = 20; }));
    b.try_once(1000, CallKind::success, 2, 3s);
    for (std::uint64_t s = 0; s < 20; ++s) b.try_once(s, CallKind::success, 1, 3s);
    CHECK(b.circuit.view(b.now).cause == CircuitCause::slow_rate);
    CircuitBench c(with([](CircuitOptions& o) { o.window_size = 20; }));
    c.try_once(1000, CallKind::success, 2);
    for (std::uint64_t s = 0; s < 40; ++s) c.try_once(s, CallKind::success, 1, 3s);
    CHECK(c.circuit.state() == CircuitState::closed);
    CHECK(c.circuit.view(c.now).one_caller);
}

TEST_CASE("circuit: connect failures in a row open it before minimum_calls, an answer in between starts anew") {
    CircuitBench b;
    for (int i = 0; i < 4; ++i) b.try_once(static_cast<std::uint64_t>(i), CallKind::failure, 1, 1ms, true);
    b.try_once(9, CallKind::success);
    for (int i = 0; i < 4; ++i) b.try_once(static_cast<std::uint64_t>(10 + i), CallKind::failure, 1, 1ms, true);
    CHECK(b.circuit.state() == CircuitState::closed);
    b.try_once(20, CallKind::failure, 1, 1ms, true);
    CHECK(b.circuit.state() == CircuitState::open);
    CHECK(b.circuit.view(b.now).cause == CircuitCause::connect_failures);
}

TEST_CASE("circuit: slow calls open it, a call of exactly slow_call_duration is not slow") {
    CircuitBench b;
    for (int i = 0; i < 20; ++i) b.try_once(static_cast<std::uint64_t>(i), CallKind::success, 1, 2s);
    CHECK(b.circuit.state() == CircuitState::closed);
    CircuitBench c;
    for (int i = 0; i < 20; ++i) c.try_once(static_cast<std::uint64_t>(i), CallKind::success, 1, 2s + Nanos(1));
    CHECK(c.circuit.state() == CircuitState::open);
    CHECK(c.circuit.view(c.now).cause == CircuitCause::slow_rate);
}

TEST_CASE("circuit: faults of our own count for nothing, throttling is neither failure nor success") {
    CircuitBench b;
    b.tries(200, CallKind::ignored);
    CHECK(b.circuit.view(b.now).window.calls() == 0);
    b.tries(19, CallKind::throttled);
    CHECK(b.circuit.state() == CircuitState::closed);
    CHECK(b.circuit.view(b.now).window.judged() == 0);
}

TEST_CASE("circuit: the throttle lets through min(1, K·accepted/requested)") {
    CircuitBench b;
    b.tries(80, CallKind::success);
    b.tries(20, CallKind::failure);
    REQUIRE(b.circuit.state() == CircuitState::closed);
    CHECK(b.circuit.view(b.now).throttle == Approx(1.05 * 80 / 100));
    int held = 0;
    for (int i = 0; i < 1000; ++i) {
        auto a = b.circuit.admit({1, 1}, b.now, b.rng);
        held += a.why == Why::throttled;
    }
    CHECK(held > 160); // each one held back lowers the share further
    CHECK(b.circuit.view(b.now).throttle < 0.84);
    CircuitBench off(with([](CircuitOptions& o) { o.throttle_below = 0; }));
    off.tries(80, CallKind::success);
    off.tries(20, CallKind::failure);
    CHECK(off.circuit.view(off.now).throttle == 1);
}

TEST_CASE("circuit: a throttle that holds everything back lets go by itself") {
    CircuitBench b;
    b.tries(100, CallKind::throttled);
    CHECK(b.circuit.view(b.now).throttle == Approx(0.01));
    b.wait(60s); // the window of calls is as bad as before, but old
    CHECK(b.try_once(1, CallKind::success) == Why::admitted);
}

TEST_CASE(
    "circuit: open turns half-open by time alone, and the wait doubles with each failed round up to its maximum") {
    CircuitBench b;
    b.open();
    for (const auto wait : {10s, 20s, 40s, 80s, 120s, 120s}) {
        REQUIRE(b.circuit.next_deadline() == b.now.mono + wait);
        b.wait(wait - 1ms);
        REQUIRE(b.circuit.state() == CircuitState::open);
        b.wait(1ms);
        REQUIRE(b.circuit.state() == CircuitState::half_open);
        for (std::uint64_t s = 0; s < 5; ++s) REQUIRE(b.try_once(s, CallKind::failure) == Why::admitted);
        REQUIRE(b.circuit.state() == CircuitState::open);
        REQUIRE(b.circuit.view(b.now).cause == CircuitCause::probes_failed);
    }
}

TEST_CASE("circuit: half-open gives half_open_calls probes, and a dropped permit frees its probe slot") {
    CircuitBench b;
    b.half_open();
    std::vector<Permit> held;
    for (std::uint64_t s = 0; s < 5; ++s) {
        auto a = b.circuit.admit({s, 1}, b.now, b.rng);
        REQUIRE(a.admitted());
        CHECK(a.permit.probe());
        held.push_back(std::move(a.permit));
    }
    CHECK(b.circuit.admit({9, 1}, b.now, b.rng).why == Why::half_open_full);
    held.pop_back();
    CHECK(b.circuit.admit({9, 1}, b.now, b.rng).admitted());
    held.front().report({CallKind::ignored}, b.now);
    CHECK(b.circuit.view(b.now).probes_in_flight == 3);
}

TEST_CASE("circuit: one subject has one probe at a time and none after its probe failed") {
    CircuitBench b;
    b.half_open();
    {
        auto first = b.circuit.admit({1, 1}, b.now, b.rng);
        CHECK(b.circuit.admit({1, 1}, b.now, b.rng).why == Why::half_open_full);
        first.permit.report({CallKind::failure}, b.now);
    }
    CHECK(b.try_once(1, CallKind::failure) == Why::half_open_full);
    for (std::uint64_t s = 2; s < 6; ++s) CHECK(b.try_once(s, CallKind::success) == Why::admitted);
    CHECK(b.circuit.state() == CircuitState::closed); // one poisoned request of five does not keep it open
}

TEST_CASE("circuit: one caller's bad probes are at most half of a round while another caller asks") {
    CircuitBench b;
    b.open();
    CHECK(b.try_once(500, CallKind::success, 2) == Why::open);  // it asks, refused as it is
    b.wait(10s);
    std::vector<Permit> held;
    for (std::uint64_t s = 0; s < 3; ++s) held.push_back(b.circuit.admit({s, 1}, b.now, b.rng).permit);
    CHECK(b.try_once(3, CallKind::failure, 1) == Why::half_open_full);  // in flight they count as well
    for (Permit& p : held) p.report({CallKind::failure}, b.now);
    CHECK(b.try_once(4, CallKind::failure, 1) == Why::half_open_full);
    CHECK(b.try_once(501, CallKind::success, 2) == Why::admitted);
    CHECK(b.try_once(502, CallKind::success, 2) == Why::admitted);
    CHECK(b.circuit.state() == CircuitState::closed);
}

TEST_CASE("circuit: a round that waits for a caller who stays away ends in time, and the next one waits for nobody") {
    CircuitBench b;
    b.half_open();
    CHECK(b.try_once(500, CallKind::failure, 2) == Why::admitted);
    for (std::uint64_t s = 0; s < 3; ++s) CHECK(b.try_once(s, CallKind::failure) == Why::admitted);
    CHECK(b.try_once(4, CallKind::failure) == Why::half_open_full);
    b.wait(30s);
    CHECK(b.circuit.view(b.now).cause == CircuitCause::probe_timeout);
    b.wait(20s);
    REQUIRE(b.circuit.state() == CircuitState::half_open);
    for (std::uint64_t s = 0; s < 5; ++s) CHECK(b.try_once(s, CallKind::success) == Why::admitted);
    CHECK(b.circuit.state() == CircuitState::closed);
}

TEST_CASE("circuit: a healthy centre is closed by one subject's calls in turn") {
    CircuitBench b;
    b.half_open();
    for (int i = 0; i < 5; ++i) CHECK(b.try_once(1, CallKind::success) == Why::admitted);
    CHECK(b.circuit.state() == CircuitState::closed);
}

TEST_CASE("circuit: half-open without a verdict opens again, and probes that hang count as a failed round") {
    CircuitBench b;
    b.half_open();
    auto hung = b.circuit.admit({1, 1}, b.now, b.rng);
    b.wait(30s);
    CHECK(b.circuit.state() == CircuitState::open);
    CHECK(b.circuit.view(b.now).cause == CircuitCause::probe_timeout);
    CHECK(b.circuit.view(b.now).retry_in == Nanos(20s));
    hung.permit.report({CallKind::success}, b.now); // of an older generation
    CHECK(b.circuit.state() == CircuitState::open);
}

TEST_CASE("circuit: sparse good probes add up over rounds that ran out of time") {
    CircuitBench b;
    b.half_open();
    for (std::uint64_t s = 0; s < 3; ++s) b.try_once(s, CallKind::success);
    b.wait(30s);
    CHECK(b.circuit.state() == CircuitState::open);
    b.wait(10s); // not doubled: nothing failed
    REQUIRE(b.circuit.state() == CircuitState::half_open);
    for (std::uint64_t s = 3; s < 5; ++s) b.try_once(s, CallKind::success);
    CHECK(b.circuit.state() == CircuitState::closed);
}

TEST_CASE("circuit: answers of an older generation are not counted") {
    CircuitBench b;
    std::vector<Permit> old;
    for (std::uint64_t s = 0; s < 40; ++s) old.push_back(b.circuit.admit({s, 1}, b.now, b.rng).permit);
    b.half_open();
    for (std::uint64_t s = 0; s < 5; ++s) b.try_once(s, CallKind::success);
    REQUIRE(b.circuit.state() == CircuitState::closed);
    for (auto& p : old) p.report({CallKind::failure}, b.now);
    CHECK(b.circuit.view(b.now).window.calls() == 0);
    CHECK(b.circuit.state() == CircuitState::closed);
}

TEST_CASE("circuit: after closing, the ramp admits its share step by step and then everything") {
    CircuitBench b;
    b.half_open();
    for (std::uint64_t s = 0; s < 5; ++s) b.try_once(s, CallKind::success);
    for (const std::uint32_t percent : {5u, 10u, 25u, 50u, 100u}) {
        REQUIRE(b.circuit.view(b.now).ramp == percent);
        int in = 0;
        for (int i = 0; i < 4000; ++i) in += b.circuit.admit({1, 1}, b.now, b.rng).admitted();
        CHECK(in == Approx(40.0 * percent).margin(120));
        b.wait(6s);
    }
    CHECK_FALSE(b.circuit.view(b.now).ramp);
    CHECK_FALSE(b.circuit.next_deadline());
}

TEST_CASE("circuit: failures in the ramp take one step back") {
    CircuitBench b(with([](CircuitOptions& o) { o.minimum_calls = 1000, o.ramp_steps = {50, 60, 100}; }));
    b.circuit.force(Forced::open, b.now.mono + 1s, b.now);
    b.wait(1s);
    REQUIRE(b.circuit.state() == CircuitState::half_open);
    for (std::uint64_t s = 0; s < 5; ++s) b.try_once(s, CallKind::success);
    b.wait(6s);
    REQUIRE(b.circuit.view(b.now).ramp == 60u);
    b.tries(200, CallKind::failure);
    b.wait(6s);
    CHECK(b.circuit.view(b.now).ramp == 50u);
    b.tries(200, CallKind::failure);
    b.wait(6s);
    CHECK(b.circuit.view(b.now).ramp == 50u); // not below the first
    b.wait(6s);
    CHECK(b.circuit.view(b.now).ramp == 60u);
}

TEST_CASE(
    "circuit: forced open calls nothing until its end, then probes, forced closed ignores failures until its end") {
    CircuitBench b;
    b.circuit.force(Forced::open, b.now.mono + 60s, b.now);
    CHECK(b.circuit.outage_since());
    b.wait(59s);
    CHECK(b.try_once(1, CallKind::success) == Why::open);
    CHECK(b.circuit.view(b.now).retry_in == Nanos(1s));
    CHECK_FALSE(b.circuit.failures_diverse(b.now));  // nobody's failures opened it
    b.wait(1s);
    CHECK(b.circuit.state() == CircuitState::half_open);
    b.circuit.force(Forced::closed, b.now.mono + 60s, b.now);
    CHECK_FALSE(b.circuit.outage_since());
    b.tries(100, CallKind::failure);
    CHECK(b.circuit.state() == CircuitState::closed);
    b.wait(60s);
    CHECK(b.circuit.state() == CircuitState::open); // the window speaks again
}

TEST_CASE("circuit: the operator's live gives permits that move nothing while it is open") {
    CircuitBench b;
    b.open();
    for (std::uint64_t s = 0; s < 50; ++s) b.circuit.admit_always({s, 1}, b.now).report({CallKind::success}, b.now);
    CHECK(b.circuit.state() == CircuitState::open);
    b.circuit.force(Forced::closed, b.now.mono + 1s, b.now);
    b.circuit.admit_always({1, 1}, b.now).report({CallKind::failure}, b.now);
    CHECK(b.circuit.view(b.now).window.failures == 1);
}

TEST_CASE("circuit: what the operator's live asks while an order holds it open is evidence, and moves nothing") {
    for (const bool fleets : {false, true}) {
        CircuitBench b(with([](CircuitOptions& o) { o.window_type = WindowType::time; }));
        const auto live = [&b](std::uint64_t subject, CallKind kind, std::uint64_t credential = 1) {
            b.circuit.admit_always({subject, credential}, b.now).report({kind, true}, b.now);
            CHECK(b.circuit.state() == CircuitState::open);
        };
        b.circuit.force(Forced::open, b.now.mono + (fleets ? 1s : 60s), b.now);
        Leased said;
        said.forced = Forced::open;
        said.forced_until = b.now.mono + 60s;
        if (fleets) b.circuit.adopt(said, b.now);
        b.wait(1s);  // below the fleet's order its own circuit is half-open
        for (int i = 0; i < 30; ++i) live(1, CallKind::failure);
        for (std::uint64_t s = 2; s < 5; ++s) live(s, CallKind::failure);
        CHECK_FALSE(b.circuit.failures_diverse(b.now));
        live(5, CallKind::failure);
        CHECK(b.circuit.failures_diverse(b.now));
        CHECK(b.circuit.view(b.now).window.failures == 34);
        live(6, CallKind::success, 2);
        CHECK_FALSE(b.circuit.failures_diverse(b.now));
        live(7, CallKind::failure, 2);
        CHECK(b.circuit.failures_diverse(b.now));
        b.wait(11s);
        CHECK_FALSE(b.circuit.failures_diverse(b.now));
    }
}

TEST_CASE("circuit: what the operator's live asks are the probes of half-open, and beyond them it asks on") {
    CircuitBench b;
    b.open();
    b.wait(10s);
    for (std::uint32_t s = 0; s < CircuitOptions{}.half_open_calls; ++s) {
        Permit probe = b.circuit.admit_always({s, 1}, b.now);
        REQUIRE(probe.probe());
        CHECK_FALSE(b.circuit.admit_always({s, 1}, b.now).probe());  // of the same subject
        CHECK(b.circuit.state() == CircuitState::half_open);
        probe.report({CallKind::success}, b.now);
    }
    CHECK(b.circuit.state() == CircuitState::closed);
}

TEST_CASE("circuit: a time window forgets each try ten seconds later") {
    CircuitBench b(with([](CircuitOptions& o) { o.window_type = WindowType::time; }));
    for (int i = 0; i < 10; ++i) {
        b.try_once(static_cast<std::uint64_t>(i), CallKind::failure);
        b.wait(1s);
    }
    CHECK(b.circuit.view(b.now).window.failures == 9);
    CHECK(b.circuit.failing_subjects() == 9);
    b.wait(9s);
    CHECK(b.circuit.view(b.now).window.failures == 0);
}

TEST_CASE("circuit: a snapshot brings back the rest of the wait, on this boot and on another") {
    CircuitBench b;
    b.open();
    b.wait(4s);
    const std::string kept = b.circuit.snapshot(b.now, 11);
    CircuitBench same;
    same.now = {b.now.mono + 1s, b.now.wall - 3h}; // this boot: the wall clock does not matter
    CHECK(same.circuit.view(same.now).cause == CircuitCause::started);
    REQUIRE(same.circuit.restore(kept, same.now, 11));
    CHECK(same.circuit.view(same.now).retry_in == Nanos(5s));
    CHECK(same.circuit.outage_since()->mono == b.circuit.outage_since()->mono);
    CircuitBench other;
    other.now = {MonoTime(3s), b.now.wall + 2s};
    REQUIRE(other.circuit.restore(kept, other.now, 12));
    CHECK(other.circuit.view(other.now).retry_in == Nanos(4s));
    CHECK(other.circuit.outage_since()->wall == b.circuit.outage_since()->wall);
    CHECK(other.now.mono - other.circuit.outage_since()->mono == Nanos(6s));
    CircuitBench back;
    back.now = {MonoTime(3s), b.now.wall - 1h}; // a wall clock that went back makes the wait no shorter
    REQUIRE(back.circuit.restore(kept, back.now, 12));
    CHECK(back.circuit.view(back.now).retry_in == Nanos(6s));
    CHECK(back.circuit.failures_diverse(back.now));
}

TEST_CASE("circuit: a snapshot that is not one is refused and changes nothing") {
    CircuitBench b;
    b.half_open();
    const std::string good = b.circuit.snapshot(b.now, 1);
    CircuitBench c;
    for (std::size_t cut = 0; cut < good.size(); ++cut) REQUIRE_FALSE(c.circuit.restore(good.substr(0, cut), c.now, 1));
    const auto swapped = [&](std::string from, std::string to) {
        std::string s = good;
        s.replace(s.find(from), from.size(), to);
        return s;
    };
    CHECK_FALSE(c.circuit.restore(swapped("\"v\":2", "\"v\":1"), c.now, 1));
    CHECK_FALSE(c.circuit.restore(swapped("\"state\":1", "\"state\":3"), c.now, 1));
    CHECK_FALSE(c.circuit.restore(swapped("\"state\":1", "\"state\":0"), c.now, 1));
    CHECK_FALSE(c.circuit.restore(swapped("\"forced\":0", "\"forced\":2"), c.now, 1));
    CHECK_FALSE(c.circuit.restore(swapped("\"ramp\":-1", "\"ramp\":1"), c.now, 1));
    CHECK_FALSE(c.circuit.restore(swapped("\"mono\":", "\"mono\":9999999"), c.now, 1));
    CHECK_FALSE(c.circuit.restore(good + "x", c.now, 1));
    CHECK(c.circuit.state() == CircuitState::closed);
    CHECK(c.circuit.revision() == 0);
    CHECK(c.circuit.restore(good, c.now, 1));
    CHECK(c.circuit.state() == CircuitState::half_open);
}

TEST_CASE("circuit: transitions are told once, in order, and at most kTransitionsMax are kept") {
    CircuitBench b;
    b.half_open();
    const auto told = b.circuit.take_transitions();
    REQUIRE(told.size() == 2);
    CHECK(told[0].to == CircuitState::open);
    CHECK(told[0].wait == Nanos(10s));
    CHECK(told[0].failing_subjects == 10);
    CHECK(told[1].cause == CircuitCause::open_wait_over);
    CHECK(b.circuit.take_transitions().empty());
    for (int i = 0; i < 40; ++i) {
        b.circuit.force(i % 2 ? Forced::open : Forced::closed, b.now.mono + 1h, b.now);
    }
    const auto last = b.circuit.take_transitions();
    CHECK(last.size() == Circuit::kTransitionsMax);
    CHECK(last.back().to == CircuitState::open);
}

TEST_CASE("circuit: option errors name their key, and a minimum above the window is only a warning") {
    const auto keys = [](CircuitOptions o) {
        std::string all;
        for (const auto& p : check(o)) all += (p.warning ? "~" : "") + p.key + " ";
        return all;
    };
    CHECK(keys({}) == "");
    CHECK(keys(with([](CircuitOptions& o) { o.minimum_calls = 101; })) == "~minimum_calls ");
    CHECK(keys(with([](CircuitOptions& o) { o.failure_rate_threshold = 0; })) == "failure_rate_threshold ");
    CHECK(keys(with([](CircuitOptions& o) { o.open_wait_max = 9s; })) == "open_wait_max ");
    CHECK(keys(with([](CircuitOptions& o) { o.ramp_steps = {10, 5}; })) == "recovery_ramp.steps ");
    CHECK(keys(with([](CircuitOptions& o) { o.min_subjects = 513; })) == "min_subjects ");
    CHECK(keys(with([](CircuitOptions& o) { o.window_size = 10001; })) == "sliding_window.size ");
}
