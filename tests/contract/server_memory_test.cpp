// What a Server holds for its clients stays below limits.memory, and strangers do not shut out the others by it.
#include "tests/contract/server_bench.h"

using namespace holdfast;

namespace {

constexpr std::string_view kGet = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::size_t kMiB = 1u << 20;

ServerOptions with_memory(std::size_t bytes) {
    ServerOptions options;
    options.memory_max = bytes;
    return options;
}

std::string post(std::size_t length) {
    return "POST /v HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
}

}  // namespace

TEST_CASE("server memory: answers that nobody reads are counted, and who has stalled for longest leaves first") {
    ServerBench bench(with_memory(4 * kMiB));
    std::vector<Peer*> greedy;
    for (int i = 0; i < 200; ++i) {
        greedy.push_back(&bench.connect("192.0.2.1", true));
        bench.loop.run_for(1ms);
        greedy.back()->send(kGet);
        greedy.back()->send(kGet);
        bench.loop.run_for(5ms);
        REQUIRE(bench.server.memory_used() <= 4 * kMiB);
    }
    CHECK(bench.server.memory_used() > 3 * kMiB);
    CHECK(greedy.front()->gone);
    CHECK_FALSE(greedy.back()->gone);
    CHECK(bench.rejects["memory"] > 0);
    Peer& honest = bench.connect();
    honest.send(kGet);
    CHECK(honest.status() == 200);
    bench.loop.run_for(1min);  // the limit of a write ends the rest
    CHECK(bench.server.memory_used() == 0);
}

TEST_CASE("server memory: where bodies fill it nobody leaves for the little that a client holds who reads in time") {
    ServerBench bench(with_memory(4 * kMiB));
    Peer& honest = bench.connect("192.0.2.1", true);  // its answer is on its way
    honest.send(kGet);
    REQUIRE(honest.status() == 200);
    Peer* last = nullptr;
    for (int i = 0; i < 60; ++i) {
        last = &bench.connect("198.51." + std::to_string(i) + ".1");
        last->send(post(kMiB / 2) + std::string(100'000, 'x'));
    }
    CHECK(last->status() == 503);
    CHECK_FALSE(honest.gone);
}

TEST_CASE("server memory: requests sent ahead of unread answers are not begun, and they are counted") {
    ServerBench bench;
    Peer& peer = bench.connect("192.0.2.1", true);
    bench.loop.run_for(1ms);
    std::string many;
    for (int i = 0; i < 100; ++i) many += kGet;
    peer.send(many);
    CHECK(peer.written.size() < 64u << 10);  // one of them
    CHECK(bench.server.memory_used() >= peer.queued + 98 * kGet.size());
    peer.stuck = false;
    peer.queued = 0;
    peer.events->on_drained();
    bench.loop.run_for(10ms);
    CHECK(peer.written.size() > 100 * (48u << 10));
    CHECK(bench.server.memory_used() == 0);
}

TEST_CASE("server memory: a body that is only hashed is not held, and its digest is that of the whole") {
    ServerBench bench(with_memory(4 * kMiB));
    bench.service.hash_only = true;
    Peer& peer = bench.connect();
    bench.loop.run_for(1ms);
    const std::string body(3 * kMiB, 'b');
    peer.send(post(body.size()));
    for (std::size_t at = 0; at < body.size(); at += 65536) {
        peer.send(std::string_view(body).substr(at, 65536));
        REQUIRE(bench.server.memory_used() == 0);
    }
    CHECK(peer.status() == 200);
    CHECK(bench.service.body.empty());
    CHECK(bench.service.digest == Sha256::of(body));
}

TEST_CASE("server memory: one network may have all of it, until another wants its share") {
    ServerBench bench(with_memory(4 * kMiB));
    std::vector<Peer*> hoard;
    for (int i = 0; i < 8; ++i) {
        hoard.push_back(&bench.connect("192.0.2." + std::to_string(i + 1)));
        bench.loop.run_for(30ms);
        hoard.back()->send(post(kMiB / 2) + std::string(kMiB / 2 - 1, 'x'));
    }
    CHECK(bench.server.memory_used() == 4 * kMiB - 8);  // nobody is refused
    Peer& ninth = bench.connect("192.0.2.77");
    ninth.send(post(kMiB / 2) + std::string(1024, 'x'));
    CHECK(ninth.status() == 503);
    bench.loop.run_for(30ms);
    Peer& other = bench.connect("198.51.100.1");
    other.send(post(kMiB / 2) + std::string(kMiB / 2, 'x'));
    CHECK(other.status() == 200);
    CHECK(hoard.front()->status() == 503);
    CHECK(hoard.back()->status() == 0);
    hoard.back()->send("x");
    CHECK(hoard.back()->status() == 200);
}
