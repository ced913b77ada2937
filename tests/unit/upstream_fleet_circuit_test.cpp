// What a node writes, and that nothing commits when what it was decided on has changed.
#include "tests/unit/upstream_fleet_bench.h"

using namespace holdfast;

using Kind = FleetWrite::Kind;

namespace {

Result<TxnAnswer> by_hand(FleetBench& b, TxnOp op) {
    Txn txn;
    txn.success.push_back(std::move(op));
    return b.store.txn(txn, b.now.mono);
}

// What the first node would write to take the probe of an open fleet, with its lease for it granted.
FleetWrite half_open_by_first(FleetBench& b) {
    b.open();
    b.wait(1s);
    b.node(0).does(Kind::vote);
    b.wait(12s);
    REQUIRE(b.node(0).machine.wants_probe_lease(b.now));
    b.node(0).grant_probe();
    auto write = b.node(0).plan(Kind::half_open);
    REQUIRE(write);
    return std::move(*write);
}

} // namespace

TEST_CASE("fleet circuit: a vote carries its evidence, and the node that makes the quorum opens with its own vote") {
    FleetBench b;
    b.vote(0);
    const auto* vote = b.node(2).machine.view().vote_of("n0");
    REQUIRE(vote);
    CHECK(vote->value.failures == 60);
    CHECK(vote->value.calls == 100);
    CHECK(vote->value.window == "100 calls");
    CHECK(vote->value.subjects == 9);
    CHECK_FALSE(b.node(2).plan(Kind::open)); // one of three is a minority
    b.wait(2s);
    b.node(1).own_opens();
    static_cast<void>(b.node(1).machine.plan(b.now));
    b.now.mono += 200ms;
    b.node(1).does(Kind::open);
    CHECK(b.state() == StateRecord{CircuitState::open, 2, "quorum", "n1", 0, 9});
}

TEST_CASE("fleet circuit: a quorum that waits for the jitter before its opening writes nothing else meanwhile") {
    FleetBench b;
    b.vote(0);
    b.wait(2s);
    b.node(1).own_opens();
    CHECK_FALSE(b.node(1).machine.plan(b.now)); // its vote goes with the opening
    b.now.mono += kOpenJitter;
    b.node(1).does(Kind::open);
    CHECK(b.state().state == CircuitState::open);
}

TEST_CASE("fleet circuit: opening fails when a vote is withdrawn, a node joins, or an override comes in between") {
    for (int between = 0; between < 5; ++between) {
        FleetBench b;
        b.vote(0);
        b.wait(2s);
        b.node(1).own_opens();
        static_cast<void>(b.node(1).machine.plan(b.now));
        b.now.mono += 200ms;
        const auto write = b.node(1).plan(Kind::open);
        REQUIRE(write);
        if (between == 0) {
            b.node(0).own_closes();
            b.node(0).does(Kind::withdraw);
        }
        if (between == 1) REQUIRE(by_hand(b, {TxnOp::Kind::put, "/holdfast/prod/node/n9", "?", 0, false}));
        if (between == 2)
            REQUIRE(b.node(2).commit(*b.node(2).machine.order(FleetOrder::live, 10s, "a", "b", b.now)).succeeded);
        if (between == 3) {  // by hand, without a new epoch
            const std::string record = encode(OverrideRecord{FleetOrder::live, "a", "b", 10s, b.now.wall});
            REQUIRE(by_hand(b, {TxnOp::Kind::put, "/holdfast/prod/override/central", record, 0, false}));
        }
        CHECK(b.node(1).commit(*write).succeeded == (between == 4));
        CHECK((b.state().state == CircuitState::open) == (between == 4));
    }
}

TEST_CASE("fleet circuit: a failed or unknown write is followed by a read before the next") {
    FleetBench b;
    b.node(0).own_opens();
    const auto write = b.node(0).plan(Kind::vote);
    REQUIRE(write);
    b.node(0).machine.sent(*write, b.now);
    CHECK_FALSE(b.node(0).machine.plan(b.now)); // one at a time
    REQUIRE(b.store.txn(write->txn, b.now.mono));
    b.node(0).machine.answered(*write, fail(Code::timeout, Origin::store, "late", true), b.now);
    CHECK(b.node(0).machine.must_read());
    b.now.mono += 2s;
    CHECK_FALSE(b.node(0).machine.plan(b.now));
    b.node(0).read();
    CHECK_FALSE(b.node(0).machine.must_read());
    CHECK_FALSE(b.node(0).plan(Kind::vote)); // it had been applied
}

