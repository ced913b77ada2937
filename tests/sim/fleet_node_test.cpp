// A whole node as a member of a fleet, over a simulated store: what it keeps over restarts, what an operator's order to
// the fleet does to it, what it shares, and that its requests are answered whatever the store does.
#include <catch2/catch.hpp>

#include "edge/membership.h"
#include "tests/sim/one_node.h"
#include "tests/sim/sim_store.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

struct Member {
    Member() {
        one.change_seams = [this](NodeSeams seams) {
            seams.make_coordinator = [this](const NodeSeams::StoreSaid&, std::uint64_t cluster) {
                known_cluster = cluster;
                return std::make_unique<BorrowedRoad>(road);
            };
            return seams;
        };
    }
    ~Member() { one.stop(); }

    bool shared() { return one.node().membership()->shared(); }
    bool joins() {
        return one.start() && one.until([this] { return shared(); });
    }
    bool again() {
        one.crash();
        return one.start();
    }
    bool stops_and_starts() {
        std::optional<Result<void>> ended;
        one.node().shut_down(true, [&ended](Result<void> r) { ended = std::move(r); });
        return one.until([&ended] { return ended.has_value(); }) && again();
    }
    OutageFacts outage() { return one.parts().outages.node().facts(one.view.now()); }
    FleetStatus status() { return one.node().membership()->status(); }
    Circuit& circuit() { return one.parts().upstream.circuit(); }
    Mode mode() { return one.parts().overrides.mode_of("LOGIN", one.view.now()); }
    std::string ask() {
        const std::string n = std::to_string(++one.orders);
        return one.ask("o-" + n, "LOGIN", "user-" + n).text("source");
    }
    void put(const std::string& below, const std::string& value, LeaseId lease = 0) {
        Txn txn;
        txn.success.push_back({TxnOp::Kind::put, "/holdfast/prod/" + below, value, lease, false});
        REQUIRE(store.data().txn(txn, one.world.now().mono));
        store.changed();
    }
    void put_state(CircuitState state, std::uint64_t epoch) {
        put("state/central", encode(StateRecord{state, epoch, "quorum", "pop-9", 0, 9}));
    }
    void put_peer(const std::string& name) {
        const LeaseId lease = store.data().grant(10s, one.world.now().mono)->id;
        store.data().lease_forever(lease);
        NodeRecord peer{"life", "there", 1, CircuitState::closed, false, one.world.now().wall};
        put("node/" + name, encode(peer), lease);
    }
    std::uint32_t share(std::uint32_t budget) {
        ScenePolicy policy;
        policy.provisional.budget_per_minute = budget;
        return provisional_limits(one.parts(), policy).per_minute;
    }
    bool order(FleetOrder order, Nanos span) {
        std::optional<Result<void>> done;
        one.node().membership()->order(order, span, "uid 0 at sim", "a test", [&done](Result<void> r) { done = r; });
        return one.until([&done] { return done.has_value(); }) && done->has_value();
    }

    OneNode one{"[coordination]\nkind = \"etcd\"\nlease_ttl = \"6s\"\n"};
    std::uint64_t known_cluster = 0;  // when it was started
    Rng rng{11};
    SimStore store{one.world, rng};
    SimCoordinator road{store, one.view};
};

}  // namespace

TEST_CASE("fleet node: without a road to a store it does not start, and says why") {
    OneNode one{"[coordination]\nkind = \"etcd\"\n"};
    CHECK_FALSE(one.start());
    CHECK(one.why().find("coordination.kind") != std::string::npos);
}

TEST_CASE("fleet node: what the fleet decides binds it within its belief, and its requests never wait for the store") {
    Member m;
    REQUIRE(m.joins());
    CHECK(m.ask() == "live");
    m.put_state(CircuitState::open, 2);
    REQUIRE(m.one.until([&] { return m.circuit().state() == CircuitState::open; }, 1s));
    CHECK(m.one.parts().outages.node().facts(m.one.view.now()).active);
    CHECK(m.ask() != "live");
    m.one.node().refresh_metrics();
    CHECK(m.one.node().metrics().lease_valid().Value() == 1);
    CHECK(m.one.node().metrics().lease_remaining_seconds().Value() > 3);
    CHECK(m.one.journal().find("central circuit open, epoch 2") != std::string::npos);
    m.put_state(CircuitState::closed, 3);
    REQUIRE(m.one.until([&] { return m.circuit().state() == CircuitState::closed; }, 1s));

    m.store.set_frozen(true);
    const MonoTime frozen = m.one.world.now().mono;
    REQUIRE(m.one.until([&] { return !m.shared(); }, 6s));
    CHECK(m.one.world.now().mono - frozen < 6s);
    CHECK(m.ask() == "live");
    m.one.node().refresh_metrics();
    CHECK(m.one.node().metrics().lease_valid().Value() == 0);
    CHECK(m.one.node().metrics().lease_remaining_seconds().Value() == 0);
    CHECK(m.one.journal().find("autonomous") != std::string::npos);
    m.store.set_frozen(false);
    CHECK(m.one.until([&] { return m.shared(); }, 15s));
}

