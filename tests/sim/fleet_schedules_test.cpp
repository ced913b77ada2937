// The schedules that the shared circuit must survive, one by one; safety is judged throughout (fleet_rules).
#include <catch2/catch.hpp>

#include "tests/sim/fleet_3.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

constexpr CircuitState kClosed = CircuitState::closed, kOpen = CircuitState::open;

} // namespace

TEST_CASE("fleet: nodes join, and two whose road fails open the third within two seconds when it has no proof") {
    FleetOptions o;
    o.local_proof = false;
    Fleet3 f(3, 1, o);
    f.run(5s);
    f.node(0).road = f.node(1).road = false;
    REQUIRE(f.run_until([&] { return f.node(0).own() == kOpen && f.node(1).own() == kOpen; }, 15s));
    CHECK(f.run_until([&] { return f.node(2).state() == kOpen; }, 2s));
    CHECK(f.node(2).own() == kClosed);
    CHECK(f.state()->state == kOpen);
    CHECK(f.state()->subjects >= 5);
    f.node(0).road = f.node(1).road = true;
    f.recovers();
    CHECK(f.node(2).circuit->view(f.node(2).view.now()).ramp.has_value());
}

TEST_CASE("fleet: one alone opens nobody, and is open for itself") {
    Fleet3 f;
    f.node(0).road = false;
    REQUIRE(f.run_until([&] { return f.node(0).state() == kOpen; }, 15s));
    f.run(8s);
    CHECK(f.state()->state == kClosed);
    CHECK(f.node(1).state() == kClosed);
    f.node(0).road = true;
    f.recovers();
}

TEST_CASE("fleet: a node with fresh proof of its own stays out of an open central circuit, and does not close it") {
    Fleet3 f;
    f.node(0).road = f.node(1).road = false;
    REQUIRE(f.run_until([&] { return f.state()->state == kOpen; }, 15s));
    f.run(60s);
    CHECK(f.node(2).state() == kClosed);
    CHECK(f.state()->state != kClosed); // probed by those whose road is dead
    CHECK(f.state()->rounds > 0);
    f.node(0).road = f.node(1).road = true;
    f.recovers(300s);
}

TEST_CASE("fleet: a centre that dies opens all, and healed it closes all, by one prober and a ramp") {
    Fleet3 f;
    f.open_fleet();
    f.run(5s);
    f.centre = true;
    f.recovers();
    CHECK(f.state()->cause == "probes_succeeded");
    CHECK(f.newest_probe_epoch + 1 == f.state()->epoch);
    CHECK(f.all([&](FleetNode& n) { return n.circuit->view(n.view.now()).ramp.has_value() || n.own() == kClosed; }));
}

TEST_CASE("fleet: schedule 1, a prober paused between check and send wakes up: the clock before the bytes stops it") {
    Fleet3 f;
    f.open_fleet();
    FleetNode& holder = f.holder();
    const std::uint64_t epoch = f.state()->epoch;
    holder.pause_before_send = 1ms;
    holder.view.stall(30s);
    f.centre = true;
    REQUIRE(f.run_until([&] { return f.state()->epoch > epoch; }, 60s));
    CHECK(f.state()->by != holder.name);
    f.run(40s);
    f.recovers();
}

TEST_CASE("fleet: schedule 1 with the clock not read: one extra probe, and its late result changes nothing") {
    Fleet3 f;
    f.excused_probes = true;
    f.open_fleet();
    FleetNode& holder = f.holder();
    holder.ignores_clock = true;
    holder.pause_before_send = 1ms;
    holder.view.stall(30s);
    f.run(29s);
    f.centre = true;
    f.run(60s);
    f.recovers();
}

TEST_CASE("fleet: schedule 2, answers to renewals delayed by 0.9 of the lease: the node falls back on time") {
    Fleet3 f;
    f.node(0).store.keep_answer_delay = 9s;
    for (int lease = 0; lease < 3; ++lease) { // each granted anew, which is answered, and believed to its end only
        CHECK(f.run_until([&] { return !f.node(0).shared(); }, 10s));
        CHECK(f.run_until([&] { return f.node(0).shared(); }, 10s));
        CHECK(f.store.data().leases().size() <= 4);
    }
    CHECK(f.node(1).shared());
    f.node(0).store.keep_answer_delay = 0s;
    f.recovers();
}

TEST_CASE("fleet: schedule 3, a lost grant answer leaves an orphan lease that nobody minds") {
    FleetWorld f(2);
    f.node(0).store.lose_grants = 2;
    f.start();
    CHECK(f.run_until([&] { return f.all_shared(); }, 30s));
    f.run(30s);
    CHECK(f.store.data().leases().size() == 2);
    f.no_violations();
}

TEST_CASE("fleet: schedules 5 and 6, a lease revoked early, renewals that lie: registered anew, never two truths") {
    for (const bool lies : {false, true}) {
        Fleet3 f;
        f.excused_leases = f.excused_probes = true;
        f.open_fleet();
        f.node(0).store.keep_lies = lies;
        for (const LeaseId lease : f.store.data().leases()) f.store.data().revoke(lease, f.loop.now().mono);
        f.store.changed();
        f.run(30s);
        CHECK(f.node(0).shared()); // while they lie too: a key that cannot be hung on its lease says so
        f.node(0).store.keep_lies = false;
        f.centre = true;
        f.recovers();
    }
}