TEST_CASE("fleet circuit: at most one automatic write a second") {
    FleetBench b;
    b.vote(0);
    b.node(0).own_closes();
    CHECK_FALSE(b.node(0).machine.plan(b.now));
    b.now.mono += 1s;
    CHECK(b.node(0).plan(Kind::withdraw));
}

TEST_CASE("fleet circuit: a vote from before the last closing does not stand, a new opening votes anew") {
    FleetBench b;
    b.probe();
    b.verdict(ProbeVerdict::Kind::good);
    b.node(0).does(Kind::verdict);
    b.wait(2s);
    REQUIRE(b.state().state == CircuitState::closed);
    CHECK_FALSE(b.node(2).machine.view().stands("n0"));
    b.wait(1s);
    b.node(1).does(Kind::withdraw); // though its own circuit is still open from before
    b.wait(2s);
    b.node(1).own_opens();
    CHECK(b.node(1).plan(Kind::vote));
}

TEST_CASE("fleet circuit: a closing is told to the circuit once, and only after it is durable") {
    FleetBench b;
    b.probe();
    b.verdict(ProbeVerdict::Kind::good);
    b.node(0).does(Kind::verdict);
    auto& m = b.node(2).machine;
    m.reading();
    m.loaded(b.store.range("/holdfast/prod/", 500, b.now.mono), b.now.mono, b.now);
    CHECK(m.take_leased(b.now).bind == Leased::Bind::half_open); // not durable yet
    CHECK_FALSE(m.plan(b.now));
    b.node(2).save();
    const Leased leased = m.take_leased(b.now);
    CHECK(leased.bind == Leased::Bind::closed);
    CHECK(leased.closing);
    CHECK_FALSE(m.take_leased(b.now).closing);
}

TEST_CASE("fleet circuit: only a node whose own vote stands takes the probe, and one at a time") {
    FleetBench b;
    b.open();
    b.wait(15s);
    CHECK_FALSE(b.node(2).machine.wants_probe_lease(b.now)); // its own circuit is closed
    CHECK_FALSE(b.node(0).machine.wants_probe_lease(b.now)); // its vote is of the epoch before
    b.node(0).does(Kind::vote);
    b.wait(1s);
    b.wait(1s);
    CHECK(b.node(0).machine.wants_probe_lease(b.now));
    CHECK_FALSE(b.node(0).plan(Kind::half_open)); // without a lease for it
    b.node(0).grant_probe();
    b.node(1).does(Kind::vote);
    b.wait(2s);
    REQUIRE(b.node(1).machine.wants_probe_lease(b.now));
    b.node(1).grant_probe();
    const auto late = b.node(1).plan(Kind::half_open);
    REQUIRE(late);
    b.node(0).does(Kind::half_open);
    CHECK_FALSE(b.node(1).commit(*late).succeeded);
    b.node(1).read();
    CHECK_FALSE(b.node(1).machine.probing(b.now.mono));
    CHECK(b.node(0).machine.take_leased(b.now).bind == Leased::Bind::probe);
    CHECK(b.node(1).machine.take_leased(b.now).bind == Leased::Bind::half_open);
}

TEST_CASE("fleet circuit: a verdict commits only under the probe's own lease, epoch, and no override") {
    for (int between = 0; between < 4; ++between) {
        FleetBench b;
        b.probe();
        b.verdict(ProbeVerdict::Kind::good);
        const auto write = b.node(0).plan(Kind::verdict);
        REQUIRE(write);
        const LeaseId lease = b.node(0).machine.probe_lease().id();
        if (between == 0) b.store.revoke(lease, b.now.mono);
        if (between == 1) {  // another one took it over
            b.store.revoke(lease, b.now.mono);
            const LeaseId other = b.store.grant(10s, b.now.mono)->id;
            const std::string record = encode(ProbeRecord{"n1", b.state().epoch});
            REQUIRE(by_hand(b, {TxnOp::Kind::put, "/holdfast/prod/probe/central", record, other, false}));
        }
        if (between == 2)
            REQUIRE(b.node(2).commit(*b.node(2).machine.order(FleetOrder::open, 10s, "a", "b", b.now)).succeeded);
        CHECK(b.node(0).commit(*write).succeeded == (between == 3));
        CHECK((b.state().state == CircuitState::closed) == (between == 3));
    }
}

