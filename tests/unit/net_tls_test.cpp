#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <fstream>

#include "edge/net/handshake_line.h"
#include "edge/net/tls.h"
#include "edge/net/tls_context.h"
#include "tests/unit/net_certs.h"
#include "tests/unit/net_pair.h"

using namespace holdfast;
using testing::Events;

namespace {

testing::TestCa& ca() {
    static testing::TestCa made;
    static const bool issued = [] {
        made.issue("edge", "DNS:edge.test,IP:127.0.0.1");
        made.issue("rsa", "DNS:edge.test", -3600, 86400, true);
        made.issue("old", "DNS:edge.test", -7200, -3600);
        made.issue("future", "DNS:edge.test", 3600, 7200);
        made.issue("client", "DNS:client.test");
        return true;
    }();
    (void)issued;
    return made;
}

TlsServerFiles files(const std::string& name) {
    return {ca().path(name + ".pem"), ca().path(name + ".key"), ""};
}

// A TLS server on a port of the loop that keeps the latest connection.
struct Server : testing::Net {
    explicit Server(const TlsServerFiles& f = files("edge")) {
        auto loaded = TlsServerContext::load(f, WallClock::read());
        REQUIRE(loaded);
        tls = std::move(*loaded);
        auto listening = network.listen("127.0.0.1:0", [this](std::unique_ptr<Stream> s) {
            stream = tls->wrap(loop, std::move(s));
            stream->start(events);
        });
        REQUIRE(listening);
        listener = std::move(*listening);
    }
    std::unique_ptr<TlsServerContext> tls;
    Events events;
    std::unique_ptr<Listener> listener;
    std::unique_ptr<Stream> stream;
};

struct Client {
    explicit Client(Server& s, const TlsClientFiles& f = {ca().path("ca.pem"), "", ""}) : server(s) {
        auto loaded = TlsClientContext::load(f, WallClock::read());
        REQUIRE(loaded);
        tls = std::move(*loaded);
        dialer = std::make_unique<TlsDialer>(s.loop, s.network, tls.get());
    }
    static Code code_of(const std::string& name, const std::string& failure) {
        if (name.size() > 253) return Code::invalid;
        return failure.find("certificate: ") != std::string::npos ? Code::untrusted : Code::handshake;
    }
    // "" when connected, else the error.
    std::string dial(const std::string& name = "edge.test") {
        std::string failure = "pending";
        stream.reset();
        events = {};
        server.stream.reset();
        server.events = {};
        const auto pending =
            dialer->dial(Target{"127.0.0.1", server.listener->port(), true, name},
                         [this, &failure, &name](Result<std::unique_ptr<Stream>> s) {
                             failure = s ? "" : s.error().detail;
                             if (s)
                                 stream = std::move(*s);
                             else
                                 CHECK(s.error().code == code_of(name, failure));
                         });
        REQUIRE(server.until([&failure] { return failure != "pending"; }));
        if (failure.empty()) stream->start(events);
        return failure;
    }
    Server& server;
    std::unique_ptr<TlsClientContext> tls;
    std::unique_ptr<TlsDialer> dialer;
    Events events;
    std::unique_ptr<Stream> stream;
};

// A blocking-free OpenSSL client of its own over the plain network, for what ours would never send.
struct RawClient {
    RawClient(Server& s, const std::function<void(SSL*)>& set_up)
        : server(s), context(SSL_CTX_new(TLS_client_method())) {
        SSL_CTX_set_security_level(context, 0);
        ssl = SSL_new(context);
        set_up(ssl);
        SSL_set_connect_state(ssl);
        SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        const auto pending = s.network.dial(Target{"127.0.0.1", s.listener->port(), false, ""},
                                            [this](Result<std::unique_ptr<Stream>> r) { stream = std::move(*r); });
        REQUIRE(s.until([this] { return stream != nullptr; }));
        stream->start(events);
    }
    ~RawClient() {
        SSL_free(ssl);
        SSL_CTX_free(context);
    }
    // Moves bytes both ways until `step` is done or the connection is over.
    bool drive(const std::function<bool()>& step) {
        return server.until([this, &step] {
            BIO_write(SSL_get_rbio(ssl), events.received.data(), static_cast<int>(events.received.size()));
            events.received.clear();
            const bool done = step();
            char out[32768];
            for (int n = 0; (n = BIO_read(SSL_get_wbio(ssl), out, sizeof out)) > 0;)
                stream->write({out, static_cast<std::size_t>(n)});
            return done || events.over();
        });
    }
    // Its first flight goes out, the server's comes in, and nothing more is sent yet.
    void begin() {
        drive([this] {
            SSL_do_handshake(ssl);
            return true;
        });
        REQUIRE(server.until([this] { return !events.received.empty(); }));
    }
    bool handshake() {
        int result = 0;
        drive([this, &result] {
            ERR_clear_error();
            result = SSL_do_handshake(ssl);
            return result == 1 || SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ;
        });
        return result == 1;
    }
    Server& server;
    SSL_CTX* context;
    SSL* ssl;
    Events events;
    std::unique_ptr<Stream> stream;
};

std::string load_error(const TlsServerFiles& f) {
    const auto loaded = TlsServerContext::load(f, WallClock::read());
    return loaded ? "" : loaded.error().detail;
}

}  // namespace

