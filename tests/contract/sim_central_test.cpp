#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <map>
#include <memory>
#include <string>

#include "edge/net/http_client.h"
#include "edge/net/http_writer.h"
#include "tests/sim/sim_central.h"
#include "tests/support/load_run.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

constexpr const char* kCentral = "127.0.1.1";
constexpr const char* kNode = "127.0.2.1";

struct Ground {
    SimLoop world;
    SimNet net;
    NodeView view{world};
    SimHost host;
    SimCentral central;
    ResponseLimits limits;
    std::unique_ptr<HttpClient> client;
    std::unique_ptr<Pending> dialling;
    std::string last;  // "200 <body>", or the error's code

    explicit Ground(std::uint64_t seed = 1)
        : net(world, seed), host(net, view, kNode), central(net, "127.0.1.1:9000", seed) {}

    void connect() {
        client.reset();
        last.clear();
        dialling = host.dial({kCentral, 9000, false, ""}, [this](Result<std::unique_ptr<Stream>> got) {
            if (got)
                client = std::make_unique<HttpClient>(view, std::move(*got), limits);
            else
                last = std::string(name(got.error().code));
        });
        world.run_for(20ms);
    }
    static std::string body(const std::string& subject, const std::string& attributes = "{}") {
        return fmt::format(R"({{"orderNo":"o-1","scene":"LOGIN","subject":"{}","attributes":{}}})", subject,
                           attributes);
    }
    // The answer after at most `limit`; empty when none came.
    std::string ask(const std::string& key, const std::string& text, Nanos limit = 2s,
                    const std::string& target = "/v1/verifications", const char* method = "POST") {
        if (client == nullptr || !client->usable()) connect();
        if (client == nullptr) return last;
        last.clear();
        std::string head;
        append_request_head(head, {method, target, "central", "application/json", text.size(), true},
                            {{"Idempotency-Key", key}, {"X-Attempt", "2"}, {"X-Request-Id", "req-7"}});
        client->send({head, text}, [this](const Result<HttpResponse>& response) {
            last = response ? fmt::format("{} {}", response->head.status, response->body)
                            : std::string(name(response.error().code));
        });
        world.run_until_true([this] { return !last.empty(); }, limit);
        return last;
    }
};

}  // namespace

TEST_CASE("sim_central: a healthy centre answers each subject its verdict, and tells of the call") {
    Ground ground;
    CentrePlan plan;
    plan.outcomes = {{"ann", Verdict::pass}, {"bob", Verdict::fail}, {"cat", Verdict::review}};
    plan.feature = true;
    plan.max_age = 120s;
    ground.central.apply(plan);
    json::Document doc;
    for (const auto& [subject, verdict] : plan.outcomes) {
        const auto got = ground.ask("k-" + subject, Ground::body(subject));
        REQUIRE(got.substr(0, 4) == "200 ");
        auto root = *doc.parse(got.substr(4));
        CHECK(root["outcome"].text() == name(verdict));
        CHECK(root["maxAgeSeconds"].integer() == 120);
        CHECK(root["feature"].text()->size() == 684);
    }
    REQUIRE(ground.central.calls().size() == 3);
    const CentreCall& call = ground.central.calls()[1];
    CHECK(call.subject == "bob");
    CHECK(call.scene == "LOGIN");
    CHECK(call.order_no == "o-1");
    CHECK(call.idempotency_key == "k-bob");
    CHECK(call.request_id == "req-7");
    CHECK(call.attempt == 2);
    CHECK(call.verdict == Verdict::fail);
    CHECK_FALSE(call.replay);
}

TEST_CASE("sim_central: a repeated key gets the same verification, even after a restart") {
    Ground ground;
    const auto first = ground.ask("key", Ground::body("ann"));
    CHECK(ground.ask("key", Ground::body("ann")) == first);
    CHECK(ground.ask("other", Ground::body("ann")) != first);
    ground.central.stop();
    ground.world.run_for(1s);
    CHECK(ground.ask("key", Ground::body("ann")) == "refused");
    ground.central.start();
    ground.world.run_for(1s);
    CHECK(ground.ask("key", Ground::body("ann")) == first);
    CHECK(ground.central.calls_with_key("key") == 3);
    CHECK(ground.central.centre().stats().replays == 2);
}

