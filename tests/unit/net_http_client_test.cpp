#include <deque>

#include "edge/net/http_client.h"
#include "edge/net/http_writer.h"
#include "tests/unit/net_pair.h"

using namespace holdfast;
using testing::Events;

namespace {

const std::string kGet = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

// A server that keeps what it got and answers as told, and a client connected to it.
struct Pair : testing::Net {
    Pair() {
        auto listening = network.listen("127.0.0.1:0", [this](std::unique_ptr<Stream> s) {
            server = std::move(s);
            server->start(events);
        });
        REQUIRE(listening);
        listener = std::move(*listening);
        connect();
    }
    void connect() {
        client.reset();
        server.reset();
        events = {};
        const auto dial =
            network.dial(Target{"127.0.0.1", listener->port(), false, ""}, [this](Result<std::unique_ptr<Stream>> s) {
                client = std::make_unique<HttpClient>(loop, std::move(*s), limits);
            });
        REQUIRE(until([this] { return client != nullptr && server != nullptr; }));
    }
    // Sends, lets the server answer `bytes` (and then close), and says "200 body", or "code: detail" of the failure.
    std::string ask(const std::string& bytes, bool close = false, bool to_head = false) {
        std::string out;
        client->send({kGet, {}, to_head}, [&out](const Result<HttpResponse>& r) {
            CHECK(out.empty());
            if (!r) CHECK(r.error().was_sent);
            out = r ? std::to_string(r->head.status) + " " + std::string(r->body)
                    : std::string(name(r.error().code)) + ": " + r.error().detail;
        });
        CHECK(out.empty());
        REQUIRE(until([this] { return events.received.ends_with("\r\n\r\n"); }));
        events.received.clear();
        server->write(bytes);
        if (close) server->shutdown();
        REQUIRE(until([&out] { return !out.empty(); }));
        return out;
    }
    ResponseLimits limits;
    Events events;
    std::unique_ptr<Listener> listener;
    std::unique_ptr<Stream> server;
    std::unique_ptr<HttpClient> client;
};

}  // namespace

TEST_CASE("http client: answers are collected and the connection serves again") {
    Pair p;
    CHECK(p.client->usable());
    CHECK(p.ask("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") == "200 hello");
    CHECK(p.client->usable());
    CHECK(p.ask("HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n") ==
          "500 abcde");
    CHECK(p.ask("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\nContent-MD5: y\r\nX-Request-Id: "
                "z\r\n\r\n") == "200 a");
    CHECK(p.ask("HTTP/1.1 204 No Content\r\n\r\n") == "204 ");
    CHECK(p.ask("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
                "1\r\n\r\nx") == "200 x");
    CHECK(p.ask("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", false, true) == "200 ");
    CHECK(p.ask("HTTP/1.1 304 Not Modified\r\n\r\n") == "304 ");
    CHECK(p.client->usable());
    CHECK(p.ask("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx") == "200 x");
    CHECK_FALSE(p.client->usable());
}

TEST_CASE("http client: a body that ends with the connection needs HTTP/1.0 or Connection: close, and a clean end") {
    Pair p;
    CHECK(p.ask("HTTP/1.0 200 OK\r\n\r\nall of it", true) == "200 all of it");
    CHECK_FALSE(p.client->usable());
    p.connect();
    CHECK(p.ask("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbody", true) == "200 body");
    p.connect();
    CHECK(p.ask("HTTP/1.1 200 OK\r\n\r\nbody", true).starts_with("invalid: "));
    p.connect();
    CHECK(p.ask("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody", true).starts_with("closed: "));
    p.connect();
    CHECK(p.ask("", true).starts_with("closed: "));
}