TEST_CASE("tls: bytes pass both ways, large ones too, and ends are told") {
    Server server;
    Client client(server);
    REQUIRE(client.dial() == "");
    REQUIRE(server.until([&] { return server.events.ready; }));
    CHECK(server.stream->ready());
    client.stream->write("head ", "body");
    REQUIRE(server.until([&] { return server.events.received == "head body"; }));
    const std::string large(5 << 20, 'z');
    server.stream->write("h", large);
    REQUIRE(server.until([&] { return client.events.received.size() == large.size() + 1; }));
    CHECK(client.events.received == "h" + large);
    server.stream->release_buffers();
    client.stream->shutdown();
    REQUIRE(server.until([&] { return server.events.ended; }));
    CHECK_FALSE(server.events.failed);
    server.stream->write("late");
    REQUIRE(server.until([&] { return client.events.received.ends_with("late"); }));
    server.stream->shutdown();
    CHECK(server.until([&] { return client.events.ended; }));
}

TEST_CASE("tls: both versions are spoken, older ones are not") {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION, TLS1_1_VERSION}) {
        Server server(files(version == TLS1_2_VERSION ? "rsa" : "edge"));
        RawClient client(server, [version](SSL* ssl) {
            SSL_set_min_proto_version(ssl, version);
            SSL_set_max_proto_version(ssl, version);
        });
        CHECK(client.handshake() == (version != TLS1_1_VERSION));
        if (version == TLS1_1_VERSION) {
            CHECK(server.events.failed);
            continue;
        }
        REQUIRE(server.until([&] { return server.events.ready; }));
        client.drive([&] { return SSL_write(client.ssl, "hello", 5) == 5; });
        CHECK(server.until([&] { return server.events.received == "hello"; }));
    }
}

TEST_CASE("tls: a client cannot renegotiate") {
    Server server;
    RawClient client(server, [](SSL* ssl) { SSL_set_max_proto_version(ssl, TLS1_2_VERSION); });
    REQUIRE(client.handshake());
    REQUIRE(SSL_renegotiate(client.ssl) == 1);
    int result = 1;
    client.drive([&] {
        return (result = SSL_do_handshake(client.ssl)) != 1 && SSL_get_error(client.ssl, result) == SSL_ERROR_SSL;
    });
    CHECK(result != 1);
    ERR_clear_error();
}

TEST_CASE("tls: ALPN is http/1.1, no protocol, or a refusal") {
    struct Offer {
        std::string bytes;
        bool accepted;
    };
    for (const Offer& offer :
         {Offer{"", true}, Offer{"\x08http/1.1", true}, Offer{"\x02h2\x08http/1.1", true}, Offer{"\x02h2", false}}) {
        Server server;
        RawClient client(server, [&offer](SSL* ssl) {
            if (!offer.bytes.empty())
                SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(offer.bytes.data()),
                                    static_cast<unsigned>(offer.bytes.size()));
        });
        CHECK(client.handshake() == offer.accepted);
        CHECK(server.until([&] { return offer.accepted ? server.events.ready : server.events.failed; }));
        ERR_clear_error();
    }
}

