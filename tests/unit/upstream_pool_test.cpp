#include "tests/unit/upstream_doubles.h"

using namespace holdfast;
using namespace holdfast::testing;

TEST_CASE("resolver: the last good set stays, marked stale, and is dropped after stale_max") {
    ManualLoop loop;
    FakeNetwork net(loop);
    Resolver r(loop, net, "central.example");
    CHECK_FALSE(r.settled());
    loop.run_for(10ms);
    CHECK(r.addresses() == std::vector<std::string>{"192.0.2.1"});
    for (const auto& bad :
         {Result<std::vector<std::string>>(fail(Code::not_found, Origin::local, "NXDOMAIN")),
          Result<std::vector<std::string>>(std::vector<std::string>{}),
          Result<std::vector<std::string>>(std::vector<std::string>{"not an address", "evil.example"})}) {
        net.names = bad;
        loop.run_for(5min);
        CHECK(r.stale());
        CHECK(r.addresses().size() == 1);
        CHECK_FALSE(r.problem().empty());
    }
    loop.run_for(46min);
    CHECK(r.addresses().empty());
    net.names = std::vector<std::string>{"192.0.2.9", "2001:db8::1"};
    loop.run_for(31s);
    CHECK(r.addresses().size() == 2);
    CHECK_FALSE(r.stale());
    CHECK(r.problem().empty());
}

TEST_CASE("resolver: a question that hangs has its own limit, and questions keep their distance") {
    ManualLoop loop;
    FakeNetwork net(loop);
    net.names_hang = true;
    Resolver r(loop, net, "central.example");
    int told = 0;
    r.on_settled([&told] { ++told; });
    loop.run_for(5s);
    CHECK(r.settled());
    CHECK(told == 1);
    CHECK(r.problem() == "no answer in time");
    loop.run_for(10min);
    CHECK(net.questions < 30);
    net.names_hang = false;
    loop.run_for(40s);
    CHECK(r.addresses().size() == 1);
}

TEST_CASE("resolver: a literal is its own answer, and a set is cut at kAddressesMax") {
    ManualLoop loop;
    FakeNetwork net(loop);
    Resolver literal(loop, net, "2001:db8::7");
    CHECK(literal.settled());
    CHECK(literal.addresses().size() == 1);
    CHECK(net.questions == 0);
    net.names = std::vector<std::string>(200, "192.0.2.1");
    Resolver many(loop, net, "central.example");
    loop.run_for(10ms);
    CHECK(many.addresses().size() == Resolver::kAddressesMax);
}

TEST_CASE("pool: a place dropped goes to the longest waiting, and a waiter that leaves is skipped") {
    ManualLoop loop;
    FakeNetwork net(loop);
    PoolOptions o;
    o.connections = 2;
    o.queue = 3;
    Pool pool(loop, net, net, *parse_endpoint("https://192.0.2.1"), o);
    Place a = pool.enter(), b = pool.enter();
    REQUIRE(a.held());
    REQUIRE(b.held());
    CHECK_FALSE(pool.enter().held());
    std::vector<int> got;
    std::vector<Place> places;
    const auto want = [&](int n) {
        return pool.wait([&, n](Place p) {
            got.push_back(n);
            places.push_back(std::move(p));
        });
    };
    auto first = want(1), second = want(2), third = want(3);
    REQUIRE((first && second && third));
    const auto fourth = want(4);
    REQUIRE_FALSE(fourth);
    CHECK(fourth.error().code == Code::full);
    CHECK(fourth.error().origin == Origin::local);
    second->reset();
    a.drop();
    CHECK(got.empty()); // never inside the drop
    CHECK_FALSE(pool.enter().held());
    loop.settle();
    CHECK(got == std::vector<int>{1});
    b.drop();
    loop.settle();
    CHECK(got == std::vector<int>{1, 3});
    places.clear();
    CHECK(pool.busy() == 0);
}