TEST_CASE("fleet circuit: a bad round doubles the wait, a clean one that ran out of time does not") {
    for (const auto kind : {ProbeVerdict::Kind::bad, ProbeVerdict::Kind::timeout}) {
        FleetBench b;
        b.probe();
        b.verdict(kind);
        b.node(0).does(Kind::verdict);
        CHECK(b.state().state == CircuitState::open);
        CHECK(b.state().rounds == (kind == ProbeVerdict::Kind::bad ? 1 : 0));
        b.node(1).read();
        CHECK(b.node(1).machine.open_until() == b.now.mono + (kind == ProbeVerdict::Kind::bad ? 20s : 10s));
    }
}

TEST_CASE("fleet circuit: the probe's lease bounds when a probe may start") {
    FleetBench b;
    b.probe();
    const Leased leased = b.node(0).machine.take_leased(b.now);
    CHECK(leased.probe_until == b.node(0).machine.probe_lease().until() - 3s);
    auto& m = b.node(0).machine;
    b.now.mono += 5s;
    m.node_lease().kept(b.now.mono, b.store.keep_alive(m.node_lease().id(), b.now.mono).ttl);
    b.node(0).read();
    b.now.mono += 4900ms;
    CHECK(m.probing(b.now.mono));
    b.now.mono += 30ms;
    CHECK(m.mode(b.now.mono) == FleetMode::shared);
    CHECK_FALSE(m.probing(b.now.mono));
}

TEST_CASE("fleet circuit: the probe's lease is kept while its epoch is not durable yet, no longer than it lasts") {
    FleetBench b;
    const FleetWrite write = half_open_by_first(b);
    auto& m = b.node(0).machine;
    m.sent(write, b.now);
    m.answered(write, b.store.txn(write.txn, b.now.mono), b.now);
    CHECK_FALSE(m.probing(b.now.mono));
    CHECK(m.probes_soon(b.now.mono));
    CHECK(m.wants_probe_lease(b.now));
    SECTION("then it probes") {
        b.node(0).save();
        CHECK(m.probing(b.now.mono));
        CHECK_FALSE(m.probes_soon(b.now.mono));
        CHECK(m.wants_probe_lease(b.now));
    }
    SECTION("a disk that hangs") {
        b.now.mono += 5s;
        m.node_lease().kept(b.now.mono, b.store.keep_alive(m.node_lease().id(), b.now.mono).ttl);
        m.reading();
        m.loaded(b.store.range("/holdfast/prod/", 500, b.now.mono), b.now.mono, b.now);
        b.now.mono += 4900ms;
        CHECK(m.wants_probe_lease(b.now));
        b.now.mono += 30ms;
        CHECK(m.mode(b.now.mono) == FleetMode::shared);
        CHECK_FALSE(m.wants_probe_lease(b.now));
    }
}

TEST_CASE("fleet circuit: what cannot be hung on a lease that the store does not know gives the lease up") {
    FleetBench b;
    const FleetWrite write = half_open_by_first(b);
    auto& m = b.node(0).machine;
    b.store.revoke(m.probe_lease().id(), b.now.mono);
    b.node(0).commit(write);
    CHECK_FALSE(m.probe_lease().held());
    CHECK(m.node_lease().held());
    b.node(0).read();
    b.store.revoke(m.node_lease().id(), b.now.mono);
    b.node(0).read();
    b.now.mono += 1s;
    const auto enroll = b.node(0).plan(Kind::enroll);
    REQUIRE(enroll);
    CHECK_FALSE(b.node(0).commit(*enroll).succeeded);
    CHECK(m.wants_node_lease());
}

