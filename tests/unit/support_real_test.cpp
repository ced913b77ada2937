#include <catch2/catch.hpp>

#include <fstream>
#include <memory>
#include <sstream>
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
    CHECK(real.summary.find(R"("answered":0,"failures":4,"timeouts":4)") != std::string::npos);
    CHECK(real.centre.stats().requests == 0);
}

TEST_CASE("central-sim: an Alipay notification goes to its receiver, whose answer is kept") {
    UvLoop loop;
    UvNetwork network(loop);
    Centre centre(loop, network, 1);
    CHECK(centre.handle({"POST", "/gateway.do", {}, {}, {}}).bytes.find(" 404 ") != std::string::npos);
    CHECK(centre.handle({"POST", "/_notify", {}, {}, "{}"}).bytes.find(" 400 ") != std::string::npos);
    const RsaKey app = RsaKey::generate();
    std::ifstream in(HOLDFAST_SOURCE_DIR "/tests/vectors/alipay_keys.json");
    std::stringstream keys;
    keys << in.rdbuf();
    json::Document doc;
    REQUIRE(doc.parse(keys.str()));
    const std::string own(*doc.root()["keys"]["alipay_private_pkcs1"].text());
    auto gateway = AlipayGateway::make({"2021", app.public_pem(), own, {}, {}, {}});
    REQUIRE(gateway);
    centre.serve_alipay(std::move(*gateway), network);
    CHECK(centre.handle({"POST", "/gateway.do", {}, {}, {}}).bytes.find("isv.missing-app-id") != std::string::npos);

    std::string received;
    MiniServer receiver(loop, [&](const MiniRequest& request) {
        received = request.body;
        return MiniReply{http_reply(200, "success")};
    });
    auto port = network.listen("127.0.0.1:0", [&](std::unique_ptr<Stream> s) { receiver.accept(std::move(s)); });
    REQUIRE(port);
    const std::string url = "http://127.0.0.1:" + std::to_string((*port)->port()) + "/v1/notifications/alipay?a=1";
    const auto order = R"({"orderNo":"o-1","passed":"F","url":")" + url + "\"}";
    const std::string told = centre.handle({"POST", "/_notify", {}, {}, order}).bytes;
    CHECK(told.find("outer_order_no=o-1") != std::string::npos);
    CHECK(centre.handle({"POST", "/_notify", {}, {}, R"({"url":"http://198.51.100.1:80/"})"}).bytes.find(" 400 ") !=
          std::string::npos);
    const auto poll = loop.after(20ms, [&] { loop.stop(); });
    std::string results;
    for (int i = 0; i < 100 && results.find(R"("status":200,"answer":"success")") == std::string::npos; ++i) {
        loop.run();
        results = centre.handle({"GET", "/_notify", {}, {}, {}}).bytes;
        poll->restart(20ms);
    }
    CHECK(results.find(R"("status":200,"answer":"success")") != std::string::npos);
    CHECK(received.find("passed=F") != std::string::npos);
}
