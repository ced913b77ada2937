// The coordinator over a real etcd that freezes, dies, comes back with other data, compacts, refuses: each time within
// its own limit of time, with a clear error, and well again afterwards.
#include "edge/net/tls_context.h"
#include "tests/contract/etcd_bench.h"
#include "tests/unit/net_certs.h"

using namespace holdfast;
using namespace holdfast::contract;
using Kind = EtcdNotice::Kind;

namespace {

Nanos since(MonoTime start) {
    return MonoClock::read() - start;
}

EtcdBench three() {
    e2e::EtcdSetup setup;
    setup.members = 3;
    return EtcdBench(setup);
}

// Asks until it is answered; how long that took.
Nanos until_answered(EtcdBench& b, Nanos limit) {
    const MonoTime start = MonoClock::read();
    REQUIRE(b.until([&b] { return bool(b.range("/")); }, limit));
    return since(start);
}

}  // namespace

TEST_CASE("etcd: frozen, requests end in their time, nothing else waits, and it is well again once thawed", "[alone]") {
    EtcdBench b;
    b.timeout = 1s;
    const auto lease = b.grant(30s);
    REQUIRE(lease);
    Watched w;
    b.watch(w, "/f/", 1);
    REQUIRE(b.until([&w] { return w.created.has_value(); }));
    b.etcd.freeze();
    Nanos worst{0};  // of a turn of the loop meanwhile
    b.loop.set_lag_observer([&worst](Nanos lag) { worst = std::max(worst, lag); });
    const MonoTime start = MonoClock::read();
    int ended = 0;
    std::vector<StoreHandle> handles;
    const auto count = [&ended](const Error& e) {
        CHECK(e.code == Code::timeout);
        CHECK(e.origin == Origin::store);
        ++ended;
    };
    handles.push_back(b.store().keep_alive(lease->id, 5s, [&](Result<LeaseKept> r) {
        REQUIRE_FALSE(r);
        count(r.error());
    }));  // more than kStoreTimeoutMax: taken as that
    handles.push_back(b.store().range("/", 10, 1s, [&](Result<RangeAnswer> r) {
        REQUIRE_FALSE(r);
        count(r.error());
    }));
    handles.push_back(b.store().txn({{}, {put("/f/a", "1")}, {}}, 1s, [&](Result<TxnAnswer> r) {
        REQUIRE_FALSE(r);
        CHECK(r.error().was_sent);
        count(r.error());
    }));
    REQUIRE(b.until([&ended] { return ended == 3; }));
    CHECK(since(start) >= 1900ms);
    CHECK(since(start) <= 2600ms);
    CHECK(worst < 300ms);
    REQUIRE(w.end);  // it would stay silent
    CHECK(w.end->why == WatchEnd::Why::broken);
    CHECK(b.told(Kind::unreachable) == 1);
    b.loop.set_lag_observer(nullptr);
    b.etcd.thaw();
    until_answered(b, 5s);
    CHECK(b.keep(lease->id)->ttl == 30s);
    CHECK(b.told(Kind::reachable) == 2);
}

TEST_CASE("etcd: killed, it is refused at once, and restarted with its data, leases and watches go on", "[alone]") {
    EtcdBench b;
    const auto lease = b.grant(30s);
    REQUIRE(lease);
    const Revision put_at = b.write({put("/k/a", "1", lease->id)});
    Watched w;
    b.watch(w, "/k/", put_at + 1);
    REQUIRE(b.until([&w] { return w.created.has_value(); }));
    b.etcd.kill();
    REQUIRE(b.until([&w] { return w.end.has_value(); }));
    CHECK(w.end->why == WatchEnd::Why::broken);
    const MonoTime start = MonoClock::read();
    const auto refused = b.range("/k/");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::refused);
    CHECK_FALSE(refused.error().was_sent);
    CHECK(since(start) < 1800ms);
    b.etcd.start();
    until_answered(b, 10s);
    CHECK(text(b.range("/k/")->kvs) == "/k/a=1");
    CHECK(b.keep(lease->id)->ttl == 30s);
    Watched again;
    b.watch(again, "/k/", put_at + 1);
    b.write({put("/k/a", "2", lease->id)});
    REQUIRE(b.until([&again] { return again.events() == 1; }));
    CHECK(b.told(Kind::revision_fell) == 0);
    CHECK(b.told(Kind::other_cluster) == 0);
}

