// Who is let through in an outage by order: those of the scenes that the order binds. Through one whole node.
#include <fmt/format.h>

#include "tests/regress/node_bench.h"

using namespace holdfast;
using namespace holdfast::sim;

TEST_CASE("outage: an order of the node lets nobody through in a scene that is ordered live") {
    OneNode one;
    exchange(one.config, "base = \"50ms\"\n", "base = \"50ms\"\nattempts = 0\n");
    exchange(one.config, "[upstream.circuit]\n", "[upstream.circuit]\nthrottle_below = 0\n");
    REQUIRE(one.start());
    plan(one, [](CentrePlan&) {});
    for (int i = 0; i < 15; ++i)
        REQUIRE(one.ask(fmt::format("g-{}", i), "OPEN", fmt::format("good-{}", i)).status == 200);
    degrade(one);
    degrade(one, Mode::live, "OPEN");
    one.run_for(NodeNumbers::kAfter + 1s);
    plan(one, [](CentrePlan& p) { p.mode = CentreMode::error; });
    for (int i = 0; i < 6; ++i) {
        const auto got = one.ask(fmt::format("b-{}", i), "OPEN", fmt::format("bad-{}", i));
        CHECK(got.status == 502);
    }
    REQUIRE(one.parts().upstream.circuit().state() == CircuitState::closed);
    CHECK(one.ask("l-1", "LOGIN", "user-1").text("outcome") == "provisional");
    // Its own begins with the end of its order, and needs its time, over a kill as well.
    degrade(one, Mode::automatic, "OPEN");
    one.run_for(2s);
    CHECK(one.ask("a-1", "OPEN", "user-1").status == 503);
    one.crash();
    REQUIRE(one.start());
    CHECK(one.ask("a-2", "OPEN", "user-1").status == 503);
    one.run_for(NodeNumbers::kAfter - 1500ms);
    CHECK(one.ask("a-3", "OPEN", "user-1").text("outcome") == "provisional");
}
