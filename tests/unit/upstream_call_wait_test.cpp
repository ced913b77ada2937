// Calls that wait: for a place, for a connection, for the loop. What they may still do when their turn comes.
#include "tests/unit/upstream_doubles.h"
#include "upstream/call.h"

using namespace holdfast;
using namespace holdfast::testing;

TEST_CASE("call: what waits for a place is not sent once an order or the circuit forbids it") {
    for (const bool by_order : {true, false}) {
        UpstreamBench b;
        b.options.pool.connections = 1;
        b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(200, kPass), 500ms); };
        b.begin();
        bool allowed = true;
        UpstreamBench::One runs, waits, live;
        b.start(runs, b.spec(1));
        auto s = b.spec(2);
        s.may_retry = [&allowed] { return allowed; };
        b.start(waits, std::move(s));
        b.loop.run_for(100ms);
        if (by_order)
            allowed = false;
        else
            b.upstream->circuit().force(Forced::open, b.loop.now().mono + 1min, b.loop.now());
        b.upstream->circuit_touched();
        b.loop.run_for(401ms);
        REQUIRE(runs.result);
        REQUIRE(waits.result);  // at once, without the wait before a retry
        CHECK(waits.result->stop == (by_order ? CallStop::forbidden : CallStop::circuit));
        CHECK(waits.result->failure == FailureKind::local);
        CHECK(waits.result->ladder_may_follow());
        CHECK(waits.result->attempts.empty());
        CHECK(b.net.requests.size() == 1);
        CHECK(b.upstream->status().endpoints[0].busy == 0);
        auto always = b.spec(3);
        always.always = true;
        b.start(live, std::move(always));
        b.loop.run_for(1s);
        REQUIRE(live.result);
        CHECK(live.result->ok());
    }
}

TEST_CASE("call: a circuit that opens while it connects stops the call, one that has closed again does not") {
    UpstreamBench b;
    b.options.pool.idle = 0;
    b.begin();
    for (const bool closed_again : {false, true}) {
        UpstreamBench::One one;
        b.start(one, b.spec(1));
        b.upstream->circuit().force(Forced::open, b.loop.now().mono + 1min, b.loop.now());
        if (closed_again) b.upstream->circuit().force(Forced::closed, b.loop.now().mono + 1min, b.loop.now());
        b.upstream->circuit_touched();
        b.loop.run_for(1s);
        REQUIRE(one.result);
        CHECK(one.result->ok() == closed_again);
        CHECK(b.net.requests.size() == (closed_again ? 1 : 0));
        CHECK(b.window().calls() == (closed_again ? 1 : 0));
        b.upstream->circuit().force(Forced::closed, b.loop.now().mono + 1min, b.loop.now());
    }
}

TEST_CASE("call: a try whose place comes too late to finish is not begun, and its place serves the next") {
    UpstreamBench b;
    b.options.pool.connections = 1;
    b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(200, kPass), 1950ms); };
    b.begin();
    UpstreamBench::One runs, waits, next;
    b.start(runs, b.spec(1));
    b.start(waits, b.spec(2, 2s));
    b.start(next, b.spec(3, 10s));
    b.loop.run_for(1980ms);
    REQUIRE(runs.result);
    CHECK(runs.result->ok());
    REQUIRE(waits.result);
    CHECK(waits.result->failure == FailureKind::overloaded_local);
    CHECK(waits.result->stop == CallStop::nothing_to_call);
    CHECK(waits.result->attempts.empty());
    b.loop.run_for(5s);
    REQUIRE(next.result);
    CHECK(next.result->ok());
    CHECK(b.net.requests.size() == 2);
    CHECK(b.window().calls() == 2);
    CHECK(b.upstream->status().endpoints[0].busy == 0);
}

TEST_CASE("call: after a stall of our own an answer that lay there is read before the try is judged") {
    UpstreamBench b;
    bool answers = true;
    b.net.serve = [&answers](const std::string&, FakeStream& s) {
        if (answers) s.send(reply(200, kPass), 3100ms);  // behind the limit, as an event of the loop
    };
    b.begin();
    UpstreamBench::One answered, silent;
    b.start(answered, b.spec(1, 3s));
    b.loop.run_for(100ms);
    b.loop.stall(4s);
    b.loop.run_for(10ms);
    REQUIRE(answered.result);
    CHECK(answered.result->ok());
    CHECK(b.window().failures == 0);
    answers = false;
    b.start(silent, b.spec(2, 3s));
    b.loop.run_for(100ms);
    b.loop.stall(4s);
    b.loop.run_for(10ms);
    REQUIRE(silent.result);
    CHECK(silent.result->failure == FailureKind::timeout);
    CHECK(b.window().failures == 1);
}

TEST_CASE("call: out of a long queue only those come that what the centre usually takes still fits") {
    UpstreamBench b;
    b.options.pool.connections = 1;
    b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(200, kPass), 800ms); };
    b.begin();
    for (std::uint64_t i = 0; i < TimeoutEstimator::kSamplesMin; ++i) REQUIRE(b.run(i, 810ms).ok());
    const std::uint64_t before = b.window().calls();
    UpstreamBench::One runs, late, next;
    b.start(runs, b.spec(1, 3s));
    b.start(late, b.spec(2, 1300ms));  // it would be cut off half a second after it began
    b.start(next, b.spec(3, 3s));
    b.loop.run_for(1700ms);
    REQUIRE(late.result);
    CHECK(late.result->failure == FailureKind::overloaded_local);
    REQUIRE(next.result);
    CHECK(next.result->ok());
    CHECK(b.window().failures == 0);
    CHECK(b.window().calls() == std::min<std::uint64_t>(before + 2, b.options.circuit.window_size));
}

TEST_CASE("call: a retry whose time has gone by while the loop stood still is not sent") {
    UpstreamBench b;
    b.options.retry_base = 1s;
    b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(500, "{}")); };
    b.begin();
    UpstreamBench::One one;
    b.start(one, b.spec(1, 3s));
    b.loop.run_for(100ms);
    b.loop.stall(4s);
    b.loop.run_for(10ms);
    REQUIRE(one.result);
    CHECK(one.result->stop == CallStop::no_time);
    CHECK(b.net.requests.size() == 1);
}
