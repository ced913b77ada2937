// An override of the fleet that came and went while a node's own probe was in flight kept the probe's place: the next
// probe waited for half_open_wait, since in a fleet only one is in flight at a time.
#include <catch2/catch.hpp>

#include "upstream/circuit.h"

using namespace holdfast;

TEST_CASE("regress: a probe in flight when the fleet's override comes and goes holds no place afterwards") {
    Now now{MonoTime(1000s), WallTime(Seconds(1'767'312'000))};
    Rng rng(7);
    CircuitOptions options;
    options.throttle_below = 0;
    Circuit circuit(options, now);
    std::uint64_t subject = 0;
    Leased said;
    said.bind = Leased::Bind::closed;
    said.epoch = 1;
    said.until = now.mono + 60s;
    circuit.adopt(said, now);
    for (int i = 0; i < 20; ++i) {
        auto a = circuit.admit({++subject, subject % 3}, now, rng);
        if (a.admitted()) a.permit.report({CallKind::failure, false, 10ms}, now);
    }
    now.mono += 10s;
    circuit.tick(now);
    REQUIRE(circuit.state() == CircuitState::half_open);
    auto held = circuit.admit({++subject, 1}, now, rng);
    REQUIRE(held.admitted());
    said.forced = Forced::open;
    said.forced_until = now.mono + 30s;
    circuit.adopt(said, now);
    REQUIRE(circuit.state() == CircuitState::open);
    said.forced = Forced::none;
    circuit.adopt(said, now);
    REQUIRE(circuit.state() == CircuitState::half_open);
    held.permit.report({CallKind::success, false, 10ms}, now);
    CHECK(circuit.view(now).probes_in_flight == 0);
    CHECK(circuit.admit({++subject, 1}, now, rng).admitted());
}