TEST_CASE("tls: plain text and garbage on the port are refused, a flood is cut") {
    for (const std::string& bytes : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(300, '\xff'),
                                     std::string("\x16\x03\x01\xff\xff") + std::string(70000, 'x')}) {
        Server server;
        RawClient client(server, [](SSL*) {});
        client.stream->write(bytes);
        REQUIRE(server.until([&] { return server.events.failed; }));
        CHECK(server.events.error.code == Code::refused);
        CHECK_FALSE(server.events.ready);
    }
}

TEST_CASE("tls: a handshake of endless small records is cut at its limit") {
    Server server;
    RawClient client(server, [](SSL*) {});
    // Empty handshake fragments are illegal, so a hello that never ends is sent in pieces of one byte.
    std::string flood = std::string("\x16\x03\x01\x00\x04\x01\x00\xff\xff", 9);
    while (flood.size() < 100000) flood += std::string("\x16\x03\x01\x00\x01\x00", 6);
    client.stream->write(flood);
    REQUIRE(server.until([&] { return server.events.failed; }));
    CHECK(server.events.error.code == Code::too_large);
}

TEST_CASE("tls: a handshake that has begun goes on though the line of newcomers is full") {
    Server server;
    RawClient client(server, [](SSL*) {});
    client.begin();
    struct Newcomer final : HandshakeLine::Waiter {
        explicit Newcomer(HandshakeLine& line) : place(line.shared_from_this(), *this) {}
        void on_turn() override { REQUIRE(place.wait(1)); }
        void on_too_late() override {}
        HandshakeLine::Place place;
    };
    HandshakeLine& line = *server.tls->handshakes();
    std::vector<std::unique_ptr<Newcomer>> newcomers;
    while (newcomers.size() < HandshakeLine::kNewcomersMax) {
        newcomers.push_back(std::make_unique<Newcomer>(line));
        REQUIRE(newcomers.back()->place.wait(1));
    }
    CHECK_FALSE(Newcomer(line).place.wait(1));
    REQUIRE(client.handshake());
    CHECK(server.until([&] { return server.events.ready; }));
}

TEST_CASE("tls: what came before the end of a client counts, though its handshake waited meanwhile") {
    Server server;
    RawClient client(server, [](SSL*) {});
    client.begin();
    // Each uses up a share in its turn, so that the client waits for some turns and its end comes meanwhile.
    struct Greedy final : HandshakeLine::Waiter {
        explicit Greedy(HandshakeLine& line) : place(line.shared_from_this(), *this) {
            place.begun();
            REQUIRE(place.wait(0));
        }
        void on_turn() override {
            place.spent(HandshakeLine::kShareMax);
            REQUIRE(place.wait(0));
        }
        void on_too_late() override {}
        HandshakeLine::Place place;
    };
    HandshakeLine& line = *server.tls->handshakes();
    std::vector<std::unique_ptr<Greedy>> greedy;
    for (int i = 0; i < 16; ++i) greedy.push_back(std::make_unique<Greedy>(line));
    client.drive([&] {
        CHECK(SSL_do_handshake(client.ssl) == 1);
        CHECK(SSL_write(client.ssl, "hello", 5) == 5);
        SSL_shutdown(client.ssl);
        return true;
    });
    client.stream->shutdown();
    REQUIRE(server.until([&] { return server.events.over(); }));
    CHECK(server.events.received == "hello");
    CHECK(server.events.ended);
    CHECK_FALSE(server.events.failed);
}

TEST_CASE("tls: the client verifies name, address, issuer and dates") {
    Server server;
    Client client(server);
    CHECK(client.dial("other.test").find("certificate: hostname mismatch") != std::string::npos);
    CHECK(client.dial("127.0.0.2").find("certificate: IP address mismatch") != std::string::npos);
    CHECK(client.dial("") == "");  // the address itself
    CHECK(client.dial(std::string(300, 'a')).find("server name") != std::string::npos);
    testing::TestCa stranger;
    Client other(server, {stranger.path("ca.pem"), "", ""});
    CHECK(other.dial().find("certificate: ") != std::string::npos);
    TlsDialer none(server.loop, server.network, nullptr);
    bool refused = false;
    const auto pending =
        none.dial(Target{"127.0.0.1", 1, true, "a"}, [&](Result<std::unique_ptr<Stream>> s) { refused = !s; });
    CHECK(server.until([&] { return refused; }));
}