TEST_CASE("fleet circuit: a reload's try limit bounds the probes under way, its wait the round that follows") {
    FleetBench b;
    b.probe();
    auto& m = b.node(0).machine;
    CircuitOptions circuit = m.options().circuit;
    circuit.open_wait = 4s;
    m.reconfigure(5s, circuit);
    CHECK(m.take_leased(b.now).probe_until == m.probe_lease().until() - 5s);
    CHECK(m.probe_ttl() == 15s);
    b.verdict(ProbeVerdict::Kind::bad);
    b.node(0).does(Kind::verdict);
    CHECK(m.open_until() == b.now.mono + 8s);
}

TEST_CASE("fleet circuit: a fleet of one opens alone, of two it takes both") {
    FleetBench alone(1);
    alone.node(0).own_opens();
    static_cast<void>(alone.node(0).machine.plan(alone.now));
    alone.now.mono += 200ms;
    alone.node(0).does(Kind::open);
    CHECK(alone.state().state == CircuitState::open);
    FleetBench two(2);
    two.vote(0);
    two.wait(3s);
    CHECK_FALSE(two.node(0).plan(Kind::open));
}

TEST_CASE("fleet circuit: an override needs a link, a sane span, and something to end") {
    FleetBench b;
    auto& m = b.node(0).machine;
    CHECK(m.order(FleetOrder::none, 0s, "a", "b", b.now).error().code == Code::not_found);
    CHECK(m.order(FleetOrder::open, 5h, "a", "b", b.now).error().code == Code::invalid);
    CHECK(m.order(FleetOrder::open, 0s, "a", "b", b.now).error().code == Code::invalid);
    REQUIRE(b.node(0).commit(*m.order(FleetOrder::open, 30s, "a", "b", b.now)).succeeded);
    CHECK(m.take_leased(b.now).forced == Forced::open);
    b.node(1).read();
    CHECK(b.node(1).machine.take_leased(b.now).forced == Forced::open);
    m.lease_gone(b.now);
    CHECK(m.take_leased(b.now).forced == Forced::open); // without a lease too
    CHECK(m.order(FleetOrder::none, 0s, "a", "b", b.now).error().code == Code::unavailable);
    b.now.mono += 30s;
    CHECK(m.take_leased(b.now).forced == Forced::none);
}

TEST_CASE("fleet circuit: an override that is ended binds until that is durable, on a disk that hangs for a lease") {
    FleetBench b;
    REQUIRE(b.node(0).commit(*b.node(0).machine.order(FleetOrder::open, 1h, "a", "b", b.now)).succeeded);
    b.node(1).read();
    REQUIRE(b.node(0).commit(*b.node(0).machine.order(FleetOrder::none, 0s, "a", "c", b.now)).succeeded);
    CHECK(b.node(0).machine.take_leased(b.now).bind == Leased::Bind::half_open);
    auto& m = b.node(1).machine;
    const auto reads = [&] {
        m.reading();
        m.loaded(b.store.range("/holdfast/prod/", 500, b.now.mono), b.now.mono, b.now);
    };
    reads();
    const Leased leased = m.take_leased(b.now);
    CHECK(leased.forced == Forced::open);
    CHECK(leased.outage);
    CHECK(leased.forced_until == b.now.mono + 10s);
    CHECK(m.order_ending(b.now.mono));
    SECTION("durable: its end and the epoch at once") {
        const auto memory = m.take_unsaved();
        REQUIRE(memory);
        CHECK(memory->order.order == FleetOrder::none);
        CHECK(memory->order_until == WallTime{});
        CHECK(memory->state == CircuitState::half_open);
        m.persisted(*memory, true, b.now);
        CHECK_FALSE(m.order_ending(b.now.mono));
        CHECK(m.take_leased(b.now).forced == Forced::none);
        CHECK(m.take_leased(b.now).bind == Leased::Bind::half_open);
        CHECK(m.take_events().back().text == "override none by a: c");
        CHECK_FALSE(m.take_unsaved());
    }
    SECTION("a disk that hangs") {
        b.now.mono += 10s;
        CHECK(m.order_in_force(b.now.mono) == FleetOrder::none);
    }
    SECTION("another one begins meanwhile") {
        b.node(2).read();
        REQUIRE(b.node(2).commit(*b.node(2).machine.order(FleetOrder::closed, 1h, "a", "d", b.now)).succeeded);
        reads();
        CHECK_FALSE(m.order_ending(b.now.mono));
        CHECK(m.take_leased(b.now).forced == Forced::closed);
    }
}

