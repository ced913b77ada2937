#include "tests/unit/upstream_doubles.h"

using namespace holdfast;
using namespace holdfast::testing;
using Dial = FakeNetwork::Dial;

namespace {

const std::string kFar = "192.0.2.1";

// A centre far away: connecting takes several round trips, an answer over a kept connection one.
struct FarBench : UpstreamBench {
    FarBench() {
        options.retries = 0;
        net.dial_takes[kFar] = 300ms;
        answer_in(50ms);
    }
    void answer_in(Nanos delay) {
        net.serve = [delay](const std::string&, FakeStream& s) { s.send(reply(200, kPass), delay); };
    }
    void learn() {
        for (std::uint64_t i = 0; i < TimeoutEstimator::kSamplesMin; ++i) REQUIRE(run(i, 1s).ok());
        REQUIRE(net.dials.size() == 1);
        REQUIRE(upstream->status().try_timeout == Nanos(200ms));
    }
    void lose_connections() {
        net.newest->end();
        loop.run_for(1ms);
    }
};

}  // namespace

TEST_CASE("try limit: one that has to connect has the time that connecting takes beside its own") {
    FarBench b;
    b.begin();
    b.learn();
    b.lose_connections();
    const CallResult r = b.run(1);
    CHECK(r.ok());
    CHECK(b.net.dials.size() == 2);
    CHECK(b.window().failures == 0);
}

TEST_CASE("try limit: from when it is connected a try has what one over a kept connection has") {
    struct Row {
        bool connects;
        Nanos deadline, timeout_max, limit;
    };
    for (const Row& row : {Row{false, 3s, 3s, 200ms}, Row{true, 3s, 3s, 500ms}, Row{true, 400ms, 3s, 400ms},
                           Row{true, 3s, 450ms, 450ms}}) {
        FarBench b;
        b.begin();
        b.learn();
        b.options.timeout.max = row.timeout_max;
        REQUIRE(b.upstream->reconfigure(b.options, false));
        if (row.connects) b.lose_connections();
        b.net.serve = [](const std::string&, FakeStream&) {};
        UpstreamBench::One one;
        b.start(one, b.spec(1, row.deadline));
        b.loop.run_for(5s);
        REQUIRE(one.result);
        CHECK(one.result->attempts.at(0).duration == row.limit);
        CHECK(one.result->attempts.at(0).was_sent);
    }
}

TEST_CASE("try limit: that a connection was cut off tells how long connecting takes at least") {
    FarBench b;
    b.begin();
    b.learn();
    b.lose_connections();
    b.net.dial_takes[kFar] = 1s;
    CHECK(b.run(1).failure == FailureKind::timeout);
    CHECK(b.run(2).ok());
}

TEST_CASE("try limit: connecting is no part of the latency that limits answers") {
    FarBench b;
    b.options.pool.idle = 0;
    b.begin();
    for (std::uint64_t i = 0; i < TimeoutEstimator::kSamplesMin; ++i) REQUIRE(b.run(i, 400ms).ok());
    REQUIRE(b.upstream->status().p99);
    CHECK(*b.upstream->status().p99 < Nanos(60ms));
    b.net.dial_rules[kFar] = Dial::hang;
    for (std::uint64_t i = 0; i < 4; ++i) CHECK(b.run(i, 3s).failure == FailureKind::timeout);
    REQUIRE(b.upstream->status().p99);
    CHECK(*b.upstream->status().p99 < Nanos(60ms));
}

TEST_CASE("try limit: what decides nothing, however fast it comes, shortens nobody's time") {
    const std::vector<std::string> rows = {
        reply(400, "{}"), reply(429, "{}", "Retry-After: 1\r\n"), reply(500, "{}"), reply(504, "{}"), reply(200, "{}"),
    };
    for (const std::string& refusal : rows) {
        INFO(refusal);
        UpstreamBench b;
        b.options.retries = 0;
        const auto answer = [&b](const std::string& bytes, Nanos delay) {
            b.net.serve = [bytes, delay](const std::string&, FakeStream& s) { s.send(bytes, delay); };
        };
        answer(reply(200, kPass), 500ms);
        b.begin();
        for (std::uint64_t i = 0; i < 60; ++i) REQUIRE(b.run(i, 500ms).ok());
        const Nanos limit = b.upstream->status().try_timeout;
        REQUIRE(limit > Nanos(1s));
        answer(refusal, 1ms);
        for (int i = 0; i < 10'000; ++i) REQUIRE_FALSE(b.run(1'000, 1ms).ok());
        CHECK(b.upstream->status().try_timeout == limit);
        answer(reply(200, kPass), 500ms);
        CHECK(b.run(1, 600ms).ok());
    }
}

TEST_CASE("try limit: before anything was measured connecting is cut off by nothing shorter than half the maximum") {
    FarBench b;
    b.net.dial_takes[kFar] = 1400ms;
    b.begin();
    CHECK(b.run(1).ok());
}

TEST_CASE("try limit: a connection that hangs leaves time for the endpoint that serves, however often") {
    UpstreamBench b;
    b.options.endpoints = {*parse_endpoint("https://192.0.2.1"), *parse_endpoint("https://192.0.2.2")};
    b.options.ejection.failures = 1'000;
    b.options.retries = 1;
    b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(200, kPass), 50ms); };
    b.net.dial_rules["192.0.2.1"] = Dial::hang;
    b.begin();
    std::uint64_t subject = 0;
    while (!b.run(subject).ok()) ++subject;  // of the endpoint that serves
    for (std::uint64_t i = 0; i < TimeoutEstimator::kSamplesMin; ++i) REQUIRE(b.run(subject, 60ms).ok());
    std::size_t moved = 0;
    for (std::uint64_t i = 0; i < 8; ++i) {
        const CallResult r = b.run(i);
        INFO(i << ": " << r.error.detail);
        CHECK(r.ok());
        moved += r.attempts.size() - 1;
    }
    CHECK(moved > 2);
}

TEST_CASE("try limit: a retry that cannot finish in what is left is not begun") {
    UpstreamBench b;
    b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(200, kPass), 1s); };
    b.begin();
    for (std::uint64_t i = 0; i < TimeoutEstimator::kSamplesMin; ++i) REQUIRE(b.run(i, 1100ms).ok());
    b.net.serve = [](const std::string&, FakeStream&) {};
    const CallResult r = b.run(1);
    CHECK(r.failure == FailureKind::timeout);
    REQUIRE(r.attempts.size() == 1);
    CHECK(r.attempts[0].duration < Nanos(2500ms));  // there was time for one of those that the minimum asks for
    CHECK(r.stop == CallStop::no_time);
    CHECK(b.window().failures == 1);
    b.net.serve = [](const std::string&, FakeStream& s) {  // a refusal at once leaves time enough
        s.send(reply(503, "{}"));
    };
    CHECK(b.run(2).attempts.size() == 3);
}
