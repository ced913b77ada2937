#include "upstream/call.h"

#include "tests/unit/upstream_doubles.h"

using namespace holdfast;
using namespace holdfast::testing;

using Dial = FakeNetwork::Dial;

TEST_CASE("call: an answered call is one try, counted once, and its connection serves the next") {
    UpstreamBench b;
    b.begin();
    const CallResult r = b.run(1);
    REQUIRE(r.ok());
    CHECK(r.outcome->verification_id == "v1");
    CHECK(r.failure == FailureKind::none);
    CHECK(r.stop == CallStop::answered);
    REQUIRE(r.attempts.size() == 1);
    CHECK(r.attempts[0].was_sent);
    CHECK(b.window().successes == 1);
    CHECK(b.run(2, 1s).ok());
    CHECK(b.net.dials.size() == 1);
    CHECK(b.upstream->status().endpoints[0].idle == 1);
}

TEST_CASE("call: the request is built from our own values") {
    UpstreamBench b;
    b.options.endpoints = {*parse_endpoint("https://central.example:9443/face")};
    b.begin();
    auto s = b.spec(7);
    s.traceparent = to_text(*parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
    UpstreamBench::One one;
    b.start(one, std::move(s));
    b.loop.run_for(100ms);
    REQUIRE(one.result);
    REQUIRE(b.net.requests.size() == 1);
    const std::string& q = b.net.requests[0];
    CHECK(q.starts_with("POST /face/v1/verifications HTTP/1.1\r\n"));
    for (const char* field :
         {"Host: central.example:9443\r\n", "Content-Type: application/json\r\n", "Content-Length: 15\r\n",
          "X-Request-Id: req-1\r\n", "X-Edge-Node: pop-1\r\n", "X-Edge-Region: eu-1\r\n", "X-Attempt: 1\r\n",
          "Idempotency-Key: app.o7\r\n", "X-Deadline-Ms: 2999\r\n",
          "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"})
        CHECK(q.find(field) != std::string::npos);
    CHECK(q.ends_with("\r\n\r\n{\"orderNo\":\"x\"}"));
}

TEST_CASE("call: a refused connection is three tries with growing waits, each counted as a connect failure") {
    UpstreamBench b;
    b.net.dial_rules["192.0.2.1"] = Dial::refuse;
    b.begin();
    UpstreamBench::One one;
    b.start(one, b.spec(1));
    b.loop.run_for(5s);
    REQUIRE(one.result);
    CHECK(one.result->failure == FailureKind::refused);
    CHECK(one.result->stop == CallStop::attempts_spent);
    REQUIRE(one.result->attempts.size() == 3);
    for (const auto& a : one.result->attempts) CHECK_FALSE(a.was_sent);
    const Nanos first = one.result->attempts[1].started - one.result->attempts[0].started;
    const Nanos second = one.result->attempts[2].started - one.result->attempts[1].started;
    CHECK(first >= 80ms);
    CHECK(first <= 120ms);
    CHECK(second >= 160ms);
    CHECK(second <= 240ms);
    CHECK(b.window().failures == 3);
    CHECK(b.upstream->circuit().view(b.loop.now()).connect_failures == 3);
    CHECK(one.result->ladder_may_follow());
}

TEST_CASE("call: what a hostile centre sends is a failure of the circuit and never an outcome") {
    const std::string cut = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + kPass;
    std::string flood;
    for (int i = 0; i < 20; ++i) flood += "HTTP/1.1 100 Continue\r\n\r\n";
    struct Row {
        const char* what;
        std::string bytes;
        bool then_end;
        FailureKind kind;
    };
    const Row rows[] = {
        {"garbage", "\x16\x03\x01 nonsense\r\n\r\n", false, FailureKind::invalid_response},
        {"closed without an answer", "", true, FailureKind::unavailable},
        {"closed mid-body", cut, true, FailureKind::unavailable},
        {"not JSON", reply(200, "<html>"), false, FailureKind::invalid_response},
        {"no outcome", reply(200, "{}"), false, FailureKind::invalid_response},
        {"empty", reply(200, ""), false, FailureKind::invalid_response},
        {"204", "HTTP/1.1 204 No\r\n\r\n", false, FailureKind::invalid_response},
        {"redirect", reply(302, kPass, "Location: https://evil.example/\r\n"), false, FailureKind::invalid_response},
        {"1xx flood", flood + reply(200, kPass), false, FailureKind::invalid_response},
        {"101", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", false,
         FailureKind::invalid_response},
        {"huge head", "HTTP/1.1 200 OK\r\nX: " + std::string(64 * 1024, 'a') + "\r\n\r\n", false,
         FailureKind::invalid_response},
        {"too long a body", reply(200, std::string((1u << 20) + 1, ' ')), false, FailureKind::invalid_response},
        {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 72\r\nContent-Length: 71\r\n\r\n" + kPass, false,
         FailureKind::invalid_response},
        {"length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 72\r\nTransfer-Encoding: chunked\r\n\r\n" + kPass,
         false, FailureKind::invalid_response},
        {"bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", false,
         FailureKind::invalid_response},
        {"500", reply(500, kPass), false, FailureKind::unavailable},
        {"503", reply(503, "x"), false, FailureKind::unavailable},
        {"504", reply(504, "x"), false, FailureKind::timeout},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        UpstreamBench b;
        b.net.serve = [&row](const std::string&, FakeStream& s) {
            if (!row.bytes.empty()) s.send(row.bytes);
            if (row.then_end) s.end(1ms);
        };
        b.begin();
        const CallResult r = b.run(1);
        CHECK_FALSE(r.ok());
        CHECK(name(r.failure) == name(row.kind));
        CHECK(r.attempts.size() == 3);
        CHECK(r.attempts.back().was_sent);
        CHECK(b.window().failures == 3);
        CHECK(b.window().successes == 0);
        CHECK(b.net.dials.size() == 3); // a retry takes a fresh connection
    }
}

TEST_CASE("call: a definite 4xx is a success of the centre, no outcome, and never tried again") {
    UpstreamBench b;
    b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(422, kPass)); };
    b.begin();
    const CallResult r = b.run(1);
    CHECK_FALSE(r.ok());
    CHECK(r.failure == FailureKind::rejected);
    CHECK(r.attempts.size() == 1);
    CHECK(r.attempts[0].status == 422);
    CHECK_FALSE(r.ladder_may_follow());
    CHECK(b.window().successes == 1);
}

