// What a client makes of a server that refuses its certificate.
#include <openssl/ssl.h>

#include "edge/net/tls.h"
#include "edge/net/tls_context.h"
#include "tests/unit/net_certs.h"
#include "tests/unit/net_pair.h"

using namespace holdfast;
using testing::Events;

namespace {

testing::TestCa& alert_ca() {
    static testing::TestCa made;
    static const bool issued = [] {
        made.issue("edge", "DNS:edge.test");
        made.issue("client", "DNS:client.test");
        made.issue("old", "DNS:client.test", -7200, -3600);
        return true;
    }();
    (void)issued;
    return made;
}

struct Mutual : testing::Net {
    Mutual(int version, const std::string& client_ca) {
        auto loaded = TlsServerContext::load({alert_ca().path("edge.pem"), alert_ca().path("edge.key"), client_ca},
                                             WallClock::read());
        REQUIRE(loaded);
        server_tls = std::move(*loaded);
        auto listening = network.listen("127.0.0.1:0", [this, version](std::unique_ptr<Stream> s) {
            server = server_tls->wrap(loop, std::move(s));
            SSL_set_max_proto_version(static_cast<TlsStream*>(server.get())->ssl(), version);
            server->start(server_events);
        });
        REQUIRE(listening);
        listener = std::move(*listening);
    }
    // How a connection with these files ends, be it in the dial or at the first read; nothing: it stands.
    std::optional<Error> connect(const TlsClientFiles& files, WallTime loaded_at) {
        auto loaded = TlsClientContext::load(files, loaded_at);
        REQUIRE(loaded);
        TlsDialer dialer(loop, network, loaded->get());
        std::unique_ptr<Stream> client;
        Events events;
        std::optional<Error> failure;
        bool done = false;
        const auto pending = dialer.dial(Target{"127.0.0.1", listener->port(), true, "edge.test"},
                                         [&](Result<std::unique_ptr<Stream>> s) {
                                             done = true;
                                             if (s)
                                                 client = std::move(*s);
                                             else
                                                 failure = s.error();
                                         });
        REQUIRE(until([&] { return done; }));
        if (failure) return failure;
        client->start(events);
        REQUIRE(until([&] { return events.over() || server_events.ready; }));
        return events.failed ? std::optional(events.error) : std::nullopt;
    }
    std::unique_ptr<TlsServerContext> server_tls;
    Events server_events;
    std::unique_ptr<Listener> listener;
    std::unique_ptr<Stream> server;
};

TlsClientFiles with(const std::string& name) {
    return {alert_ca().path("ca.pem"), alert_ca().path(name + ".pem"), alert_ca().path(name + ".key")};
}

}  // namespace

TEST_CASE("tls alert: that our certificate is refused is our own fault and named") {
    const WallTime now = WallClock::read();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        INFO(version);
        const auto expired = Mutual(version, alert_ca().path("ca.pem")).connect(with("old"), now - 90min);
        REQUIRE(expired);
        CHECK(expired->origin == Origin::local);
        CHECK(expired->code == Code::denied);
        CHECK(expired->was_sent == (version == TLS1_3_VERSION));
        CHECK(expired->detail.find("our certificate is refused") != std::string::npos);
        CHECK(expired->detail.find("expired") != std::string::npos);
        const auto unknown = Mutual(version, alert_ca().path("edge.pem")).connect(with("client"), now);
        REQUIRE(unknown);
        CHECK(unknown->origin == Origin::local);
        CHECK_FALSE(Mutual(version, alert_ca().path("ca.pem")).connect(with("client"), now));
    }
}

TEST_CASE("tls alert: that we have no certificate for who asks for one is our own fault and named") {
    const TlsClientFiles none{alert_ca().path("ca.pem"), "", ""};
    const auto asked = Mutual(TLS1_3_VERSION, alert_ca().path("ca.pem")).connect(none, WallClock::read());
    REQUIRE(asked);
    CHECK(asked->origin == Origin::local);
    CHECK(asked->code == Code::denied);
    CHECK(asked->was_sent);
    CHECK(asked->detail.find("a certificate of ours is asked for, and none is configured") != std::string::npos);
    // By TLS 1.2 no alert says so.
    const auto older = Mutual(TLS1_2_VERSION, alert_ca().path("ca.pem")).connect(none, WallClock::read());
    REQUIRE(older);
    CHECK(older->origin == Origin::upstream);
}
