// What a Server holds for its clients stays below limits.memory, and strangers do not shut out the others by it.
#include <openssl/err.h>

#include "edge/net/tls.h"
#include "edge/net/tls_context.h"
#include "tests/contract/server_bench.h"
#include "tests/unit/net_certs.h"

using namespace holdfast;

namespace {

constexpr std::size_t kReadMax = 64u << 10;  // of a stream of the real loop, in one turn
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

// A client of OpenSSL's own on a Peer.
class TlsPeer {
  public:
    TlsPeer(ServerBench& bench, SSL_CTX* context) : bench_(bench), peer_(bench.connect()), ssl_(SSL_new(context)) {
        SSL_set_connect_state(ssl_.get());
        SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        for (int i = 0; i < 100 && SSL_do_handshake(ssl_.get()) != 1; ++i) pass();
        pass();
        REQUIRE(SSL_is_init_finished(ssl_.get()) == 1);
    }
    ~TlsPeer() { ERR_clear_error(); }
    // In reads of at most `kReadMax` bytes.
    void send(std::string_view bytes) {
        REQUIRE(SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0);
        pass();
    }
    // All that has come for it.
    std::string answers() {
        pass();
        std::string out(kMiB, '\0');
        std::size_t size = 0;
        for (int n = 0; (n = SSL_read(ssl_.get(), out.data() + size, static_cast<int>(out.size() - size))) > 0;)
            size += static_cast<std::size_t>(n);
        out.resize(size);
        return out;
    }
    const Peer& peer() const { return peer_; }

  private:
    void pass() {
        std::string out(kReadMax, '\0');
        for (int n = 0; !peer_.gone && (n = BIO_read(SSL_get_wbio(ssl_.get()), out.data(), kReadMax)) > 0;)
            peer_.send({out.data(), static_cast<std::size_t>(n)});
        bench_.loop.run_for(1ms);
        const std::string heard = std::exchange(peer_.written, {});
        BIO_write(SSL_get_rbio(ssl_.get()), heard.data(), static_cast<int>(heard.size()));
    }
    ServerBench& bench_;
    Peer& peer_;
    SslPtr ssl_;
};

struct TlsBench : ServerBench {
    explicit TlsBench(ServerOptions options = {})
        : ServerBench(options, [this](std::unique_ptr<Stream> s) { return tls->wrap(loop, std::move(s)); }) {
        ca.issue("edge", "DNS:edge.test");
        auto made = TlsServerContext::load({ca.path("edge.pem"), ca.path("edge.key"), ""}, WallClock::read());
        REQUIRE(made);
        tls = std::move(*made);
        service.silent = true;
    }
    testing::TestCa ca;
    std::unique_ptr<TlsServerContext> tls;
    const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> dials{SSL_CTX_new(TLS_client_method()), &SSL_CTX_free};
};

// Requests of some 60,000 bytes in all, of which each has a short answer.
std::string sent_ahead() {
    std::string out;
    while (out.size() < 60'000) out += "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    return out;
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

TEST_CASE("server memory: what is sent ahead of an answer counts over TLS as it does without, wherever it waits") {
    TlsBench bench;
    TlsPeer peer(bench, bench.dials.get());
    const std::string ahead = sent_ahead();
    peer.send(post(1) + "x");
    REQUIRE(bench.service.requests.size() == 1);
    CHECK(bench.server.memory_used() == 0);
    peer.send(ahead);
    CHECK(bench.server.memory_used() >= ahead.size());
    CHECK(bench.server.memory_used() <= ahead.size() + ahead.size() / 50);  // and what TLS adds
    bench.service.requests.back().to.reply(Reply());
    bench.loop.run_for(1s);
    const std::string answers = peer.answers();
    std::size_t count = 0;
    for (std::size_t at = 0; (at = answers.find("HTTP/1.1 200", at)) != std::string::npos; ++at) ++count;
    CHECK(count == 1 + ahead.size() / 34);
    CHECK(bench.server.memory_used() == 0);
    peer.send(post(1) + "x" + ahead);  // all of it in one read
    CHECK(bench.server.memory_used() >= ahead.size());
    peer.peer().events->on_failed(Error{Code::closed, Origin::client, true, "reset"});
    CHECK(bench.server.memory_used() == 0);
}

TEST_CASE("server memory: those who send ahead over TLS leave when the cap is reached") {
    TlsBench bench(with_memory(2 * kMiB));
    std::list<TlsPeer> greedy;
    for (int i = 0; i < 60; ++i) {
        greedy.emplace_back(bench, bench.dials.get()).send(post(1) + "x" + sent_ahead());
        REQUIRE(bench.server.memory_used() <= 2 * kMiB);
        bench.loop.run_for(20ms);
    }
    CHECK(bench.server.memory_used() > kMiB);
    CHECK(bench.rejects["memory"] >= 25);
    TlsPeer honest(bench, bench.dials.get());
    honest.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(honest.answers().starts_with("HTTP/1.1 200"));
}