TEST_CASE("call: throttling is honoured before the retry, and not retried when there is no time for it") {
    UpstreamBench b;
    int n = 0;
    b.net.serve = [&n](const std::string&, FakeStream& s) {
        s.send(n++ == 0 ? reply(429, "", "Retry-After: 1\r\n") : reply(200, kPass));
    };
    b.begin();
    UpstreamBench::One one;
    b.start(one, b.spec(1));
    b.loop.run_for(5s);
    REQUIRE(one.result->ok());
    CHECK(one.took >= 1s);
    CHECK(b.window().throttled == 1);
    n = 0;
    b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(503, "", "Retry-After: 60\r\n")); };
    const CallResult r = b.run(2);
    CHECK(r.failure == FailureKind::throttled);
    CHECK(r.stop == CallStop::no_time);
    CHECK(r.attempts.size() == 1);
    CHECK(r.retry_after == kRetryAfterMax);
    CHECK(b.window().failures == 0);
}

TEST_CASE("call: a centre that hangs ends at the deadline, and its late answer is still recorded") {
    UpstreamBench b;
    b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(200, kPass), 7s); };
    b.begin();
    UpstreamBench::One one;
    b.start(one, b.spec(1));
    b.loop.run_for(3s);
    REQUIRE(one.result);
    CHECK(one.took == 3s);
    CHECK(one.result->failure == FailureKind::timeout);
    CHECK(one.result->late_kept);
    CHECK(b.window().failures == 1);
    one.call.reset(); // the owner need not live
    CHECK(b.upstream->status().endpoints[0].busy == 0);
    CHECK(b.upstream->status().late == 1);
    b.loop.run_for(5s);
    REQUIRE(one.late);
    CHECK(one.late->verdict == Verdict::pass);
    CHECK(b.upstream->status().late == 0);
    CHECK(b.window().calls() == 1); // counted once, when time was up
}

TEST_CASE("call: late answers are given up after their limit, and only definite ones are recorded") {
    UpstreamBench b;
    b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(500, kPass), 4s); };
    b.begin();
    UpstreamBench::One bad, none;
    b.start(bad, b.spec(1));
    b.loop.run_for(5s);
    b.net.serve = [](const std::string&, FakeStream&) {};
    b.start(none, b.spec(2));
    b.loop.run_for(15s);
    CHECK(b.upstream->status().late == 1);
    b.loop.run_for(2s);
    CHECK(b.upstream->status().late == 0);
    CHECK(b.upstream->status().late_dropped == 2);
    CHECK_FALSE(bad.late);
    CHECK_FALSE(none.late);
    CHECK(*b.net.closed.back());
}