TEST_CASE("sim_central: each fault shows at the client as what it is") {
    const std::map<CentreMode, std::string> expected = {
        {CentreMode::error, "500 "},
        {CentreMode::unavailable, "503 "},
        {CentreMode::throttle, "429 "},
        {CentreMode::reject, "400 "},
        {CentreMode::hang, ""},
        {CentreMode::close, "closed"},
        {CentreMode::garbage, "invalid"},
        {CentreMode::close_mid_body, "closed"},
        {CentreMode::huge_head, "too_large"},
        {CentreMode::interim_flood, "invalid"},
        {CentreMode::bad_json, "200 "},
        {CentreMode::bad_outcome, "200 "},
    };
    for (const auto& [mode, start] : expected) {
        INFO(name(mode));
        Ground ground;
        ground.central.set_mode(mode);
        const auto got = ground.ask("k", Ground::body("ann"));
        CHECK(got.substr(0, start.size()) == start);
        CHECK((start.empty() == got.empty()));
        REQUIRE(ground.central.calls().size() == 1);
        CHECK_FALSE(ground.central.calls()[0].verdict.has_value() !=
                    (mode == CentreMode::huge_head || mode == CentreMode::interim_flood));
        ground.central.set_mode(CentreMode::healthy);
        ground.client.reset();
        CHECK(ground.ask("k2", Ground::body("ann")).substr(0, 4) == "200 ");
    }
}

TEST_CASE("sim_central: a black hole swallows new connections, a refusal turns them away, both heal") {
    Ground ground;
    ground.connect();
    REQUIRE(ground.client);
    ground.central.set_mode(CentreMode::blackhole);
    CHECK(ground.ask("a", Ground::body("ann")).empty());
    ground.client.reset();
    ground.connect();
    REQUIRE(ground.client);  // accepted, and never served
    CHECK(ground.ask("b", Ground::body("ann")).empty());
    ground.client.reset();
    ground.central.set_mode(CentreMode::refuse);
    ground.connect();
    CHECK(ground.last == "refused");
    ground.central.set_mode(CentreMode::healthy);
    CHECK(ground.ask("c", Ground::body("ann")).substr(0, 4) == "200 ");
}

TEST_CASE("sim_central: poison, capacity and the share of a mode hit the requests they should") {
    Ground ground;
    CHECK(ground.ask("p", Ground::body("ann", R"({"poison":"1"})")).substr(0, 4) == "500 ");
    CHECK(ground.ask("q", Ground::body("ann", R"({"poison":"0"})")).substr(0, 4) == "200 ");

    CentrePlan narrow;
    narrow.capacity = 10;
    narrow.latency_min = narrow.latency_max = Nanos(0);
    ground.central.apply(narrow);
    int refused = 0;
    for (int i = 0; i < 20; ++i)
        refused += ground.ask("n" + std::to_string(i), Ground::body("ann")).substr(0, 4) == "503 ";
    CHECK(refused >= 15);
    ground.world.run_for(1s);
    CHECK(ground.ask("later", Ground::body("ann")).substr(0, 4) == "200 ");

    ground.central.apply({});
    ground.central.set_mode(CentreMode::error, 0.3);
    int errors = 0;
    for (int i = 0; i < 300; ++i)
        errors += ground.ask("s" + std::to_string(i), Ground::body("ann")).substr(0, 4) == "500 ";
    CHECK(errors > 60);
    CHECK(errors < 120);
}

TEST_CASE("sim_central: its control answers over HTTP, and names what is wrong") {
    Ground ground;
    const auto plan = ground.ask("", R"({"mode":"error"})", 2s, "/_control");
    CHECK(plan.find(R"("mode":"error")") != std::string::npos);
    CHECK(plan.find(R"("modes":["healthy",)") != std::string::npos);
    CHECK(ground.ask("x", Ground::body("ann")).substr(0, 4) == "500 ");
    CHECK(ground.ask("", R"({"mode":"asleep"})", 2s, "/_control").substr(0, 20) == R"(400 {"error":"mode: )");
    CHECK(ground.ask("", "not JSON", 2s, "/_control").substr(0, 4) == "400 ");
    const auto stats = ground.ask("", "", 2s, "/_stats", "GET");
    CHECK(stats.find(R"("requests":1)") != std::string::npos);
    CHECK(stats.find(R"("error":1)") != std::string::npos);
    CHECK(ground.ask("y", "{broken").substr(0, 4) == "400 ");
    CHECK(ground.central.centre().stats().malformed == 1);
}

