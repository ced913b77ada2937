// EtcdCoordinator at something that is no etcd: nonsense, halves, wrong types, endless lines, silence. A clear error in
// its time, bounded memory, nothing kept open.
#include <map>

#include "tests/contract/coordinator_contract.h"
#include "upstream/etcd_coordinator.h"
#include "upstream/etcd_watch_codec.h"

using namespace holdfast;
using namespace holdfast::contract;
using Kind = EtcdNotice::Kind;

namespace {

const std::string kAnyHeader = R"("header":{"cluster_id":"3","member_id":"7","revision":"9","raft_term":"2"})";

// Answers each request with `reply`, then goes on with `more` for as long as it is taken.
struct Impostor {
    struct Peer : StreamEvents {
        Peer(Impostor& i, std::unique_ptr<Stream> s) : impostor(i), stream(std::move(s)) { stream->start(*this); }
        void on_data(std::string_view bytes) override {
            received.append(bytes);
            impostor.heads += bytes;
            const auto end = received.find("\r\n\r\n");
            if (end == std::string::npos || received.back() != '}') return;
            received.clear();
            ++impostor.requests;
            stream->write(impostor.reply);
            if (impostor.close) stream->shutdown();
            go_on();
        }
        void go_on() {
            if (impostor.more.empty() || gone) return;
            if (stream->queued() < impostor.more.size()) {
                stream->write(impostor.more);
                impostor.sent += impostor.more.size();
            }
            again = impostor.loop.after(1ms, [this] { go_on(); });
        }
        void on_end() override { gone = true; }
        void on_failed(const Error&) override { gone = true; }
        Impostor& impostor;
        std::unique_ptr<Stream> stream;
        std::string received;
        bool gone = false;
        std::unique_ptr<Timer> again;
    };
    Impostor(Loop& its_loop, Network& network) : loop(its_loop) {
        auto l = network.listen("127.0.0.1:0", [this](std::unique_ptr<Stream> s) {
            peers.push_back(std::make_unique<Peer>(*this, std::move(s)));
        });
        REQUIRE(l);
        listener = std::move(*l);
    }
    Loop& loop;
    std::string reply, more, heads;
    bool close = false;
    int requests = 0;
    std::size_t sent = 0;
    std::unique_ptr<Listener> listener;
    std::vector<std::unique_ptr<Peer>> peers;
};

struct GarbageBench : Bench {
    UvNetwork network{loop};
    Rng rng{7};
    Impostor impostor{loop, network};
    std::vector<EtcdNotice> notices;
    EtcdCoordinator coordinator{
        loop,
        network,
        network,
        rng,
        {{*parse_endpoint("http://127.0.0.1:" + std::to_string(impostor.listener->port()))}, {}, {}},
        [this](const EtcdNotice& n) { notices.push_back(n); }};
    Coordinator& store() override { return coordinator; }
    int told(Kind kind) const {
        int n = 0;
        for (const EtcdNotice& notice : notices) n += notice.kind == kind;
        return n;
    }
};

std::string answer(const std::string& body, const std::string& status = "200 OK") {
    return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
std::string stream_of(const std::string& line) {
    return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + [&line] {
        char size[32];
        std::snprintf(size, sizeof size, "%zx\r\n", line.size());
        return size + line + "\r\n";
    }();
}

}  // namespace

TEST_CASE("etcd garbage: a unary answer that is none is corrupt, told once") {
    const std::map<std::string, std::string> rows = {
        {"not http", "220 smtp ready\r\n\r\n"},
        {"html", answer("<html>it works</html>")},
        {"half json", answer(R"({"header":{"cluster_id":"3")")},
        {"wrong types", answer("{" + kAnyHeader + R"(,"kvs":"many","count":"1"})")},
        {"empty object", answer("{}")},
        {"empty", answer("")},
        {"not found", answer("404 page not found", "404 Not Found")},
        {"deep", answer(std::string(10'000, '['))},
        {"more than said", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{}"},
        {"duplicate", answer("{" + kAnyHeader + "," + kAnyHeader + "}")},
    };
    for (const auto& [what, reply] : rows) {
        INFO(what);
        GarbageBench b;
        b.impostor.reply = reply;
        for (int i = 0; i < 2; ++i) {
            const auto r = b.range("/");
            REQUIRE_FALSE(r);
            INFO(r.error().detail);
            CHECK(name(r.error().code) == "corrupt");
            CHECK(r.error().origin == Origin::store);
            CHECK(r.error().was_sent);
        }
        CHECK(b.told(Kind::garbage) == 1);
        CHECK(b.impostor.requests == 2);  // once each: nothing is repeated blindly
        CHECK(b.impostor.heads.find("Grpc-Metadata-Hasleader: true\r\n") != std::string::npos);
    }
}

TEST_CASE("etcd garbage: an endless answer ends at its limit") {
    GarbageBench b;
    b.impostor.reply = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    b.impostor.more = std::string(256 << 10, ' ');
    const auto r = b.range("/");
    REQUIRE_FALSE(r);
    CHECK(r.error().code == Code::corrupt);
    CHECK(b.impostor.sent < 3 * kEtcdAnswerMax + (8u << 20));  // what sockets hold on top
}

TEST_CASE("etcd garbage: a watch's endless line ends it at its limit") {
    GarbageBench b;
    b.impostor.reply = stream_of("{\"result\":{" + kAnyHeader + ",\"created\":true}}\n");
    b.impostor.more = "40000\r\n" + std::string(0x40000, 'x') + "\r\n";
    Watched w;
    b.watch(w, "/", 1);
    REQUIRE(b.until([&w] { return w.end.has_value(); }));
    CHECK(w.created);
    CHECK(w.end->why == WatchEnd::Why::broken);
    CHECK(w.end->error.code == Code::corrupt);
    CHECK(b.impostor.sent < 3 * kEtcdLineMax + (8u << 20));
}

TEST_CASE("etcd garbage: a watch that is no stream of its kind ends") {
    const std::string created = "{\"result\":{" + kAnyHeader + ",\"created\":true}}\n";
    const std::map<std::string, std::pair<std::string, Code>> rows = {
        {"html", {answer("<html></html>\n"), Code::corrupt}},
        {"never created", {stream_of("{\"result\":{" + kAnyHeader + "}}\n"), Code::corrupt}},
        {"garbage after", {stream_of(created + "{\"result\":7}\n"), Code::corrupt}},
        {"half line", {stream_of(created + "{\"result\":{") + "0\r\n\r\n", Code::closed}},
        {"error at once",
         {answer(R"({"error":{"grpc_code":14,"http_code":503,"message":"no leader"}})", "503 X"), Code::unavailable}},
        {"error in it",
         {stream_of(created + R"({"error":{"grpc_code":14,"message":"closing"}})") + "0\r\n\r\n", Code::unavailable}},
    };
    for (const auto& [what, row] : rows) {
        INFO(what);
        GarbageBench b;
        b.impostor.reply = row.first;
        Watched w;
        b.watch(w, "/", 1);
        REQUIRE(b.until([&w] { return w.end.has_value(); }));
        CHECK(w.end->why == WatchEnd::Why::broken);
        CHECK(name(w.end->error.code) == name(row.second));
        CHECK(w.batches.empty());
    }
}

TEST_CASE("etcd garbage: silence ends with the limit of time, also before a watch is created") {
    GarbageBench b;
    b.timeout = 200ms;
    const MonoTime start = MonoClock::read();
    Watched w;
    b.watch(w, "/", 1);
    const auto r = b.range("/");
    REQUIRE_FALSE(r);
    CHECK(r.error().code == Code::timeout);
    REQUIRE(b.until([&w] { return w.end.has_value(); }));
    CHECK(w.end->error.code == Code::timeout);
    CHECK(MonoClock::read() - start < 1500ms);
}

TEST_CASE("etcd: a watch that stays silent about what a read has shown is ended") {
    GarbageBench b;
    const std::string created = stream_of("{\"result\":{" + kAnyHeader + ",\"created\":true}}\n");
    b.impostor.reply = created;
    Watched w;
    b.watch(w, "/", 3);
    REQUIRE(b.until([&w] { return w.created.has_value(); }));
    b.impostor.reply =
        answer("{" + kAnyHeader +
               R"(,"kvs":[{"key":"L2E=","create_revision":"2","mod_revision":"5","version":"2"}],"count":"1"})");
    REQUIRE(b.range("/"));
    REQUIRE(b.range("/"));
    CHECK_FALSE(w.end);  // it may still be on its way
    b.turn_for(EtcdCoordinator::kSilenceMax + 50ms);
    REQUIRE(b.range("/"));
    REQUIRE(b.until([&w] { return w.end.has_value(); }));
    CHECK(w.end->error.detail.find("silent") != std::string::npos);
}

TEST_CASE("etcd: as many requests as its limit are under way, one more is refused at once") {
    GarbageBench b;
    std::vector<StoreHandle> handles;
    int timeouts = 0, full = 0;
    for (std::size_t i = 0; i < EtcdGateway::kRequestsMax + 1; ++i)
        handles.push_back(b.store().range("/", 1, 300ms, [&](Result<RangeAnswer> r) {
            REQUIRE_FALSE(r);
            if (r.error().code == Code::full) {
                CHECK(r.error().origin == Origin::local);
                CHECK_FALSE(r.error().was_sent);
                ++full;
            } else {
                ++timeouts;
            }
        }));
    REQUIRE(b.until([&] { return full == 1; }));
    CHECK(timeouts == 0);
    REQUIRE(b.until([&] { return timeouts == static_cast<int>(EtcdGateway::kRequestsMax); }));
}

TEST_CASE("etcd: a member of another cluster than the one known from before is foreign from the start") {
    const auto header = [](const std::string& cluster) {
        return answer(R"({"header":{"cluster_id":")" + cluster + R"(","member_id":"7","revision":"9"},"count":"0"})");
    };
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {  // whichever of the two is asked first
        GarbageBench b;
        Impostor own(b.loop, b.network);
        b.impostor.reply = header("3");
        own.reply = header("99");
        Rng rng(seed);
        EtcdOptions options;
        for (const Impostor* i : {&b.impostor, &own})
            options.endpoints.push_back(*parse_endpoint("http://127.0.0.1:" + std::to_string(i->listener->port())));
        options.cluster = 99;
        EtcdCoordinator store(b.loop, b.network, b.network, rng, options);
        const auto ask = [&] {
            return b.wait<RangeAnswer>([&](auto done) { return store.range("/", 10, 2s, std::move(done)); });
        };
        auto first = ask();
        if (!first) first = ask();
        REQUIRE(first);
        CHECK(first->header.cluster == 99);
        CHECK(store.estranged().empty());
        own.listener.reset();
        own.peers.clear();
        for (int i = 0; i < 3; ++i) CHECK_FALSE(ask());
        CHECK(store.estranged().find("cluster 3, not to 63") != std::string::npos);
        store.accept_store();
        Result<RangeAnswer> taken = ask();
        if (!taken) taken = ask();
        REQUIRE(taken);
        CHECK(taken->header.cluster == 3);
        CHECK(store.estranged().empty());
    }
}

TEST_CASE("etcd: where no endpoint is left that could be of the known cluster, the other one's answers are passed on") {
    GarbageBench b;
    b.impostor.reply = answer("{" + kAnyHeader + R"(,"count":"0"})");
    EtcdOptions options;
    options.endpoints = {*parse_endpoint("http://127.0.0.1:" + std::to_string(b.impostor.listener->port()))};
    options.cluster = 99;
    EtcdCoordinator store(b.loop, b.network, b.network, b.rng, options);
    const auto answered = b.wait<RangeAnswer>([&](auto done) { return store.range("/", 10, 2s, std::move(done)); });
    REQUIRE(answered);
    CHECK(answered->header.cluster == 3);
    CHECK(store.status().other_clusters == 1);
}

TEST_CASE("etcd: writes that fail while reads are answered are told once, and once when they work again") {
    const std::string read = answer("{" + kAnyHeader + R"(,"count":"0"})");
    const std::string full =
        answer(R"({"error":"x","message":"etcdserver: mvcc: database space exceeded","code":8})", "429 Too Many");
    for (const std::string& refusal : {full, answer(R"({"message":"timed out","code":14})", "503 X")}) {
        GarbageBench b;
        Watched w;
        b.impostor.reply = stream_of("{\"result\":{" + kAnyHeader + ",\"created\":true}}\n");
        b.watch(w, "/", 1);
        REQUIRE(b.until([&w] { return w.created.has_value(); }));
        for (int i = 0; i < 4; ++i) {
            b.impostor.reply = refusal;
            const auto failed = b.txn({{}, {put("/a", "1")}, {}});
            REQUIRE_FALSE(failed);
            CHECK(failed.error().code == Code::unavailable);
            CHECK_FALSE(b.grant(5s));
            b.impostor.reply = read;
            REQUIRE(b.range("/"));
        }
        CHECK(w.end.has_value() == (refusal != full));  // no room is no fault of the endpoint
        CHECK(b.told(Kind::unreachable) == 0);
        CHECK(b.told(Kind::reachable) == 1);
        REQUIRE(b.told(Kind::writes_fail) == 1);
        CHECK(b.notices.back().detail.find("takes no writes: etcd: ") != std::string::npos);
        for (int i = 0; i < 2; ++i) {
            b.impostor.reply = answer("{" + kAnyHeader + R"(,"succeeded":true,"responses":[{"response_put":{}}]})");
            REQUIRE(b.txn({{}, {put("/a", "1")}, {}}));
        }
        CHECK(b.told(Kind::writes_work) == 1);
        CHECK(b.notices.back().good);
    }
}

TEST_CASE("etcd: a store that answers nothing is told once, by reads and writes together, and that it answers again") {
    GarbageBench b;
    b.impostor.reply = answer("{" + kAnyHeader + R"(,"count":"0"})");
    REQUIRE(b.range("/"));
    b.impostor.reply = answer(R"({"message":"no leader","code":14})", "503 X");
    for (int i = 0; i < 3; ++i) {
        CHECK_FALSE(b.txn({{}, {put("/a", "1")}, {}}));
        CHECK_FALSE(b.range("/"));
    }
    b.impostor.reply = answer("{" + kAnyHeader + R"(,"count":"0"})");
    REQUIRE(b.range("/"));
    REQUIRE(b.range("/"));
    CHECK(b.told(Kind::unreachable) == 1);
    CHECK(b.told(Kind::reachable) == 2);
    CHECK(b.told(Kind::writes_fail) == 0);
}

TEST_CASE("etcd: reads whose answers are none while leases are renewed are told once, and once when they are well") {
    GarbageBench b;
    for (int i = 0; i < 3; ++i) {
        b.impostor.reply = answer("{}");
        CHECK_FALSE(b.range("/"));
        b.impostor.reply = answer("{\"result\":{" + kAnyHeader + R"(,"ID":"4","TTL":"5"}})");
        REQUIRE(b.keep(4));
    }
    CHECK(b.told(Kind::garbage) == 1);
    CHECK(b.told(Kind::reachable) == 0);
    b.impostor.reply = answer("{" + kAnyHeader + R"(,"count":"0"})");
    REQUIRE(b.range("/"));
    CHECK(b.told(Kind::reachable) == 1);
}