TEST_CASE("etcd: the leader of three dies, the others serve", "[beside]") {
    EtcdBench b = three();
    const auto lease = b.grant(30s);
    REQUIRE(lease);
    b.write({put("/r/a", "1", lease->id)});
    const int leader = b.etcd.leader();
    REQUIRE(leader >= 0);
    b.etcd.kill(leader);
    const Nanos took = until_answered(b, 15s);
    UNSCOPED_INFO("served again after " << std::chrono::duration_cast<Millis>(took).count() << " ms");
    CHECK(took < 8s);  // an election, and requests of 2 s that hit it
    CHECK(text(b.range("/r/")->kvs) == "/r/a=1");
    const auto kept = b.keep(lease->id);
    REQUIRE(kept);
    CHECK(kept->ttl == 30s);
    REQUIRE(b.txn({{}, {put("/r/a", "2", lease->id)}, {}}));
    CHECK(b.coordinator->describe() != b.etcd.url(leader));
}

TEST_CASE("etcd: a member that freezes is left for the next one, and its watch ends", "[beside]") {
    EtcdBench b = three();
    b.timeout = 1s;
    REQUIRE(b.range("/"));
    Watched w;
    b.watch(w, "/z/", 1);
    REQUIRE(b.until([&w] { return w.created.has_value(); }));
    int used = 0;
    while (b.etcd.url(used) != b.coordinator->describe()) ++used;
    b.etcd.lead((used + 1) % 3);  // without a leader the others would not answer either
    b.etcd.freeze(used);
    const auto first = b.range("/");
    REQUIRE_FALSE(first);
    CHECK(first.error().code == Code::timeout);
    REQUIRE(b.until([&w] { return w.end.has_value(); }, 1s));
    until_answered(b, 10s);
    CHECK(b.coordinator->describe() != b.etcd.url(used));
    Watched next;
    b.watch(next, "/z/", 1);
    REQUIRE(b.until([&next] { return next.created.has_value(); }));
    b.write({put("/z/a", "1")});
    REQUIRE(b.until([&next] { return next.events() == 1; }));
    CHECK(b.told(Kind::unreachable) == 0);  // one of three is what the others are for
    b.etcd.thaw(used);
}

TEST_CASE("etcd: without a quorum requests are refused and the watch ends", "[beside]") {
    EtcdBench b = three();
    REQUIRE(b.range("/"));
    Watched w;
    b.watch(w, "/q/", 1);
    REQUIRE(b.until([&w] { return w.created.has_value(); }));
    int used = 0;
    while (b.etcd.url(used) != b.coordinator->describe()) ++used;
    for (int i = 0; i < 3; ++i)
        if (i != used) b.etcd.kill(i);
    REQUIRE(b.until([&w] { return w.end.has_value(); }, 12s));
    const auto none = b.range("/");
    REQUIRE_FALSE(none);
    INFO(none.error().detail);
    CHECK((none.error().code == Code::unavailable || none.error().code == Code::refused ||
           none.error().code == Code::timeout));
}

TEST_CASE("etcd: a watch from a revision that is compacted away says so", "[beside]") {
    EtcdBench b;
    for (int i = 0; i < 5; ++i) b.write({put("/c/a", std::to_string(i))});
    const Revision last = b.write({put("/c/a", "last")});
    b.etcd.post("/v3/kv/compaction", "{\"revision\":\"" + std::to_string(last) + "\"}");
    Watched w;
    b.watch(w, "/c/", 2);
    REQUIRE(b.until([&w] { return w.end.has_value(); }));
    CHECK(w.end->why == WatchEnd::Why::compacted);
    CHECK(w.end->compact_revision == last);
    w.handle.reset();
    const auto all = b.range("/c/");
    REQUIRE(all);
    Watched next;
    b.watch(next, "/c/", all->header.revision + 1);
    b.write({put("/c/a", "after")});
    REQUIRE(b.until([&next] { return next.events() == 1; }));
    CHECK(next.told() == "+/c/a=after");
}

TEST_CASE("etcd: a compaction under a running watch loses it nothing", "[beside]") {
    EtcdBench b;
    const Revision from = b.write({put("/c/a", "0")});
    Watched w;
    b.watch(w, "/c/", from + 1);
    REQUIRE(b.until([&w] { return w.created.has_value(); }));
    const Revision last = b.write({put("/c/a", "1")});
    b.etcd.post("/v3/kv/compaction", "{\"revision\":\"" + std::to_string(last) + "\"}");
    b.write({put("/c/a", "2")});
    REQUIRE(b.until([&w] { return w.events() == 2; }));
    CHECK(w.told() == "+/c/a=1 +/c/a=2");
    CHECK_FALSE(w.end);
}

