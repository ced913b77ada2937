// An operator's order that is renewed while the one before it ends: what was confirmed is on disk, whichever of the two
// came first.
#include <catch2/catch.hpp>

#include "edge/operators.h"
#include "tests/sim/one_node.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

bool degrade(OneNode& one, const std::string& scene, Nanos how_long) {
    std::optional<bool> stands;
    Operators(one.node(), "test").degrade(Mode::degraded, scene, how_long, "test", [&stands](Result<void> done) {
        stands = done.has_value();
    });
    REQUIRE(one.until([&stands] { return stands.has_value(); }));
    return *stands;
}

Mode mode(OneNode& one) {
    return one.parts().overrides.mode_of("LOGIN", one.view.now());
}

}  // namespace

TEST_CASE("operators: an order renewed over a slow disk as it ends is still there after a kill") {
    for (const std::string scene : {"", "LOGIN"}) {
        // The entry of the journal takes two seconds, the value in state/ two more.
        for (const Nanos from : {Nanos(6500ms), Nanos(7s), Nanos(7900ms), Nanos(9s)}) {
            INFO(scene << " " << from.count());
            OneNode one;
            REQUIRE(one.start());
            REQUIRE(degrade(one, scene, 10s));
            one.run_for(from);
            OffloadPlan slow;
            slow.work_min = slow.work_max = 2s;
            one.offload.set_plan(slow);
            REQUIRE(degrade(one, scene, 1h));
            one.run_for(10s);
            CHECK(mode(one) == Mode::degraded);
            one.crash();
            one.offload.set_plan({});
            REQUIRE(one.start());
            CHECK(mode(one) == Mode::degraded);
        }
    }
}

TEST_CASE("operators: an order that has ended leaves nothing on disk, also one of before a restart") {
    OneNode one;
    REQUIRE(one.start());
    REQUIRE(degrade(one, "", 10s));
    REQUIRE(degrade(one, "LOGIN", 10s));
    one.run_for(5s);
    one.crash();
    REQUIRE(one.start());
    CHECK(one.parts().storage.state().list("degrade/").size() == 2);
    one.run_for(6s);
    CHECK(mode(one) == Mode::automatic);
    one.crash();
    REQUIRE(one.start());
    CHECK(one.parts().storage.state().list("degrade/").empty());
}

TEST_CASE("operators: an outage that was renewed stays so over a kill right after the order was confirmed") {
    for (const std::string scene : {"", "OPEN"})
        for (const bool by_circuit : {false, true}) {
            if (by_circuit && !scene.empty()) continue;
            INFO(scene << " " << by_circuit);
            OneNode one;
            REQUIRE(one.start());
            const auto order = [&] {
                if (!by_circuit) return degrade(one, scene, 1h);
                bool stands = false;
                Operators(one.node(), "test").circuit(CircuitForce::open, 1h, "test", [&stands](Result<void> done) {
                    stands = done.has_value();
                });
                return one.until([&stands] { return stands; });
            };
            REQUIRE(order());
            one.run_for(NodeNumbers::kHardStop + 1s);
            REQUIRE(one.ask("o-1", "OPEN", "user-1").status == 503);
            REQUIRE(order());
            one.crash();
            REQUIRE(one.start());
            CHECK(one.ask("o-2", "OPEN", "user-2").text("outcome") == "provisional");
            one.run_for(NodeNumbers::kHardStop - 2s);
            CHECK(one.ask("o-3", "OPEN", "user-3").text("outcome") == "provisional");
            one.run_for(3s);
            CHECK(one.ask("o-4", "OPEN", "user-4").status == 503);
            one.crash();  // by then the order is older than what is written
            REQUIRE(one.start());
            CHECK(one.ask("o-5", "OPEN", "user-5").status == 503);
        }
}
