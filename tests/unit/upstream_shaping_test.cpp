// Who gets which share of the calls, and how an endpoint leaves and comes back.
#include <set>

#include "tests/unit/upstream_doubles.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

constexpr const char* kA = "https://192.0.2.1";
constexpr const char* kB = "https://192.0.2.2";

struct Two : UpstreamBench {
    std::vector<std::string> told;
    explicit Two(double a = 90, double b = 10) {
        options.endpoints = {*parse_endpoint(kA), *parse_endpoint(kB)};
        options.endpoints[0].weight = a;
        options.endpoints[1].weight = b;
        observers.on_ejection = [this](std::size_t e, bool out) {
            told.push_back(std::to_string(e) + (out ? " out" : " back"));
        };
    }
    std::size_t endpoint_for(std::uint64_t subject) {
        One one;
        start(one, spec(subject * 0x9e3779b97f4a7c15ull));
        loop.run_for(2ms);
        REQUIRE(one.result);
        return one.result->attempts.front().endpoint;
    }
    double share_of_second(std::uint64_t calls = 1000) {
        std::uint64_t hits = 0;
        for (std::uint64_t s = 0; s < calls; ++s) hits += endpoint_for(s) == 1;
        return static_cast<double>(hits) / static_cast<double>(calls);
    }
};

} // namespace

