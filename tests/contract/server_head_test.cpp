// Answers to HEAD, byte for byte: none has a body, or the client takes it for the beginning of the next answer.
#include "tests/contract/server_bench.h"

using namespace holdfast;

namespace {

// Status and head alone: nothing stands behind the empty line.
bool is_bare(const Peer& peer) {
    const auto end = peer.written.find("\r\n\r\n");
    return end != std::string::npos && end + 4 == peer.written.size();
}

}  // namespace

TEST_CASE("server: no refusal below the level of requests has a body when it answers HEAD") {
    ServerOptions options;
    options.request_limits.body_bytes = 1024;
    options.request_limits.header_bytes = 1024;
    options.body_timeout = 2s;
    const std::string host = "Host: x\r\n";
    const std::vector<std::tuple<std::string, int>> all{
        {" /v HTTP/1.1\r\n" + host + "Content-Length: 4096\r\n\r\n", 413},
        {" /v HTTP/1.1\r\n" + host + "X: " + std::string(2000, 'x') + "\r\n\r\n", 431},
        {" /v HTTP/1.1\r\n" + host + "bad name: x\r\n\r\n", 400},
        {" /v HTTP/1.1\r\n" + host + host + "\r\n", 400},
        {" /" + std::string(9000, 'a') + " HTTP/1.1\r\n" + host + "\r\n", 414},
        {" /v HTTP/2.7\r\n" + host + "\r\n", 505},
        {" /v HTTP/1.1\r\n" + host, 408},
        {" /v HTTP/1.1\r\n" + host + "Content-Length: 10\r\n\r\n12345", 408},
        {" /v HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
    };
    for (const auto& [rest, status] : all) {
        INFO(rest.substr(0, 80));
        ServerBench bench(options);
        Peer& head = bench.connect();
        Peer& post = bench.connect("192.0.2.2");
        head.send("HEAD" + rest);
        post.send("POST" + rest);
        bench.loop.run_for(11s);
        CHECK(head.status() == status);
        CHECK(is_bare(head));
        CHECK(head.written.find("\r\nContent-Length: 0\r\n") == std::string::npos);  // that of the body left out
        CHECK(post.status() == status);
        CHECK(post.written.find("{\"code\":") != std::string::npos);
    }
}

TEST_CASE("server: HEAD in one message says nothing of the next") {
    ServerBench bench;
    Peer& peer = bench.connect();
    peer.send("HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(is_bare(peer));
    peer.written.clear();
    peer.send("POST /v HTTP/1.1\r\nbad name: x\r\n\r\n");
    CHECK(peer.status() == 400);
    CHECK(peer.written.find("{\"code\":") != std::string::npos);
}