TEST_CASE("etcd: a value longer than any of ours, put there by hand, is cut to the limit", "[beside]") {
    EtcdBench b;
    const std::string all(kStoreValueMax, 'v');
    b.etcd.put("/v/a", all + "x");
    const auto cut = b.range("/v/");
    REQUIRE(cut);
    REQUIRE(cut->kvs.size() == 1);
    CHECK((cut->kvs[0].value == all));
}

TEST_CASE("etcd: a lease revoked early takes its keys along, and keeping it says that it is gone", "[beside]") {
    EtcdBench b;
    const auto lease = b.grant(60s);
    REQUIRE(lease);
    const Revision put_at = b.write({put("/l/a", "1", lease->id)});
    Watched w;
    b.watch(w, "/l/", put_at + 1);
    REQUIRE(b.until([&w] { return w.created.has_value(); }));
    b.etcd.post("/v3/lease/revoke", "{\"ID\":\"" + std::to_string(lease->id) + "\"}");
    REQUIRE(b.until([&w] { return w.events() == 1; }));
    CHECK(w.told() == "-/l/a");
    CHECK(b.keep(lease->id)->ttl == 0s);
}

TEST_CASE("etcd: older data after a restore is told as a revision that fell", "[beside]") {
    EtcdBench b;
    b.write({put("/o/a", "old")});
    b.etcd.kill();
    b.etcd.keep_copy("old");
    b.etcd.start();
    until_answered(b, 10s);
    for (int i = 0; i < 5; ++i) b.write({put("/o/a", "new")});
    const auto before = b.range("/o/");
    REQUIRE(before);
    b.etcd.kill();
    b.etcd.put_back("old");
    b.etcd.start();
    until_answered(b, 10s);
    const auto after = b.range("/o/");
    REQUIRE(after);
    CHECK(after->header.revision < before->header.revision);  // passed on as it comes
    CHECK(after->header.cluster == before->header.cluster);
    CHECK(text(after->kvs) == "/o/a=old");
    CHECK(b.told(Kind::revision_fell) == 1);
    CHECK(b.coordinator->status().revision_falls == 1);
}

TEST_CASE("etcd: another cluster at the same address is told", "[beside]") {
    EtcdBench b;
    for (int i = 0; i < 5; ++i) b.write({put("/o/a", "x")});
    const auto before = b.range("/o/");
    b.etcd.kill();
    b.etcd.forget_data();
    b.etcd.start();
    until_answered(b, 10s);
    const auto after = b.range("/o/");
    REQUIRE(after);
    CHECK(after->header.cluster != before->header.cluster);
    CHECK(b.told(Kind::other_cluster) == 1);
}

TEST_CASE("etcd: an endpoint of another cluster is refused while one of the first is left", "[beside]") {
    EtcdBench b;
    e2e::Etcd other;
    b.options.endpoints = {*parse_endpoint(b.etcd.url()), *parse_endpoint(other.url())};
    const auto first = b.range("/");
    REQUIRE(first);
    // Whichever of the two was first: its death leaves only the other, which is not the same cluster.
    const bool ours = b.coordinator->describe() == b.etcd.url();
    (ours ? b.etcd : other).kill();
    for (int i = 0; i < 3; ++i) {
        const auto refused = b.range("/");
        REQUIRE_FALSE(refused);
        INFO(refused.error().detail);
        CHECK((refused.error().code == Code::corrupt || refused.error().code == Code::refused ||
               refused.error().code == Code::closed));
    }
    CHECK(b.told(Kind::other_cluster) == 1);
    (ours ? b.etcd : other).start();
    until_answered(b, 15s);
    CHECK(b.range("/")->header.cluster == first->header.cluster);
}

