#include <catch2/catch.hpp>

#include <memory>
#include <string>

#include "edge/net/uv_loop.h"
#include "edge/net/uv_network.h"
#include "tests/support/centre.h"
#include "tests/support/load_run.h"

using namespace holdfast;

namespace {

// The stand-in and the load generator on real sockets, in one loop, for as long as the load takes.
struct Real {
    UvLoop loop;
    UvNetwork network{loop};
    Centre centre{loop, network, 1};
    int port = 0;
    std::string summary;

    Real() {
        auto got = centre.listen("127.0.0.1:0");
        REQUIRE(got);
        port = *got;
    }
    void load(LoadTerms terms) {
        LoadShape shape;
        shape.host = "127.0.0.1";
        shape.scenes = {{"LOGIN", 1}};
        LoadRun run(
            loop, network, Target{"127.0.0.1", port, false, ""}, shape, terms, [](const std::string&) {},
            [this] { loop.stop(); });
        run.start();
        const auto limit = loop.after(20s, [this] { loop.stop(); });
        loop.run();
        summary = run.summary();
    }
};

} // namespace

TEST_CASE("central-sim and holdfast-load: a run over real sockets is answered whole") {
    Real real;
    LoadTerms terms;
    terms.connections = 8;
    terms.requests_max = 400;
    real.load(terms);
    CHECK(real.centre.stats().requests == 400);
    CHECK(real.summary.find(R"("answered":400,"failures":0)") != std::string::npos);
}

TEST_CASE("central-sim and holdfast-load: a centre that refused comes back on the same port") {
    Real real;
    LoadTerms terms;
    terms.connections = 2;
    terms.requests_max = 10;
    terms.timeout = 300ms;
    terms.rate = 100;
    CentrePlan plan;
    plan.mode = CentreMode::refuse;
    real.centre.apply(plan);
    real.load(terms);
    CHECK(real.summary.find(R"("failures":10)") != std::string::npos);
    plan.mode = CentreMode::healthy;
    real.centre.apply(plan);
    real.load(terms);
    CHECK(real.summary.find(R"("failures":0)") != std::string::npos);
}

TEST_CASE("central-sim and holdfast-load: what falls into a black hole is given up in time") {
    Real real;
    LoadTerms terms;
    terms.connections = 4;
    terms.requests_max = 4;
    terms.timeout = 200ms;
    CentrePlan plan;
    plan.mode = CentreMode::blackhole;
    real.centre.apply(plan);
    real.load(terms);
    CHECK(real.summary.find(R"("answered":4,"failures":4)") != std::string::npos);
    CHECK(real.centre.stats().requests == 0);
}
