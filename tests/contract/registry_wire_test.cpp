// The remote sources and the registration against recorded exchanges of real Consul and Nacos clients: what a node asks
// is what they ask, and every recorded exchange is met or named here with the reason why a node has no use for it.
#include "tests/support/registry_wire.h"

#include <catch2/catch.hpp>

#include "edge/base/md5.h"
#include "edge/config_source.h"
#include "edge/registration.h"
#include "tests/sim/sim_net.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

using Strings = std::vector<std::string>;

struct Registry {
    SimLoop world;
    SimNet net{world, 1};
    NodeView server_view{world}, view{world};
    SimHost server_host{net, server_view, "127.0.1.1"}, host{net, view, "127.0.2.1"};
    Rng rng{7};
    RegistryWire wire;
    MiniServer server{server_view, [this](const MiniRequest& request) { return wire.answer(request); }};
    std::unique_ptr<Listener> listener;

    explicit Registry(const Strings& sections)
        : wire(HOLDFAST_SOURCE_DIR "/tests/vectors/nacos_consul_wire.json", sections) {
        listener = *server_host.listen("127.0.1.1:8848", [this](auto stream) { server.accept(std::move(stream)); });
    }
    static RemoteAccess access() {
        RemoteAccess out;
        out.endpoints.push_back(*parse_endpoint("http://127.0.1.1:8848"));
        out.user = RegistryWire::kUser;
        out.password = RegistryWire::kPassword;
        out.token = RegistryWire::kConsulToken;
        return out;
    }
};

// One source of the registry, and what it told.
struct Followed {
    Strings told;
    std::vector<std::uint64_t> revisions;
    ConfigSource::Status status;
    std::unique_ptr<ConfigSource> source;

    Followed(Registry& of, const std::string& kind, const std::string& path, RemoteAccess access = Registry::access()) {
        ConfigSourceConfig config;
        config.kind = kind;
        config.path = path;
        config.group = "EDGE_GROUP";
        config.space = "ns-1";
        config.access = std::move(access);
        source = ConfigSource::make(
            of.view, of.host, of.rng, config,
            [this](std::string text, std::uint64_t revision) {
                told.push_back(std::move(text));
                revisions.push_back(revision);
            },
            [this](const ConfigSource::Status& now) { status = now; });
    }
};

struct Registered {
    Registration::Status status;
    std::unique_ptr<Registration> registration;

    Registered(Registry& at, const std::string& kind, const std::string& service,
               RemoteAccess access = Registry::access()) {
        RegistrationConfig config;
        config.kind = kind;
        config.service = service;
        config.group = "EDGE";
        config.space = "ns-1";
        config.address = "10.0.0.9:8443";
        config.access = std::move(access);
        NodeConfig node;
        node.name = "bj-1";
        node.region = "bj";
        registration = Registration::make(at.view, at.host, config, node,
                                          [this](const Registration::Status& now) { status = now; });
    }
};

}  // namespace

TEST_CASE("contract: Nacos' configuration is read and listened to as its client does") {
    Registry registry({"nacos_long_poll"});
    Followed edge(registry, "nacos", "edge.yaml"), policy(registry, "nacos", "policy.json");
    registry.world.run_for(60s);
    CHECK(registry.wire.strangers() == Strings{});
    CHECK(registry.wire.unmet() == Strings{});
    CHECK(edge.told == Strings{"degrade.mode=off\n名称=边缘", "degrade.mode=on\n名称=边缘"});
    CHECK(policy.told == Strings{"degrade.mode=off\n名称=边缘"});
    CHECK(md5_hex(edge.told.back()) == "f561bfe41a00af66c835d65ea4d7a66d");
    CHECK(edge.status.reachable);
}

TEST_CASE("contract: of Nacos' operations on a configuration a node only reads, and an absent one is empty") {
    Registry registry({"nacos_config_ops"});
    Followed edge(registry, "nacos", "edge.yaml"), missing(registry, "nacos", "missing");
    registry.world.run_for(5s);
    CHECK(edge.told == Strings{"degrade.mode=off\n名称=边缘"});
    CHECK(missing.told == Strings{""});
    // What a node runs by is the operators' to write.
    CHECK(registry.wire.unmet() ==
          Strings{"POST /nacos/v1/cs/configs",
                  "DELETE /nacos/v1/cs/configs?dataId=edge.yaml&group=EDGE_GROUP&tenant=ns-1"
                  "&username=nacos&password=pw"});
    // Nobody recorded a listener beside these; the sources go on to listen.
    for (const std::string& stranger : registry.wire.strangers())
        CHECK(stranger.starts_with("POST /nacos/v1/cs/configs/listener?"));
}

