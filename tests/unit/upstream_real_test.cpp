// The I/O half over real sockets: a server on loopback that misbehaves, and what calls to it come to.
#include <map>

#include "tests/support/raw_peer.h"
#include "tests/unit/net_pair.h"
#include "upstream/upstream.h"

using namespace holdfast;
using testing::Net;

namespace {

const std::string kRealPass = R"({"outcome":"pass","verificationId":"real-1"})";

std::string answer(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// Serves each connection by one rule; requests are taken as whole when their body has come.
class Server {
  public:
    explicit Server(Net& net) : net_(net) {
        auto listening = net.network.listen("127.0.0.1:0", [this](std::unique_ptr<Stream> s) {
            ++accepted;
            peers_.push_back(std::make_unique<Peer>(*this, std::move(s)));
        });
        REQUIRE(listening);
        listener_ = std::move(*listening);
    }
    int port() const { return listener_->port(); }
    void stop_listening() { listener_.reset(); }
    std::function<std::string()> reply = [] { return answer(kRealPass); };
    bool close_after = false;
    enum class Early { no, stays, resets } early = Early::no;  // answers what it has not read
    int accepted = 0;
    int requests = 0;

  private:
    struct Peer : StreamEvents {
        Peer(Server& s, std::unique_ptr<Stream> st) : server(s), stream(std::move(st)) { stream->start(*this); }
        void on_data(std::string_view bytes) override {
            if (server.early != Early::no) return answer_early();
            in.append(bytes);
            if (in.find("\"end\"}") == std::string::npos) return;
            in.clear();
            ++server.requests;
            stream->write(server.reply());
            if (server.close_after) stream->shutdown();
        }
        void answer_early() {
            ++server.requests;
            stream->pause();
            stream->write(server.reply());
            if (server.early == Early::resets) later = server.net_.loop.after(1ms, [this] { stream.reset(); });
        }
        void on_end() override { stream->shutdown(); }
        void on_failed(const Error&) override {}
        Server& server;
        std::unique_ptr<Timer> later;
        std::unique_ptr<Stream> stream;
        std::string in;
    };
    Net& net_;
    std::unique_ptr<Listener> listener_;
    std::vector<std::unique_ptr<Peer>> peers_;
};

struct Bench {
    Net net;
    Server server{net};
    Rng rng{5};
    std::unique_ptr<Upstream> upstream;
    std::size_t body_bytes = 1000;

    void begin(Nanos timeout_max = 3s) { begin(net.network, server.port(), timeout_max); }
    void begin(Dialer& dialer, int port, Nanos timeout_max = 3s) {
        UpstreamOptions o;
        o.node = "n";
        o.region = "r";
        o.endpoints = {*parse_endpoint("http://127.0.0.1:" + std::to_string(port))};
        o.timeout = {50ms, timeout_max, 2};
        o.retry_base = 5ms;
        upstream = std::make_unique<Upstream>(net.loop, dialer, net.network, rng, o);
    }
    CallResult run(Nanos deadline = 3s) {
        CallSpec s;
        s.request_id = "req-1";
        s.credential = "app";
        s.order_no = "o1";
        s.caller = {rng.next(), 1};
        s.permit = upstream->circuit().admit_always(s.caller, net.loop.now());
        s.body = std::make_shared<const std::string>("{\"x\":\"" + std::string(body_bytes, 'b') + "\",\"y\":\"end\"}");
        s.deadline = net.loop.now().mono + deadline;
        s.on_late = [this]() -> LateRecorder { return [this](const AttemptResult&) { ++late; }; };
        std::optional<CallResult> result;
        auto call = upstream->start(std::move(s), [&](CallResult r) { result = std::move(r); });
        REQUIRE(net.until([&] { return result.has_value(); }));
        return std::move(*result);
    }
    WindowCounts window() { return upstream->circuit().view(net.loop.now()).window; }
    int late = 0;
};

} // namespace

TEST_CASE("upstream over sockets: calls in turn share one connection, large bodies too") {
    Bench b;
    b.begin();
    for (int i = 0; i < 5; ++i) {
        b.body_bytes = i == 3 ? 4u << 20 : 1000;
        const CallResult r = b.run();
        REQUIRE(r.ok());
        CHECK(r.outcome->verification_id == "real-1");
        const MonoTime rested = b.net.loop.now().mono + Pool::kRest;
        REQUIRE(b.net.until([&] { return b.net.loop.now().mono > rested; }));
    }
    CHECK(b.server.accepted == 1);
    CHECK(b.window().successes == 5);
}

TEST_CASE("upstream over sockets: an answer that is there before the request is none, and a failure of the centre") {
    struct Eager : Dialer {
        explicit Eager(Dialer& d) : dialer(d) {}
        std::unique_ptr<Pending> dial(const Target& target, Done done) override {
            return dialer.dial(target, [this, done = std::move(done)](Result<std::unique_ptr<Stream>> made) {
                peers.emplace_back(listener.take(), nullptr, true);
                REQUIRE(peers.back().send(answer(kRealPass)));
                done(std::move(made));
            });
        }
        Dialer& dialer;
        testing::RawListener listener;
        std::vector<testing::RawPeer> peers;
    };
    Bench b;
    Eager eager(b.net.network);
    b.begin(eager, eager.listener.port());
    const CallResult r = b.run();
    CHECK(r.failure == FailureKind::invalid_response);
    CHECK(r.attempts.size() == 3);
    CHECK_FALSE(r.attempts[0].was_sent);
    for (testing::RawPeer& peer : eager.peers) {
        CHECK_FALSE(peer.read());  // ended by the node
        CHECK(peer.received.empty());
    }
    CHECK(b.window().failures == 3);
    CHECK(b.upstream->circuit().view(b.net.loop.now()).connect_failures == 0);
}

TEST_CASE("upstream over sockets: a refusal that comes while the request still leaves is the centre's word") {
    struct Row {
        const char* head;
        FailureKind failure;
        std::size_t tries;
        std::uint32_t successes, throttled, failures;
    };
    for (const Row& row : {Row{"413 x\r\n", FailureKind::rejected, 1, 1, 0, 0},
                           Row{"429 x\r\nRetry-After: 9\r\n", FailureKind::throttled, 1, 0, 1, 0},
                           Row{"503 x\r\nRetry-After: 9\r\n", FailureKind::throttled, 1, 0, 1, 0},
                           Row{"500 x\r\n", FailureKind::invalid_response, 3, 0, 0, 3},
                           Row{"200 OK\r\n", FailureKind::invalid_response, 3, 0, 0, 3}}) {
        for (const auto early : {Server::Early::stays, Server::Early::resets}) {
            INFO(row.head << static_cast<int>(early));
            Bench b;
            b.body_bytes = 16u << 20;
            b.server.early = early;
            b.server.reply = [&row] {
                return "HTTP/1.1 " + std::string(row.head) + "Content-Length: " + std::to_string(kRealPass.size()) +
                       "\r\n\r\n" + kRealPass;
            };
            b.begin();
            const CallResult r = b.run();
            CHECK(name(r.failure) == name(row.failure));
            CHECK(r.attempts.size() == row.tries);
            CHECK(r.retry_after.has_value() == (row.throttled > 0));
            CHECK(b.window().successes == row.successes);
            CHECK(b.window().throttled == row.throttled);
            CHECK(b.window().failures == row.failures);
            CHECK(b.upstream->status().endpoints[0].idle == 0);
            CHECK(b.upstream->status().late == 0);
            CHECK(b.server.accepted == static_cast<int>(row.tries));
        }
    }
}

TEST_CASE("upstream over sockets: a refusal that comes early and does not end has the time of its try, as any answer") {
    Bench b;
    b.body_bytes = 16u << 20;
    b.server.early = Server::Early::stays;
    b.server.reply = [] { return std::string("HTTP/1.1 413 x\r\nContent-Length: 9\r\n\r\nno"); };
    b.begin(100ms);
    const CallResult r = b.run(350ms);
    CHECK(r.failure == FailureKind::timeout);
    CHECK(r.attempts.size() >= 2);
    CHECK(b.window().successes == 0);
    CHECK(b.upstream->status().late <= 1);  // what has not left is not sent on beside a retry
}

TEST_CASE("upstream over sockets: nobody listens") {
    Bench b;
    b.begin();
    b.server.stop_listening();
    const CallResult r = b.run();
    CHECK(r.failure == FailureKind::refused);
    CHECK(r.attempts.size() == 3);
    CHECK_FALSE(r.attempts[0].was_sent);
    CHECK(b.upstream->circuit().view(b.net.loop.now()).connect_failures == 3);
}

TEST_CASE(
    "upstream over sockets: misbehaviour is a failure, sent is told as sent, and retries are on fresh connections") {
    const std::map<std::string, std::pair<std::string, FailureKind>> rows = {
        {"garbage", {"220 smtp ready\r\n\r\n", FailureKind::invalid_response}},
        {"cut body", {"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + kRealPass, FailureKind::unavailable}},
        {"silent close", {"", FailureKind::unavailable}},
        {"more than it said",
         {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + kRealPass, FailureKind::invalid_response}},
    };
    for (const auto& [what, row] : rows) {
        INFO(what);
        Bench b;
        b.server.reply = [&row] { return row.first; };
        b.server.close_after = true;
        b.begin();
        const CallResult r = b.run();
        CHECK_FALSE(r.ok());
        CHECK(name(r.failure) == name(row.second));
        REQUIRE(r.attempts.size() == 3);
        CHECK(r.attempts[0].was_sent);
        CHECK(b.server.accepted == 3);
        CHECK(b.window().failures == 3);
    }
}

TEST_CASE("upstream over sockets: a centre that hangs, and one that answers late") {
    Bench b;
    b.server.reply = [] { return std::string(); };
    b.begin(100ms);
    const CallResult r = b.run(350ms);
    CHECK(r.failure == FailureKind::timeout);
    CHECK(r.late_kept);
    CHECK(r.attempts.size() >= 2);
    CHECK(b.upstream->status().late == r.attempts.size());
    CHECK(b.window().failures >= 2);
    CHECK(b.late == 0);
}

TEST_CASE("upstream over sockets: a connection closed after its answer is not used again") {
    Bench b;
    b.server.close_after = true;
    b.begin();
    REQUIRE(b.run().ok());
    REQUIRE(b.net.until([&] { return b.upstream->status().endpoints[0].idle == 0; }));
    const CallResult r = b.run();
    REQUIRE(r.ok());
    CHECK(r.attempts.size() == 1);
    CHECK(b.server.accepted == 2);
}