TEST_CASE("call: at most kLateCallsMax late tries are kept") {
    UpstreamBench b;
    b.net.serve = [](const std::string&, FakeStream&) {};
    b.options.pool.connections = LateCalls::kLateCallsMax + 3;
    b.begin();
    std::list<UpstreamBench::One> all(LateCalls::kLateCallsMax + 3);
    for (auto& one : all) b.start(one, b.spec(1));
    b.loop.run_for(3s);
    int kept = 0;
    for (auto& one : all) kept += one.result->late_kept;
    CHECK(kept == int(LateCalls::kLateCallsMax));
    CHECK(b.upstream->status().late == LateCalls::kLateCallsMax);
    all.clear();
}

TEST_CASE("call: a destroyed call is cancelled, its permit returned and its connection closed") {
    UpstreamBench b;
    b.net.serve = [](const std::string&, FakeStream&) {};
    b.begin();
    b.upstream->circuit().force(Forced::open, b.loop.now().mono + 1s, b.loop.now());
    b.upstream->circuit_touched();
    b.loop.run_for(1s);
    REQUIRE(b.upstream->circuit().state() == CircuitState::half_open); // by the Upstream's own timer
    auto s = b.spec(1);
    s.permit.drop();
    auto probe = b.upstream->circuit().admit(s.caller, b.loop.now(), b.rng);
    REQUIRE(probe.admitted());
    s.permit = std::move(probe.permit);
    UpstreamBench::One one;
    b.start(one, std::move(s));
    b.loop.run_for(100ms);
    CHECK(b.upstream->circuit().view(b.loop.now()).probes_in_flight == 1);
    one.call.reset();
    b.loop.run_for(5s);
    CHECK_FALSE(one.result);
    CHECK(b.upstream->circuit().view(b.loop.now()).probes_in_flight == 0);
    CHECK(b.upstream->status().calls == 0);
    CHECK(*b.net.closed.back());
}

TEST_CASE("call: what forbids a retry meanwhile ends the call with what it has") {
    UpstreamBench b;
    b.net.dial_rules["192.0.2.1"] = Dial::refuse;
    b.begin();
    bool allowed = true;
    auto s = b.spec(1);
    s.may_retry = [&allowed] { return std::exchange(allowed, false); };
    UpstreamBench::One one;
    b.start(one, std::move(s));
    b.loop.run_for(5s);
    REQUIRE(one.result);
    CHECK(one.result->stop == CallStop::forbidden);
    CHECK(one.result->failure == FailureKind::refused);
    CHECK(one.result->attempts.size() == 2);
}

TEST_CASE("call: a retry needs a new admission, and the circuit may refuse it") {
    UpstreamBench b;
    b.net.dial_rules["192.0.2.1"] = Dial::refuse;
    b.begin();
    b.upstream->circuit().force(Forced::open, b.loop.now().mono + 1s, b.loop.now());
    b.upstream->circuit_touched();
    b.loop.run_for(1s);
    auto s = b.spec(1);
    s.permit.drop();
    s.permit = b.upstream->circuit().admit(s.caller, b.loop.now(), b.rng).permit;
    UpstreamBench::One one;
    b.start(one, std::move(s));
    b.loop.run_for(5s);
    REQUIRE(one.result);
    CHECK(one.result->stop == CallStop::circuit);
    CHECK(one.result->failure == FailureKind::refused);
    CHECK(one.result->attempts.size() == 1);
    CHECK(one.result->attempts[0].probe);
}

TEST_CASE("call: retries together stay within their budget") {
    UpstreamBench b;
    b.net.dial_rules["192.0.2.1"] = Dial::refuse;
    b.options.circuit.minimum_calls = 5000;
    b.options.circuit.connect_failures = 5000;
    int retries = 0;
    b.observers.on_retry = [&retries] { ++retries; };
    b.begin();
    std::list<UpstreamBench::One> all(200);
    for (auto& one : all) b.start(one, b.spec(1));
    b.loop.run_for(5s);
    int by_budget = 0;
    for (auto& one : all) by_budget += one.result->stop == CallStop::budget;
    CHECK(retries == 20);
    CHECK(by_budget >= 180);
    all.clear();
}