TEST_CASE("contract: a node is Nacos' instance, beats as its client does, and goes as it does") {
    Registry registry({"nacos_naming"});
    Registered node(registry, "nacos", "edge-node");
    registry.world.run_for(1s);
    CHECK(node.status.registered);
    CHECK(node.status.problem == "");
    node.registration->serve(false);
    registry.world.run_for(1s);
    CHECK_FALSE(node.status.registered);
    CHECK(registry.wire.strangers() == Strings{});
    // A node looks nobody up: the centre's endpoints are configured.
    for (const std::string& unmet : registry.wire.unmet())
        CHECK(unmet.starts_with("GET /nacos/v1/ns/instance/list?namespaceId=ns-1&serviceName=EDGE%40%40central&"));
    CHECK(registry.wire.unmet().size() == 3);
}

TEST_CASE("contract: Consul's key is followed by blocking queries as its client does") {
    Registry registry({"consul_blocking_query"});
    Followed source(registry, "consul", "edge/cfg");
    registry.world.run_for(30s);
    CHECK(registry.wire.unmet() == Strings{});
    CHECK(source.told == Strings{"v5", "v6", "v7", "v8", "v9", "v10"});
    CHECK(source.revisions == std::vector<std::uint64_t>{5, 6, 7, 8, 9, 10});
    REQUIRE(registry.wire.strangers().size() == 1);  // the next query, which the recording ended before
    CHECK(registry.wire.strangers()[0] == "GET /v1/kv/edge/cfg?index=10&wait=60s ");
}

TEST_CASE("contract: of Consul's keys a node reads its own alone, and an absent one is empty") {
    Registry registry({"consul_kv"});
    Followed source(registry, "consul", "edge/cfg"), none(registry, "consul", "none");
    registry.world.run_for(5s);
    CHECK(source.told == Strings{"v5"});
    CHECK(none.told == Strings{""});
    // Writing is the operators'; other forms of reading (raw, below a prefix, keys alone) say no revision or too much.
    CHECK(registry.wire.unmet() ==
          Strings{"PUT /v1/kv/edge%2Fcfg", "PUT /v1/kv/edge%2Fcfg?cas=5", "GET /v1/kv/edge%2Fcfg?raw=true",
                  "GET /v1/kv/edge%2F?recurse=true", "GET /v1/kv/edge%2F?keys=true",
                  "DELETE /v1/kv/edge%2F?recurse=true"});
}

TEST_CASE("contract: a node is Consul's service, passes its check as the client does, and goes as it does") {
    Registry registry({"consul_service", "consul_session_lock"});
    Registered node(registry, "consul", "edge");
    registry.world.run_for(1s);
    CHECK(node.status.registered);
    node.registration->serve(false);
    registry.world.run_for(1s);
    CHECK_FALSE(node.status.registered);
    CHECK(registry.wire.strangers() == Strings{});
    // No look-up of others; sessions and locks would be for leases, which nodes hold in etcd alone.
    const Strings unmet = registry.wire.unmet();
    CHECK(unmet.size() == 6);
    for (const std::string& one : unmet)
        CHECK((one == "GET /v1/health/service/central?passing=true" || one.starts_with("PUT /v1/session/") ||
               one.starts_with("PUT /v1/kv/edge%2Fbreaker%2Flock?")));
}

TEST_CASE("contract: a wrong login or token tells nothing, is said, and is asked again after growing pauses") {
    RemoteAccess wrong = Registry::access();
    wrong.password = "other";
    wrong.token = "tok-2";
    Registry registry({"nacos_long_poll", "nacos_naming", "consul_kv"});
    Followed source(registry, "nacos", "edge.yaml", wrong);
    Registered node(registry, "nacos", "edge-node", wrong);
    registry.world.run_for(20s);
    CHECK(source.told == Strings{});
    CHECK_FALSE(source.status.reachable);
    CHECK(source.status.problem.find("the login at Nacos as \"nacos\" is refused (status 403)") != std::string::npos);
    CHECK_FALSE(node.status.registered);
    CHECK(node.status.problem.find("is refused (status 403)") != std::string::npos);
    CHECK(registry.wire.logins() >= 4);
    CHECK(registry.wire.logins() <= 12);  // 5 beats of the registration, and 0.5, 1, 2, 4, 8 s of the source
}
