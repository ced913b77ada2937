#include "tests/contract/net_contract.h"
#include "tests/sim/sim_net.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

// A node on a machine of its own, talking to itself: what the contract asks of the real loop, in simulated time.
struct SimFixture {
    static constexpr std::size_t kUnreadMax = 256 * 1024;  // SimNet: its window, 64 KiB
    SimLoop world;
    SimNet net{world, 11};
    NodeView view{world};
    SimHost host{net, view, "127.0.0.1"};
    Loop& loop() { return view; }
    Network& network() { return host; }
    bool turn() { return world.step(); }
};

// The same on a network at its worst that still delivers, for a node whose clock runs off.
struct RoughFixture : SimFixture {
    RoughFixture() {
        LinkPlan plan;
        plan.split = 0.9;
        plan.late = 0.2;
        net.set_plan(plan);
        net.set_window(3000);
        view.set_drift(300);
        view.jump_wall(-48h);
    }
};

} // namespace

TEMPLATE_TEST_CASE("sim loop: keeps the contract of the loop", "", SimFixture, RoughFixture) {
    SECTION("timers fire once, in order and never early") {
        contract::timers_fire_once_in_order_and_never_early<TestType>();
    }
    SECTION("timers restart, stop, and may go inside their callback") {
        contract::timers_restart_stop_and_go_inside_their_callback<TestType>();
    }
    SECTION("defer runs after the callback and before the loop waits") {
        contract::defer_runs_after_the_callback_and_before_waiting<TestType>();
    }
    SECTION("now is constant inside a callback") {
        contract::now_is_constant_inside_a_callback<TestType>();
    }
}

TEMPLATE_TEST_CASE("sim network: keeps the contract of streams and dials", "", SimFixture, RoughFixture) {
    SECTION("bytes arrive both ways and ends are told") {
        contract::bytes_arrive_both_ways_and_ends_are_told<TestType>();
    }
    SECTION("a paused stream holds its peer back") {
        contract::a_paused_stream_holds_its_peer_back<TestType>();
    }
    SECTION("streams go silently in any state") {
        contract::streams_go_silently_in_any_state<TestType>();
    }
    SECTION("dials fail in a later turn and can be cancelled") {
        contract::dials_fail_in_a_later_turn_and_can_be_cancelled<TestType>();
    }
    SECTION("a dial may go inside its own callback") {
        contract::a_dial_may_go_inside_its_own_callback<TestType>();
    }
    SECTION("address literals resolve to themselves") {
        contract::literals_resolve_to_themselves<TestType>();
    }
}
