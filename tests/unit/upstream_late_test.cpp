#include <catch2/catch.hpp>

#include <list>

#include "tests/unit/upstream_doubles.h"

using namespace holdfast;
using namespace holdfast::testing;

TEST_CASE("call: late tries hold at most kLateBytesMax of requests, and give them back") {
    UpstreamBench b;
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
