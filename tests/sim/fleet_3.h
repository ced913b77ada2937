// Three nodes (or so many as a case asks for) that have joined their fleet, closed; judged when the case ends. Only for
// the cases of the shared circuit.
#pragma once

#include <catch2/catch.hpp>

#include "tests/sim/fleet_world.h"

namespace holdfast::sim {

inline void FleetWorld::no_violations() {
    std::string all;
    for (const std::string& one : violations) all += one + "\n";
    CHECK(all == "");
}

struct Fleet3 : FleetWorld {
    explicit Fleet3(std::size_t n = 3, std::uint64_t seed = 1, FleetOptions o = {})
        : FleetWorld(n, seed, std::move(o)) {
        start();
        REQUIRE(run_until([this] { return all_shared() && all_are(CircuitState::closed); }, 15s));
    }
    ~Fleet3() { no_violations(); }
    void open_fleet() {
        centre = false;
        const auto open = [this] { return state()->state == CircuitState::open && all_are(CircuitState::open); };
        REQUIRE(run_until(open, 15s));
    }
    // After an outage the store of before it comes back, and no node believes it. What they know better.
    StateRecord falls_back() {
        const MemoryStore older = store.data();
        open_fleet();
        centre = true;
        recovers();
        const StateRecord known = *state();
        store.restore(older);
        run(15s);
        REQUIRE(all([](FleetNode& n) { return !n.shared(); }));
        return known;
    }
    // All shared and closed again, with a recovery ramp behind them.
    void recovers(Nanos limit = 120s) {
        const auto well = [this] {
            return all_shared() && all_are(CircuitState::closed) && state()->state == CircuitState::closed;
        };
        REQUIRE(run_until(well, limit));
    }
    FleetNode& holder() { // of the probe, waited for
        REQUIRE(run_until([this] { return !prober().empty(); }, 20s));
        for (auto& n : nodes)
            if (n->name == prober()) return *n;
        FAIL("the prober is unknown");
        return node(0);
    }
    Result<void> order(std::size_t at, FleetOrder what, Nanos span) {
        Result<void> result = fail(Code::internal, Origin::local, "no answer");
        bool told = false;
        node(at).fleet->order(what, span, "uid 0", "drill", [&](const Result<void>& r) { result = r, told = true; });
        REQUIRE(run_until([&] { return told; }, 10s));
        return result;
    }
};

} // namespace holdfast::sim
