// A peer that sends more than it was asked for: what lies unread on a kept connection is never the next answer.
#include <vector>

#include "edge/net/tls_context.h"
#include "tests/support/raw_peer.h"
#include "tests/unit/net_certs.h"
#include "tests/unit/net_pair.h"
#include "upstream/echo.h"
#include "upstream/pool.h"

using namespace holdfast;
using testing::RawListener;
using testing::RawPeer;

namespace {

const std::string kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst";

struct Bench : testing::Net {
    explicit Bench(bool with_tls, int version = TLS1_3_VERSION, PoolOptions options = {}) {
        std::string scheme = "http";
        if (with_tls) {
            scheme = "https";
            ca.issue("centre", "DNS:localhost,IP:127.0.0.1");
            server = SSL_CTX_new(TLS_server_method());
            REQUIRE(SSL_CTX_use_certificate_file(server, ca.path("centre.pem").c_str(), SSL_FILETYPE_PEM) == 1);
            REQUIRE(SSL_CTX_use_PrivateKey_file(server, ca.path("centre.key").c_str(), SSL_FILETYPE_PEM) == 1);
            SSL_CTX_set_max_proto_version(server, version);
            auto loaded = TlsClientContext::load({ca.path("ca.pem"), "", ""}, WallClock::read());
            REQUIRE(loaded);
            context = std::move(*loaded);
        }
        dialer = std::make_unique<TlsDialer>(loop, network, context.get());
        const auto endpoint = parse_endpoint(scheme + "://127.0.0.1:" + std::to_string(listener.port()));
        REQUIRE(endpoint);
        pool = std::make_unique<Pool>(loop, *dialer, network, *endpoint, options);
    }
    ~Bench() {
        pool.reset();
        SSL_CTX_free(server);
    }
    PooledConnection connect(RawPeer& peer) {
        PooledConnection made;
        peer = {};
        const auto pending = pool->connect(loop.now().mono + 10s, [&](Result<PooledConnection> c) {
            REQUIRE(c);
            made = std::move(*c);
        });
        REQUIRE(until([&] {
            if (!peer) peer = RawPeer(listener.take(), server, true);
            return peer && peer.shake() && made.client != nullptr;
        }));
        return made;
    }
    // Asks, and the peer says `answer`; what came of it.
    std::string ask(PooledConnection& connection, RawPeer& peer, const std::string& body,
                    const std::string& answer = kAnswer) {
        std::string out;
        const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
                                 "\r\n\r\n";
        connection.client->send({head, body}, [&out](const Result<HttpResponse>& r) {
            out = r ? std::string(r->body) : r.error().detail;
        });
        peer.received.clear();
        REQUIRE(until([&] {
            peer.read();
            return peer.received.size() >= head.size() + body.size();
        }));
        REQUIRE(peer.send(answer));
        REQUIRE(until([&out] { return !out.empty(); }));
        return out;
    }

