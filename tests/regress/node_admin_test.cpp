// What the admin socket took for something else: an order whose scene was no text bound the whole node, one whose fleet
// was no boolean this node alone, a revocation of what is no subject revoked nobody.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "edge/admin_service.h"
#include "edge/base/log.h"
#include "edge/net/http_writer.h"
#include "tests/regress/node_bench.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

constexpr int kAdminPort = 9465;

// The admin socket of a node in simulated time, and who asks there.
class AdminSocket {
  public:
    explicit AdminSocket(OneNode& one)
        : one_(one),
          service_(one.node(), AdminService::Access::full),
          server_(one.node().loop(), service_, {}, Server::Wrap(), [](const Server::Rejected&) {}) {
        auto listener = one.host.listen(fmt::format("{}:{}", kNodeAddress, kAdminPort),
                                        [this](std::unique_ptr<Stream> stream) { server_.accept(std::move(stream)); });
        REQUIRE(listener);
        server_.adopt(std::move(*listener));
    }
    ~AdminSocket() { view_.kill(); }

    OneNode::Got post(std::string_view path, const std::string& body) { return ask("POST", path, body); }
    OneNode::Got ask(std::string_view method, std::string_view path, const std::string& body) {
        OneNode::Got got;
        std::unique_ptr<ClientConnection> connection;
        std::string bytes;
        append_request_head(bytes, {method, path, "localhost", "application/json", body.size(), true}, {});
        bytes += body;
        const auto dialled = [&](Result<std::unique_ptr<Stream>> stream) {
            REQUIRE(stream);
            ClientConnection::Events events;
            events.answered = [this, &got](ClientConnection&, const ResponseHead& head, const std::string& text) {
                got.status = head.status;
                got.body = text;
                allow = head.headers.get("allow");
            };
            events.lost = [&got](ClientConnection&, const std::string&) { got.status = -1; };
            events.closed = [](ClientConnection&) {};
            events.surplus = [](ClientConnection&, const std::string&) {};
            connection = std::make_unique<ClientConnection>(std::move(*stream), std::move(events));
            connection->start();
            connection->send(bytes);
        };
        const auto dialling = client_.dial({kNodeAddress, kAdminPort, false, ""}, dialled);
        REQUIRE(one_.until([&got] { return got.status != 0; }));
        return got;
    }

    std::string allow;  // the header of that name, of the last answer

  private:
    OneNode& one_;
    NodeView view_{one_.world};
    SimHost client_{one_.net, view_, "10.9.9.9"};
    AdminService service_;
    Server server_;
};

}  // namespace

TEST_CASE("admin: an order whose scene is no name or whose fleet is no boolean is refused, and binds nobody") {
    OneNode one;
    REQUIRE(one.start());
    AdminSocket socket(one);
    for (const char* scene : {"\"\"", "null", "5", "[\"LOGIN\"]", "{}"}) {
        INFO(scene);
        const auto got =
            socket.post(admin::kDegrade, fmt::format(R"({{"mode":"degraded","scene":{},"reason":"r"}})", scene));
        CHECK(got.status == 400);
        CHECK(got.text("message").find("scene must name a scene") == 0);
    }
    for (const char* fleet : {"\"yes\"", "null", "1"}) {
        INFO(fleet);
        for (const auto& [path, order] :
             {std::pair{admin::kDegrade, R"("mode":"live")"}, std::pair{admin::kCircuit, R"("action":"open")"}}) {
            const auto got = socket.post(path, fmt::format(R"({{{},"fleet":{},"reason":"r"}})", order, fleet));
            CHECK(got.status == 400);
            CHECK(got.text("message") == "fleet must be true or false");
        }
    }
    CHECK(one.parts().overrides.all(one.world.now()).empty());
    CHECK(socket.post(admin::kDegrade, R"({"mode":"degraded","scene":"LOGIN","fleet":false,"reason":"r"})").status ==
          200);
    CHECK(one.parts().overrides.mode_of("LOGIN", one.world.now()) == Mode::degraded);
}

