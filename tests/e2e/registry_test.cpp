// A node at a Consul: its policy from a key, refused when it is older, empty or not permitted; itself registered, taken
// out when it drains and when it ends, and entered again after the registry forgot everything.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "tests/support/e2e_consul.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

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
