// Rounds of probes that saw no call at all: the node that had one lets others begin first, and nothing else changes.
#include <catch2/catch.hpp>

#include "tests/sim/fleet_3.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

constexpr CircuitState kClosed = CircuitState::closed, kOpen = CircuitState::open, kHalf = CircuitState::half_open;

struct Idle : Fleet3 {
    using Fleet3::Fleet3;
    // A round of probes that no node has a call for; who had it.
    FleetNode& idle_round() {
        for (auto& n : nodes) n->every = 0s;
        REQUIRE(run_until([this] { return state()->cause == "probe_timeout"; }, 60s));
        for (auto& n : nodes)
            if (n->name == state()->by) return *n;
        FAIL("the prober is unknown");
        return node(0);
    }
    bool closes(Nanos limit) {
        return run_until([this] { return state()->state == kClosed; }, limit);
    }
};

}  // namespace

TEST_CASE("fleet: a node alone whose round saw no call probes again after the open wait") {
    Idle f(1);
    f.open_fleet();
    f.centre = true;
    FleetNode& only = f.idle_round();
    only.every = 20ms;
    CHECK(f.closes(12s));
    f.recovers();
}

TEST_CASE("fleet: after an override and a round without calls a node alone offers to probe again after the open wait") {
    Idle f(1);
    REQUIRE(f.order(0, FleetOrder::open, 5min));
    f.run(2s);
    REQUIRE(f.order(0, FleetOrder::none, 0s));
    FleetNode& only = f.idle_round();
    only.every = 20ms;
    CHECK(f.closes(16s));  // open wait, then the wait of a node without evidence
    f.recovers();
}

TEST_CASE("fleet: a node whose round saw no call votes for opening as ever once the fleet has been closed") {
    Idle f(2);
    f.open_fleet();
    FleetNode& idle = f.idle_round();
    f.centre = true;
    for (auto& n : f.nodes)
        if (n.get() != &idle) n->every = 20ms;
    REQUIRE(f.closes(20s));
    CHECK(f.state()->by != idle.name);  // who had calls went first
    idle.every = 20ms;
    f.recovers();
    f.run(10s);
    f.centre = false;
    REQUIRE(f.run_until([&] { return f.all([](FleetNode& n) { return n.own() == kOpen; }); }, 15s));
    CHECK(f.run_until([&] { return f.state()->state == kOpen; }, 2s));
}

TEST_CASE("fleet: voters whose rounds saw no call do not keep a node with calls from offering to probe") {
    FleetOptions o;
    o.local_proof = false;
    Idle f(3, 3, o);
    f.node(2).every = 1s;  // too few calls to open by itself
    f.run(2s);
    f.open_fleet();
    for (auto& n : f.nodes)
        if (n.get() != &f.node(2)) n->every = 0s;
    f.centre = true;
    f.node(2).every = 500ms;
    CHECK(f.closes(130s));  // a round of each voter at most, then its own
    CHECK(f.state()->by == "pop-2");
}

TEST_CASE("fleet: where every round saw no call they go on, one after the other, and the first with calls closes it") {
    Idle f(3);
    f.open_fleet();
    f.centre = true;
    FleetNode& first = f.idle_round();
    const std::uint64_t epoch = f.state()->epoch;
    std::string second;
    REQUIRE(f.run_until([&] { return f.state()->state == kHalf && f.state()->epoch == epoch + 1; }, 20s));
    second = f.state()->by;
    CHECK(second != first.name);
    f.run(150s);
    CHECK(f.state()->epoch >= epoch + 6);
    for (auto& n : f.nodes) n->every = 20ms;
    CHECK(f.closes(20s));
    f.recovers();
}