TEST_CASE("tls: a client certificate is asked for when a client CA is set") {
    TlsServerFiles f = files("edge");
    f.client_ca = ca().path("ca.pem");
    Server server(f);
    Client with(server, {ca().path("ca.pem"), ca().path("client.pem"), ca().path("client.key")});
    REQUIRE(with.dial() == "");
    REQUIRE(server.until([&] { return server.events.ready; }));
    server.stream.reset();
    server.events = {};
    Client without(server);
    without.dial();  // TLS 1.3: the client learns of the refusal after its own handshake
    CHECK(server.until([&] { return server.events.failed; }));
    CHECK_FALSE(server.events.ready);
}

TEST_CASE("tls: load errors name the file and what is wrong") {
    const auto missing = ca().path("none.pem"), pipe = ca().path("pipe.pem");
    CHECK(load_error({missing, ca().path("edge.key"), ""}) == "cannot read " + missing + ": No such file or directory");
    CHECK(load_error({ca().path("edge.pem"), ca().path("rsa.key"), ""}).find("does not belong to the certificate") !=
          std::string::npos);
    CHECK(load_error(files("old")).find("old.pem: the certificate expired at ") != std::string::npos);
    CHECK(load_error(files("future")).find("future.pem: the certificate is not valid before ") != std::string::npos);
    CHECK(load_error({ca().path("edge.key"), ca().path("edge.key"), ""}).find("holds no certificate in PEM form") !=
          std::string::npos);
    CHECK(load_error({ca().path("edge.pem"), ca().path("edge.pem"), ""}).find("holds no private key") !=
          std::string::npos);
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    CHECK(load_error({pipe, ca().path("edge.key"), ""}) == pipe + " is not a regular file");
    TlsServerFiles bad_ca = files("edge");
    bad_ca.client_ca = ca().path("edge.key");
    CHECK(load_error(bad_ca).find("edge.key holds no certificate") != std::string::npos);
}

TEST_CASE("tls: a reload swaps the whole pair or keeps the old, and connections live on") {
    const auto copy = [](const std::string& from, const std::string& to) {
        std::filesystem::copy_file(ca().path(from), ca().path(to), std::filesystem::copy_options::overwrite_existing);
    };
    copy("edge.pem", "live.pem");
    copy("edge.key", "live.key");
    Server server(files("live"));
    Client client(server);
    REQUIRE(client.dial() == "");
    const WallTime before = server.tls->not_after();
    copy("rsa.pem", "live.pem");  // half-written: the key is still the old one
    const auto failed = server.tls->reload(WallClock::read());
    REQUIRE_FALSE(failed);
    CHECK(failed.error().detail.find("live.key") != std::string::npos);
    CHECK(server.tls->not_after() == before);
    copy("rsa.key", "live.key");
    REQUIRE(server.tls->reload(WallClock::read()));
    client.stream->write("alive");
    CHECK(server.until([&] { return server.events.received == "alive"; }));
    server.stream.reset();
    Client again(server);
    CHECK(again.dial() == "");
}

TEST_CASE("tls: records arrive cut anywhere and several at once, and the close_notify behind them is told") {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        for (const std::size_t piece : {std::size_t(1), std::size_t(7), std::size_t(40), SIZE_MAX}) {
            Server server;
            RawClient client(server, [version](SSL* ssl) { SSL_set_max_proto_version(ssl, version); });
            REQUIRE(client.handshake());
            REQUIRE(server.until([&] { return server.events.ready; }));
            for (const char* text : {"one ", "two ", "three"})
                REQUIRE(SSL_write(client.ssl, text, static_cast<int>(std::string_view(text).size())) > 0);
            SSL_shutdown(client.ssl);
            char out[4096];
            const int size = BIO_read(SSL_get_wbio(client.ssl), out, sizeof out);
            REQUIRE(size > 0);
            std::string_view bytes(out, static_cast<std::size_t>(size));
            while (!bytes.empty()) {
                const std::string_view now = bytes.substr(0, piece);
                bytes.remove_prefix(now.size());
                client.stream->write(now);
                server.loop.run_once(false);
                ERR_raise(ERR_LIB_USER, 1);  // left behind by somebody else
            }
            CHECK(server.until([&] { return server.events.ended; }));
            CHECK(server.events.received == "one two three");
            CHECK_FALSE(server.events.failed);
            ERR_clear_error();
        }
    }
}

