// The remote sources and the registry against doubles that speak as the recorded exchanges do.
#include "edge/config_source.h"

#include <deque>

#include "edge/base/md5.h"
#include "edge/net/uv_loop.h"
#include "edge/net/uv_network.h"
#include "edge/registration.h"
#include "tests/support/mini_server.h"
#include "tests/support/turns.h"

using namespace holdfast;

namespace {

// A server that answers what it is told to answer, in order; the last one again and again.
struct Double {
    UvLoop loop;
    UvNetwork network{loop};
    Rng rng{7};
    std::vector<MiniRequest> seen;
    std::function<MiniReply(const MiniRequest&)> answer;
    MiniServer server{loop, [this](const MiniRequest& r) {
                          seen.push_back(r);
                          return answer(r);
                      }};
    std::unique_ptr<Listener> listener;
    std::vector<std::pair<std::string, std::uint64_t>> told;
    ConfigSource::Status status;

    Double() { listener = *network.listen("127.0.0.1:0", [this](auto s) { server.accept(std::move(s)); }); }

    RemoteAccess access() {
        RemoteAccess out;
        out.endpoints.push_back(*parse_endpoint("http://127.0.0.1:" + std::to_string(listener->port())));
        return out;
    }
    std::unique_ptr<ConfigSource> source(const std::string& kind, const std::string& path, RemoteAccess with) {
        ConfigSourceConfig config;
        config.kind = kind;
        config.path = path;
        config.group = "EDGE_GROUP";
        config.space = "ns-1";
        config.access = std::move(with);
        return ConfigSource::make(
            loop, network, rng, config,
            [this](std::string text, std::uint64_t revision) { told.emplace_back(std::move(text), revision); },
            [this](const ConfigSource::Status& s) { status = s; });
    }
    template <typename Met>
    bool until(Met met) {
        return testing::turn_until(loop, 8s, met);
    }
};

std::string base64(std::string_view text) {
    std::string out;
    append_base64(out, as_bytes(text));
    return out;
}

MiniReply kv(const std::string& value, int index, int modified) {
    return {http_reply(200,
                       R"([{"LockIndex":0,"Key":"edge/cfg","Flags":0,"Value":")" + base64(value) +
                           R"(","CreateIndex":1,"ModifyIndex":)" + std::to_string(modified) + "}]",
                       "X-Consul-Index: " + std::to_string(index) + "\r\n")};
}

}  // namespace

TEST_CASE("config source: Consul is asked with its index, anew when it goes back, and what is gone is told") {
    Double d;
    int n = 0;
    d.answer = [&](const MiniRequest&) -> MiniReply {
        switch (n++) {
            case 0:
                return kv("v5", 5, 5);
            case 1:
                return kv("v5", 6, 5);  // another key changed
            case 2:
                return kv("v7", 7, 7);
            case 3:
                return kv("v2", 3, 2);  // restored from a backup
            case 4:
                return kv("v2", 3, 2);
            case 5:
                return {http_reply(404, "", "X-Consul-Index: 9\r\n")};
            default:
                return {{}, false, true};
        }
    };
    RemoteAccess access = d.access();
    access.token = "t-1";
    const auto source = d.source("consul", "edge/cfg", access);
    REQUIRE(d.until([&] { return d.told.size() == 4 && d.seen.size() == 7; }));
    CHECK(d.told == std::vector<std::pair<std::string, std::uint64_t>>{{"v5", 5}, {"v7", 7}, {"v2", 2}, {"", 0}});
    CHECK(d.seen[0].path == "/v1/kv/edge/cfg");
    CHECK(d.seen[0].header("X-Consul-Token") == "t-1");
    std::vector<std::string> queries;
    for (const auto& request : d.seen) queries.push_back(request.query);
    CHECK(queries == std::vector<std::string>{"", "index=5&wait=60s", "index=6&wait=60s", "index=7&wait=60s", "",
                                              "index=3&wait=60s", "index=9&wait=60s"});
    CHECK(d.status.reachable);
}

TEST_CASE("config source: Consul that refuses or talks nonsense is said, asked again, and told nothing of") {
    Double d;
    int n = 0;
    d.answer = [&](const MiniRequest&) -> MiniReply {
        switch (n++) {
            case 0:
                return {http_reply(403, "Permission denied")};
            case 1:
                return {http_reply(200, "[]", "X-Consul-Index: 5\r\n")};
            default:
                return kv("v", 5, 5);
        }
    };
    const auto source = d.source("consul", "edge/cfg", d.access());
    REQUIRE(d.until([&] { return !d.status.problem.empty(); }));
    CHECK(d.status.problem == "Consul answers with status 403: is the token right?");
    REQUIRE(d.until([&] { return d.told.size() == 1; }));
    CHECK(d.status.reachable);
    CHECK(d.status.problem.empty());
}

