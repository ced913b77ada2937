// The places above a Server's cap of connections: a short answer is had there whatever others do with them.
#include "tests/contract/server_bench.h"

using namespace holdfast;

namespace {

ServerOptions small_cap() {
    ServerOptions options;
    options.connections_max = 4;
    options.shed_reserve = 8;
    return options;
}

constexpr std::string_view kHalf = "GET /v HTTP/1.1\r\nHost: x\r\n";

}  // namespace

TEST_CASE("server cap: the oldest above it leaves for who comes, and health is answered") {
    ServerBench bench(small_cap());
    std::vector<Peer*> held;
    for (int i = 0; i < 4 + 8 + 20; ++i) {
        held.push_back(&bench.connect());
        held.back()->send(kHalf);
        REQUIRE(bench.server.size() <= 4 + 8);
    }
    Peer& health = bench.connect();
    health.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(health.status() == 200);
    for (int i = 0; i < 4; ++i) CHECK_FALSE(held[static_cast<std::size_t>(i)]->gone);
    CHECK(held[4]->gone);
    CHECK_FALSE(held.back()->gone);
    CHECK(bench.rejects["connections"] == 8 + 20 + 1);
}

TEST_CASE("server cap: one above it has a second for its head, one below it the whole time") {
    ServerBench bench(small_cap());
    std::vector<Peer*> held;
    for (int i = 0; i < 4 + 2; ++i) {
        held.push_back(&bench.connect());
        if (i != 5) held.back()->send(kHalf);
    }
    bench.loop.run_for(1300ms);
    CHECK(held[4]->status() == 503);
    CHECK(held[5]->gone);  // it has said nothing
    CHECK(held[0]->status() == 0);
    bench.loop.run_for(10s);
    CHECK(held[0]->status() == 408);
}

TEST_CASE("server cap: those who are idle for longest leave for as many as come at once") {
    ServerOptions options = small_cap();
    options.connections_max = 40;
    ServerBench bench(options);
    std::vector<Peer*> old;
    for (int i = 0; i < 40; ++i) {
        old.push_back(&bench.connect());
        old.back()->send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        bench.loop.run_for(10ms);
    }
    old[0]->send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");  // it is the last of them now
    bench.loop.run_for(2s);
    std::vector<Peer*> fresh;
    for (int i = 0; i < 30; ++i) {
        fresh.push_back(&bench.connect());
        fresh.back()->send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        CHECK(fresh.back()->status() == 200);
        CHECK(bench.server.size() == 40);
    }
    CHECK(bench.rejects["connections"] == 0);
    CHECK_FALSE(old[0]->gone);
    for (std::size_t i = 1; i < 40; ++i) CHECK(old[i]->gone == (i <= 30));
    // Who has only just come stays.
    for (int i = 0; i < 10; ++i) bench.connect();
    CHECK(bench.rejects["connections"] == 0);
    bench.connect();
    CHECK(bench.rejects["connections"] == 1);
}

TEST_CASE("server: a connection that never says a word has a reason, and so has one that breaks TLS") {
    ServerBench bench;
    Peer& silent = bench.connect();
    Peer& broken = bench.connect();
    broken.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    Peer& content = bench.connect();
    content.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    broken.events->on_failed({Code::invalid, Origin::client, true, "TLS: bad record mac"});
    CHECK(bench.rejects["tls"] == 1);
    bench.loop.run_for(11s);
    CHECK(silent.gone);
    CHECK(bench.rejects["timeout_idle"] == 1);
    bench.loop.run_for(60s);
    CHECK(content.gone);
    CHECK(bench.rejects.size() == 2);
}

TEST_CASE("server: who asks for a tunnel is told what is served instead") {
    ServerBench bench;
    Peer& peer = bench.connect();
    peer.send("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
    CHECK(peer.status() == 405);
    CHECK(peer.written.find("\r\nAllow: GET, HEAD, POST\r\n") != std::string::npos);
}