TEST_CASE("tls: what was written is delivered although the stream goes in the same turn") {
    for (const bool shut : {false, true}) {
        Server server;
        Client client(server);
        REQUIRE(client.dial() == "");
        REQUIRE(server.until([&] { return server.events.ready; }));
        server.idle(20ms);  // the session ticket has been read: an unread one would make the end a reset
        client.stream->write("head ", "body ");
        client.stream->write("tail");
        CHECK(client.stream->queued() == 14);
        if (shut) client.stream->shutdown();
        client.stream.reset();
        REQUIRE(server.until([&] { return server.events.over(); }));
        CHECK(server.events.received == "head body tail");
        CHECK(server.events.ended == shut);
    }
}

TEST_CASE("tls: a paused side holds its peer back") {
    Server server;
    Client client(server);
    REQUIRE(client.dial() == "");
    REQUIRE(server.until([&] { return server.events.ready; }));
    server.stream->pause();
    const std::string block(256 * 1024, 'x');
    std::size_t written = 0;
    while (client.stream->queued() == 0 && written < (256u << 20)) {
        client.stream->write(block);
        written += block.size();
        server.loop.run_once(false);
    }
    server.idle(20ms);
    CHECK(client.stream->queued() > 0);
    CHECK(server.events.received.empty());
    server.stream->resume();
    CHECK(server.until([&] { return server.events.received.size() == written && client.events.drained; }));
}

TEST_CASE("tls: streams and dials go silently in any state") {
    Server server;
    Client client(server);
    for (int turns = 0; turns < 12; ++turns) {  // inside the handshake, at every step of it
        auto pending = client.dialer->dial(Target{"127.0.0.1", server.listener->port(), true, "edge.test"},
                                           [&](Result<std::unique_ptr<Stream>>) {});
        for (int i = 0; i < turns; ++i) server.loop.run_once(false);
        pending.reset();
        server.idle(1ms);
        server.stream.reset();
        server.events = {};
    }
    REQUIRE(client.dial() == "");
    REQUIRE(server.until([&] { return server.events.ready; }));
    client.stream->write(std::string(8 << 20, 'x'));
    client.stream.reset();
    REQUIRE(server.until([&] { return server.events.failed; }));
    REQUIRE(client.dial() == "");
    REQUIRE(server.until([&] { return server.events.ready; }));
    server.idle(20ms);  // the session ticket has been read: an unread one would make this a reset
    client.stream.reset();
    REQUIRE(server.until([&] { return server.events.over(); }));
    CHECK(server.events.error.detail.find("close_notify") != std::string::npos);
}

TEST_CASE("tls: a second connection resumes the session of its target") {
    Server server;
    Client client(server);
    REQUIRE(client.dial() == "");
    REQUIRE(server.until([&] { return server.events.ready; }));
    server.stream->write("x");
    REQUIRE(server.until([&] { return client.events.received == "x"; }));  // the ticket came before it
    CHECK(client.stream->peer().address == "127.0.0.1");
    server.stream.reset();
    server.events = {};
    client.stream.reset();
    client.events = {};
    REQUIRE(client.dial() == "");
    CHECK(server.until([&] { return server.events.ready; }));
    CHECK(SSL_session_reused(static_cast<TlsStream*>(server.stream.get())->ssl()) == 1);
}

TEST_CASE("tls: a ticket that comes over a connection of before a change of trust is not used") {
    Server server;
    Client client(server);
    REQUIRE(client.dial() == "");
    REQUIRE(server.until([&] { return server.events.ready; }));
    auto fresh = TlsClientContext::load({ca().path("ca.pem"), "", ""}, WallClock::read());
    REQUIRE(fresh);
    client.tls->replace(std::move(**fresh));
    REQUIRE(SSL_new_session_ticket(static_cast<TlsStream*>(server.stream.get())->ssl()) == 1);
    server.stream->write("x");
    REQUIRE(server.until([&] { return client.events.received == "x"; }));  // the ticket came before it
    REQUIRE(client.dial() == "");
    CHECK(server.until([&] { return server.events.ready; }));
    CHECK(SSL_session_reused(static_cast<TlsStream*>(server.stream.get())->ssl()) == 0);
}