TEST_CASE("config source: Nacos logs in, is polled with the MD5, and read again when it tells of a change") {
    Double d;
    std::string content = "degrade.mode=off\n名称=边缘";
    int logins = 0, polls = 0, reads = 0;
    d.answer = [&](const MiniRequest& r) -> MiniReply {
        if (r.path == "/nacos/v1/auth/login") {
            ++logins;
            CHECK(r.body == "username=nacos&password=pw%26");
            return {http_reply(200, R"({"accessToken":"tok","tokenTtl":18000,"globalAdmin":true})")};
        }
        if (r.path == "/nacos/v1/cs/configs") {
            if (++reads == 2) return {http_reply(403, "token expired")};
            return {http_reply(200, content, {}, "text/plain")};
        }
        if (++polls == 1) return {http_reply(200, "")};  // nothing within the wait
        if (polls == 2) {
            content = "degrade.mode=on\n名称=边缘";
            return {http_reply(200, "edge.yaml%02EDGE_GROUP%02ns-1%01\n")};
        }
        return {{}, false, true};
    };
    RemoteAccess access = d.access();
    access.user = "nacos";
    access.password = "pw&";
    const auto source = d.source("nacos", "edge.yaml", access);
    REQUIRE(d.until([&] { return d.told.size() == 2 && polls == 3; }));
    CHECK(d.told[1].first == content);
    CHECK(logins == 2);  // once more after the 403
    CHECK(md5_hex("degrade.mode=off\n名称=边缘") == "da6d405147d1b5edd8d844b84a7a7cf0");
    for (const auto& request : d.seen) {
        if (request.path == "/nacos/v1/cs/configs")
            CHECK(request.query == "dataId=edge.yaml&group=EDGE_GROUP&tenant=ns-1&accessToken=tok");
        if (request.path != "/nacos/v1/cs/configs/listener") continue;
        CHECK(request.header("Long-Pulling-Timeout") == "30000");
        CHECK(request.query == "accessToken=tok");
    }
    CHECK(d.seen.back().body ==
          "tenant=ns-1&Listening-Configs=edge.yaml%02EDGE_GROUP%02f561bfe41a00af66c835d65ea4d7a66d%02ns-1%01");
}

namespace {

std::unique_ptr<Registration> registered(Double& d, const std::string& kind, Registration::Status& status) {
    RegistrationConfig config;
    config.kind = kind;
    config.service = "edge-node";
    config.group = "EDGE";
    config.space = "ns-1";
    config.address = "10.0.0.9:8443";
    config.access = d.access();
    NodeConfig node;
    node.name = "bj-1";
    node.region = "bj";
    return Registration::make(d.loop, d.network, config, node,
                              [&status](const Registration::Status& s) { status = s; });
}

}  // namespace

TEST_CASE("registration: Consul is told of the node, its health and its end, a forgotten one registers again") {
    Double d;
    int passes = 0;
    d.answer = [&](const MiniRequest& r) -> MiniReply {
        if (r.path.find("/check/pass/") != std::string::npos && ++passes == 2)
            return {http_reply(404, "Unknown check")};
        return {http_reply(200, "")};
    };
    Registration::Status status;
    const auto registration = registered(d, "consul", status);
    REQUIRE(d.until([&] { return passes == 3; }));  // the second beat, 5 s later, is not known
    CHECK(status.registered);
    CHECK(d.seen[0].method == "PUT");
    CHECK(d.seen[0].path == "/v1/agent/service/register");
    CHECK(d.seen[0].body ==
          R"({"Name":"edge-node","ID":"edge-node-bj-1","Meta":{"node":"bj-1","region":"bj"},"Address":"10.0.0.9",)"
          R"("Port":8443,"Check":{"TTL":"15s","DeregisterCriticalServiceAfter":"1m"}})");
    CHECK(d.seen[1].path == "/v1/agent/check/pass/service:edge-node-bj-1");
    CHECK(d.seen[3].path == "/v1/agent/service/register");
    registration->serve(false);
    REQUIRE(d.until([&] { return !status.registered; }));
    CHECK(d.seen.back().path == "/v1/agent/service/deregister/edge-node-bj-1");
}

TEST_CASE("registration: Nacos gets instance and beats, registers again after 20404, and is told of the end") {
    Double d;
    int beats = 0;
    d.answer = [&](const MiniRequest& r) -> MiniReply {
        if (r.path == "/nacos/v1/ns/instance/beat")
            return {
                http_reply(200, ++beats == 1 ? R"({"code":20404})" : R"({"clientBeatInterval":5000,"code":10200})")};
        return {http_reply(200, "ok", {}, "text/plain")};
    };
    Registration::Status status;
    const auto registration = registered(d, "nacos", status);
    REQUIRE(d.until([&] { return beats == 2; }));  // right after it was entered: not before the next beat
    CHECK(d.seen[0].method == "POST");
    CHECK(d.seen[0].query.starts_with("namespaceId=ns-1&serviceName=EDGE%40%40edge-node&groupName=EDGE&"
                                      "clusterName=DEFAULT&ip=10.0.0.9&port=8443&ephemeral=true&weight=1"));
    CHECK(d.seen[1].method == "PUT");
    CHECK(d.seen[1].query.find("beat=%7B%22serviceName%22%3A%22EDGE%40%40edge-node%22") == 0);
    CHECK(d.seen[2].method == "POST");
    registration->serve(false);
    REQUIRE(d.until([&] { return d.seen.back().method == "DELETE" && !status.registered; }));
}
