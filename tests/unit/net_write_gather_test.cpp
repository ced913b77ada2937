#include "edge/net/write_gather.h"

#include "edge/net/http_client.h"
#include "tests/unit/net_pair.h"

using namespace holdfast;
using testing::Events;
using testing::Net;

namespace {

struct Counted : Events {
    void on_data(std::string_view bytes) override {
        ++reads;
        Events::on_data(bytes);
    }
    void on_drained() override {
        CHECK_FALSE(inside);
        ++drains;
        if (when_drained) when_drained();
    }
    void on_failed(const Error& e) override {
        CHECK_FALSE(inside);
        Events::on_failed(e);
    }
    int reads = 0, drains = 0;
    bool inside = false;  // of a call of the owner
    std::function<void()> when_drained;
};

// Two plain streams, both started.
struct Pair : Net {
    Pair() {
        auto listening = network.listen("127.0.0.1:0", [this](std::unique_ptr<Stream> s) { server = std::move(s); });
        REQUIRE(listening);
        listener = std::move(*listening);
        const Target target{"127.0.0.1", listener->port(), false, ""};
        const auto dial = network.dial(target, [this](Result<std::unique_ptr<Stream>> s) { client = std::move(*s); });
        REQUIRE(until([this] { return client != nullptr && server != nullptr; }));
        client->start(client_events);
        server->start(server_events);
    }
    void write(std::string_view head, std::string_view body = {}) {
        client_events.inside = true;
        client->write(head, body);
        client_events.inside = false;
        written.append(head).append(body);
    }
    // Runs until the server has everything.
    bool arrived() {
        return until([this] { return server_events.received.size() == written.size(); }) &&
               server_events.received == written;
    }
    Counted client_events, server_events;
    std::unique_ptr<Listener> listener;
    std::unique_ptr<Stream> client, server;
    std::string written;
};

// A stream as WriteGather sees it.
struct Member {
    explicit Member(WriteGather& g) : gather(g) {}
    void join() {
        gather.join(this, &slot, [](void* stream) {
            auto* self = static_cast<Member*>(stream);
            self->sent += self->gather.bytes(self->slot);
            self->gather.leave(&self->slot);
            if (self->then) self->then();
        });
    }
    void write(std::string_view bytes) {
        if (slot == WriteGather::kNone) join();
        gather.bytes(slot).append(bytes);
    }
    WriteGather& gather;
    std::uint32_t slot = WriteGather::kNone;
    std::string sent;
    std::function<void()> then;
};

}  // namespace

TEST_CASE("write gather: who joins or leaves during a flush neither gets lost nor mixed up") {
    WriteGather gather;
    Member a(gather), b(gather), c(gather), d(gather);
    a.write("a1");
    b.write("b1");
    c.write("c1");
    a.then = [&] {
        c.gather.leave(&c.slot);  // not yet flushed
        a.write("a2");
        d.write("d1");
    };
    b.then = [&] {
        b.write("b2");
        b.gather.leave(&b.slot);
    };
    gather.flush();
    CHECK((a.sent == "a1" && b.sent == "b1" && c.sent.empty() && d.sent.empty()));
    CHECK((b.slot == WriteGather::kNone && c.slot == WriteGather::kNone));
    CHECK_FALSE(gather.empty());
    CHECK((gather.bytes(a.slot) == "a2" && gather.bytes(d.slot) == "d1"));
    a.then = nullptr;
    d.write("d2");
    gather.flush();
    CHECK((a.sent == "a1a2" && d.sent == "d1d2" && c.sent.empty()));
    CHECK(gather.empty());
    b.write("b3");
    CHECK(gather.bytes(b.slot) == "b3");  // no rest of somebody else
    gather.leave(&b.slot);
    gather.leave(&b.slot);
    gather.flush();
    CHECK(gather.empty());
}

TEST_CASE("write gather: buffers are used again, up to their limit in size and number") {
    WriteGather gather;
    Member a(gather);
    for (const std::size_t size : {WriteGather::kKeptBytes, WriteGather::kKeptBytes + 1}) {
        a.join();
        gather.bytes(a.slot).reserve(size);
        gather.flush();
        a.join();
        CHECK((gather.bytes(a.slot).capacity() >= WriteGather::kKeptBytes) == (size == WriteGather::kKeptBytes));
        gather.leave(&a.slot);
        gather.flush();
    }
    std::vector<std::unique_ptr<Member>> many;
    for (std::size_t i = 0; i < 2 * WriteGather::kKeptBuffers; ++i) {
        many.push_back(std::make_unique<Member>(gather));
        many.back()->write("x");
    }
    gather.flush();
    CHECK(gather.kept() == WriteGather::kKeptBuffers);
    for (const auto& m : many) CHECK(m->sent == "x");
}

TEST_CASE("uv stream: small writes of a turn reach the peer together, at its end") {
    Pair p;
    bool done = false;
    const auto timer = p.loop.after(1ms, [&] {
        for (int i = 0; i < 100; ++i) {
            p.write("head ", "body ");
            CHECK(p.client->queued() == p.written.size());
        }
        p.loop.defer([&] {  // what is deferred still belongs to the turn
            p.write("last");
            CHECK(p.client->queued() == p.written.size());
            done = true;
        });
    });
    REQUIRE(p.until([&] { return done; }));
    CHECK(p.client->queued() == 0);  // the turn is over
    CHECK(p.client_events.drains == 1);
    REQUIRE(p.arrived());
    CHECK(p.server_events.reads == 1);
}

