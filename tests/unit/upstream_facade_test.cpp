#include "tests/unit/upstream_doubles.h"

using namespace holdfast;
using namespace holdfast::testing;

TEST_CASE("upstream: a dead centre opens the circuit, and each transition is told once with a snapshot due") {
    UpstreamBench b;
    std::vector<std::string> told;
    int changed = 0;
    b.observers.on_transition = [&](const CircuitTransition& t) {
        told.push_back(std::string(name(t.from)) + ">" + std::string(name(t.to)) + " " + std::string(name(t.cause)));
    };
    b.observers.on_circuit_changed = [&] { ++changed; };
    b.net.dial_rules["192.0.2.1"] = FakeNetwork::Dial::refuse;
    b.begin();
    for (std::uint64_t s = 0; s < 5; ++s) b.run(s, 1s);
    REQUIRE(told == std::vector<std::string>{"closed>open connect_failures"});
    b.loop.run_for(10s); // nobody calls: the Upstream's own timer moves it on
    REQUIRE(told.size() == 2);
    CHECK(told[1] == "open>half-open open_wait_over");
    CHECK(changed == 2);
    b.net.dial_rules.clear();
    for (std::uint64_t s = 0; s < 5; ++s) {
        auto spec = b.spec(s);
        spec.permit.drop();
        auto probe = b.upstream->circuit().admit(spec.caller, b.loop.now(), b.rng);
        REQUIRE(probe.admitted());
        spec.permit = std::move(probe.permit);
        UpstreamBench::One one;
        b.start(one, std::move(spec));
        b.loop.run_for(10ms);
        CHECK(one.result->ok());
        CHECK(one.result->attempts[0].probe);
    }
    CHECK(told.back() == "half-open>closed probes_succeeded");
    b.loop.run_for(31s);
    CHECK_FALSE(b.upstream->circuit().view(b.loop.now()).ramp); // the timers walked the ramp
}

TEST_CASE("upstream: a restored circuit goes on by the Upstream's timer") {
    UpstreamBench b;
    b.begin();
    Circuit other(b.options.circuit, b.loop.now());
    other.force(Forced::open, b.loop.now().mono + 20s, b.loop.now());
    REQUIRE(b.upstream->circuit().restore(other.snapshot(b.loop.now(), 1), b.loop.now(), 1));
    b.upstream->circuit_touched();
    CHECK(b.upstream->circuit().state() == CircuitState::open);
    b.loop.run_for(20s);
    CHECK(b.upstream->circuit().state() == CircuitState::half_open);
}

TEST_CASE("upstream: tries are observed with endpoint, result and duration") {
    UpstreamBench b;
    std::vector<std::string> seen;
    b.observers.on_try = [&](std::size_t e, FailureKind k, Nanos d) {
        seen.push_back(std::to_string(e) + " " + std::string(name(k)) + " " + format_duration(d));
    };
    b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(s.requests == 1 ? 200 : 404, kPass), 10ms); };
    b.begin();
    b.run(1);
    b.run(2);
    CHECK(seen == std::vector<std::string>{"0 success 10ms", "0 rejected 10ms"});
}

TEST_CASE("upstream: weights split the subjects, and the operator moves them") {
    UpstreamBench b;
    b.options.endpoints = {*parse_endpoint("https://192.0.2.1"), *parse_endpoint("https://192.0.2.2")};
    b.options.endpoints[0].weight = 90;
    b.options.endpoints[1].weight = 10;
    b.begin();
    const auto shares = [&] {
        std::array<int, 2> hits{};
        for (std::uint64_t s = 0; s < 400; ++s) ++hits[b.run(s * 0x9e3779b97f4a7c15ull, 10ms).attempts[0].endpoint];
        return hits;
    };
    CHECK(shares()[1] == Approx(40).margin(20));
    REQUIRE(b.upstream->set_weight("https://192.0.2.1", 0));
    CHECK(shares()[0] == 0);
    CHECK(b.upstream->set_weight("https://192.0.2.9", 1).error().code == Code::not_found);
    CHECK(b.upstream->set_weight("https://192.0.2.1", -1).error().code == Code::invalid);
    // What has no weight is no other half.
    CHECK(b.upstream->eject("https://192.0.2.2", 1min).error().code == Code::denied);
    CHECK(b.upstream->set_weight("https://192.0.2.2", 0).error().code == Code::denied);
    REQUIRE(b.upstream->restore("https://192.0.2.1")); // its configured weight again
    CHECK(shares()[1] == Approx(40).margin(20));
    REQUIRE(b.upstream->eject("https://192.0.2.2", 1min));
    CHECK(b.upstream->eject("https://192.0.2.1", 1min).error().code == Code::denied);
    CHECK(shares()[1] == 0);
    CHECK(b.upstream->status().endpoints[1].back_in.has_value());
    REQUIRE(b.upstream->restore("https://192.0.2.2"));
    CHECK(b.upstream->status().endpoints[1].slow_start);
    b.loop.run_for(1min);
    CHECK(shares()[1] == Approx(40).margin(20));
}
