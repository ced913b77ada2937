// The registration while its registry is ill: servers that hang, beats that are refused, a node that the registry has
// long taken out. Of the registries only what a request gets for an answer counts here; what is asked is held against
// recorded exchanges beside this (registry_wire_test.cpp).
#include "edge/registration.h"

#include <catch2/catch.hpp>

#include "edge/http_ask.h"
#include "tests/sim/sim_net.h"
#include "tests/support/mini_server.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

// One server of a registry, of either kind. `login` and `rest` are 0 where nothing is answered, or a status.
struct RegistryServer {
    int login = 200, rest = 200;
    int logins = 0, entries = 0, beats = 0, leaves = 0;
    int token_seconds = 18'000;
    MiniServer server;
    std::unique_ptr<Listener> listener;

    RegistryServer(NodeView& view, SimHost& host, const std::string& address)
        : server(view, [this](const MiniRequest& request) { return answer(request); }) {
        listener = *host.listen(address, [this](auto stream) { server.accept(std::move(stream)); });
    }
    MiniReply answer(const MiniRequest& request) {
        const bool in = request.path.ends_with("/auth/login");
        const bool out = request.method == "DELETE" || request.path.find("/deregister/") != std::string::npos;
        const bool beat = request.path.ends_with("/beat") || request.path.find("/check/pass/") != std::string::npos;
        ++(in ? logins : out ? leaves : beat ? beats : entries);
        const int status = in ? login : rest;
        MiniReply reply;
        reply.never = status == 0;
        if (in && status == 200)
            reply.bytes = http_reply(200, R"({"accessToken":"t","tokenTtl":)" + std::to_string(token_seconds) + "}");
        else if (status != 0)
            reply.bytes = http_reply(status, status == 200 ? R"({"code":10200})" : "no");
        return reply;
    }
};

struct IllRegistry {
    SimLoop world;
    SimNet net{world, 1};
    NodeView server_view{world}, view{world};
    SimHost server_host{net, server_view, "127.0.1.1"}, host{net, view, "127.0.2.1"};
    RegistryServer first{server_view, server_host, "127.0.1.1:8848"};
    RegistryServer second{server_view, server_host, "127.0.1.1:8849"};
    Registration::Status told;
    std::unique_ptr<Registration> registration;

    void begin(const std::string& kind, bool with_user) {
        RegistrationConfig config;
        config.kind = kind;
        config.service = "edge";
        config.group = "EDGE";
        config.address = "10.0.0.9:8443";
        for (const char* url : {"http://127.0.1.1:8848", "http://127.0.1.1:8849"})
            config.access.endpoints.push_back(*parse_endpoint(url));
        if (with_user) config.access.user = "nacos", config.access.password = "pw";
        NodeConfig node;
        node.name = "bj-1";
        registration =
            Registration::make(view, host, config, node, [this](const Registration::Status& status) { told = status; });
    }
};

}  // namespace

TEST_CASE("contract: a Nacos whose login hangs keeps a node out of no other, and is told of") {
    IllRegistry at;
    at.first.login = 0;
    at.begin("nacos", true);
    at.world.run_for(7s);
    CHECK(at.told.problem.find("http://127.0.1.1:8848: no answer in time") != std::string::npos);
    at.world.run_for(8s);
    CHECK(at.told.registered);
    CHECK(at.told.problem == "");
    CHECK(at.second.entries == 1);
    CHECK(at.first.logins == 1);
}

TEST_CASE("contract: a Nacos whose login hangs when the token has run out loses few beats") {
    IllRegistry at;
    at.first.token_seconds = 10;  // asked anew after nine
    at.begin("nacos", true);
    at.world.run_for(8s);
    REQUIRE(at.told.registered);
    at.first.login = 0;
    at.world.run_for(15s);
    CHECK(at.second.beats >= 1);
    CHECK(at.told.registered);
}

TEST_CASE("contract: a Nacos whose login hangs while a node leaves is not the only one that is told so") {
    IllRegistry at;
    at.first.token_seconds = 10;
    at.begin("nacos", true);
    at.world.run_for(9500ms);
    REQUIRE(at.told.registered);
    at.first.login = 0;
    at.registration->serve(false);
    at.world.run_for(15s);
    CHECK(at.second.leaves == 1);
    CHECK_FALSE(at.told.registered);
    CHECK(at.registration->over());
}

