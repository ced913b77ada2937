// Nodes that come into a fleet, records in its store that are none of its nodes', and memory that is lost: what counts,
// what is believed, and how soon.
#include <catch2/catch.hpp>

#include "tests/sim/fleet_3.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

constexpr CircuitState kClosed = CircuitState::closed, kOpen = CircuitState::open, kHalf = CircuitState::half_open;

std::string life(const std::string& more = {}) {
    return R"({"v":1,"instance":"life","region":"there","epoch":1,"own":"CLOSED","proof":false,"wall_ms":1)" + more +
           "}";
}

}  // namespace

TEST_CASE("fleet: a node with proof that probes for the others goes on serving its own callers, and does not ramp") {
    Fleet3 f(4);
    f.node(0).road = f.node(1).road = false;
    REQUIRE(f.run_until([&] { return f.state()->state == kOpen; }, 15s));
    f.node(1).crash();
    f.run(1s);
    REQUIRE(f.node(2).state() == kClosed);
    REQUIRE(f.node(3).state() == kClosed);
    const std::uint64_t refused = f.node(2).refused + f.node(3).refused;
    REQUIRE(f.run_until([&] { return f.prober() == "pop-2" || f.prober() == "pop-3"; }, 120s));
    REQUIRE(f.run_until([&] { return f.state()->state == kClosed; }, 60s));
    CHECK((f.state()->by == "pop-2" || f.state()->by == "pop-3"));
    CHECK(f.newest_probe_epoch == f.state()->epoch - 1);
    f.run(10s);
    CHECK(f.node(2).refused + f.node(3).refused == refused);
}

TEST_CASE("fleet: a probe without a lease is nobody's, and holds up no other") {
    for (const bool half_open : {false, true}) {
        Fleet3 f;
        f.open_fleet();
        if (half_open) f.holder().crash();
        f.put("probe/central", encode(ProbeRecord{"ghost", f.state()->epoch + (half_open ? 0 : 1)}));
        f.run(2s);
        for (auto& n : f.nodes)
            if (n->running()) CHECK(n->fleet->status().prober != "ghost");
        f.centre = true;
        REQUIRE(f.run_until([&] { return f.state()->state == kClosed; }, 40s));
        CHECK(f.prober() == "");
        for (auto& n : f.nodes)
            if (!n->running()) n->start();
        f.recovers();
    }
}

TEST_CASE("fleet: what is registered without a lease, or for another upstream, counts for nothing") {
    Fleet3 f;
    f.put("node/by-hand", life());
    f.put("node/garbage-by-hand", "?");
    for (int i = 0; i < 4; ++i) {
        const std::string name = "other-" + std::to_string(i);
        f.put("node/" + name, life(R"(,"upstream":"alipay")"), true);
        f.put("vote/central/" + name, encode(VoteRecord{f.state()->epoch, "x", 9, 9, 0, "w", 9}), true);
    }
    f.run(2s);
    CHECK(f.node(0).fleet->status().live == 3);
    CHECK(f.node(0).fleet->status().votes == 0);
    CHECK(f.node(0).fleet->status().needed == 2);
    f.put("node/older-version", life(), true);  // does not tell its upstream
    f.run(2s);
    CHECK(f.node(0).fleet->status().live == 4);
    f.node(0).road = f.node(1).road = false;
    CHECK(f.run_until([&] { return f.state()->state == kOpen; }, 15s));
    f.node(0).road = f.node(1).road = true;
    f.recovers();
}

TEST_CASE("fleet: a record without a lease takes no node's name from it") {
    Fleet3 f;
    f.excused_leases = true;
    f.put("node/pop-0", life());
    f.run(8s);
    CHECK(f.node(0).shared());
    CHECK(f.node(1).fleet->status().live == 3);
}

TEST_CASE("fleet: a node that has just joined, and those that it joined, open as soon as their writes may leave") {
    for (const bool newcomer : {true, false}) {
        FleetOptions o;
        o.local_proof = false;
        Fleet3 f(4, 1, o);
        f.node(3).crash();
        f.run(20s);
        f.node(0).road = false;
        REQUIRE(f.run_until([&] { return f.node(1).fleet->status().votes == 1; }, 15s));
        REQUIRE(f.run_until([&] { return f.node(1).fleet->status().live == 3; }, 15s));
        FleetNode& second = f.node(newcomer ? 3 : 1);
        if (newcomer) second.road = false;
        f.node(3).start();
        REQUIRE(f.run_until([&] { return f.node(1).fleet->status().live == 4; }, 2s));
        second.road = false;
        REQUIRE(f.run_until([&] { return second.own() == kOpen; }, 5s));
        // The second between two writes of the newcomer, the jitter, and round trips of a few milliseconds.
        CHECK(f.run_until([&] { return f.state()->state == kOpen; }, newcomer ? 1300ms : 600ms));
        f.node(0).road = second.road = true;
        f.recovers();
    }
}

TEST_CASE("fleet: a node that joins an open fleet is bound by it within half a second") {
    Fleet3 f(4);
    f.node(3).crash();
    f.open_fleet();
    f.node(3).every = 0s;
    f.node(3).disk = {};
    f.node(3).start();
    CHECK(f.run_until([&] { return f.node(3).state() != kClosed; }, 500ms));
    f.centre = true;
    f.recovers();
}

TEST_CASE("fleet: that a store was older is not forgotten over a restart") {
    Fleet3 f;
    const StateRecord known = f.falls_back();
    for (auto& n : f.nodes) n->crash();
    f.put("state/central", encode(StateRecord{kHalf, known.epoch + 1, "override", "pop-9", 0, 0}));
    for (auto& n : f.nodes) n->start();
    f.run(10s);
    CHECK(f.all([](FleetNode& n) { return !n.shared() && n.state() == kClosed; }));
    for (auto& n : f.nodes) CHECK(n->fleet->status().alarm.find("has been written since") != std::string::npos);
    // A store that holds what the node knew is the right one.
    f.put("state/central", encode(known));
    REQUIRE(f.run_until([&] { return f.all_shared(); }, 20s));
    f.run(1s);
    CHECK(f.all([](FleetNode& n) { return n.fleet->status().alarm.empty(); }));
    for (auto& n : f.nodes) n->restart();
    f.put("state/central", encode(StateRecord{kClosed, known.epoch + 1, "probes_succeeded", "pop-9", 0, 0}));
    f.recovers();
    f.violations.clear();  // the epoch fell, by the hand that restored it
}

TEST_CASE("fleet: an override whose author's clock is slow binds a node without memory as it does the others") {
    Fleet3 f;
    f.node(0).view.jump_wall(-20min);
    f.run(1min);
    REQUIRE(f.order(0, FleetOrder::degraded, 15min));
    f.run(2s);
    f.node(1).crash();
    f.node(1).disk = {};
    f.node(1).start();
    REQUIRE(f.run_until([&] { return f.node(1).shared(); }, 15s));
    CHECK(f.node(1).fleet->order_in_force() == FleetOrder::degraded);
    f.node(1).view.jump_wall(1h);  // it is by the author's clock alone from here on
    f.run(14min);
    CHECK(f.node(1).fleet->order_in_force() == FleetOrder::degraded);
    f.run(2min);
    CHECK(f.node(1).fleet->order_in_force() == FleetOrder::none);
}