TEST_CASE("call: a full queue and a place that never comes are our own fault and not counted") {
    UpstreamBench b;
    b.options.pool.connections = 1;
    b.options.pool.queue = 1;
    b.net.serve = [](const std::string&, FakeStream&) {};
    b.begin();
    UpstreamBench::One runs, waits, shed;
    b.start(runs, b.spec(1, 10s));
    auto longer = b.spec(2, 2s);
    b.start(waits, std::move(longer));
    b.start(shed, b.spec(3));
    b.loop.run_for(1ms);
    REQUIRE(shed.result);
    CHECK(shed.result->failure == FailureKind::overloaded_local);
    CHECK(shed.result->stop == CallStop::nothing_to_call);
    CHECK(shed.result->error.origin == Origin::local);
    CHECK(shed.result->attempts.empty());
    CHECK_FALSE(shed.result->ladder_may_follow());
    b.loop.run_for(2s);
    REQUIRE(waits.result);
    CHECK(waits.result->failure == FailureKind::overloaded_local);
    CHECK(b.window().calls() == 0);
}

TEST_CASE("call: places go to the waiting in their order") {
    UpstreamBench b;
    b.options.pool.connections = 1;
    b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(200, kPass), 10ms); };
    b.begin();
    std::list<UpstreamBench::One> all(5);
    std::uint64_t n = 0;
    for (auto& one : all) b.start(one, b.spec(n++));
    b.loop.run_for(1s);
    REQUIRE(b.net.requests.size() == 5);
    for (std::size_t i = 0; i < 5; ++i)
        CHECK(b.net.requests[i].find("Idempotency-Key: app.o" + std::to_string(i) + "\r\n") != std::string::npos);
    CHECK(b.net.dials.size() == 1);
    all.clear();
}

TEST_CASE("call: a kept connection that the centre closed is replaced without blame") {
    UpstreamBench b;
    b.begin();
    CHECK(b.run(1).ok());
    b.net.newest->end(); // while idle: discarded before use
    b.loop.run_for(1ms);
    CHECK(b.upstream->status().endpoints[0].idle == 0);
    CHECK(b.run(2).attempts.size() == 1);
    b.net.serve = [](const std::string&, FakeStream& s) { // while the request was under way
        if (s.requests > 1)
            s.reset();
        else
            s.send(reply(200, kPass));
    };
    const CallResult r = b.run(3);
    REQUIRE(r.ok());
    CHECK(r.attempts.size() == 2);
    CHECK(b.window().failures == 0);
    CHECK(b.window().successes == 3);
}

TEST_CASE("call: a kept connection that breaks in the middle of an answer is the centre's failure") {
    UpstreamBench b;
    b.net.serve = [](const std::string&, FakeStream& s) {
        s.send(s.requests > 1 ? "HTTP/1.1 500 Inter" : reply(200, kPass));
        if (s.requests > 1) s.reset();
    };
    b.begin();
    REQUIRE(b.run(1).ok());
    const CallResult r = b.run(2);
    CHECK(r.ok());  // the retry's connection is a fresh one
    CHECK(r.attempts.size() == 2);
    CHECK(b.window().failures == 1);
}

TEST_CASE("call: without retries a dead connection is replaced all the same, once") {
    UpstreamBench b;
    b.options.retries = 0;
    b.net.serve = [](const std::string&, FakeStream& s) {
        if (s.requests > 1)
            s.reset();
        else
            s.send(reply(200, kPass));
    };
    b.begin();
    REQUIRE(b.run(1).ok());
    const CallResult r = b.run(2);
    CHECK(r.ok());
    CHECK(r.attempts.size() == 2);
    b.net.serve = [](const std::string&, FakeStream& s) { s.reset(); };
    CHECK(b.run(3).attempts.size() == 2);
}

TEST_CASE("call: a kept connection that the centre closed is not replaced once the circuit has opened") {
    UpstreamBench b;
    b.begin();
    CHECK(b.run(1).ok());
    b.net.serve = [&b](const std::string&, FakeStream& s) {
        b.upstream->circuit().force(Forced::open, b.loop.now().mono + 1s, b.loop.now());
        b.upstream->circuit_touched();
        s.reset();
    };
    const CallResult r = b.run(2);
    CHECK_FALSE(r.ok());
    CHECK(r.stop == CallStop::circuit);
    CHECK(r.attempts.size() == 1);
}

