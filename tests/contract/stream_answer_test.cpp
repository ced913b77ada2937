// Answers without an end (server-sent events): who reads slowly is dropped at a bound, who leaves is noticed.
#include <catch2/catch.hpp>

#include "tests/contract/server_bench.h"

using namespace holdfast;

namespace {

struct Endless final : Service, RequestHandler {
    Connection* to = nullptr;
    int gone = 0;
    HeadDecision on_head(Connection& connection, const RequestHead&, const PeerInfo&, Cap) override {
        to = &connection;
        return {this, std::nullopt};
    }
    void on_request(std::string, const Digest&, MemoryCharge) override {
        to->begin_stream("text/event-stream", "X: y\r\n");
    }
    void on_client_gone() override {
        to = nullptr;
        ++gone;
    }
};

struct Watched {
    sim::SimLoop loop;
    Endless service;
    Peer seen;
    Server server{loop, service, {}, {}, [](const Server::Rejected&) {}};
    Watched() {
        server.accept(std::make_unique<PeerStream>(seen, "127.0.0.1"));
        loop.run_for(1ms);
        seen.events->on_data("GET /e HTTP/1.1\r\nHost: x\r\n\r\n");
        REQUIRE(service.to != nullptr);
    }
};

}  // namespace

TEST_CASE("stream: an answer without an end has no length, lives on while it is read, and is dropped where it is not") {
    Watched w;
    CHECK(w.seen.written.find("Content-Length") == std::string::npos);
    CHECK(w.seen.written.find("Connection: close\r\nX: y\r\n\r\n") != std::string::npos);
    w.loop.run_for(10min);  // no deadline of requests ends it
    REQUIRE(w.service.to != nullptr);
    CHECK(w.service.to->push("data: 1\n\n"));
    CHECK(w.seen.written.ends_with("data: 1\n\n"));
    w.seen.stuck = true;
    const std::string piece(1024, 'x');
    std::size_t pushed = 0;
    while (w.service.to->push(piece)) REQUIRE(++pushed <= Connection::kQueuedMax / piece.size() + 1);
    CHECK(pushed == Connection::kQueuedMax / piece.size() + 1);
    const std::size_t written = w.seen.written.size();
    CHECK_FALSE(w.service.to->push(piece));
    CHECK(w.seen.written.size() == written);
    w.service.to->cut();
    CHECK(w.service.gone == 1);
    w.loop.run_for(1s);
    CHECK(w.seen.gone);
}

TEST_CASE("stream: a reader that takes nothing for too long, or leaves, ends it") {
    Watched slow;
    slow.seen.stuck = true;
    REQUIRE(slow.service.to->push("data: 1\n\n"));
    slow.loop.run_for(11s);
    CHECK(slow.service.gone == 1);
    Watched left;
    left.seen.events->on_end();
    CHECK(left.service.gone == 1);
    Watched ended;  // the server goes first: the handler is told
    ended.server.stop_accepting();
    ended.server.cut();
    CHECK(ended.service.gone == 1);
}

TEST_CASE("stream: a last answer has the time of any other to leave, and its end is lingered over after that") {
    for (const bool read_at_last : {true, false}) {
        Watched w;
        w.seen.stuck = true;
        w.service.to->reply({.status = 200, .body = "{}", .close = true});
        REQUIRE(w.seen.queued > 0);
        w.loop.run_for(9s);
        REQUIRE_FALSE(w.seen.gone);
        if (read_at_last) {
            w.seen.queued = 0;
            w.seen.events->on_drained();
        }
        w.loop.run_for(1500ms);
        CHECK(w.seen.gone == !read_at_last);
        w.loop.run_for(1s);
        CHECK(w.seen.gone);
    }
}