TEST_CASE("admin: who asks with a method that is not served is told which are (RFC 9110 15.5.6)") {
    OneNode one;
    REQUIRE(one.start());
    AdminSocket socket(one);
    using Row = std::pair<std::string_view, std::string_view>;
    for (const auto& [path, methods] :
         {Row{admin::kStatus, "GET, POST"}, Row{"/metrics", "GET, HEAD"}, Row{"/ui", "GET, HEAD"}}) {
        INFO(path);
        CHECK(socket.ask("DELETE", path, "").status == 405);
        CHECK(socket.allow == methods);
    }
}

TEST_CASE("admin: a node of as many scenes and orders as there may be shows its page and its status") {
    std::string scenes;
    for (int i = 0; i < 240; ++i)
        scenes += fmt::format(
            "[scene.S{}]\ndegrade = [\"provisional\"]\n"
            "provisional = {{after = \"60s\", budget_per_minute = 100, per_subject_per_hour = 1}}\n",
            i);
    OneNode one(scenes);
    const bool started = one.start();
    INFO(one.why());
    REQUIRE(started);
    AdminSocket socket(one);
    for (int i = 0; i < 240; ++i)
        REQUIRE(socket.post(admin::kDegrade, fmt::format(R"({{"mode":"degraded","scene":"S{}","reason":"r"}})", i))
                    .status == 200);
    json::Document document;
    REQUIRE_FALSE(document.parse(socket.ask("GET", admin::kStatus, "").body));  // more than a client may say
    CHECK(socket.ask("GET", "/ui/snapshot.json", "").body.find("S239") != std::string::npos);
}

TEST_CASE("admin: a rollback with a field that nobody knows is refused") {
    OneNode one;
    REQUIRE(one.start());
    AdminSocket socket(one);
    const auto got = socket.post(admin::kConfigRollback, R"({"generaton":3,"reason":"r"})");
    CHECK(got.status == 400);
    CHECK(got.text("message") == "unknown field \"generaton\"");
}

TEST_CASE("admin: a policy test for a credential that is not configured is told which are") {
    OneNode one;
    REQUIRE(one.start());
    AdminSocket socket(one);
    const std::string request = R"("request":{"orderNo":"o","scene":"LOGIN","subject":"s"}})";
    const auto got = socket.post(admin::kPolicyTest, R"({"credential":"app-x",)" + request);
    CHECK(got.status == 400);
    CHECK(got.text("message") == "credential app-x is not configured; there are: app-a, app-b");
    const auto nobody = socket.post(admin::kPolicyTest, "{" + request);
    CHECK(nobody.text("message") ==
          "who asks? --credential, or \"credential\" beside \"request\", is one of: app-a, app-b");
    const auto longer = socket.post(admin::kPolicyTest, R"({"credential":")" + std::string(300, 'x') + "\"," + request);
    CHECK(longer.text("message") == "credential is not configured; there are: app-a, app-b");
}

TEST_CASE("admin: a subject that is longer than any can be is not revoked") {
    OneNode one;
    REQUIRE(one.start());
    AdminSocket socket(one);
    const auto revoke = [&socket](std::size_t bytes) {
        return socket.post(admin::kCacheRevoke, fmt::format(R"({{"subject":"{}"}})", std::string(bytes, 's')));
    };
    CHECK(revoke(128).status == 200);
    const auto got = revoke(129);
    CHECK(got.status == 400);
    CHECK(got.text("message") == "subject has at most 128 bytes, this one has 129");
}

