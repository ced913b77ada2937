// Peers that send what is TLS but no application data: it is bounded, on both sides, and costs others no turn.
#include "edge/net/tls.h"
#include "edge/net/tls_context.h"
#include "tests/support/raw_peer.h"
#include "tests/unit/net_certs.h"
#include "tests/unit/net_pair.h"

using namespace holdfast;
using testing::Events;
using testing::RawListener;
using testing::RawPeer;

namespace {

struct Bench : testing::Net {
    explicit Bench(int version = TLS1_3_VERSION) {
        ca.issue("edge", "DNS:edge.test,IP:127.0.0.1");
        auto made = TlsServerContext::load({ca.path("edge.pem"), ca.path("edge.key"), ""}, WallClock::read());
        REQUIRE(made);
        server = std::move(*made);
        auto dials = TlsClientContext::load({ca.path("ca.pem"), "", ""}, WallClock::read());
        REQUIRE(dials);
        client = std::move(*dials);
        raw_client = SSL_CTX_new(TLS_client_method());
        raw_server = SSL_CTX_new(TLS_server_method());
        REQUIRE(SSL_CTX_use_certificate_file(raw_server, ca.path("edge.pem").c_str(), SSL_FILETYPE_PEM) == 1);
        REQUIRE(SSL_CTX_use_PrivateKey_file(raw_server, ca.path("edge.key").c_str(), SSL_FILETYPE_PEM) == 1);
        for (SSL_CTX* context : {raw_client, raw_server}) SSL_CTX_set_max_proto_version(context, version);
    }
    ~Bench() {
        stream.reset();
        SSL_CTX_free(raw_client);
        SSL_CTX_free(raw_server);
    }
    // Our server, and a client that knows no bounds.
    RawPeer serve() {
        auto listening = network.listen("127.0.0.1:0", [this](std::unique_ptr<Stream> s) {
            stream = server->wrap(loop, std::move(s));
            stream->start(events);
        });
        REQUIRE(listening);
        RawPeer peer = RawPeer::dial((*listening)->port(), raw_client);
        REQUIRE(until([&] { return peer.shake() && events.ready; }));
        return peer;
    }
    // Our client, and a server that knows none.
    RawPeer dial() {
        RawListener listener;
        RawPeer peer;
        TlsDialer dialer(loop, network, client.get());
        const auto pending = dialer.dial(Target{"127.0.0.1", listener.port(), true, "edge.test"},
                                         [this](Result<std::unique_ptr<Stream>> s) {
                                             REQUIRE(s);
                                             stream = std::move(*s);
                                             stream->start(events);
                                         });
        REQUIRE(until([&] {
            if (!peer) peer = RawPeer(listener.take(), raw_server, true);
            return peer && peer.shake() && stream != nullptr;
        }));
        return peer;
    }
    testing::TestCa ca;
    Events events;
    std::unique_ptr<TlsServerContext> server;
    std::unique_ptr<TlsClientContext> client;
    std::unique_ptr<Stream> stream;
    SSL_CTX* raw_client = nullptr;
    SSL_CTX* raw_server = nullptr;
};

void update_keys(RawPeer& peer, int times, int kind = SSL_KEY_UPDATE_NOT_REQUESTED) {
    for (int i = 0; i < times; ++i) {
        REQUIRE(SSL_key_update(peer.ssl, kind) == 1);
        REQUIRE(SSL_do_handshake(peer.ssl) == 1);
    }
}

// An inner stream of a test's own: what is written stays queued until the test takes it.
struct Inner : Stream {
    void start(StreamEvents& e) override { events = &e; }
    void write(std::string_view head, std::string_view body) override { out.append(head).append(body); }
    std::size_t queued() const override { return out.size(); }
    void pause() override { paused = true; }
    void resume() override { paused = false; }
    void shutdown() override {}
    const PeerInfo& peer() const override { return info; }
    StreamEvents* events = nullptr;
    std::string out;
    bool paused = false;
    PeerInfo info;
};

}  // namespace