TEST_CASE("pool: idle connections are bounded, retire with age and idleness, and leave when they die") {
    ManualLoop loop;
    FakeNetwork net(loop);
    PoolOptions o;
    o.idle = 2;
    o.idle_timeout = 30s;
    o.max_age = 100s;
    Pool pool(loop, net, net, *parse_endpoint("https://192.0.2.1"), o);
    const auto make = [&] {
        PooledConnection made;
        const auto pending =
            pool.connect(loop.now().mono + 1s, [&](Result<PooledConnection> c) { made = std::move(*c); });
        loop.settle();
        REQUIRE(made.client);
        return made;
    };
    pool.give_back(make());
    pool.give_back(make());
    pool.give_back(make());
    CHECK(pool.idle() == 2);
    CHECK(*net.closed[2]);
    loop.run_for(Pool::kRest);
    auto taken = pool.take_idle(); // the newest that has rested
    CHECK(taken.reused);
    CHECK(pool.idle() == 1);
    loop.run_for(30s);
    pool.sweep(loop.now().mono);
    CHECK(pool.idle() == 0);
    CHECK(*net.closed[0]);
    pool.give_back(std::move(taken));
    CHECK(pool.idle() == 1);
    loop.run_for(70s);
    CHECK_FALSE(pool.take_idle().client); // too old
    pool.give_back(make());
    net.newest->send("HTTP/1.1 200 OK\r\n\r\n"); // unsolicited
    loop.run_for(1ms);
    CHECK(pool.idle() == 0);
}

TEST_CASE(
    "health: two bad probes eject an endpoint, a good one is heard, and names in trouble are not held against it") {
    UpstreamBench b;
    b.options.endpoints = {*parse_endpoint("https://192.0.2.1"), *parse_endpoint("https://192.0.2.2")};
    b.options.health.path = "/healthz";
    std::vector<std::size_t> ejected;
    b.observers.on_ejection = [&](std::size_t e, bool out) {
        if (out) ejected.push_back(e);
    };
    b.net.dial_rules["192.0.2.1"] = FakeNetwork::Dial::hang;
    b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(200, "ok")); };
    b.begin();
    b.loop.run_for(15s);
    CHECK(ejected == std::vector<std::size_t>{0});
    CHECK(b.net.requests.at(0).starts_with("GET /healthz HTTP/1.1\r\n"));
    CHECK(b.window().calls() == 0);
    b.loop.run_for(10s);
    const auto dials = std::count(b.net.dials.begin(), b.net.dials.end(), "192.0.2.2");
    CHECK(dials == 1); // its own kept connection
    b.net.dial_rules["192.0.2.1"] = FakeNetwork::Dial::no_descriptors;
    b.loop.run_for(60s);
    CHECK(ejected.size() <= 2);
}

TEST_CASE("health: after a stall of our own an answer that lay there is read before the probe is judged") {
    UpstreamBench b;
    b.options.endpoints = {*parse_endpoint("https://192.0.2.1"), *parse_endpoint("https://192.0.2.2")};
    b.options.health = {.path = "/healthz", .interval = 1s, .timeout = 100ms};
    b.options.ejection.probe_failures = 1;
    b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(200, ""), 110ms); };
    b.begin();
    b.loop.run_for(1050ms);
    REQUIRE(b.net.requests.size() == 2);
    b.loop.stall(500ms);
    b.loop.run_for(10ms);
    for (const EndpointStatus& one : b.upstream->status().endpoints) CHECK(one.probed == true);
    b.loop.run_for(2s);  // nothing stalls, and the answers come too late
    CHECK(b.upstream->status().endpoints[0].probed == false);
}

TEST_CASE("health: the probe's connection has the age of a call's, so that it follows a name that has moved") {
    UpstreamBench b;
    b.options.endpoints = {*parse_endpoint("https://central.example"), *parse_endpoint("https://192.0.2.9")};
    b.options.health = {.path = "/healthz", .interval = 1s, .timeout = 100ms};
    b.options.pool.max_age = 10s;
    b.options.resolver.refresh = 1s;
    b.net.serve = [](const std::string& host, FakeStream& s) { s.send(reply(host == "192.0.2.2" ? 503 : 200, "")); };
    const auto dialled = [&b](const char* host) { return std::count(b.net.dials.begin(), b.net.dials.end(), host); };
    b.begin();
    b.loop.run_for(5s);
    CHECK(dialled("192.0.2.1") == 1);
    CHECK(dialled("192.0.2.9") == 1);
    CHECK(b.upstream->status().endpoints[0].probed == true);
    b.net.names = std::vector<std::string>{"192.0.2.2"};
    b.loop.run_for(5s);
    CHECK(dialled("192.0.2.2") == 0);
    CHECK_FALSE(b.upstream->status().endpoints[0].ejected);
    b.loop.run_for(5s);
    CHECK(dialled("192.0.2.1") == 1);
    CHECK(dialled("192.0.2.2") > 0);
    CHECK(dialled("192.0.2.9") == 2);
    CHECK(b.upstream->status().endpoints[0].probed == false);
    CHECK(b.upstream->status().endpoints[0].out == Out::probes);
}