TEST_CASE("shaping: a canary of 90/10 gets its share of 10,000 calls within 2 %, and subjects stay where they are") {
    Two b;
    b.begin();
    std::vector<std::size_t> at;
    std::size_t canary = 0;
    for (std::uint64_t s = 0; s < 10'000; ++s) {
        at.push_back(b.endpoint_for(s));
        canary += at.back();
    }
    CHECK(std::abs(static_cast<double>(canary) / 10'000 - 0.1) <= 0.02);
    Two again; // another process
    again.begin();
    for (std::uint64_t s = 0; s < 1000; ++s) REQUIRE(again.endpoint_for(s) == at[s]);
    // A live change moves only those that the canary gains.
    REQUIRE(b.upstream->set_weight(kB, 30, {"uid 0", "more of it", {}}));
    std::size_t gained = 0;
    for (std::uint64_t s = 0; s < 1000; ++s) {
        const auto now = b.endpoint_for(s);
        if (at[s] == 1) REQUIRE(now == 1);
        gained += now != at[s];
    }
    CHECK(static_cast<double>(gained) / 1000 == Approx(0.25 - 0.1).margin(0.03));
    const auto status = b.upstream->status().endpoints[1];
    CHECK(status.share == Approx(0.25));
    CHECK(status.configured_weight == 10);
    REQUIRE(status.weight_change);
    CHECK(status.weight_change->by == "uid 0");
}

TEST_CASE("shaping: an endpoint that comes back begins with a tenth of its weight and grows to the whole") {
    Two b(50, 50);
    b.options.ejection.slow_start = 100s;
    b.begin();
    REQUIRE(b.upstream->eject(kB, 10s));
    CHECK(b.share_of_second() == 0);
    b.loop.run_for(10s);
    CHECK(b.told == std::vector<std::string>{"1 out", "1 back"});
    CHECK(b.upstream->status().endpoints[1].share == Approx(0.05 / 0.55).margin(0.02));
    b.loop.run_for(50s); // with the calls above, half of the time at least
    const double half = b.upstream->status().endpoints[1].share;
    CHECK(half > 0.3);
    CHECK(half < 0.45);
    CHECK(b.share_of_second() == Approx(half).margin(0.05));
    b.loop.run_for(100s);
    CHECK(b.upstream->status().endpoints[1].share == Approx(0.5));
    CHECK_FALSE(b.upstream->status().endpoints[1].slow_start);
}

TEST_CASE("shaping: without slow_start an endpoint is back whole") {
    Two b(50, 50);
    b.options.ejection.slow_start = 0s;
    b.begin();
    REQUIRE(b.upstream->eject(kB, 10s));
    REQUIRE(b.upstream->restore(kB));
    CHECK(b.upstream->status().endpoints[1].share == Approx(0.5));
    CHECK(b.told == std::vector<std::string>{"1 out", "1 back"});
}

TEST_CASE("shaping: probes take an endpoint out after so many bad ones, and bring it back after so many good ones") {
    Ejection e(2, {.slow_start = 0s, .probe_failures = 3, .probe_successes = 2});
    const MonoTime t(100s);
    for (int i = 0; i < 2; ++i) CHECK_FALSE(e.probe(0, false, t));
    CHECK_FALSE(e.probe(0, true, t)); // the row begins anew
    for (int i = 0; i < 2; ++i) CHECK_FALSE(e.probe(0, false, t));
    CHECK(e.probe(0, false, t));
    CHECK(e.out(0, t + 24h) == Out::probes); // not by time
    CHECK_FALSE(e.back_in(0, t));
    CHECK_FALSE(e.probe(1, false, t));
    CHECK_FALSE(e.probe(1, false, t));
    CHECK_FALSE(e.probe(1, false, t)); // the last half stays, however bad
    CHECK(e.out(1, t) == Out::no);
    CHECK_FALSE(e.next_returned(t));
    CHECK_FALSE(e.probe(0, true, t));
    CHECK(e.out(0, t) == Out::probes);
    CHECK_FALSE(e.probe(0, true, t));
    CHECK(e.out(0, t) == Out::no);
    CHECK(e.next_returned(t) == 0u);
    CHECK_FALSE(e.next_returned(t));
    CHECK(e.probe(1, false, t)); // now the other may go
    CHECK(e.out(1, t) == Out::probes);
}

TEST_CASE("shaping: an endpoint that fails and may not be taken out is said to fail, until it does not") {
    const MonoTime t(100s);
    Ejection e(1, {.failures = 3, .min_subjects = 2, .slow_start = 0s, .probe_failures = 2});
    const auto fail = [&](std::uint64_t subject, std::uint64_t credential) {
        CHECK_FALSE(e.failure(0, {subject, credential}, false, t));
    };
    for (int i = 0; i < 9; ++i) fail(1, 1);
    CHECK(e.failing(0, t) == Out::no);  // one subject's affair
    fail(2, 1);
    CHECK(e.failing(0, t) == Out::tries);
    CHECK(e.out(0, t) == Out::no);
    e.success(0, {1, 2}, t);
    CHECK(e.failing(0, t) == Out::no);
    for (std::uint64_t subject = 0; subject < 9; ++subject) fail(subject, 1);
    CHECK(e.failing(0, t) == Out::no);  // another credential is served
    fail(3, 2);
    CHECK(e.failing(0, t) == Out::tries);
    e.success(0, {1, 1}, t);
    CHECK_FALSE(e.probe(0, false, t));
    CHECK(e.failing(0, t) == Out::no);
    CHECK_FALSE(e.probe(0, false, t));
    CHECK(e.failing(0, t) == Out::probes);
    CHECK_FALSE(e.probe(0, true, t));
    CHECK(e.failing(0, t) == Out::no);
    // One that is out is not said to fail besides.
    Ejection two(2, {.failures = 1, .min_subjects = 1});
    REQUIRE(two.failure(0, {1, 1}, false, t));
    CHECK(two.failing(0, t) == Out::no);
}

TEST_CASE("shaping: what has no weight is not the half that stays") {
    Ejection e(3, {});
    const MonoTime t(100s);
    e.set_weighs(1, false);
    e.set_weighs(2, false);
    CHECK(e.eject(0, t + 1h, t).error().code == Code::denied);
    CHECK(e.eject(1, t + 1h, t));
    e.set_weighs(2, true);
    CHECK(e.eject(0, t + 1h, t));
    CHECK(e.eject(2, t + 1h, t).error().code == Code::denied);
}

TEST_CASE("shaping: an active probe moves the calls, and they come back slowly") {
    Two b(50, 50);
    b.options.health.path = "/healthz";
    b.options.health.interval = 1s;
    b.options.health.timeout = 100ms;
    bool ill = true;
    b.net.serve = [&](const std::string& host, FakeStream& s) {
        const bool probe = b.net.requests.back().starts_with("GET /healthz ");
        s.send(reply(probe && ill && host == "192.0.2.2" ? 503 : 200, kPass));
    };
    b.begin();
    b.loop.run_for(1500ms);
    CHECK(b.upstream->status().endpoints[1].probed == false);
    CHECK(b.upstream->status().endpoints[0].probed == true);
    CHECK(b.share_of_second(50) > 0); // one bad probe is not enough
    b.loop.run_for(2s);
    CHECK(b.share_of_second(200) == 0);
    CHECK(b.upstream->status().endpoints[1].out == Out::probes);
    CHECK(b.upstream->status().endpoints[1].ejections == 1);
    ill = false;
    b.loop.run_for(4s);
    CHECK(b.told == std::vector<std::string>{"1 out", "1 back"});
    CHECK(b.upstream->status().endpoints[1].slow_start);
    CHECK(b.upstream->circuit().state() == CircuitState::closed);
}

TEST_CASE("shaping: the status tells that the only endpoint fails, and that it does no longer") {
    UpstreamBench b;
    bool ill = true;
    b.net.serve = [&](const std::string&, FakeStream& s) { s.send(reply(ill ? 500 : 200, kPass)); };
    b.begin();
    CHECK(b.upstream->status().endpoints[0].failing == Out::no);
    for (std::uint64_t s = 1; s <= b.options.ejection.failures; ++s) b.run(s);
    CHECK(b.upstream->status().endpoints[0].failing == Out::tries);
    CHECK_FALSE(b.upstream->status().endpoints[0].ejected);
    ill = false;
    b.run(1);
    CHECK(b.upstream->status().endpoints[0].failing == Out::no);
}

TEST_CASE("shaping: an endpoint that is slower than the others has the time that its own answers take") {
    Two b(50, 50);
    b.net.serve = [](const std::string& host, FakeStream& s) {
        s.send(reply(200, kPass), host == "192.0.2.1" ? 20ms : 500ms);
    };
    b.begin();
    REQUIRE(b.upstream->set_weight(kB, 0));
    for (std::uint64_t s = 0; s < 2 * TimeoutEstimator::kSamplesMin; ++s) REQUIRE(b.run(s, 30ms).ok());
    REQUIRE(b.upstream->set_weight(kB, 50));
    REQUIRE(b.upstream->set_weight(kA, 0));
    for (std::uint64_t s = 0; s < 2 * TimeoutEstimator::kSamplesMin; ++s) {
        const CallResult r = b.run(s, 600ms);
        REQUIRE(r.ok());
        REQUIRE(r.attempts.size() == 1);
    }
    b.net.serve = [](const std::string&, FakeStream&) {};
    const CallResult r = b.run(1, 4s);
    CHECK(r.attempts.at(0).duration > Nanos(1s));
    CHECK(r.attempts.at(0).duration < Nanos(1100ms));
}

TEST_CASE("shaping: the only endpoint that is left has all calls, whatever its weight") {
    Two b;
    b.begin();
    REQUIRE(b.upstream->set_weight(kB, 0));
    UpstreamOptions left = b.options;
    left.endpoints.erase(left.endpoints.begin());
    REQUIRE(b.upstream->reconfigure(left, false));
    REQUIRE(b.upstream->status().endpoints.size() == 1);
    CHECK(b.upstream->status().endpoints[0].share == 1);
    CHECK(b.run(1).ok());
}