TEST_CASE("tls flood: more than 32 key updates without application data end the connection, on either side") {
    for (const bool serving : {true, false}) {
        Bench b;
        RawPeer peer = serving ? b.serve() : b.dial();
        for (int i = 1; i <= 4; ++i) {
            update_keys(peer, 30);
            REQUIRE(peer.send("x"));
            REQUIRE(b.until([&] { return b.events.received.size() == std::size_t(i); }));
        }
        update_keys(peer, 40);
        REQUIRE(b.until([&b] { return b.events.failed; }));
        CHECK(b.events.error.detail.find("too many messages of TLS") != std::string::npos);
        CHECK(b.events.error.origin == (serving ? Origin::client : Origin::upstream));
        CHECK(b.events.error.code == (serving ? Code::invalid : Code::closed));
    }
}

TEST_CASE("tls flood: key updates between bytes take no more of a turn than a few") {
    Bench b;
    RawPeer peer = b.serve();
    constexpr int kRounds = 60;
    for (int i = 0; i < kRounds; ++i) {
        update_keys(peer, 16);
        REQUIRE(peer.send("x"));
    }
    std::size_t before = 0;
    REQUIRE(b.until([&] {
        CHECK(b.events.received.size() - before <= 6);
        before = b.events.received.size();
        return before == kRounds;
    }));
    CHECK_FALSE(b.events.failed);
}

TEST_CASE("tls flood: a hello after the handshake ends the connection") {
    Bench b(TLS1_2_VERSION);
    RawPeer peer = b.serve();
    REQUIRE(SSL_renegotiate(peer.ssl) == 1);
    SSL_do_handshake(peer.ssl);
    REQUIRE(b.until([&b] { return b.events.failed; }));
    CHECK(b.events.error.detail.find("negotiate anew") != std::string::npos);
}

TEST_CASE("tls flood: a centre's session tickets are taken, a flood of them is not") {
    Bench b;
    RawPeer peer = b.dial();
    const auto tickets = [&peer](int times) {
        for (int i = 0; i < times; ++i) {
            REQUIRE(SSL_new_session_ticket(peer.ssl) == 1);
            REQUIRE(SSL_do_handshake(peer.ssl) == 1);
        }
    };
    tickets(10);
    REQUIRE(peer.send("x"));
    REQUIRE(b.until([&b] { return b.events.received == "x"; }));
    tickets(40);
    REQUIRE(b.until([&b] { return b.events.failed; }));
}

TEST_CASE("tls flood: who asks for new keys and does not read is read no further") {
    Bench b;
    auto owned = std::make_unique<Inner>();
    Inner& inner = *owned;
    b.stream = b.server->wrap(b.loop, std::move(owned));
    b.stream->start(b.events);
    SSL* ssl = SSL_new(b.raw_client);
    SSL_set_connect_state(ssl);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    const auto say = [&] {
        char bytes[16'384];
        for (int n = 0; (n = BIO_read(SSL_get_wbio(ssl), bytes, sizeof bytes)) > 0;)
            inner.events->on_data({bytes, static_cast<std::size_t>(n)});
    };
    REQUIRE(b.until([&] {
        const std::string heard = std::exchange(inner.out, {});
        BIO_write(SSL_get_rbio(ssl), heard.data(), static_cast<int>(heard.size()));
        const bool done = SSL_do_handshake(ssl) == 1;
        say();
        return done && b.events.ready;
    }));
    inner.out.clear();
    int rounds = 0;
    for (; rounds < 5000 && !inner.paused; ++rounds) {
        REQUIRE(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
        REQUIRE(SSL_do_handshake(ssl) == 1);
        REQUIRE(SSL_write(ssl, "x", 1) == 1);
        say();
    }
    CHECK(inner.paused);
    CHECK(inner.out.size() < TlsStream::kOwnBytesMax + 1024);
    inner.out.clear();
    inner.events->on_drained();
    CHECK_FALSE(inner.paused);
    CHECK(b.until([&] { return b.events.received.size() == std::size_t(rounds); }));
    SSL_free(ssl);
    ERR_clear_error();
}