TEST_CASE("contract: a node that its registry has not heard well for as long as it waits is registered no more") {
    const auto kind = GENERATE(as<std::string>{}, "consul", "nacos");
    const int status = GENERATE(403, 503, 0);
    IllRegistry at;
    at.begin(kind, false);
    at.world.run_for(8s);
    REQUIRE(at.told.registered);
    at.first.rest = at.second.rest = status;
    at.world.run_for(10s);
    CHECK(at.told.registered);  // Consul's check and Nacos' instance are well for 15 s
    CHECK(at.told.problem != "");
    at.world.run_for(12s);
    CHECK_FALSE(at.told.registered);
    CHECK_FALSE(at.registration->status().registered);

    SECTION("a beat that is answered well is enough") {
        at.first.rest = at.second.rest = 200;
        at.world.run_for(10s);
        CHECK(at.told.registered);
        CHECK(at.told.problem == "");
        CHECK(at.first.entries + at.second.entries == 1);
    }
    SECTION("it is taken out all the same: it may be listed yet") {
        at.first.rest = at.second.rest = 200;
        at.registration->serve(false);
        CHECK_FALSE(at.registration->over());
        at.world.run_for(1s);
        CHECK(at.first.leaves + at.second.leaves == 1);
        CHECK(at.registration->over());
    }
}

TEST_CASE("contract: a registration that follows another one knows what that one has entered") {
    const auto kind = GENERATE(as<std::string>{}, "consul", "nacos");
    const auto follows = [](IllRegistry& at, const std::string& as) {
        const Registration::Known known = at.registration->known();
        at.registration.reset();
        at.told = {};
        at.begin(as, false);
        at.registration->inherit(known);
    };
    IllRegistry at;
    at.begin(kind, false);
    SECTION("it takes that out, and enters nothing for it") {
        at.world.run_for(8s);
        follows(at, kind);
        CHECK(at.registration->status().registered);
        at.registration->serve(false);
        CHECK_FALSE(at.registration->over());
        at.world.run_for(1s);
        CHECK(at.first.entries + at.second.entries == 1);
        CHECK(at.first.leaves + at.second.leaves == 1);
        CHECK_FALSE(at.registration->status().registered);
        CHECK(at.registration->over());
    }
    SECTION("it goes on with the beats") {
        at.world.run_for(8s);
        const int beats = at.first.beats + at.second.beats;
        follows(at, kind);
        at.world.run_for(8s);
        CHECK(at.registration->status().registered);
        CHECK(at.first.entries + at.second.entries == 1);
        CHECK(at.first.beats + at.second.beats > beats);
    }
    SECTION("an entry whose answer has not come may stand") {
        at.first.rest = at.second.rest = 0;
        at.world.run_for(100ms);
        at.first.rest = at.second.rest = 200;
        REQUIRE(at.first.entries + at.second.entries == 1);
        follows(at, kind);
        CHECK_FALSE(at.registration->status().registered);
        at.registration->serve(false);
        at.world.run_for(1s);
        CHECK(at.first.leaves + at.second.leaves == 1);
        CHECK(at.registration->over());
    }
}

TEST_CASE("contract: a server of the site that nobody can connect to costs 3 s, however long its answer may take") {
    IllRegistry at;
    RemoteAccess access;
    access.endpoints.push_back(*parse_endpoint("http://127.0.1.1:8848"));
    HttpAsk ask(at.view, at.host, access);
    std::optional<Result<HttpSaid>> got;
    const auto send = [&] {
        got.reset();
        ask.send({"GET", "/v1/kv/edge"}, 69s, [&got](Result<HttpSaid> said) { got = std::move(said); });
    };
    at.net.partition("127.0.2.1", "127.0.1.1", true);
    send();
    at.world.run_for(HttpAsk::kConnectMax - 100ms);
    CHECK_FALSE(got);
    at.world.run_for(200ms);
    REQUIRE(got);
    REQUIRE_FALSE(*got);
    CHECK(got->error().detail.find("http://127.0.1.1:8848: ") == 0);

    at.net.partition("127.0.2.1", "127.0.1.1", false);
    at.first.rest = 0;
    send();
    at.world.run_for(68s);
    CHECK_FALSE(got);
    at.world.run_for(2s);
    REQUIRE(got);
    CHECK(got->error().detail == "http://127.0.1.1:8848: no answer in time");
}