TEST_CASE("uv stream: more than a buffer's worth goes at once, in order") {
    Pair p;
    p.write(std::string(WriteGather::kPendingMax - 1, 'a'), "b");
    CHECK(p.client->queued() == WriteGather::kPendingMax);
    p.write("c");  // what was there goes first
    CHECK(p.client->queued() == 1);
    p.write("d", std::string(WriteGather::kPendingMax, 'e'));
    CHECK(p.client->queued() == 0);
    CHECK(p.client_events.drains == 0);
    REQUIRE(p.arrived());
    CHECK(p.client_events.drains == 1);  // told although all of it had left inside write()
}

TEST_CASE("uv stream: order and numbers hold across pending, queued and taken bytes") {
    Pair p;
    p.server->pause();
    const std::string block(200 * 1024, 'x');
    for (int i = 0; p.client->queued() == 0 && i < 2000; ++i) p.write(block);
    REQUIRE(p.client->queued() > 0);
    int n = 0;
    for (int turn = 0; turn < 5; ++turn) {
        for (const std::size_t size : {std::size_t(3), std::size_t(70'000), std::size_t(1), std::size_t(40'000),
                                       std::size_t(40'000), WriteGather::kPendingMax, std::size_t(5)}) {
            const std::size_t before = p.client->queued();
            p.write(std::string(size, static_cast<char>('a' + n++ % 26)));
            CHECK(p.client->queued() == before + size);
        }
        const std::size_t before = p.client->queued();
        p.idle(1ms);
        CHECK(p.client->queued() <= before);
        CHECK(p.client->queued() > 0);
    }
    CHECK(p.client_events.drains == 0);
    p.server->resume();
    REQUIRE(p.arrived());
    REQUIRE(p.until([&] { return p.client_events.drains > 0; }));
    CHECK(p.client->queued() == 0);
    CHECK(p.client_events.drains == 1);
}

TEST_CASE("uv stream: what was written is delivered although the stream is destroyed or shut down in the same turn") {
    for (const bool shut : {false, true}) {
        Pair p;
        p.write("answer ", "and then the end");
        if (shut) p.client->shutdown();
        if (shut) CHECK(p.client->queued() == 0);
        p.client.reset();
        REQUIRE(p.arrived());
        REQUIRE(p.until([&] { return p.server_events.ended; }));
        CHECK_FALSE(p.server_events.failed);
    }
}

TEST_CASE("uv stream: pending bytes are sent before a loop without anything else ends") {
    Pair p;
    p.listener.reset();
    p.client->pause();
    p.server->pause();
    p.loop.run();
    p.write("x");
    p.loop.run();
    CHECK(p.client->queued() == 0);
    p.server->resume();
    CHECK(p.arrived());
}

TEST_CASE("uv stream: who writes whenever it drains neither starves nor blocks the loop") {
    Pair p;
    p.client_events.when_drained = [&p] { p.write("y"); };
    p.write("x");
    for (int turn = 0; turn < 50; ++turn) p.loop.run_once(true);  // would wait for ever if it waited
    CHECK(p.client_events.drains >= 50);
    CHECK(p.client_events.drains <= 200);
    p.client_events.when_drained = nullptr;
    CHECK(p.arrived());
}

TEST_CASE("uv stream: a dead peer is told once, never inside write(), and what was pending counts as not sent") {
    Pair p;
    p.write("never read");
    p.server->pause();
    p.idle(1ms);
    p.client->pause();  // so that only writing can find out
    p.server.reset();   // with bytes unread: a reset
    p.idle(5ms);
    for (int i = 0; i < 100 && !p.client_events.failed; ++i) {
        p.client_events.inside = true;
        p.client->write("some", "thing");
        p.client_events.inside = false;
        p.loop.run_once(false);
    }
    REQUIRE(p.until([&] { return p.client_events.failed; }));
    CHECK(p.client->queued() >= 9);
    CHECK(p.client_events.error.code == Code::closed);
    const std::size_t before = p.client->queued();
    p.client->write("more");
    CHECK(p.client->queued() == before);
    p.idle(2ms);
}

TEST_CASE("http client: a request counts as sent when its stream lives and may still send it") {
    UvLoop loop;
    const ResponseLimits limits;
    for (const char* bytes : {"garbage\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""}) {
        auto owned = std::make_unique<testing::StuckStream>();
        testing::StuckStream& stream = *owned;
        HttpClient client(loop, std::move(owned), limits);
        bool done = false;
        client.send({"GET / HTTP/1.1\r\nHost: a\r\n\r\n", ""}, [&](const Result<HttpResponse>& r) {
            REQUIRE_FALSE(r);
            CHECK(r.error().was_sent);
            done = true;
        });
        if (*bytes == '\0')
            stream.events->on_end();
        else
            stream.events->on_data(bytes);
        CHECK(done);
    }
}