namespace {

LoadShape unsigned_load() {
    LoadShape shape;
    shape.host = "127.0.1.1:9000";
    shape.scenes = {{"LOGIN", 1}};
    shape.order_prefix = "o-";
    shape.subjects = 50;
    return shape;
}

struct Loaded {
    Ground ground;
    bool done = false;
    std::vector<std::string> lines;
    std::unique_ptr<LoadRun> run;
    explicit Loaded(const LoadTerms& terms) {
        run = std::make_unique<LoadRun>(
            ground.view, ground.host, Target{kCentral, 9000, false, ""}, unsigned_load(), terms,
            [this](const std::string& line) { lines.push_back(line); }, [this] { done = true; });
        run->start();
    }
};

}  // namespace

TEST_CASE("load_run: an open loop keeps its rate whatever the answers take, and ends by itself") {
    LoadTerms terms;
    terms.rate = 200;
    terms.connections = 20;
    terms.duration = 5s;
    terms.report_every = 500ms;
    Loaded loaded(terms);
    loaded.ground.world.run_for(10s);
    CHECK(loaded.done);
    CHECK(loaded.run->stats().sent_count() == 1000);
    CHECK(loaded.run->stats().answers() == 1000);
    CHECK(loaded.run->stats().failures() == 0);
    CHECK(loaded.lines.size() == 11);
    CHECK(loaded.ground.central.calls().size() == 1000);
    CHECK(loaded.ground.net.stats().dials == 20);
}

TEST_CASE("load_run: a closed loop has one request a connection, and stops at the most it may send") {
    LoadTerms terms;
    terms.connections = 3;
    terms.requests_max = 100;
    terms.duration = 1min;
    Loaded loaded(terms);
    loaded.ground.world.run_for(10s);
    CHECK(loaded.done);
    CHECK(loaded.ground.central.calls().size() == 100);
    CHECK(loaded.run->stats().answers() == 100);
}

TEST_CASE("load_run: in an open loop the wait for a slow centre counts as latency") {
    LoadTerms terms;
    terms.rate = 100;
    terms.connections = 1;
    terms.duration = 2s;
    terms.timeout = 30s;
    Loaded loaded(terms);
    CentrePlan plan;
    plan.latency_min = plan.latency_max = 50ms;
    loaded.ground.central.apply(plan);
    loaded.ground.world.run_for(60s);
    CHECK(loaded.done);
    json::Document doc;
    auto summary = *doc.parse(loaded.run->summary());
    CHECK(summary["answered"].integer() == 200);
    CHECK(*summary["latencyMs"]["max"].number() > 5000);
}

TEST_CASE("load_run: what is never answered is a timeout, what cannot connect is named, and the run still ends") {
    for (const auto& [mode, code] : {std::pair{CentreMode::hang, "timeout"}, {CentreMode::refuse, "no connection"}}) {
        LoadTerms terms;
        terms.rate = 50;
        terms.connections = 10;
        terms.duration = 2s;
        terms.timeout = 1s;
        Loaded loaded(terms);
        loaded.ground.central.set_mode(mode);
        loaded.ground.world.run_for(10s);
        CHECK(loaded.done);
        CHECK(loaded.run->stats().answers() == 0);
        CHECK(loaded.run->stats().failures() == 100);
        CHECK(loaded.run->stats().timeouts() == (mode == CentreMode::hang ? 100 : 0));
        CHECK(loaded.run->summary().find(code) != std::string::npos);
    }
}

TEST_CASE("load_run: a run that grows opens connections only as it needs them") {
    LoadTerms terms;
    terms.rate = 100;
    terms.connections = 200;
    terms.duration = 4s;
    terms.grow = true;
    Loaded loaded(terms);
    loaded.ground.world.run_for(2s);
    CHECK(loaded.ground.net.stats().dials < 20);
    CentrePlan slow;
    slow.latency_min = slow.latency_max = 1s;
    loaded.ground.central.apply(slow);
    loaded.ground.world.run_for(10s);
    CHECK(loaded.done);
    CHECK(loaded.run->stats().answers() == 400);
    CHECK(loaded.ground.net.stats().dials > 80);
    CHECK(loaded.ground.net.stats().dials < 130);
}

TEST_CASE("load_run: it rides out a reset and dials anew") {
    LoadTerms terms;
    terms.rate = 100;
    terms.connections = 4;
    terms.duration = 4s;
    Loaded loaded(terms);
    loaded.ground.world.run_for(2s);
    loaded.ground.net.reset_between(kNode, kCentral);
    loaded.ground.world.run_for(10s);
    CHECK(loaded.done);
    CHECK(loaded.run->stats().answers() + loaded.run->stats().failures() == 400);
    CHECK(loaded.run->stats().failures() <= 4);
    CHECK(loaded.ground.net.stats().dials == 8);
}
