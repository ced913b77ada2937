// FleetCircuits over one MemoryStore without any loop: each step is taken by hand, so that a case can put something
// between a decision and its commit. Only for tests of the pure half.
#pragma once

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

#include "upstream/fleet_circuit.h"
#include "upstream/memory_store.h"

namespace holdfast {

struct FleetBench {
    struct One {
        One(FleetBench& bench, std::string name)
            : b(bench), rng(11), machine(options(name), {}, rng, bench.now) {}
        static FleetOptions options(const std::string& name) {
            FleetOptions o;
            o.node = name;
            o.region = "here";
            o.fleet = "prod";
            o.upstream = "central";
            o.instance = name + "-1";
            return o;
        }
        void read() {
            machine.reading();
            machine.loaded(b.store.range("/holdfast/prod/", 500, b.now.mono), b.now.mono, b.now);
            save();
        }
        void save() {
            while (const auto memory = machine.take_unsaved()) machine.persisted(*memory, true, b.now);
        }
        void grant() {
            machine.node_lease().granted(b.store.grant(10s, b.now.mono)->id, b.now.mono, 10s, 10s);
        }
        void grant_probe() {
            machine.probe_lease().granted(b.store.grant(10s, b.now.mono)->id, b.now.mono, 10s, 10s);
        }
        // Commits what it wants now; nothing wanted is a failure.
        TxnAnswer commit(const FleetWrite& write) {
            machine.sent(write, b.now);
            const auto answer = b.store.txn(write.txn, b.now.mono);
            machine.answered(write, answer, b.now);
            save();
            return answer ? *answer : TxnAnswer{};
        }
        std::optional<FleetWrite> plan(FleetWrite::Kind kind) {
            auto w = machine.plan(b.now);
            if (w && w->kind == FleetWrite::Kind::refresh && kind != w->kind) return std::nullopt;
            if (w && w->kind != kind) FAIL("wants " << name(w->kind) << ", not " << name(kind));
            return w;
        }
        void does(FleetWrite::Kind kind) {
            const auto w = plan(kind);
            REQUIRE(w);
            REQUIRE(commit(*w).succeeded);
        }
        void own_opens() {
            own.state = CircuitState::open;
            own.evidence = true;
            ++own.openings;
            own.cause = "failure_rate";
            own.counts = {40, 60, 0, 0};
            own.subjects = 9;
            machine.own(own, b.now);
        }
        void own_closes() {
            own.state = CircuitState::closed;
            own.evidence = false;
            machine.own(own, b.now);
        }
        FleetBench& b;
        Rng rng;
        FleetCircuit machine;
        OwnCircuit own;
    };

    // Three nodes, registered, the fleet closed at epoch 1.
    explicit FleetBench(std::size_t count = 3) {
        for (std::size_t i = 0; i < count; ++i) all.push_back(std::make_unique<One>(*this, "n" + std::to_string(i)));
        for (auto& one : all) join(*one);
        for (auto& one : all) one->read();
        wait(2s);
    }
    void join(One& one) {
        one.read();
        one.grant();
        one.does(FleetWrite::Kind::enroll);
        wait(1s);
        if (!one.machine.view().state()) one.does(FleetWrite::Kind::create);
    }
    // Time passes; renewals and reads succeed.
    void wait(Nanos span) {
        for (Nanos left = span; left > Nanos{0}; left -= 1s) {
            now.mono += std::min<Nanos>(left, 1s);
            now.wall += std::min<Nanos>(left, 1s);
            for (auto& one : all) {
                for (Lease* lease : {&one->machine.node_lease(), &one->machine.probe_lease()})
                    if (lease->held()) lease->kept(now.mono, store.keep_alive(lease->id(), now.mono).ttl);
                one->read();
                static_cast<void>(one->machine.wants_probe_lease(now)); // draws its jitter
            }
        }
    }
    One& node(std::size_t i) { return *all[i]; }
    StateRecord state() {
        const auto kvs = store.range("/holdfast/prod/state/central", 1, now.mono).kvs;
        REQUIRE(kvs.size() == 1);
        return *decode_state(kvs[0].key, kvs[0].value);
    }
    void vote(std::size_t i) {
        node(i).own_opens();
        node(i).does(FleetWrite::Kind::vote);
        for (auto& one : all) one->read();
    }
    void open() {
        vote(0);
        wait(2s);
        node(1).own_opens();
        static_cast<void>(node(1).machine.plan(now)); // draws its jitter
        now.mono += 200ms;
        node(1).does(FleetWrite::Kind::open);
        wait(1s);
        REQUIRE(state().state == CircuitState::open);
    }
    // Node 0 holds the probe at the epoch of half-open.
    void probe() {
        open();
        wait(1s);
        node(0).does(FleetWrite::Kind::vote);
        wait(12s);
        REQUIRE(node(0).machine.wants_probe_lease(now));
        node(0).grant_probe();
        node(0).does(FleetWrite::Kind::half_open);
        wait(1s);
        REQUIRE(node(0).machine.probing(now.mono));
    }
    void verdict(ProbeVerdict::Kind kind) {
        node(0).own.verdict = ProbeVerdict{kind, state().epoch, kind != ProbeVerdict::Kind::bad, 5};
        node(0).machine.own(node(0).own, now);
    }

    Now now{MonoTime(1000s), WallTime(Seconds(1'767'312'000))};
    MemoryStore store;
    std::vector<std::unique_ptr<One>> all;
};

} // namespace holdfast
