// A node at a Consul: its policy from a key, refused when it is older, empty or not permitted; itself registered, taken
// out when it drains and when it ends, and entered again after the registry forgot everything.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <set>

#include "edge/base/bytes.h"
#include "tests/support/e2e_script.h"
#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

// One key and the services of an agent. A blocking query is answered when the index moves.
class Consul {
  public:
    Consul() : server_([this](Link& link) { serve(link); }) {}

    Terms terms() const {
        const std::string at = fmt::format("endpoints = [\"http://127.0.0.1:{}\"]\n", server_.port());
        Terms out;
        out.drain = "lame_duck = \"0s\"";
        out.more = "[config_source]\nkind = \"consul\"\npath = \"edge/cfg\"\n" + at +
                   "[registration]\nkind = \"consul\"\nservice = \"edge\"\n" + at;
        return out;
    }
    void put(const std::string& value, int index, int modified) { change(value, index, modified, permits_); }
    void permit(bool permits) { change(value_, index_ + 1, modified_, permits); }
    void forget() {
        const std::lock_guard lock(mutex_);
        services_.clear();
    }
    bool holds(const std::string& id) const {
        const std::lock_guard lock(mutex_);
        return services_.contains(id);
    }

  private:
    void change(const std::string& value, int index, int modified, bool permits) {
        const std::lock_guard lock(mutex_);
        value_ = value, index_ = index, modified_ = modified, permits_ = permits;
    }
    static std::string answer(int status, const std::string& body, int index) {
        return fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\nX-Consul-Index: {}\r\n\r\n{}", status, body.size(),
                           index, body);
    }
    void serve(Link& link) {
        while (link.read_request()) {
            const std::string request = link.request();
            const auto asked = request.find("?index=");
            if (asked != std::string::npos && !moved(std::stoi(request.substr(asked + 7)))) return;
            link.send(reply(request));
        }
    }
    bool moved(int from) const {
        return eventually(20s, [&] {
            const std::lock_guard lock(mutex_);
            return index_ != from;
        });
    }
    std::string reply(const std::string& request) {
        const std::lock_guard lock(mutex_);
        const std::string line = request.substr(0, request.find(" HTTP/"));
        const auto last = line.substr(line.rfind('/') + 1);
        if (line.starts_with("GET /v1/kv/edge/cfg")) {
            if (!permits_) return answer(403, "Permission denied", index_);
            std::string base64;
            append_base64(base64, as_bytes(value_));
            return answer(200,
                          fmt::format(R"([{{"LockIndex":0,"Key":"edge/cfg","Flags":0,"Value":"{}","CreateIndex":1,)"
                                      R"("ModifyIndex":{}}}])",
                                      base64, modified_),
                          index_);
        }
        if (line.find("/service/register") != std::string::npos) services_.insert("edge-e2e");
        if (line.find("/service/deregister/") != std::string::npos) services_.erase(last);
        const bool unknown = line.find("/check/pass/") != std::string::npos && !services_.contains("edge-e2e");
        return unknown ? answer(404, "Unknown check", index_) : answer(200, "", index_);
    }

    mutable std::mutex mutex_;  // of everything below but the server
    std::string value_;
    int index_ = 1, modified_ = 1;
    bool permits_ = true;
    std::set<std::string> services_;
    ScriptedCentre server_;
};

std::string policy(const std::string& age) {
    return "[scene.LOGIN]\ndegrade = [\"cache\"]\ncache = { max_age = \"" + age + "\" }\n[scene.PAYMENT]\n";
}

bool in_force(const Site& site, const std::string& age) {
    return eventually(15s, [&] {
        return site.ctl({"config", "show"}).out.find("cache.max_age = \"" + age + "\"") != std::string::npos;
    });
}

bool status_says(const Site& site, const std::string& text, Nanos limit = 15s) {
    return eventually(limit, [&] { return site.ctl({"status"}).out.find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("e2e: a policy of Consul that is older, empty or not permitted stays out, and status says why", "[beside]") {
    Consul consul;
    consul.put(policy("7m"), 10, 10);
    Site site(consul.terms());
    REQUIRE(in_force(site, "7m"));
    consul.put(policy("8m"), 11, 11);
    REQUIRE(in_force(site, "8m"));
    consul.put(policy("9m"), 5, 5);  // restored from a backup
    REQUIRE(status_says(site, "the remote text is not in force: "));
    CHECK(status_says(site, "is older than", 0s));
    CHECK(site.metric("holdfast_config_last_reload_successful") == 0);
    consul.put("", 12, 12);
    REQUIRE(status_says(site, "empty or gone"));
    consul.permit(false);
    REQUIRE(status_says(site, "consul is away: Consul answers with status 403: is the token right?"));
    CHECK(site.metric("holdfast_config_source_up") == 0);
    CHECK(in_force(site, "8m"));
    consul.put(policy("10m"), 20, 20);
    consul.permit(true);
    REQUIRE(in_force(site, "10m"));
    CHECK(site.metric("holdfast_config_source_up") == 1);
    CHECK(site.metric("holdfast_config_last_reload_successful") == 1);
}

TEST_CASE("e2e: a node is in its registry while it serves: not drained, not ended, and again after it was forgotten",
          "[beside]") {
    Consul consul;
    consul.put(policy("7m"), 10, 10);
    Site site(consul.terms());
    REQUIRE(status_says(site, "in consul as edge at 127.0.0.1:"));
    CHECK(consul.holds("edge-e2e"));
    CHECK(site.metric("holdfast_registered") == 1);
    CHECK(site.admin_get("/v1/status")["registration"]["registered"].boolean() == true);

    REQUIRE(site.ctl({"drain"}).status == 0);
    REQUIRE(status_says(site, "NOT in consul as edge"));
    CHECK_FALSE(consul.holds("edge-e2e"));
    CHECK(site.metric("holdfast_registered") == 0);
    REQUIRE(site.ctl({"undrain"}).status == 0);
    REQUIRE(eventually(10s, [&] { return consul.holds("edge-e2e"); }));

    consul.forget();
    REQUIRE(eventually(20s, [&] { return consul.holds("edge-e2e"); }));  // at the next beat, every 5 s
    REQUIRE(eventually(10s, [&] { return site.metric("holdfast_registered") == 1; }));
    CHECK(site.stop_node(SIGINT) == 0);  // the quick end as well
    CHECK_FALSE(consul.holds("edge-e2e"));
}