TEST_CASE("etcd: with a user, the login is made, renewed when the token has expired, and keys are kept apart",
          "[beside]") {
    e2e::EtcdSetup setup;
    setup.flags = {"--auth-token-ttl", "1"};
    EtcdBench b(setup);
    b.etcd.turn_auth_on("node", "node-secret", "/holdfast/");
    b.options.user = "node";
    b.options.password = "node-secret";
    Watched w;
    b.watch(w, "/holdfast/", 1);
    REQUIRE(b.until([&w] { return w.created.has_value(); }));
    b.write({put("/holdfast/a", "1")});
    CHECK(b.coordinator->status().logins == 1);
    b.turn_for(2500ms);  // the token's time and etcd's own clock of 1 s
    const auto again = b.range("/holdfast/");
    REQUIRE(again);
    CHECK(text(again->kvs) == "/holdfast/a=1");
    CHECK(b.coordinator->status().logins == 2);
    b.write({put("/holdfast/a", "2")});
    REQUIRE(b.until([&w] { return w.events() == 2; }));  // the watch lives on
    // Another's keys.
    const auto denied = b.txn({{}, {put("/other", "1")}, {}});
    REQUIRE_FALSE(denied);
    CHECK(denied.error().code == Code::denied);
    CHECK_FALSE(denied.error().was_sent);
    CHECK_FALSE(b.range("/other"));
    CHECK(b.told(Kind::denied) == 1);
    Watched not_ours;
    b.watch(not_ours, "/other", 1);
    REQUIRE(b.until([&not_ours] { return not_ours.end.has_value(); }));
    CHECK(not_ours.end->why == WatchEnd::Why::cancelled);
    CHECK(not_ours.end->error.code == Code::denied);
}

TEST_CASE("etcd: a wrong password is one clear notice, and no storm of logins", "[beside]") {
    EtcdBench b;
    b.etcd.turn_auth_on("node", "node-secret", "/holdfast/");
    b.options.user = "node";
    b.options.password = "wrong-secret";
    for (int i = 0; i < 10; ++i) {
        const auto denied = b.range("/holdfast/");
        REQUIRE_FALSE(denied);
        CHECK(denied.error().code == Code::denied);
        CHECK_FALSE(denied.error().was_sent);
        CHECK(denied.error().detail.find("node") != std::string::npos);
        CHECK(denied.error().detail.find("secret") == std::string::npos);
    }
    CHECK(b.told(Kind::login_refused) == 1);
    CHECK(b.coordinator->status().logins <= 2);
    // Set right at etcd, it heals by itself.
    const std::string root = b.etcd.root_token();
    b.etcd.post("/v3/auth/user/changepw", R"({"name":"node","password":"wrong-secret"})", 0, root);
    REQUIRE(b.until([&b] { return bool(b.range("/holdfast/")); }, 12s));
    CHECK(b.told(Kind::logged_in) == 1);
}

TEST_CASE("etcd: no user for a cluster that wants one is denied, a user for one that wants none is no matter",
          "[beside]") {
    EtcdBench b;
    b.options.user = "node";
    b.options.password = "node-secret";
    CHECK(b.range("/holdfast/"));
    b.etcd.turn_auth_on("node", "node-secret", "/holdfast/");
    CHECK(b.range("/holdfast/"));  // logs in once it is asked to
    EtcdCoordinator without(b.loop, b.network, b.network, b.rng, {b.options.endpoints, {}, {}});
    const auto denied =
        b.wait<RangeAnswer>([&without](auto done) { return without.range("/holdfast/", 10, 2s, std::move(done)); });
    REQUIRE_FALSE(denied);
    CHECK(denied.error().code == Code::denied);
}

TEST_CASE("etcd: over TLS with client certificates", "[beside]") {
    testing::TestCa ca;
    ca.issue("server", "IP:127.0.0.1");
    ca.issue("stranger", "DNS:stranger.test");
    e2e::EtcdSetup setup;
    setup.certificate = ca.path("server.pem");
    setup.key = ca.path("server.key");
    setup.client_ca = setup.ca = ca.path("ca.pem");
    EtcdBench b(setup);
    const WallTime now = WallClock::read();
    auto context = TlsClientContext::load({ca.path("ca.pem"), ca.path("server.pem"), ca.path("server.key")}, now);
    REQUIRE(context);
    TlsDialer dialer(b.loop, b.network, context->get());
    b.begin(dialer);
    Watched w;
    b.watch(w, "/t/", 1);
    b.write({put("/t/a", "1")});
    REQUIRE(b.until([&w] { return w.events() == 1; }));
    w.handle.reset();
    auto plain = TlsClientContext::load({ca.path("ca.pem"), {}, {}}, now);
    REQUIRE(plain);
    TlsDialer without(b.loop, b.network, plain->get());
    EtcdCoordinator refused(b.loop, without, b.network, b.rng, b.options);
    const auto answer =
        b.wait<RangeAnswer>([&refused](auto done) { return refused.range("/t/", 10, 2s, std::move(done)); });
    CHECK_FALSE(answer);
    b.coordinator.reset();
}
