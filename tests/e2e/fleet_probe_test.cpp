// The one prober of a fleet, and the roads to the store that an operator guards: TLS, a user's permissions.
#include <catch2/catch.hpp>
#include <csignal>

#include "tests/support/e2e_fleet.h"
#include "tests/support/etcd_process.h"
#include "tests/unit/net_certs.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

// Asks at every site until `done`, as callers do all the time.
bool under_calls(std::vector<Site*> sites, Nanos limit, const std::function<bool()>& done) {
    return eventually(limit, [&] {
        for (Site* site : sites) site->ask(verify_ask(site->order(), "PAYMENT", "caller"));
        return done();
    });
}

double probes_at(Site& site) {
    return site.centre_stats()["fleetProbes"].number().value_or(-1);
}

}  // namespace

TEST_CASE("e2e fleet: the prober dies by kill -9 while it probes, and another one probes and closes", "[beside]") {
    Etcd etcd;
    Site a(member("pop-0", etcd.urls())), b(member("pop-1", etcd.urls()));
    for (Site* site : {&a, &b}) REQUIRE(leased(*site));
    REQUIRE(eventually(5s, [&] { return live(a) == 2 && live(b) == 2; }));
    for (Site* site : {&a, &b}) site->centre(R"({"mode":"error"})");
    for (Site* site : {&a, &b}) REQUIRE(site->break_circuit());
    for (Site* site : {&a, &b}) site->centre(R"({"mode":"hang"})");
    Site *prober = nullptr, *other = nullptr;
    REQUIRE(under_calls({&a, &b}, 20s, [&] {
        const std::string shown = a.ctl({"circuit", "show"}).out;
        for (Site* site : {&a, &b})
            if (holds(shown, site->terms().name + " probes") && probes_at(*site) > 0) prober = site;
        return prober != nullptr;
    }));
    other = prober == &a ? &b : &a;
    const auto epoch = prober->centre_stats()["probeEpoch"].number().value_or(0);
    CHECK(epoch > 1);
    CHECK(probes_at(*other) == 0);
    REQUIRE(prober->stop_node(SIGKILL));
    other->centre(R"({"mode":"healthy"})");
    REQUIRE(under_calls({other}, 30s, [&] { return other->circuit() == "closed"; }));
    CHECK(probes_at(*other) > 0);
    CHECK(other->centre_stats()["probeEpoch"].number().value_or(0) >= epoch);
    CHECK(eventually(10s, [&] { return serves_live(*other); }));  // the recovery ramp
}

TEST_CASE("e2e fleet: a reload's wait ends the one that is under way", "[beside]") {
    Etcd etcd;
    Terms terms = member("pop-0", etcd.urls());
    terms.circuit = "minimum_calls = 10\nopen_wait = \"1h\"\nopen_wait_max = \"1h\"\nthrottle_below = 0\n";
    Site site(terms);
    REQUIRE(leased(site));
    site.centre(R"({"mode":"error"})");
    REQUIRE(site.break_circuit());
    const auto shows = [&site](const char* what) { return holds(site.ctl({"circuit", "show"}).out, what); };
    REQUIRE(eventually(5s, [&] { return shows("central  open"); }));
    site.centre(R"({"mode":"healthy"})");
    std::string config = read_file(site.config_file());
    const auto at = config.find("open_wait = \"1h\"");
    REQUIRE(at != std::string::npos);
    write_file(site.config_file(), config.replace(at, 16, "open_wait = \"1s\""));
    REQUIRE(site.ctl({"config", "reload"}).status == 0);
    CHECK(under_calls({&site}, 20s, [&] { return site.circuit() == "closed"; }));
    CHECK(probes_at(site) > 0);
}

TEST_CASE("e2e fleet: the store over TLS with a client certificate, a stranger's is refused", "[beside]") {
    testing::TestCa ca, strangers;
    ca.issue("server", "IP:127.0.0.1");
    ca.issue("node", "DNS:node.test");
    strangers.issue("node", "DNS:node.test");
    EtcdSetup setup;
    setup.certificate = ca.path("server.pem");
    setup.key = ca.path("server.key");
    setup.client_ca = setup.ca = ca.path("ca.pem");
    Etcd etcd(setup);
    const auto with = [&ca](const testing::TestCa& own) {
        return fmt::format("ca_file = \"{}\"\ncertificate = \"{}\"\nkey = \"{}\"\n", ca.path("ca.pem"),
                           own.path("node.pem"), own.path("node.key"));
    };
    Site known(member("pop-0", etcd.urls(), with(ca))), stranger(member("pop-1", etcd.urls(), with(strangers)));
    REQUIRE(leased(known));
    CHECK(serves_live(stranger));
    CHECK(lease(stranger) == "autonomous");
    CHECK(live(known) == 1);
    CHECK(eventually(10s, [&stranger] { return count(stranger.log(), "warning: etcd: ") > 0; }));
    CHECK(count(stranger.log(), "warning: etcd: ") == 1);
}

TEST_CASE("e2e fleet: a user without rights to the fleet's keys is told of once, and the node stands alone",
          "[beside]") {
    Etcd etcd;
    etcd.turn_auth_on("guest", "guest-secret", "/another/");
    Site site(member("pop-0", etcd.urls()));
    write_file(site.dir() + "/etcd-password", "guest-secret\n");
    site.terms().more += "user = \"guest\"\npassword_file = \"etcd-password\"\n";
    REQUIRE(site.stop_node(SIGTERM) == 0);
    const std::size_t before = site.log().size();
    REQUIRE(site.start_node());
    const auto said = [&] { return site.log().substr(before); };
    REQUIRE(eventually(5s, [&] { return holds(said(), "permission denied"); }));
    CHECK(lease(site) == "autonomous");
    CHECK(serves_live(site));
    pause_for(1s);
    INFO(said());
    CHECK(count(said(), "warning: etcd: ") == 1);
    CHECK_FALSE(holds(said(), "guest-secret"));
}