TEST_CASE("call: a retry goes to another endpoint") {
    UpstreamBench b;
    b.options.endpoints = {*parse_endpoint("https://192.0.2.1"), *parse_endpoint("https://192.0.2.2")};
    b.net.dial_rules["192.0.2.1"] = Dial::refuse;
    std::vector<std::size_t> ejected;
    b.observers.on_ejection = [&ejected](std::size_t e, bool) { ejected.push_back(e); };
    b.begin();
    int first_failed = 0;
    for (std::uint64_t s = 0; s < 20; ++s) {
        const CallResult r = b.run(s * 0x9e3779b97f4a7c15ull);
        CHECK(r.ok());
        if (r.attempts.size() == 2) {
            ++first_failed;
            CHECK(r.attempts[0].endpoint == 0);
            CHECK(r.attempts[1].endpoint == 1);
        }
    }
    CHECK(first_failed >= 5);
    REQUIRE_FALSE(ejected.empty());
    CHECK(std::count(ejected.begin(), ejected.end(), 1u) == 0); // never below half
}

TEST_CASE("call: addresses are tried in turn, and the good one is remembered") {
    UpstreamBench b;
    b.options.endpoints = {*parse_endpoint("https://central.example")};
    b.net.names = std::vector<std::string>{"192.0.2.1", "192.0.2.2", "192.0.2.3"};
    b.net.dial_rules["192.0.2.1"] = Dial::hang;
    b.net.dial_rules["192.0.2.2"] = Dial::refuse;
    b.options.pool.idle = 0;
    b.begin();
    UpstreamBench::One one;
    b.start(one, b.spec(1));
    b.loop.run_for(5s);
    REQUIRE(one.result->ok());
    CHECK(one.result->attempts.size() == 1);
    CHECK(one.took >= 1s); // a third of the time for the one that hangs
    CHECK(b.net.dials == std::vector<std::string>{"192.0.2.1", "192.0.2.2", "192.0.2.3"});
    CHECK(b.run(2).ok());
    CHECK(b.net.dials.back() == "192.0.2.3");
    CHECK(b.net.dials.size() == 4);
}

TEST_CASE("call: our own shortages count for nothing") {
    UpstreamBench b;
    b.net.dial_rules["192.0.2.1"] = Dial::no_descriptors;
    b.begin();
    const CallResult r = b.run(1);
    CHECK(r.failure == FailureKind::local);
    CHECK(b.window().calls() == 0);
    UpstreamBench dns;
    dns.options.endpoints = {*parse_endpoint("https://central.example")};
    dns.net.names = fail(Code::not_found, Origin::local, "no such name");
    dns.begin();
    CHECK(dns.run(1).failure == FailureKind::local);
    CHECK(dns.window().calls() == 0);
    UpstreamBench slow;
    slow.options.endpoints = {*parse_endpoint("https://central.example")};
    slow.net.names_hang = true;
    slow.begin();
    CHECK(slow.run(1).failure == FailureKind::local);
    CHECK(slow.window().calls() == 0);
}

TEST_CASE("call: a try that the deadline cut short is no failure of the centre") {
    UpstreamBench b;
    b.net.serve = [](const std::string&, FakeStream&) {};
    b.begin();
    UpstreamBench::One one;
    b.start(one, b.spec(1, 50ms));
    b.loop.run_for(1s);
    REQUIRE(one.result);
    CHECK(one.took == 50ms);
    CHECK(one.result->failure == FailureKind::timeout);
    CHECK(b.window().calls() == 0);
    UpstreamBench::One past;
    b.start(past, b.spec(1, -1s));
    b.loop.run_for(1s);
    REQUIRE(past.result);
}

TEST_CASE("call: the try's timeout follows the measured latency") {
    UpstreamBench b;
    b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(200, kPass), 20ms); };
    b.begin();
    for (std::uint64_t i = 0; i < TimeoutEstimator::kSamplesMin; ++i) CHECK(b.run(i, 30ms).ok());
    CHECK(b.upstream->status().try_timeout == Nanos(200ms));
    b.net.serve = [](const std::string&, FakeStream&) {};
    const CallResult r = b.run(1);
    CHECK(r.failure == FailureKind::timeout);
    REQUIRE(r.attempts.size() == 3);
    CHECK(r.attempts[0].duration == Nanos(200ms));
    CHECK(r.late_kept);
}
