// An empty line before a request begins nothing (RFC 9112 section 2.2): some clients send one behind a body.
#include "tests/contract/server_bench.h"

using namespace holdfast;

namespace {

constexpr std::string_view kHealth = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

ServerOptions short_head() {
    ServerOptions options;
    options.header_timeout = 2s;
    options.keepalive_timeout = 10s;
    return options;
}

// One that has had an answer, and has been silent for half a second since.
Peer& kept_alive(ServerBench& bench) {
    Peer& peer = bench.connect();
    peer.send("POST /v HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
    REQUIRE(peer.status() == 200);
    peer.written.clear();
    bench.loop.run_for(500ms);
    return peer;
}

}  // namespace

TEST_CASE("server: an empty line behind a request ends in silence, as soon as without it") {
    for (const std::string_view bytes : {"\r\n", "\r"}) {
        ServerBench bench(short_head());
        Peer& peer = kept_alive(bench);
        bench.loop.run_for(4500ms);
        for (const char& byte : bytes) {
            peer.send({&byte, 1});
            bench.loop.run_for(1s);
        }
        CHECK(bench.server.counts().idle == 1);
        bench.loop.run_for(Nanos(4600ms) - bytes.size() * Nanos(1s));
        CHECK_FALSE(peer.gone);
        bench.loop.run_for(1s);
        CHECK(peer.gone);
        CHECK(peer.written.empty());
        CHECK(bench.rejects.empty());
    }
}

TEST_CASE("server: the time of a head begins with its first byte, not with the empty line before it") {
    ServerBench bench(short_head());
    Peer& peer = kept_alive(bench);
    peer.send("\r\n");
    bench.loop.run_for(3s);
    peer.send(kHealth.substr(0, 1));
    bench.loop.run_for(1500ms);
    peer.send(kHealth.substr(1));
    CHECK(peer.status() == 200);
    peer.written.clear();
    peer.send("\r\nG");
    bench.loop.run_for(2300ms);
    CHECK(peer.status() == 408);
    CHECK(bench.rejects["timeout_header"] == 1);
}

TEST_CASE("server: who connects and sends an empty line alone has begun no request") {
    ServerBench bench(short_head());
    Peer& peer = bench.connect();
    bench.loop.run_for(1s);
    peer.send("\r\n");
    bench.loop.run_for(1300ms);
    CHECK(peer.gone);
    CHECK(peer.written.empty());
    CHECK(bench.rejects["timeout_idle"] == 1);
}

TEST_CASE("server: one empty line before each request is taken, however it is cut, and no other byte") {
    const std::string wire = "\r\n" + std::string(kHealth) + "\r\n" + std::string(kHealth);
    for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
        ServerBench bench(short_head());
        Peer& peer = bench.connect();
        peer.send(std::string_view(wire).substr(0, cut));
        peer.send(std::string_view(wire).substr(cut));
        INFO(cut);
        CHECK(peer.written.find("HTTP/1.1 200", 1) != std::string::npos);
        CHECK(bench.rejects.empty());
    }
    for (const std::string wrong : {"\r\n\r\n", "\r\n\n", "\n", "\rG", "\r\r", "\r\n\rG", "\r\n G"}) {
        for (std::size_t cut = 0; cut <= wrong.size(); ++cut) {
            INFO(cut);
            ServerBench bench(short_head());
            Peer& peer = kept_alive(bench);
            peer.send(std::string_view(wrong).substr(0, cut));
            CHECK_FALSE(peer.gone);
            peer.send(std::string_view(wrong).substr(cut));
            peer.send(kHealth);
            CHECK(peer.status() == 400);
            CHECK(peer.written.find("HTTP/1.1", 1) == std::string::npos);
        }
    }
}
