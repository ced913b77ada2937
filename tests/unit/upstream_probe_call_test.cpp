// What a call does with a probe for the fleet: its fencing token, and the clock right before the bytes.
#include "tests/unit/upstream_doubles.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

Leased probing(const UpstreamBench& b, Nanos lease) {
    Leased l;
    l.bind = Leased::Bind::probe;
    l.epoch = 41;
    l.until = l.probe_until = b.loop.now().mono + lease;
    return l;
}

CallSpec probe(UpstreamBench& b, std::uint64_t subject) {
    CallSpec s = b.spec(subject);
    Admission a = b.upstream->circuit().admit(s.caller, b.loop.now(), b.rng);
    REQUIRE(a.admitted());
    s.permit = std::move(a.permit);
    return s;
}

} // namespace

TEST_CASE("call: a probe for the fleet carries its epoch, another call does not") {
    UpstreamBench b;
    b.begin();
    REQUIRE(b.run(1, 100ms).ok());
    CHECK(b.net.requests[0].find("X-Edge-Probe") == std::string::npos);
    b.upstream->circuit().adopt(probing(b, 10s), b.loop.now());
    UpstreamBench::One one;
    b.start(one, probe(b, 2));
    b.loop.run_for(100ms);
    REQUIRE(one.result);
    CHECK(b.net.requests[1].find("\r\nX-Edge-Probe: 41\r\n") != std::string::npos);
}

TEST_CASE("call: a probe whose lease could run out is not sent, by the clock read right before the bytes") {
    for (const bool kept : {true, false}) { // over a kept connection, and over a new one
        UpstreamBench b;
        Nanos ahead{0}; // the machine was suspended in the middle of this turn
        b.options.boot_clock = [&] { return b.loop.now().mono + ahead; };
        b.begin();
        if (kept) REQUIRE(b.run(1, 100ms).ok());
        b.upstream->circuit().adopt(probing(b, 10s), b.loop.now());
        UpstreamBench::One one;
        CallSpec s = probe(b, 2);
        ahead = 10s;
        const std::size_t before = b.net.requests.size();
        b.start(one, std::move(s));
        CHECK_FALSE(one.result); // not inside the call that began it
        b.loop.run_for(1s);
        REQUIRE(one.result);
        CHECK_FALSE(one.result->ok());
        CHECK(one.result->failure == FailureKind::local);
        CHECK(b.net.requests.size() == before);
        CHECK_FALSE(one.result->attempts[0].was_sent);
        CHECK_FALSE(b.upstream->circuit().own(b.loop.now()).verdict);
        CHECK(b.upstream->status().endpoints[0].busy == 0);
    }
}