TEST_CASE("fleet node: its epoch outlives it, older data of a store is refused until an operator takes it") {
    Member m;
    REQUIRE(m.joins());
    MemoryStore older = m.store.data();
    m.put_state(CircuitState::open, 2);
    m.put_state(CircuitState::closed, 3);
    REQUIRE(m.one.until([&] { return m.status().epoch == 3; }, 1s));
    CHECK(m.known_cluster == 0);
    REQUIRE(m.again());
    CHECK(m.known_cluster == m.status().cluster);
    CHECK(m.known_cluster != 0);
    CHECK(m.status().epoch == 3);
    REQUIRE(m.one.until([&] { return m.shared(); }));
    m.store.restore(std::move(older));
    REQUIRE(m.one.until([&] { return !m.status().alarm.empty(); }));
    CHECK_FALSE(m.shared());
    m.one.run_for(2s);  // the ramp
    CHECK(m.ask() == "live");
    REQUIRE(m.again());
    m.one.run_for(10s);
    CHECK_FALSE(m.shared());
    CHECK(m.status().alarm.find("older than this node: epoch 1 below 3") != std::string::npos);
    m.one.node().membership()->accept_store();
    CHECK(m.one.until([&] { return m.shared(); }, 15s));
    CHECK(m.status().epoch == 1);
    REQUIRE(m.again());
    CHECK(m.one.until([&] { return m.shared(); }));
}

TEST_CASE("fleet node: an order to the fleet is its own order, over restarts and without the store, until its end") {
    Member m;
    REQUIRE(m.joins());
    REQUIRE(m.order(FleetOrder::degraded, 5min));
    CHECK(m.mode() == Mode::degraded);
    CHECK(m.one.parts().overrides.all(m.one.view.now()).front().author == "uid 0 at sim");
    CHECK(m.ask() != "live");
    m.one.run_for(1s);  // durable
    m.store.set_frozen(true);
    REQUIRE(m.again());
    CHECK(m.mode() == Mode::degraded);
    const auto renewed = m.one.parts().outages.node().facts(m.one.view.now()).since_renewal;
    m.one.run_for(60s);
    CHECK(m.mode() == Mode::degraded);
    CHECK(m.one.parts().outages.node().facts(m.one.view.now()).since_renewal >= renewed + 59s);
    m.one.run_for(4min);
    CHECK(m.mode() == Mode::automatic);
    CHECK(m.ask() == "live");
    CHECK(m.one.journal().find("degrade/fleet") != std::string::npos);
}

TEST_CASE("fleet node: an outage that an order to the fleet makes goes on over a restart, however the node ended") {
    for (const FleetOrder order : {FleetOrder::degraded, FleetOrder::open})
        for (const bool crash : {true, false}) {
            CAPTURE(order == FleetOrder::open, crash);
            Member m;
            REQUIRE(m.joins());
            REQUIRE(m.order(order, 10min));
            m.one.run_for(2min);
            const OutageFacts before = m.outage();
            REQUIRE(before.certain >= 2min);
            m.store.set_frozen(true);
            REQUIRE((crash ? m.again() : m.stops_and_starts()));
            CHECK(m.outage().certain >= before.certain);
            CHECK(m.outage().since_renewal >= before.since_renewal);
            m.one.run_for(1min);
            CHECK(m.outage().certain >= before.certain + 1min);
            CHECK(m.outage().since_renewal >= before.since_renewal + 1min);
            m.one.run_for(8min);
            for (int i = 0; i < 30 && m.outage().active; ++i) {  // what is half-open, now and then, wants probes
                m.ask();
                m.one.run_for(200ms);
            }
            CHECK_FALSE(m.outage().active);
        }
}

TEST_CASE("fleet node: an outage that an order to the fleet made has ended if its time was over before the restart") {
    Member m;
    REQUIRE(m.joins());
    REQUIRE(m.order(FleetOrder::degraded, 1min));
    m.one.run_for(30s);
    REQUIRE(m.outage().active);
    m.store.set_frozen(true);
    m.one.crash();
    m.one.run_for(1min);
    REQUIRE(m.one.start());
    CHECK_FALSE(m.outage().active);
    CHECK(m.ask() == "live");
}

