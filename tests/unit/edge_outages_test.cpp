// For which scenes an outage by order is one, and how old it is for each.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "edge/outages.h"
#include "tests/unit/cache_state_bench.h"

using namespace holdfast;

namespace {

constexpr std::uint64_t kBoot = 7;
using Kind = Scope::Kind;

struct Nothing {
    explicit Nothing(StateStore&) {}
};

struct Bench : cachetest::StateBench<Nothing> {
    Overrides orders{kBoot};
    Outages outages{kBoot};
    bool closed = true;

    void see() { outages.observe(closed, orders, loop.now(), *values); }
    void order(Kind kind, const std::string& scene, Mode mode, CircuitForce force = CircuitForce::none) {
        auto order = orders.propose({{kind, scene}, mode, force, "test", "test", kOverrideForMax}, loop.now());
        REQUIRE(order);
        REQUIRE(orders.stand(*order));
        see();
    }
    void end(Kind kind, const std::string& scene = {}) {
        REQUIRE(orders.clear({kind, scene}, false));
        see();
    }
    void circuit(bool is_closed) {
        closed = is_closed;
        see();
    }
    void pass(Nanos time) {
        loop.advance(time);
        see();
    }
    void restart() {
        outages = Outages(kBoot);
        outages.restore(*values, orders, loop.now());
        see();
    }
    bool active(std::string_view scene) { return outages.facts(scene, loop.now()).active; }
    Nanos age(std::string_view scene) { return outages.facts(scene, loop.now()).certain; }
};

}  // namespace

TEST_CASE("outages: an order makes one for the scenes that it binds and for no other") {
    struct Row {
        Kind kind;
        Mode mode;
        CircuitForce force;
    };
    // Over a fleet that is degraded: what the node's operator, or a scene's, says against it.
    for (const Row& row :
         {Row{Kind::node, Mode::live, CircuitForce::none}, Row{Kind::node, Mode::automatic, CircuitForce::closed}}) {
        Bench b;
        b.order(row.kind, "", row.mode, row.force);
        b.order(Kind::fleet, "", Mode::degraded);
        CHECK_FALSE(b.active("LOGIN"));
        b.order(Kind::scene, "PAY", Mode::degraded);
        b.pass(5s);
        CHECK(b.active("PAY"));
        CHECK_FALSE(b.active("LOGIN"));
        CHECK_FALSE(b.outages.node().facts(b.loop.now()).active);
    }
    for (const Kind kind : {Kind::node, Kind::fleet}) {
        Bench b;
        b.order(kind, "", Mode::degraded);
        b.order(Kind::scene, "LOGIN", Mode::live);
        b.pass(5s);
        CHECK_FALSE(b.active("LOGIN"));
        CHECK(b.active("PAY"));
        CHECK(b.age("PAY") == 5s);
    }
}

TEST_CASE("outages: what an order against it kept from a scene makes the scene's own no older") {
    for (const bool by_circuit : {false, true})
        for (const bool restarts : {false, true}) {
            INFO(by_circuit << restarts);
            Bench b;
            b.order(Kind::scene, "LOGIN", Mode::live);
            b.order(Kind::node, "", Mode::degraded);
            b.pass(60s);
            CHECK_FALSE(b.active("LOGIN"));
            by_circuit ? b.circuit(false) : b.end(Kind::scene, "LOGIN");
            CHECK(b.age("LOGIN") == 0s);
            b.pass(5s);
            if (restarts) b.restart();
            CHECK(b.age("LOGIN") == 5s);
            CHECK(b.outages.facts("LOGIN", b.loop.now()).since_renewal == Nanos(5s));
            CHECK(b.age("PAY") == 65s);
            // It is over for all of them, and the next one is of one age again.
            if (by_circuit) b.end(Kind::scene, "LOGIN");
            b.end(Kind::node);
            b.circuit(true);
            CHECK_FALSE(b.active("LOGIN"));
            b.order(Kind::node, "", Mode::degraded);
            b.pass(3s);
            if (restarts) b.restart();
            CHECK(b.age("LOGIN") == 3s);
            CHECK(b.age("PAY") == 3s);
        }
}

TEST_CASE("outages: a scene's own order neither shortens nor renews the outage that it came in") {
    Bench b;
    b.circuit(false);
    b.pass(20s);
    b.order(Kind::scene, "LOGIN", Mode::degraded);
    b.outages.renew({Kind::scene, "LOGIN"}, b.loop.now(), *b.values);
    b.pass(5s);
    CHECK(b.age("LOGIN") == 25s);
    CHECK(b.outages.facts("LOGIN", b.loop.now()).since_renewal == Nanos(25s));
    b.order(Kind::scene, "LOGIN", Mode::live);
    CHECK(b.age("LOGIN") == 25s);  // the circuit is not closed
    b.circuit(true);
    CHECK_FALSE(b.active("LOGIN"));
}

TEST_CASE("outages: a scene whose order is live has no other's outage, however many scenes had one of their own") {
    Bench b;
    for (std::size_t i = 0; i < kOutageScenesMax; ++i) b.order(Kind::scene, fmt::format("S-{}", i), Mode::degraded);
    b.circuit(false);
    b.pass(5s);
    for (std::size_t i = 0; i < kOutageScenesMax; ++i) b.end(Kind::scene, fmt::format("S-{}", i));
    b.order(Kind::node, "", Mode::degraded);
    b.order(Kind::scene, "LOGIN", Mode::live);
    CHECK(b.active("S-0"));
    b.circuit(true);
    CHECK_FALSE(b.active("LOGIN"));
    CHECK(b.active("S-0"));
}
