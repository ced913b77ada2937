// What the admin socket took for something else: an order whose scene was no text bound the whole node, one whose fleet
// was no boolean this node alone, a revocation of what is no subject revoked nobody.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "edge/admin_service.h"
#include "edge/net/http_writer.h"
#include "tests/sim/one_node.h"

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
          server_(one.node().loop(), service_, {}, Server::Wrap(),
                  [](std::string_view, const PeerInfo&, std::optional<ApiCode>, std::optional<std::uint64_t>) {}) {
        auto listener = one.host.listen(fmt::format("{}:{}", kNodeAddress, kAdminPort),
                                        [this](std::unique_ptr<Stream> stream) { server_.accept(std::move(stream)); });
        REQUIRE(listener);
        server_.adopt(std::move(*listener));
    }
    ~AdminSocket() { view_.kill(); }

    OneNode::Got post(std::string_view path, const std::string& body) {
        OneNode::Got got;
        std::unique_ptr<ClientConnection> connection;
        std::string bytes;
        append_request_head(bytes, {"POST", path, "localhost", "application/json", body.size(), true}, {});
        bytes += body;
        const auto dialled = [&](Result<std::unique_ptr<Stream>> stream) {
            REQUIRE(stream);
            ClientConnection::Events events;
            events.answered = [&got](ClientConnection&, const ResponseHead& head, const std::string& text) {
                got.status = head.status;
                got.body = text;
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

TEST_CASE("admin: a rollback with a field that nobody knows is refused") {
    OneNode one;
    REQUIRE(one.start());
    AdminSocket socket(one);
    const auto got = socket.post(admin::kConfigRollback, R"({"generaton":3,"reason":"r"})");
    CHECK(got.status == 400);
    CHECK(got.text("message") == "unknown field \"generaton\"");
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