TEST_CASE("http client: irregular answers are failures, and the connection is never used again") {
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    std::string many;
    for (int i = 0; i < 9; ++i) many += "HTTP/1.1 100 x\r\n\r\n";
    const std::vector<std::string> bad{"garbage\r\n\r\n",
                                       "HTTP/2 200\r\n\r\n",
                                       "HTTP/1.1 20 x\r\n\r\n",
                                       "HTTP/1.1 999 x\r\n\r\n",
                                       "HTTP/1.1 099 x\r\n\r\n",
                                       "HTTP/1.1  200 OK\r\n\r\n",
                                       "\r\nHTTP/1.1 200 OK\r\n\r\n",
                                       "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
                                       ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
                                       ok + "Content-Length: 5, 5\r\n\r\nhello",
                                       ok + "Content-Length: -1\r\n\r\n",
                                       ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
                                       ok + "Transfer-Encoding: gzip\r\n\r\n",
                                       ok + "X: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
                                       ok + "Bad Name: x\r\n\r\n",
                                       ok + "X:\rContent-Length: 0\r\n\r\n",
                                       ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
                                       "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
                                       "HTTP/1.1 204 x\r\nContent-Length: 1\r\n\r\nx",
                                       "HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                                       many + ok + "Content-Length: 0\r\n\r\n",
                                       "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                                       ok + "Content-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n"};
    Pair p;
    for (const std::string& bytes : bad) {
        INFO(bytes);
        CHECK(p.ask(bytes).starts_with("invalid: bad answer: "));
        CHECK_FALSE(p.client->usable());
        p.connect();
    }
    for (const std::string& bytes : {ok + "X: " + std::string(40000, 'x'), ok + "Content-Length: 1048577\r\n\r\n",
                                     ok + "Transfer-Encoding: chunked\r\n\r\n100001\r\n"}) {
        CHECK(p.ask(bytes).starts_with("too_large: "));
        CHECK_FALSE(p.client->usable());
        p.connect();
    }
    CHECK(p.ask(ok + "Content-Length: 1048576\r\n\r\n" + std::string(1 << 20, 'x')).size() == (1 << 20) + 4);
    CHECK(p.client->usable());
}

TEST_CASE("http client: an idle connection that speaks or ends is lost") {
    Pair p;
    for (const bool speaks : {true, false}) {
        int lost = 0;
        p.client->on_lost([&lost] { ++lost; });
        if (speaks) p.server->write("HTTP/1.1 408 x\r\n\r\n");
        p.server->shutdown();
        REQUIRE(p.until([&lost] { return lost == 1; }));
        CHECK_FALSE(p.client->usable());
        CHECK_FALSE(p.client->busy());
        p.idle(5ms);
        CHECK(lost == 1);
        p.connect();
    }
}

TEST_CASE("http client: an answer before the request is sent is refused") {
    Pair p;
    p.server->pause();
    const std::string body(64 << 20, 'b');
    std::string failure;
    p.client->send({"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 67108864\r\n\r\n", body},
                   [&](const Result<HttpResponse>& r) {
                       REQUIRE_FALSE(r);
                       failure = r.error().detail;
                       CHECK(r.error().was_sent);
                   });
    p.server->write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    REQUIRE(p.until([&] { return !failure.empty(); }));
    CHECK(failure.find("before the request was sent") != std::string::npos);
    CHECK_FALSE(p.client->usable());
}

TEST_CASE("http client: an answer that begins before the request is sent is refused, an interim one is not") {
    // Also one that comes in pieces.
    for (const auto& [interim, cut] : {std::pair{false, 0}, {true, 0}, {false, 4}, {true, 4}, {true, 9}, {true, 10}}) {
        Pair p;
        p.server->pause();
        const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16777216\r\n\r\n";
        const std::string body(16 << 20, 'b');
        std::string out;
        p.client->send({head, body}, [&](const Result<HttpResponse>& r) { out = r ? "answered" : r.error().detail; });
        const std::string begun = interim ? "HTTP/1.1 100 Continue\r\n\r\n" : "HTTP/1.1 200 OK\r\n";
        p.server->write(begun.substr(0, static_cast<std::size_t>(cut)));
        if (cut > 0) p.idle(20ms);
        p.server->write(begun.substr(static_cast<std::size_t>(cut)));
        p.idle(20ms);
        CHECK(out.empty());
        p.server->resume();
        REQUIRE(p.until([&] { return p.events.received.size() == head.size() + body.size(); }));
        p.server->write(interim ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" : "Content-Length: 0\r\n\r\n");
        REQUIRE(p.until([&] { return !out.empty(); }));
        INFO(out);
        CHECK((out.find("before the request was sent") != std::string::npos) == !interim);
        CHECK((out == "answered") == interim);
        CHECK(p.client->usable() == interim);
    }
}

TEST_CASE("http client: a refusal may come before the request is sent, and is the last answer of its connection") {
    struct Row {
        const char* status;
        bool kept, taken;
    };
    const std::vector<Row> rows = {{"413 x", false, true},  {"400 x", false, true},  {"429 x", false, true},
                                   {"503 x", false, true},  {"408 x", false, false}, {"500 x", false, false},
                                   {"302 x", false, false}, {"200 x", false, false}, {"413 x", true, false},
                                   {"408 x", true, false},  {"503 x", true, false}};
    for (const Row& row : rows) {
        for (const bool ends : {false, true}) {
            INFO(row.status << (row.kept ? ", kept" : "") << (ends ? ", ends" : ""));
            Pair p;
            if (row.kept) REQUIRE(p.ask("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") == "200 ");
            p.server->pause();
            const std::string body(16 << 20, 'b');
            std::string out;
            p.client->send({"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16777216\r\n\r\n", body},
                           [&](const Result<HttpResponse>& r) {
                               out =
                                   r ? std::to_string(r->head.status) + " x" + std::string(r->body) : r.error().detail;
                           });
            p.idle(5ms);
            p.server->write("HTTP/1.1 " + std::string(row.status) + "\r\nContent-Length: 3\r\n\r\na");
            p.idle(5ms);
            CHECK(out.empty() == row.taken);
            p.server->write("bc");
            if (ends) {  // with a reset: not all was read
                p.idle(0ms);
                p.server.reset();
            }
            REQUIRE(p.until([&] { return !out.empty(); }));
            CHECK((out == row.status + std::string("abc")) == row.taken);
            CHECK((out.find("before the request was sent") != std::string::npos) == !row.taken);
            CHECK_FALSE(p.client->usable());
        }
    }
}

TEST_CASE("http client: a 2xx body is streamed without a limit, others are collected") {
    Pair p;
    std::string seen;
    int status = 0;
    std::string done;
    const auto send = [&] {
        seen.clear();
        done.clear();
        p.client->send_streaming(
            {kGet, {}}, [&](const ResponseHead& head) { status = head.status; },
            [&](std::string_view chunk) { seen += chunk; },
            [&](const Result<HttpResponse>& r) { done = r ? "done " + std::string(r->body) : r.error().detail; });
    };
    send();
    std::string bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 3; ++i) bytes += "80000\r\n" + std::string(0x80000, 'c') + "\r\n";
    p.server->write(bytes);
    REQUIRE(p.until([&] { return seen.size() == 3 * 0x80000; }));
    CHECK(status == 200);
    CHECK(done.empty());
    p.server->write("0\r\n\r\n");
    REQUIRE(p.until([&] { return !done.empty(); }));
    CHECK(done == "done ");
    send();
    p.server->write("HTTP/1.1 503 x\r\nContent-Length: 3\r\n\r\nbad");
    REQUIRE(p.until([&] { return !done.empty(); }));
    CHECK(done == "done bad");
    CHECK(seen.empty());
}

TEST_CASE("http client: it may be destroyed or used again inside its callbacks, and in any state") {
    Pair p;
    bool done = false;
    p.client->send({kGet, {}}, [&](const Result<HttpResponse>& r) {
        REQUIRE(r);
        p.client->send({kGet, {}}, [&](const Result<HttpResponse>& again) {
            CHECK(again->body == "b");
            p.client.reset();
            done = true;
        });
    });
    p.server->write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
    REQUIRE(p.until([&] { return p.events.received.size() == 2 * kGet.size(); }));
    p.server->write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb");
    REQUIRE(p.until([&] { return done; }));
    REQUIRE(p.until([&] { return p.events.over(); }));
    for (int state = 0; state < 3; ++state) {
        p.connect();
        if (state == 0) p.client->on_lost([&p] { p.client.reset(); });
        if (state == 0) p.server.reset();
        if (state > 0) p.client->send({kGet, {}}, [](const Result<HttpResponse>&) { FAIL("cancelled"); });
        if (state == 2) p.server->write("HTTP/1.1 200 OK\r\n");
        p.idle(5ms);
        p.client.reset();
    }
}

TEST_CASE("http client: a request of which nothing was taken says so") {
    UvLoop loop;
    for (const std::size_t taken : {0u, 1u}) {
        auto owned = std::make_unique<testing::StuckStream>();
        testing::StuckStream& stuck = *owned;
        const ResponseLimits limits;
        HttpClient client(loop, std::move(owned), limits);
        bool done = false;
        client.send({kGet, "body"}, [&](const Result<HttpResponse>& r) {
            CHECK(r.error().was_sent == (taken > 0));
            CHECK(r.error().code == Code::closed);
            done = true;
        });
        stuck.waiting -= taken;
        stuck.events->on_failed(Error{Code::closed, Origin::upstream, false, "reset"});
        CHECK(done);
    }
}

TEST_CASE("http writer: heads are exact, and no value can add a line") {
    std::string out;
    append_response_head(
        out, {200, "application/json", 7, true}, "Sun, 06 Nov 1994 08:49:37 GMT",
        {{"X-Ok", "v"}, {"X-Bad", "a\r\nSet-Cookie: b"}, {"X-Nul", std::string_view("\0", 1)}, {"Bad Name", "v"}});
    CHECK(out ==
          "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: application/json\r\nContent-Length: "
          "7\r\n"
          "Connection: keep-alive\r\nX-Ok: v\r\n\r\n");
    out.clear();
    append_response_head(out, {204, "", 0, false}, "d");
    CHECK(out == "HTTP/1.1 204 No Content\r\nDate: d\r\nConnection: close\r\n\r\n");
    out.clear();
    append_request_head(out, {"POST", "/v1", "a:1", "text/plain", 0, true}, {{"A", "b"}});
    CHECK(out ==
          "POST /v1 HTTP/1.1\r\nHost: a:1\r\nContent-Type: text/plain\r\nContent-Length: 0\r\nConnection: "
          "keep-alive\r\nA: b\r\n\r\n");
    out.clear();
    append_request_head(out, {"GET", "/", "a", "", 0, false});
    CHECK(out == "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
}

TEST_CASE("http writer: the date is formatted once a second") {
    HttpDate date;
    CHECK(date.text(from_unix_seconds(784111777)) == "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(date.text(from_unix_seconds(784111777) + 999ms) == "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(date.text(from_unix_seconds(784111778)) == "Sun, 06 Nov 1994 08:49:38 GMT");
}