TEST_CASE("fleet node: an outage goes on where one order to the fleet takes the place of another") {
    for (const FleetOrder first : {FleetOrder::degraded, FleetOrder::open}) {
        const FleetOrder second = first == FleetOrder::open ? FleetOrder::degraded : FleetOrder::open;
        CAPTURE(first == FleetOrder::open);
        Member m;
        REQUIRE(m.joins());
        REQUIRE(m.order(first, 10min));
        m.one.run_for(2min);
        const OutageFacts before = m.outage();
        REQUIRE(m.order(second, 10min));
        m.one.run_for(1s);
        CHECK(m.outage().certain >= before.certain);
        CHECK(m.outage().longest >= before.longest);
        CHECK((m.mode() == Mode::degraded) == (second == FleetOrder::degraded));
        CHECK((m.circuit().state() == CircuitState::open) == (second == FleetOrder::open));
    }
}

TEST_CASE("fleet node: an outage goes on where an order to the fleet that made it ends, by a word or by its time") {
    for (const FleetOrder order : {FleetOrder::degraded, FleetOrder::open})
        for (const bool by_word : {true, false}) {
            CAPTURE(order == FleetOrder::open, by_word);
            Member m;
            REQUIRE(m.joins());
            REQUIRE(m.ask() == "live");
            m.one.central.set_mode(CentreMode::error);
            REQUIRE(m.order(order, by_word ? 10min : 2min));
            m.one.run_for(110s);
            OutageFacts before = m.outage();
            REQUIRE(before.certain >= 110s);
            bool falls = false;
            const auto look = [&] {
                const OutageFacts after = m.outage();
                falls |= after.certain < before.certain || after.longest < before.longest;
                before = after;
                return false;
            };
            if (by_word) REQUIRE(m.order(FleetOrder::none, 0s));
            for (int i = 0; i < 60; ++i) {
                m.one.until(look, 500ms);
                m.ask();
            }
            CHECK_FALSE(falls);
            CHECK(before.certain >= 139s);
            CHECK(m.mode() == Mode::automatic);
            CHECK(m.status().order == FleetOrder::none);
            m.one.run_for(1s);
            CHECK(m.one.journal().find("override_ended") != std::string::npos);
            CHECK(m.one.journal().find(R"("to":"closed")") == std::string::npos);
            m.one.central.set_mode(CentreMode::healthy);
            for (int i = 0; i < 600 && m.outage().active; ++i) {
                m.ask();
                m.one.run_for(200ms);
            }
            CHECK_FALSE(m.outage().active);
        }
}

TEST_CASE("fleet node: an order that the store does not have any more ends where that is read and believed") {
    for (const bool restored : {false, true}) {
        CAPTURE(restored);
        Member m;
        REQUIRE(m.joins());
        const MemoryStore before = m.store.data();
        REQUIRE(m.order(FleetOrder::degraded, 1h));
        m.one.run_for(1s);  // durable
        m.one.crash();
        if (restored) {
            m.store.restore(before);
        } else {
            Txn gone;
            gone.success.push_back({TxnOp::Kind::erase, "/holdfast/prod/override/central", "", 0, false});
            REQUIRE(m.store.data().txn(gone, m.one.world.now().mono));
            m.store.changed();
        }
        REQUIRE(m.one.start());
        CHECK(m.mode() == Mode::degraded);
        if (restored) {
            m.one.run_for(30s);
            CHECK(m.mode() == Mode::degraded);  // of another history
            CHECK_FALSE(m.status().alarm.empty());
            m.one.node().membership()->accept_store();
        }
        REQUIRE(m.one.until([&] { return m.shared(); }, 15s));
        CHECK(m.mode() == Mode::automatic);
        CHECK(m.status().order == FleetOrder::none);
        m.one.run_for(1s);
        CHECK(m.one.journal().find("has ended: the store has none") != std::string::npos);
        m.store.set_frozen(true);
        REQUIRE(m.again());
        CHECK(m.mode() == Mode::automatic);
    }
}

TEST_CASE("fleet node: open and closed for the fleet bind through the circuit, below an order of the node") {
    Member m;
    REQUIRE(m.joins());
    REQUIRE(m.order(FleetOrder::open, 5min));
    CHECK(m.mode() == Mode::automatic);
    CHECK(m.circuit().state() == CircuitState::open);
    auto own = m.one.parts().overrides.propose(
        {{Scope::Kind::node, ""}, Mode::automatic, CircuitForce::closed, "mine", "uid 0", 10s}, m.one.view.now());
    REQUIRE(own);
    REQUIRE(m.one.parts().overrides.stand(*own));
    m.one.node().orders_changed();
    CHECK(m.circuit().state() == CircuitState::closed);
    m.one.run_for(11s);
    CHECK(m.circuit().state() == CircuitState::open);
    REQUIRE(m.order(FleetOrder::none, 0s));
    CHECK(m.circuit().state() != CircuitState::open);
}

