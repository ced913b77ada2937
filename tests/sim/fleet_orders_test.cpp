// Orders of operators to the whole fleet that meet on their way, whose answers are lost, or whose author's clock is
// wrong.
#include <catch2/catch.hpp>

#include "tests/sim/fleet_3.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

bool puts_order(const Txn& txn) {
    return std::any_of(txn.success.begin(), txn.success.end(),
                       [](const TxnOp& op) { return op.key.find("/override/") != std::string::npos; });
}

// An order whose answer is waited for later.
struct Given {
    Given(Fleet3& fleet, std::size_t at, FleetOrder order, Nanos span) : f(fleet) {
        f.node(at).fleet->order(order, span, "uid 1", "slow", [this](const Result<void>& r) { result = r; });
    }
    Result<void> wait() {
        REQUIRE(f.run_until([this] { return result.has_value(); }, 10s));
        return *result;
    }
    Fleet3& f;
    std::optional<Result<void>> result;
};

}  // namespace

TEST_CASE("fleet: an order that is overtaken by another one on its way changes nothing and says whose came first") {
    for (const FleetOrder mine : {FleetOrder::none, FleetOrder::closed}) {
        Fleet3 f;
        REQUIRE(f.order(1, FleetOrder::degraded, 30min));
        f.run(1s);
        f.node(0).store.delay_min = f.node(0).store.delay_max = 300ms;
        Given slow(f, 0, mine, mine == FleetOrder::none ? 0s : 10min);
        f.run(100ms);
        REQUIRE(f.order(1, FleetOrder::open, 20min));
        const std::uint64_t epoch = f.state()->epoch;
        const auto result = slow.wait();
        REQUIRE_FALSE(result);
        CHECK(result.error().code == Code::exists);
        CHECK(result.error().detail.find("open by uid 0") != std::string::npos);
        f.run(2s);
        CHECK(f.state()->epoch == epoch);
        CHECK(f.node(2).fleet->order_in_force() == FleetOrder::open);
        f.node(0).store.heal();
        f.node(0).store.delay_min = 1ms;
    }
}

TEST_CASE("fleet: an order that was applied and ended before its lost answer was missed is not written again") {
    Fleet3 f;
    int lost = 0;
    f.node(0).store.lose_txn_answer = [&lost](const Txn& txn) { return puts_order(txn) && lost++ == 0; };
    Given first(f, 0, FleetOrder::degraded, 30min);
    f.run(800ms);
    REQUIRE(f.order(1, FleetOrder::none, 0s));
    const std::uint64_t epoch = f.state()->epoch;
    const auto result = first.wait();
    CHECK(lost == 1);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Code::exists);
    CHECK(result.error().was_sent);  // its fate was not known
    f.run(2s);
    CHECK(f.state()->epoch == epoch);
    CHECK(f.node(2).fleet->order_in_force() == FleetOrder::none);
    f.node(0).store.lose_txn_answer = nullptr;
}

TEST_CASE("fleet: an order whose answer is lost and that stands is done, and written once") {
    Fleet3 f;
    const std::uint64_t epoch = f.state()->epoch;
    int lost = 0;
    f.node(0).store.lose_txn_answer = [&lost](const Txn& txn) { return puts_order(txn) && lost++ == 0; };
    CHECK(f.order(0, FleetOrder::degraded, 30min));
    CHECK(f.state()->epoch == epoch + 1);
    CHECK(lost == 1);
    f.node(0).store.lose_txn_answer = nullptr;
}

TEST_CASE("fleet: `auto` of one verb ends no order of the other one, as it stands when it is written") {
    Fleet3 f;
    REQUIRE(f.order(1, FleetOrder::open, 30min));
    f.run(1s);
    for (const OrderKind kind : {OrderKind::degrade, OrderKind::circuit}) {
        std::optional<Result<void>> result;
        f.node(0).fleet->order(
            FleetOrder::none, 0s, "uid 1", "over", [&result](const Result<void>& r) { result = r; }, kind);
        REQUIRE(f.run_until([&result] { return result.has_value(); }, 10s));
        f.run(1s);
        const bool own = kind == OrderKind::circuit;
        CHECK(result->has_value() == own);
        CHECK((f.node(2).fleet->order_in_force() == FleetOrder::none) == own);
        if (!own) CHECK(result->error().code == Code::exists);
    }
}

TEST_CASE("fleet: over a restart an override lasts as it did before, although its author's clock is slow") {
    Fleet3 f;
    f.node(0).view.jump_wall(-20min);
    REQUIRE(f.order(0, FleetOrder::degraded, 15min));
    f.run(2s);
    for (int life = 0; life < 2; ++life) {
        f.run(4min);
        f.node(1).restart();
        CHECK(f.node(1).fleet->order_in_force() == FleetOrder::degraded);
        REQUIRE(f.run_until([&] { return f.node(1).shared(); }, 15s));
        CHECK(f.node(1).fleet->order_in_force() == FleetOrder::degraded);
    }
    f.run(6min);
    CHECK(f.node(1).fleet->order_in_force() == FleetOrder::degraded);
    f.run(1min);
    CHECK(f.node(1).fleet->order_in_force() == FleetOrder::none);
}

TEST_CASE("fleet: an order at a node that is not linked to its fleet is refused at once, and nothing of it was sent") {
    Fleet3 f;
    f.store.set_frozen(true);
    REQUIRE(f.run_until([&f] { return !f.node(0).shared(); }, 15s));
    f.run(5s);  // a write has failed meanwhile, and a read is due
    Given order(f, 0, FleetOrder::degraded, 30min);
    f.run(200ms);
    REQUIRE(order.result.has_value());
    REQUIRE_FALSE(*order.result);
    CHECK(order.result->error().code == Code::unavailable);
    CHECK(order.result->error().detail.find("not linked to its fleet") != std::string::npos);
    CHECK_FALSE(order.result->error().was_sent);
    f.store.set_frozen(false);
    f.recovers();
    CHECK(f.node(1).fleet->order_in_force() == FleetOrder::none);
}

TEST_CASE("fleet: a node that is alone shows its own circuit as it is, and disagrees with nobody about it") {
    Fleet3 f;
    f.store.set_frozen(true);
    f.centre = false;
    REQUIRE(f.run_until([&f] { return f.node(0).own() == CircuitState::open; }, 15s));
    const FleetStatus s = f.node(0).fleet->status();
    const auto self = std::find_if(s.peers.begin(), s.peers.end(), [](const FleetPeer& p) { return p.self; });
    REQUIRE(self != s.peers.end());
    CHECK(self->own == CircuitState::open);
    CHECK_FALSE(self->disagrees);
    f.store.set_frozen(false);
}

TEST_CASE("fleet: since when an order to the fleet holds is told from the order, not from the state that it found") {
    Fleet3 f;
    f.run(1h);
    REQUIRE(f.order(0, FleetOrder::closed, 30min));
    f.run(1s);
    const FleetStatus s = f.node(1).fleet->status();
    CHECK(s.cause == "override");
    CHECK(s.since < 3s);
}