TEST_CASE("fleet: schedule 7, a leader change stretches leases: a dead prober is replaced after two of them") {
    Fleet3 f;
    f.open_fleet();
    FleetNode& holder = f.holder();
    holder.crash();
    f.run(8s);
    f.store.data().stretch_leases(f.loop.now().mono);
    f.store.changed();
    f.centre = true;
    CHECK(f.run_until([&] { return f.state()->state == kClosed; }, 20s + 10s));
    holder.start();
    f.recovers();
}

TEST_CASE("fleet: schedule 8, a machine suspended for 60 s is autonomous the moment it wakes") {
    Fleet3 f;
    f.node(0).view.stall(60s);
    f.run(61s);
    CHECK(f.node(0).saw("autonomous: the lease could have run out"));
    f.recovers();
}

TEST_CASE("fleet: schedule 9, wall clocks that jump by an hour change no lease, backoff or wait") {
    for (const Nanos jump : {Nanos(1h), Nanos(-1h)}) {
        Fleet3 f;
        f.node(0).view.jump_wall(jump);
        f.run(5s);
        f.open_fleet();
        f.loop.jump_wall(jump);
        const MonoTime opened = f.loop.now().mono;
        f.centre = true;
        REQUIRE(f.run_until([&] { return f.state()->state != kOpen; }, 20s));
        CHECK(f.loop.now().mono - opened > 8s);
        f.recovers();
    }
}

TEST_CASE("fleet: schedule 10, clocks 0.1 % apart in opposite directions keep every rule") {
    Fleet3 f;
    f.node(0).view.set_drift(-1000);
    f.node(1).view.set_drift(1000);
    f.run(60s);
    f.open_fleet();
    f.run(60s);
    f.centre = true;
    f.recovers();
}

TEST_CASE("fleet: schedules 11 and 12, one cut off either way or both, then a majority") {
    for (int kind = 0; kind < 3; ++kind) {
        for (std::size_t cut = 1; cut <= 2; ++cut) {
            Fleet3 f(3, static_cast<std::uint64_t>(kind) + 10 * cut);
            for (std::size_t i = 0; i < cut; ++i) {
                f.node(i).store.to = kind == 1;
                f.node(i).store.back = kind == 0;
            }
            f.run(15s);
            CHECK_FALSE(f.node(0).shared());
            CHECK(f.node(2).shared());
            f.centre = false;
            CHECK(f.run_until([&] { return f.all_are(kOpen); }, 10s)); // L1: with or without a store
            f.centre = true;
            CHECK(f.run_until([&] { return f.node(0).state() == kClosed; }, 60s));
            for (std::size_t i = 0; i < cut; ++i) f.node(i).store.to = f.node(i).store.back = true;
            f.recovers();
        }
    }
}

TEST_CASE("fleet: schedule 13, all lose the store while open, and while half-open") {
    for (const bool half : {false, true}) {
        Fleet3 f;
        f.open_fleet();
        if (half) REQUIRE(f.run_until([&] { return !f.prober().empty(); }, 15s));
        f.store.set_frozen(true);
        f.run(12s);
        CHECK(f.all([](FleetNode& n) { return !n.shared() && n.state() != kClosed; }));
        f.centre = true;
        CHECK(f.run_until([&] { return f.all_are(kClosed); }, 130s)); // each for itself
        f.store.set_frozen(false);
        f.recovers();
    }
}

TEST_CASE("fleet: schedule 14, a store back with older data: autonomous, an alarm, and the operator decides") {
    Fleet3 f;
    const MemoryStore older = f.store.data();
    f.open_fleet();
    f.run(2s);
    f.store.restore(older);
    f.run(15s);
    CHECK(f.all([](FleetNode& n) { return !n.shared() && n.saw("the store is older than this node"); }));
    f.centre = true;
    CHECK(f.run_until([&] { return f.all_are(kClosed); }, 130s));
    CHECK_FALSE(f.node(0).shared());
    for (auto& n : f.nodes) n->fleet->accept_store();
    REQUIRE(f.run_until([&] { return f.all_shared(); }, 30s));
    f.violations.clear(); // the epoch fell by the operator's word
    f.recovers();
}

TEST_CASE("fleet: schedule 14, a store with older data that others have written on from there is not believed") {
    Fleet3 f;
    const StateRecord before = *f.state();
    const StateRecord known = f.falls_back();
    for (std::uint64_t epoch = before.epoch + 1; epoch <= known.epoch + 2; ++epoch) {
        f.put("state/central", encode(StateRecord{kOpen, epoch, "override", "pop-9", 0, 0}));
        f.run(6s);
        CHECK(f.all([](FleetNode& n) { return !n.shared() && n.state() == kClosed; }));
    }
    CHECK(f.all([](FleetNode& n) { return n.saw("has been written since"); }));
    f.violations.clear();  // the epoch fell, by the hand that restored it
    for (auto& n : f.nodes) n->fleet->accept_store();
    f.recovers();
    f.violations.clear();  // the epoch fell by the operator's word
}
