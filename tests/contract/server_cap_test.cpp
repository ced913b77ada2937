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
