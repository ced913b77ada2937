#include <catch2/catch.hpp>

#include <list>

#include "tests/unit/upstream_doubles.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

// Tries of 200 ms and one retry; the first request is answered with a fail, `late` after it came.
struct LateFail : UpstreamBench {
    explicit LateFail(Nanos late) {
        options.timeout = {200ms, 200ms, 2};
        options.retries = 1;
        net.serve = [this, late](const std::string&, FakeStream& s) {
            const bool first = net.requests.size() == 1;
            first ? s.send(reply(200, R"({"outcome":"fail"})"), late) : s.send(reply(500, "{}"));
        };
        begin();
        CallSpec s = spec(1);
        s.permit = upstream->circuit().admit(s.caller, loop.now(), rng).permit;
        s.may_retry = [this] { return may_retry; };
        start(one, std::move(s));
        loop.run_for(201ms);
        REQUIRE_FALSE(one.result);
    }
    void check(CallStop stop, std::size_t tries) {
        loop.run_for(1s);
        REQUIRE(one.result);
        CHECK(one.result->stop == stop);
        CHECK(one.result->attempts.size() == tries);
        CHECK_FALSE(one.result->ok());
        CHECK(one.result->late_kept);
        REQUIRE(one.late);
        CHECK(one.late->verdict == Verdict::fail);
        CHECK(upstream->status().late == 0);
        CHECK(upstream->status().late_recorded == 1);
        CHECK(upstream->status().endpoints[0].busy == 0);
    }
    bool may_retry = true;
    One one;
};

}  // namespace

TEST_CASE("call: the late answer of a try that was to be tried again is recorded, whatever became of that") {
    for (const Nanos late : {250ms, 700ms}) {  // in the wait, and when the call is over
        INFO(late.count());
        LateFail opened(late);
        CHECK(opened.upstream->status().endpoints[0].busy == 0);
        opened.upstream->circuit().force(Forced::open, opened.loop.now().mono + 10s, opened.loop.now());
        opened.upstream->circuit_touched();
        opened.check(CallStop::circuit, 1);

        LateFail forbidden(late);
        forbidden.may_retry = false;
        forbidden.check(CallStop::forbidden, 1);

        LateFail failed(late);
        failed.check(CallStop::attempts_spent, 2);
        CHECK(failed.window().failures == 2);
    }
}

TEST_CASE("call: while one goes on, an answer of its earlier try is its recorder's, and both words are told") {
    UpstreamBench b;
    b.options.timeout = {200ms, 200ms, 2};
    b.options.retries = 1;
    b.net.serve = [&b](const std::string&, FakeStream& s) {
        const bool first = b.net.requests.size() == 1;
        s.send(reply(200, first ? R"({"outcome":"fail"})" : kPass), first ? 400ms : 150ms);
    };
    b.begin();
    UpstreamBench::One one;
    b.start(one, b.spec(1));
    b.loop.run_for(401ms);
    CHECK_FALSE(one.result);
    REQUIRE(one.late);
    CHECK(one.late->verdict == Verdict::fail);
    b.loop.run_for(1s);
    REQUIRE(one.result);
    REQUIRE(one.result->ok());
    CHECK(one.result->outcome->verdict == Verdict::pass);
    CHECK(b.window().calls() == 2);
    CHECK(b.window().failures == 1);
}

TEST_CASE("call: a try whose request has not wholly left is not kept beside its retry") {
    UpstreamBench b;
    b.options.timeout = {200ms, 200ms, 2};
    b.options.retries = 1;
    b.net.stuck = true;
    b.net.serve = [](const std::string&, FakeStream&) {};
    b.begin();
    UpstreamBench::One one;
    b.start(one, b.spec(1));
    b.loop.run_for(201ms);
    CHECK_FALSE(one.result);
    CHECK(b.upstream->status().late == 0);
    CHECK(*b.net.closed.at(0));
    b.loop.run_for(1s);
    REQUIRE(one.result);
    CHECK(one.result->attempts.size() == 2);
    CHECK(one.result->late_kept);
    CHECK(b.upstream->status().late == 1);
}

TEST_CASE("call: late tries hold at most kLateBytesMax of requests, and give them back") {
    UpstreamBench b;
    b.net.stuck = true;
    b.net.serve = [](const std::string&, FakeStream&) {};
    b.begin();
    constexpr std::size_t kFit = 16;
    const auto body = std::make_shared<const std::string>(LateCalls::kLateBytesMax / kFit, 'x');
    std::list<UpstreamBench::One> all(kFit + 2);
    for (auto& one : all) {
        CallSpec spec = b.spec(1);
        spec.body = body;
        b.start(one, std::move(spec));
    }
    b.loop.run_for(3s);
    std::size_t kept = 0;
    for (auto& one : all) kept += one.result->late_kept;
    CHECK(kept == kFit);
    for (auto& one : all) one.call.reset();
    CHECK(body.use_count() == 1); // a late try needs its request no more
    b.loop.run_for(20s);
    CHECK(b.upstream->status().late == 0);
    UpstreamBench::One later;
    CallSpec spec = b.spec(1);
    spec.body = body;
    b.start(later, std::move(spec));
    b.loop.run_for(4s);
    REQUIRE(later.result);
    CHECK(later.result->late_kept);
    all.clear();
}

TEST_CASE("call: late tries whose requests have left hold nothing of them") {
    UpstreamBench b;
    b.net.serve = [](const std::string&, FakeStream&) {};
    b.begin();
    const auto body = std::make_shared<const std::string>(LateCalls::kLateBytesMax / 2, 'x');
    std::list<UpstreamBench::One> all(4);
    for (auto& one : all) {
        CallSpec spec = b.spec(1);
        spec.body = body;
        b.start(one, std::move(spec));
    }
    b.loop.run_for(3s);
    CHECK(b.upstream->status().late == all.size());
    all.clear();
    CHECK(body.use_count() == 1);
}