TEST_CASE("fleet circuit: of an override that is gone from the store it is said whose it was") {
    FleetBench b;
    REQUIRE(b.node(0).commit(*b.node(0).machine.order(FleetOrder::open, 30s, "ops", "test", b.now)).succeeded);
    b.node(1).read();
    b.node(1).machine.take_events();
    REQUIRE(by_hand(b, {TxnOp::Kind::erase, "/holdfast/prod/override/central", "", 0, false}));
    b.node(1).read();
    const auto events = b.node(1).machine.take_events();
    REQUIRE_FALSE(events.empty());
    CHECK(events.front().text == "override open by ops has ended: the store has none");
    SECTION("also of the last life") {
        FleetMemory memory = b.node(1).machine.memory();
        memory.order = {FleetOrder::open, "ops", "test", 1h, b.now.wall + 1h};
        FleetBench::One next(b, "n1");
        FleetCircuit machine(next.options("n1"), memory, next.rng, b.now);
        CHECK(machine.override_in_force(b.now.mono));
        machine.reading();
        machine.loaded(b.store.range("/holdfast/prod/", 500, b.now.mono), b.now.mono, b.now);
        CHECK_FALSE(machine.override_in_force(b.now.mono));
        CHECK(machine.take_events().front().text == "override open by ops has ended: the store has none");
        const auto unsaved = machine.take_unsaved();
        REQUIRE(unsaved);
        CHECK(unsaved->order == OverrideRecord{});
    }
    SECTION("not where the store is not believed") {
        FleetMemory memory = b.node(1).machine.memory();
        memory.order = {FleetOrder::open, "ops", "test", 1h, b.now.wall + 1h};
        memory.epoch += 5;
        FleetBench::One next(b, "n1");
        FleetCircuit machine(next.options("n1"), memory, next.rng, b.now);
        machine.reading();
        machine.loaded(b.store.range("/holdfast/prod/", 500, b.now.mono), b.now.mono, b.now);
        CHECK(machine.alarm().find("older") != std::string::npos);
        CHECK(machine.override_in_force(b.now.mono));
    }
}

TEST_CASE("fleet circuit: another cluster, a lower epoch, no state, another state for one epoch: each an alarm") {
    FleetBench b;
    b.open();
    auto& m = b.node(2).machine;
    RangeAnswer right = b.store.range("/holdfast/prod/", 500, b.now.mono);
    const auto says = [&](RangeAnswer answer, const char* what) {
        m.reading();
        m.loaded(answer, b.now.mono, b.now);
        CHECK(m.alarm().find(what) != std::string::npos);
        CHECK(m.mode(b.now.mono) == FleetMode::autonomous);
        CHECK(m.take_leased(b.now).bind == Leased::Bind::none);
        CHECK_FALSE(m.plan(b.now));
    };
    RangeAnswer other = right;
    other.header.cluster = 77;
    says(other, "another cluster");
    for (const auto& [record, what] :
         {std::pair{StateRecord{CircuitState::closed, 1, "x", "y", 0, 0}, "older than this node"},
          std::pair{StateRecord{CircuitState::closed, 2, "x", "y", 0, 0}, "another state for epoch 2"}}) {
        RangeAnswer bad = right;
        for (KeyValue& kv : bad.kvs)
            if (kv.key == "/holdfast/prod/state/central") kv.value = encode(record);
        says(bad, what);
    }
    RangeAnswer none = right;
    std::erase_if(none.kvs, [](const KeyValue& kv) { return kv.key == "/holdfast/prod/state/central"; });
    says(none, "holds no state");
    m.reading();
    m.loaded(right, b.now.mono, b.now);
    CHECK(m.alarm().empty());
    CHECK(m.mode(b.now.mono) == FleetMode::shared);
}