    testing::TestCa ca;
    RawListener listener;
    SSL_CTX* server = nullptr;
    std::unique_ptr<TlsClientContext> context;
    std::unique_ptr<TlsDialer> dialer;
    std::unique_ptr<Dialer> between;  // of fresh(): the pool dials through it
    std::unique_ptr<Pool> pool;
};

// Dials as another does, and lets somebody act between a connection and whoever it is for.
struct Between : Dialer {
    Between(Dialer& d, std::function<void()> a) : dialer(d), act(std::move(a)) {}
    std::unique_ptr<Pending> dial(const Target& target, Done done) override {
        return dialer.dial(target, [this, done = std::move(done)](Result<std::unique_ptr<Stream>> made) {
            act();
            done(std::move(made));
        });
    }
    Dialer& dialer;
    std::function<void()> act;
};

// What a pool makes of a fresh connection: "connected", or the error's detail; "" while it is not known.
std::string fresh(Bench& b, RawPeer& peer, const std::function<void(RawPeer&)>& shake,
                  const std::function<void(RawPeer&)>& act, PooledConnection& made) {
    const auto accept = [&b, &peer] {
        if (!peer) peer = RawPeer(b.listener.take(), b.server, true);
        return static_cast<bool>(peer);
    };
    const Endpoint endpoint = b.pool->endpoint();
    b.between = std::make_unique<Between>(*b.dialer, [&] {
        REQUIRE(b.until(accept));
        act(peer);
    });
    b.pool = std::make_unique<Pool>(b.loop, *b.between, b.network, endpoint, PoolOptions());  // it outlives `made`
    std::string out;
    const auto pending = b.pool->connect(b.loop.now().mono + 10s, [&out, &made](Result<PooledConnection> c) {
        out = c ? "connected" : c.error().detail;
        if (!c) CHECK((c.error().code == Code::invalid && c.error().origin == Origin::upstream && !c.error().was_sent));
        if (c) made = std::move(*c);
    });
    REQUIRE(b.until([&] {
        if (accept()) shake(peer);
        return !out.empty();
    }));
    return out;
}

const std::string kTooEarly = "bad answer: it came before anything was asked";

const std::vector<std::string> kBodies{"small", std::string(80'000, 'b')};

}  // namespace

TEST_CASE("pool: a connection with an answer that nobody asked for and nobody has read is not used") {
    for (const int version : {0, TLS1_2_VERSION, TLS1_3_VERSION})
        for (const std::string& body : kBodies) {
            INFO(version << " " << body.size());
            Bench b(version != 0, version);
            RawPeer peer;
            PooledConnection connection = b.connect(peer);
            CHECK(b.ask(connection, peer, body) == "first");
            b.pool->give_back(std::move(connection));
            REQUIRE(b.pool->idle() == 1);
            REQUIRE(peer.send(kAnswer));  // into the kernel; the loop does not look
            CHECK(b.pool->take_idle().client == nullptr);
            CHECK(b.pool->idle() == 0);
        }
}

TEST_CASE("pool: a fresh connection whose peer spoke before it was asked is none") {
    const auto shakes = [](RawPeer& peer) { peer.shake(); };
    for (const int version : {0, TLS1_2_VERSION, TLS1_3_VERSION})
        for (const bool early : {true, false}) {
            INFO(version << " " << early);
            Bench b(version != 0, version);
            RawPeer peer;
            PooledConnection made;
            const auto act = [early](RawPeer& one) {
                REQUIRE(one.shake());
                if (early) REQUIRE(one.send(kAnswer));
            };
            CHECK(fresh(b, peer, shakes, act, made) == (early ? kTooEarly : "connected"));
            if (!early) CHECK(b.ask(made, peer, "x") == "first");
        }
}

TEST_CASE("pool: an answer in one piece with the end of the handshake is none to the first request") {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Bench b(true, version);
        RawPeer peer;
        PooledConnection made;
        bool said = false, hello_read = false;
        const auto shake = [&](RawPeer& one) {
            const auto cork = [&one](int on) { ::setsockopt(one.fd(), IPPROTO_TCP, TCP_CORK, &on, sizeof on); };
            cork(1);
            std::size_t size = 0;
            ERR_clear_error();
            if (version == TLS1_2_VERSION) {
                if (one.shake() && !said) said = one.send(kAnswer);
            } else if (!hello_read) {  // what a server may say before the client's last word (RFC 8446 section 2.3)
                hello_read = SSL_read_early_data(one.ssl, &size, 0, &size) == SSL_READ_EARLY_DATA_FINISH;
                if (hello_read) said = SSL_write_early_data(one.ssl, kAnswer.data(), kAnswer.size(), &size) == 1;
            }
            cork(0);
        };
        CHECK(fresh(
                  b, peer, shake, [](RawPeer&) {}, made) == kTooEarly);
        CHECK(said);
    }
}

TEST_CASE("pool: a session ticket of which only a piece has come is no word of its peer") {
    Bench b(true, TLS1_3_VERSION);
    RawPeer peer;
    PooledConnection made;
    std::string ticket;
    const auto act = [&ticket](RawPeer& one) {
        REQUIRE(one.shake());
        BIO* const written = BIO_new(BIO_s_mem());
        SSL_set0_wbio(one.ssl, written);
        REQUIRE(SSL_new_session_ticket(one.ssl) == 1);
        REQUIRE(SSL_do_handshake(one.ssl) == 1);
        char* bytes = nullptr;
        const long size = BIO_get_mem_data(written, &bytes);
        ticket.assign(bytes, static_cast<std::size_t>(size));
        REQUIRE(ticket.size() > 20);
        SSL_set0_wbio(one.ssl, BIO_new_socket(one.fd(), BIO_NOCLOSE));
        REQUIRE(::send(one.fd(), ticket.data(), 20, MSG_NOSIGNAL) == 20);
    };
    const auto shakes = [](RawPeer& one) { one.shake(); };
    CHECK(fresh(b, peer, shakes, act, made) == "connected");
    REQUIRE(::send(peer.fd(), ticket.data() + 20, ticket.size() - 20, MSG_NOSIGNAL) > 0);
    CHECK(b.ask(made, peer, "x") == "first");
}

TEST_CASE("pool: a connection that its peer has ended meanwhile is not used") {
    for (const bool tls : {false, true}) {
        Bench b(tls);
        RawPeer peer;
        PooledConnection connection = b.connect(peer);
        CHECK(b.ask(connection, peer, "x") == "first");
        b.pool->give_back(std::move(connection));
        if (tls) SSL_shutdown(peer.ssl);
        peer.end();
        CHECK(b.pool->take_idle().client == nullptr);
    }
}

TEST_CASE("pool: a surplus answer right behind its answer, or while the connection rests, ends it") {
    for (const bool tls : {false, true})
        for (const Nanos after : {Nanos(0), Nanos(5ms)}) {
            Bench b(tls);
            RawPeer peer;
            PooledConnection connection = b.connect(peer);
            CHECK(b.ask(connection, peer, "x") == "first");
            if (after == Nanos(0)) REQUIRE(peer.send(kAnswer));
            b.pool->give_back(std::move(connection));
            if (after > Nanos(0)) {
                b.idle(after);
                REQUIRE(peer.send(kAnswer));
            }
            REQUIRE(b.until([&b] { return b.pool->idle() == 0; }));
        }
}

TEST_CASE("pool: session tickets and new keys are no reason to give a connection up") {
    Bench b(true);
    RawPeer peer;
    PooledConnection connection = b.connect(peer);
    b.pool->give_back(std::move(connection));  // the tickets of the handshake may lie in the kernel
    for (int i = 0; i < 3; ++i) {
        connection = b.pool->take_idle();
        REQUIRE(connection.client != nullptr);
        CHECK(b.ask(connection, peer, "x") == "first");
        b.pool->give_back(std::move(connection));
        REQUIRE(SSL_new_session_ticket(peer.ssl) == 1);
        REQUIRE(SSL_do_handshake(peer.ssl) == 1);
        REQUIRE(SSL_key_update(peer.ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
        REQUIRE(SSL_do_handshake(peer.ssl) == 1);
    }
    REQUIRE(peer.send(kAnswer));  // behind what is no answer
    CHECK(b.pool->take_idle().client == nullptr);
}

TEST_CASE("pool: one that has just answered rests while another is there") {
    Bench b(false);
    RawPeer first, second, third;
    PooledConnection rested = b.connect(first), newer = b.connect(second), newest = b.connect(third);
    const HttpClient* expected = newer.client.get();
    b.pool->give_back(std::move(rested));
    b.idle(1ms);
    b.pool->give_back(std::move(newer));
    b.idle(Pool::kRest + 2ms);
    b.pool->give_back(std::move(newest));
    PooledConnection taken = b.pool->take_idle();
    CHECK(taken.client.get() == expected);
    CHECK(b.pool->take_idle().client != nullptr);
    CHECK(b.pool->take_idle().client != nullptr);
    CHECK(b.pool->take_idle().client == nullptr);
}

TEST_CASE("pool: a call whose answer decides takes one that has rested, or a new one while there is room") {
    for (const std::uint32_t room : {1u, 2u}) {
        Bench b(false, 0, {.connections = room, .idle = 2});
        RawPeer peer;
        b.pool->give_back(b.connect(peer));
        const Place place = b.pool->enter();
        CHECK((b.pool->take_rested().client == nullptr) == (room == 2));
        if (room == 1) continue;
        b.idle(Pool::kRest + 2ms);
        CHECK(b.pool->take_rested().client != nullptr);
    }
}

TEST_CASE("echo: an answer that names another request is told from one that names its own or none") {
    const Echo sent = echo_of("req-1", "app.o1");
    const auto said = [&sent](const std::string& fields) {
        const ResponseLimits limits;
        ResponseParser parser(limits);
        parser.expect(false, false);
        const std::string head = "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: 0\r\n\r\n";
        std::string_view input = head;
        REQUIRE(parser.next(input).kind == HttpEvent::Kind::head);
        return echoed(sent, parser.head().headers);
    };
    CHECK(said("") == Echoed::same);
    CHECK(said("x-request-id: req-1\r\n") == Echoed::same);
    CHECK(said("X-Request-Id: req-1\r\nIdempotency-Key: app.o1\r\n") == Echoed::same);
    CHECK(said("Idempotency-Key: \"app.o1\"\r\n") == Echoed::same);
    CHECK(said("X-Request-Id: req-2\r\n") == Echoed::other_id);
    CHECK(said("X-Request-Id: req-2\r\nIdempotency-Key: app.o1\r\n") == Echoed::same);  // it was kept for the key
    CHECK(said("X-Request-Id: req-1\r\nIdempotency-Key: app.o2\r\n") == Echoed::other_key);
    CHECK(said("X-Request-Id: req-2\r\nIdempotency-Key: app.o2\r\n") == Echoed::other_key);
    CHECK(echoed(Echo{}, HeaderList{}) == Echoed::same);
}