TEST_CASE("admin: each act of an operator is in the journal before it is confirmed, with who did it") {
    OneNode one;
    REQUIRE(one.start());
    one.offload.set_plan({30ms, 30ms});  // what is not waited for is not there yet
    one.node().upgrade = [] { return Result<void>(); };
    one.node().upgrade_view = [] { return std::string("{}"); };
    const std::string id = one.ask("o-1", "LOGIN", "user-1").text("requestId");
    const std::string endpoint = one.parts().upstream.status().endpoints[0].url;
    AdminSocket socket(one);
    const auto of_endpoint = [&endpoint](std::string_view action) {
        return fmt::format(R"({{"action":"{}","endpoint":"{}","reason":"why"}})", action, endpoint);
    };
    struct Act {
        std::string_view path;
        std::string body;
        int status;
        std::string_view kind;
        std::vector<std::string> says;
    };
    const std::string why = R"("reason":"why")";
    const std::vector<Act> acts{
        {admin::kDegrade,
         R"({"mode":"degraded","reason":"why"})",
         200,
         "override",
         {R"("order":"degrade/node","mode":"degraded")", why, R"("for":"15m")"}},
        {admin::kDegrade,
         R"({"mode":"live","scene":"LOGIN","forSeconds":60,"reason":"why"})",
         200,
         "override",
         {R"("order":"degrade/scene/LOGIN","mode":"live")", why, R"("for":"1m")"}},
        {admin::kDegrade,
         R"({"mode":"auto","reason":"why"})",
         200,
         "override",
         {R"("order":"degrade/node","mode":"auto")", why}},
        {admin::kCircuit,
         R"({"action":"open","reason":"why"})",
         200,
         "override",
         {R"("order":"circuit/node")", R"("force":"open")", why}},
        {admin::kCircuit,
         R"({"action":"close","reason":"why"})",
         200,
         "override",
         {R"("order":"circuit/node")", R"("force":"close)", why}},
        {admin::kCircuit,
         R"({"action":"auto","reason":"why"})",
         200,
         "override",
         {R"("order":"circuit/node","mode":"auto")", why}},
        {admin::kUpstream,
         R"({"weight":50,)" + of_endpoint("weight").substr(1),
         200,
         "upstream",
         {endpoint + " weight 50", why}},
        {admin::kUpstream, of_endpoint("eject"), 409, "upstream", {endpoint + " ejected for", why}},
        {admin::kUpstream, of_endpoint("restore"), 200, "upstream", {endpoint + " restored", why}},
        {admin::kCacheRevoke,
         R"({"subject":"user-1"})",
         200,
         "revocation",
         {R"("subject":")" + one.parts().storage.subject_tag("user-1")}},
        {admin::kCachePurge, R"({"scene":"LOGIN"})", 200, "purge", {R"("scene":"LOGIN")"}},
        {admin::kCachePurge, "{}", 200, "purge", {R"("scene":"*")"}},
        {admin::kStateReset, R"({"reason":"why"})", 200, "state_reset", {why}},
        {admin::kReconcile, "{}", 200, "override", {R"("order":"reconcile run")"}},
        {admin::kCacheGet,
         R"({"credential":"app-a","subject":"user-1","scene":"LOGIN"})",
         0,
         "looked",
         {R"("what":"cache get")"}},
        {admin::kPolicyTest,
         R"({"credential":"app-a","request":{"orderNo":"o","scene":"LOGIN","subject":"s"}})",
         200,
         "looked",
         {R"("what":"policy test")"}},
        {admin::kExplain, id, 200, "looked", {R"("what":"explain")", R"("requestId":")" + id}},
        {admin::kUpgrade, "{}", 200, "upgrade", {}},
        {admin::kDrain, "{}", 200, "drain", {R"("action":"drain")"}},
        {admin::kUndrain, "{}", 200, "drain", {R"("action":"undrain")"}},
    };
    for (const Act& act : acts) {
        INFO(act.path << " " << act.body);
        one.run_for(100ms);
        const std::size_t before = one.journal().size();
        const auto got = act.path == admin::kExplain ? socket.ask("GET", std::string(act.path) + id, "")
                                                     : socket.post(act.path, act.body);
        INFO(got.body);
        CHECK((act.status == 0 || got.status == act.status));
        const std::string entries = one.journal().substr(before);
        const auto at = entries.find(fmt::format(R"("kind":"{}","fields":{{)", act.kind));
        REQUIRE(at != std::string::npos);
        const std::string entry = entries.substr(at, entries.find('\n', at) - at);
        CHECK(entry.find(R"("by":")") != std::string::npos);
        CHECK(entry.find(R"("by":"")") == std::string::npos);
        for (const std::string& piece : act.says) CHECK(entry.find(piece) != std::string::npos);
        CHECK(entry.find("user-1") == std::string::npos);
    }
}

TEST_CASE("admin: while the journal is ill a look is shown, what must stand does unconfirmed, all is entered later") {
    OneNode one;
    REQUIRE(one.start());
    const std::string id = one.ask("o-1", "LOGIN", "user-1").text("requestId");
    AdminSocket socket(one);
    one.run_for(1s);
    const std::size_t before = one.journal().size();
    {
        const IllJournal ill(one);
        CHECK(socket.post(admin::kCacheGet, R"({"credential":"app-a","subject":"user-1","scene":"LOGIN"})").status ==
              200);
        CHECK(socket.ask("GET", std::string(admin::kExplain) + id, "").status == 200);
        const auto got = socket.post(admin::kDrain, "{}");
        CHECK(got.status >= 500);
        CHECK(got.text("message").find("the drain stands, but is not in the journal: ") == 0);
        CHECK(one.node().draining());
        CHECK(socket.post(admin::kDrain, "{}").status >= 500);  // as its entry is not on disk yet
        CHECK(socket.post(admin::kUndrain, "{}").status >= 500);
        CHECK_FALSE(one.node().draining());
        CHECK(socket.post(admin::kUndrain, "{}").status >= 500);
        const auto revoked = socket.post(admin::kCacheRevoke, R"({"subject":"user-1"})");
        CHECK(revoked.status >= 500);
        CHECK(revoked.text("message").find("the revocation stands, but is not in the journal: ") == 0);
        const auto purged = socket.post(admin::kCachePurge, "{}");
        CHECK(purged.status >= 500);
        CHECK(purged.text("message").find("the purge stands, but is not in the journal: ") == 0);
        const std::string owed = one.parts().storage.journal()->unwritten().kinds;  // lost if the node ends now
        CHECK(owed.find("1 purge") != std::string::npos);
        CHECK(owed.find("1 revocation") != std::string::npos);
    }
    one.run_for(12s);
    const std::string entries = one.journal().substr(before);
    const std::string tag = one.parts().storage.subject_tag("user-1");
    for (const std::string& what :
         {std::string(R"("what":"cache get")"), std::string(R"("what":"explain")"), std::string(R"("action":"drain")"),
          std::string(R"("action":"undrain")"), R"("kind":"revocation","fields":{"by":"unknown","subject":")" + tag,
          std::string(R"("kind":"purge","fields":{"by":"unknown","scene":"*")")})
        CHECK(entries.find(what) != std::string::npos);
}

TEST_CASE("admin: what stands without an entry is in the log, and so is a look") {
    OneNode one;
    REQUIRE(one.start());
    AdminSocket socket(one);
    const std::string path = one.folder.path() + "/log";
    REQUIRE(log::to_file(path));
    {
        const IllJournal ill(one);
        socket.post(admin::kCacheRevoke, R"({"subject":"user-1"})");
        socket.post(admin::kCachePurge, R"({"scene":"LOGIN"})");
        socket.post(admin::kDrain, "{}");
    }
    log::to_stderr();
    std::ifstream file(path);
    const std::string all{std::istreambuf_iterator<char>(file), {}};
    for (const char* what : {"the revocation", "the purge", "the drain"})
        CHECK(all.find(fmt::format("operator: {} by unknown stands, but is not in the journal yet: ", what)) !=
              std::string::npos);
    CHECK(all.find("user-1") == std::string::npos);
}

TEST_CASE("admin: a journal that does not come back keeps no operator waiting, and has all of it when it does") {
    OneNode one;
    REQUIRE(one.start());
    const std::string id = one.ask("o-1", "LOGIN", "user-1").text("requestId");
    AdminSocket socket(one);
    const std::size_t before = one.journal().size();
    hang_journal(one, 1min);
    const auto soon = [&](const std::function<OneNode::Got()>& ask) {
        const MonoTime begun = one.world.now().mono;
        const OneNode::Got got = ask();
        CHECK(one.world.now().mono - begun < 4s);
        return got;
    };
    const auto post = [&](std::string_view path, const std::string& body) {
        return soon([&] { return socket.post(path, body); });
    };
    // A node whose disk is ill must be looked at.
    CHECK(post(admin::kCacheGet, R"({"credential":"app-a","subject":"user-1","scene":"LOGIN"})").status == 200);
    CHECK(soon([&] { return socket.ask("GET", std::string(admin::kExplain) + id, ""); }).status == 200);
    const auto refused = post(admin::kDegrade, R"({"mode":"degraded","reason":"why"})");
    CHECK(refused.status == 503);
    CHECK(refused.text("message").find("journal/ has not taken it within ") == 0);
    const auto revoked = post(admin::kCacheRevoke, R"({"subject":"user-1"})");
    CHECK(revoked.text("message").find("the revocation stands, but is not in the journal: journal/ has not") == 0);
    CHECK(verdict_of(one).find("impaired: storage: journal/ has not taken ") == 0);
    CHECK(post(admin::kDrain, "{}").status == 503);
    CHECK(one.node().draining());
    one.run_for(70s);
    const std::string entries = one.journal().substr(before);
    for (const char* what : {R"("what":"cache get")", R"("what":"explain")", R"("kind":"revocation")",
                             R"("action":"drain")", R"("reason":"why","for":"15m","action":"not carried out")"})
        CHECK(entries.find(what) != std::string::npos);
    CHECK(one.parts().overrides.all(one.world.now()).empty());
    CHECK(one.parts().storage.health().journal.ok);
}

TEST_CASE("admin: a field that nobody knows is refused by every path that takes a body, and nothing is done") {
    OneNode one;
    REQUIRE(one.start());
    AdminSocket socket(one);
    const std::vector<std::pair<std::string_view, std::string>> all{
        {admin::kDegrade, R"("mode":"degraded","reason":"r","scen":"LOGIN")"},
        {admin::kCircuit, R"("action":"open","scene":"LOGIN")"},
        {admin::kUpstream, R"("action":"restore","endpoint":"http://x","reason":"r","wait":1)"},
        {admin::kCacheGet, R"("credential":"app-a","subject":"u","scene":"LOGIN","devise":"d")"},
        {admin::kCachePurge, R"("scenes":"LOGIN")"},
        {admin::kCacheRevoke, R"("subject":"u","scene":"LOGIN")"},
        {admin::kPolicyTest, R"("request":{"orderNo":"o","scene":"LOGIN","subject":"u"},"adress":"192.0.2.1")"},
        {admin::kStateReset, R"("reason":"r","force":true)"},
        {admin::kFleetAccept, R"("reason":"r","epoch":1)"},
        {admin::kConfigRollback, R"("reason":"r","to":1)"},
        {admin::kConfigReload, R"("dryRun":true)"},
        {admin::kReconcile, R"("now":true)"},
        {admin::kDrain, R"("wait":true)"},
        {admin::kUndrain, R"("wait":true)"},
        {admin::kUpgrade, R"("wait":true)"},
        {admin::kDrain, R"("":true)"},
    };
    for (const auto& [path, fields] : all) {
        INFO(path);
        const auto got = socket.post(path, "{" + fields + "}");
        CHECK(got.status == 400);
        const auto quote = fields.rfind(',') == std::string::npos ? 0 : fields.rfind(',') + 1;
        const std::string name = fields.substr(quote, fields.find(':', quote) - quote);
        CHECK(got.text("message") == "unknown field " + name);
    }
    CHECK(one.parts().overrides.all(one.world.now()).empty());
    CHECK_FALSE(one.node().draining());
    CHECK(socket.post("/v1/nowhere", R"({"wait":true})").status == 404);
}
