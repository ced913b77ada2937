#include "tests/contract/net_contract.h"

#include "edge/net/uv_loop.h"
#include "edge/net/uv_network.h"
#include "tests/support/turns.h"

using namespace holdfast;

namespace {

struct UvFixture {
    static constexpr std::size_t kUnreadMax = 96u << 20;  // Linux: tcp_rmem and tcp_wmem, 32 and 4 MiB if not raised
    UvLoop uv;
    UvNetwork uv_network{uv};
    testing::Ticking ticking{uv};
    Loop& loop() { return uv; }
    Network& network() { return uv_network; }
    bool turn() { return uv.run_once(true); }
};

}  // namespace

TEST_CASE("uv loop: timers fire once, in order and never early") {
    contract::timers_fire_once_in_order_and_never_early<UvFixture>();
}
TEST_CASE("uv loop: timers restart, stop, and may go inside their callback") {
    contract::timers_restart_stop_and_go_inside_their_callback<UvFixture>();
}
TEST_CASE("uv loop: defer runs after the callback and before the loop waits") {
    contract::defer_runs_after_the_callback_and_before_waiting<UvFixture>();
}
TEST_CASE("uv loop: now is constant inside a callback") {
    contract::now_is_constant_inside_a_callback<UvFixture>();
}
TEST_CASE("uv network: bytes arrive both ways and ends are told") {
    contract::bytes_arrive_both_ways_and_ends_are_told<UvFixture>();
}
TEST_CASE("uv network: a paused stream holds its peer back") {
    contract::a_paused_stream_holds_its_peer_back<UvFixture>();
}
TEST_CASE("uv network: streams go silently in any state") {
    contract::streams_go_silently_in_any_state<UvFixture>();
}
TEST_CASE("uv network: dials fail in a later turn and can be cancelled") {
    contract::dials_fail_in_a_later_turn_and_can_be_cancelled<UvFixture>();
}
TEST_CASE("uv network: a dial may go inside its own callback") {
    contract::a_dial_may_go_inside_its_own_callback<UvFixture>();
}
TEST_CASE("uv network: address literals resolve to themselves") {
    contract::literals_resolve_to_themselves<UvFixture>();
}
