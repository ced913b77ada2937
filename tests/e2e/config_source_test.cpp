// The policy part of a configuration from a real etcd: taken when it changes, refused when it is bad, empty or older,
// and replaced by the last good one while etcd is away.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "tests/support/e2e_site.h"
#include "tests/support/etcd_process.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

std::string policy(const std::string& age) {
    return "[scene.LOGIN]\ndegrade = [\"cache\"]\ncache = { max_age = \"" + age + "\" }\n[scene.PAYMENT]\n";
}

Terms with(const Etcd& etcd) {
    Terms terms;
    terms.more = fmt::format(
        "[config_source]\nkind = \"etcd\"\npath = \"holdfast/policy\"\nendpoints = [\"{}\"]\n", etcd.url());
    return terms;
}

bool in_force(const Site& site, const std::string& age) {
    return eventually(15s, [&] {
        return site.ctl({"config", "show"}).out.find("cache.max_age = \"" + age + "\"") != std::string::npos;
    });
}

bool problem(const Site& site, const std::string& text) {
    return eventually(15s, [&] {
        const Json status = site.admin_get("/v1/status");
        return status["config"]["remoteProblem"].text().value_or("").find(text) != std::string_view::npos;
    });
}

}  // namespace

TEST_CASE("e2e: etcd lays the policy over the file, what is bad, empty or older stays out", "[beside]") {
    Etcd etcd;
    etcd.put("holdfast/policy", policy("7m"));
    Site site(with(etcd));
    REQUIRE(in_force(site, "7m"));
    CHECK(site.metric("holdfast_config_source_up") == 1);
    CHECK(site.ctl({"config", "show", "--origin"}).out.find("etcd:holdfast/policy:3") != std::string::npos);
    etcd.put("holdfast/policy", policy("8m"));
    REQUIRE(in_force(site, "8m"));
    etcd.put("holdfast/policy", policy("9 m"));
    REQUIRE(problem(site, "etcd:holdfast/policy:3"));
    etcd.put("holdfast/policy", "[node]\nname = \"other\"\n");
    REQUIRE(problem(site, "node.name cannot come from a remote source"));
    etcd.put("holdfast/policy", "");
    REQUIRE(problem(site, "empty or gone"));
    CHECK(in_force(site, "8m"));
    CHECK(site.metric("holdfast_config_last_reload_successful") == 0);
    etcd.put("holdfast/policy", policy("10m"));
    REQUIRE(in_force(site, "10m"));
    CHECK(site.metric("holdfast_config_last_reload_successful") == 1);

    // etcd is away, also for a node that starts: the last good text stands in.
    etcd.kill();
    REQUIRE(eventually(45s, [&] { return site.metric("holdfast_config_source_up") == 0; }));
    REQUIRE(site.stop_node(SIGINT) == 0);
    REQUIRE(site.start_node());
    CHECK(in_force(site, "10m"));
    CHECK(site.metric("holdfast_config_source_up") == 0);

    // Back with nothing of what it knew: older by its revision, until an operator says so.
    etcd.forget_data();
    etcd.start();
    REQUIRE(etcd.serves());
    etcd.put("holdfast/policy", policy("11m"));
    REQUIRE(problem(site, "is older than"));
    CHECK(in_force(site, "10m"));
    const Finished taken = site.ctl({"config", "reload"});
    INFO(taken.err);
    CHECK(taken.status == 0);
    CHECK(in_force(site, "11m"));
}