TEST_CASE("fleet node: budgets are shared among the nodes that are live, or were when it knew") {
    Member m;
    REQUIRE(m.joins());
    CHECK(m.one.parts().sharing == 1);
    m.put_peer("pop-1");
    m.put_peer("pop-2");
    m.one.run_for(2s);
    CHECK(m.one.parts().sharing == 3);
    m.store.set_frozen(true);
    m.one.run_for(3min);
    CHECK(m.one.parts().sharing == 3);
    REQUIRE(m.again());
    CHECK(m.one.parts().sharing == 3);
    m.store.set_frozen(false);
    REQUIRE(m.one.until([&] { return m.shared(); }, 15s));
    Txn gone;
    gone.success.push_back({TxnOp::Kind::erase, "/holdfast/prod/node/pop-1", "", 0, false});
    REQUIRE(m.store.data().txn(gone, m.one.world.now().mono));
    m.store.changed();
    m.one.run_for(30s);
    CHECK(m.one.parts().sharing == 3);  // within the minute that its spends are counted in
    m.one.run_for(40s);
    CHECK(m.one.parts().sharing == 2);
}

TEST_CASE("fleet node: what a budget cannot be divided into goes to the first nodes by name, and no more of it") {
    Member m;  // "sim"
    REQUIRE(m.joins());
    m.put_peer("pop-1");
    m.put_peer("pop-2");
    m.put_peer("the-last");
    m.one.run_for(2s);
    REQUIRE(m.one.parts().sharing == 4);
    CHECK(m.share(100) == 25);
    CHECK(m.share(2) == 0);  // those of pop-1 and pop-2
    CHECK(m.share(3) == 1);
    CHECK(m.share(7) == 2);
    CHECK(m.share(6) == 1);
    m.one.run_for(1s);  // on disk
    m.store.set_frozen(true);
    REQUIRE(m.again());
    CHECK(m.share(3) == 1);
    CHECK(m.share(2) == 0);
    m.store.set_frozen(false);
    REQUIRE(m.one.until([&] { return m.shared(); }, 15s));
    for (const char* gone : {"pop-1", "pop-2"}) {
        Txn txn;
        txn.success.push_back({TxnOp::Kind::erase, "/holdfast/prod/node/" + std::string(gone), "", 0, false});
        REQUIRE(m.store.data().txn(txn, m.one.world.now().mono));
    }
    m.store.changed();
    m.one.run_for(30s);
    CHECK(m.share(2) == 0);  // they may have spent theirs in this minute
    m.one.run_for(40s);
    CHECK(m.share(1) == 1);
}

TEST_CASE("fleet node: before it has ever known its fleet its share of a budget is that of the largest one") {
    Member m;
    m.store.set_frozen(true);
    REQUIRE(m.one.start());
    m.one.run_for(2min);
    CHECK(m.share(100) == 1);
    CHECK(m.share(10 * FleetView::kNodesMax + 1) == 11);
    m.store.set_frozen(false);
    REQUIRE(m.one.until([&] { return m.shared(); }, 15s));
    m.one.run_for(2s);
    CHECK(m.share(100) == 100);
}

TEST_CASE("fleet node: at its end it gives the lease back, and a store that does not answer holds it up only shortly") {
    for (const bool frozen : {false, true}) {
        Member m;
        REQUIRE(m.joins());
        REQUIRE(m.store.data().leases().size() == 1);
        m.store.set_frozen(frozen);
        std::optional<Result<void>> ended;
        const MonoTime begun = m.one.world.now().mono;
        m.one.node().shut_down(true, [&ended](Result<void> r) { ended = std::move(r); });
        REQUIRE(m.one.until([&ended] { return ended.has_value(); }));
        CHECK(*ended);
        CHECK(m.one.world.now().mono - begun < 3s);
        CHECK(m.store.data().leases().empty() == !frozen);
    }
}

TEST_CASE("fleet node: one that takes its state back from a hand-over to end joins first, and gives its lease back") {
    for (const bool frozen : {false, true}) {
        Member m;
        REQUIRE(m.joins());
        bool let_go = false;
        m.one.node().hand_over([&let_go](const Result<void>&) { let_go = true; });
        REQUIRE(m.one.until([&let_go] { return let_go; }));
        REQUIRE(m.store.data().leases().size() == 1);
        m.store.set_frozen(frozen);
        REQUIRE(m.again());
        std::optional<Result<void>> ended;
        const MonoTime begun = m.one.world.now().mono;
        m.one.node().take_back();
        m.one.node().shut_down(true, [&ended](Result<void> r) { ended = std::move(r); });
        REQUIRE(m.one.until([&ended] { return ended.has_value(); }));
        CHECK(*ended);
        const Nanos took = m.one.world.now().mono - begun;
        CHECK(took >= (frozen ? Node::kLeaveMax : Node::kFirstAskMax));
        CHECK(took < Node::kLeaveMax + 500ms);
        CHECK(m.store.data().range("/holdfast/prod/node/", 8, m.one.world.now().mono).kvs.empty() == !frozen);
    }
}
