// Nodes of a fleet that are replaced by a new process of themselves, over a real etcd: the fleet sees neither a node
// less nor one twice, votes and orders stand, and the store is no part of the road.
#include <fmt/format.h>
#include <sys/prctl.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "edge/base/bytes.h"
#include "tests/support/e2e_fleet.h"
#include "tests/support/e2e_lanes.h"
#include "tests/support/etcd_process.h"
#include "upstream/etcd_codec.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

constexpr const char *kPrefix = "/holdfast/prod/", *kNodes = "/holdfast/prod/node/";

struct Range {
    std::int64_t revision = 0;
    int keys = 0;
};

// What etcd holds below `prefix` at `revision`; 0: now.
Range range(Etcd& etcd, const std::string& prefix, std::int64_t revision = 0) {
    std::string key, end;
    append_base64(key, as_bytes(prefix));
    append_base64(end, as_bytes(etcd_prefix_end(prefix)));
    const Json answer(etcd.post(
        "/v3/kv/range",
        fmt::format(R"({{"key":"{}","range_end":"{}","revision":"{}","count_only":true}})", key, end, revision)));
    const auto number = [](const std::optional<std::string_view>& text) {
        return std::stoll(std::string(text.value_or("0")));
    };
    return {number(answer["header"]["revision"].text()), static_cast<int>(number(answer["count"].text()))};
}

// Fewest and most keys below `prefix` at any revision of [from, to]: nothing is missed between two looks.
std::pair<int, int> extremes(Etcd& etcd, const std::string& prefix, std::int64_t from, std::int64_t to) {
    std::pair<int, int> out{1 << 30, -1};
    for (std::int64_t at = from; at <= to; ++at) {
        const int keys = range(etcd, prefix, at).keys;
        out = {std::min(out.first, keys), std::max(out.second, keys)};
    }
    return out;
}

bool votes(Site& site, int wanted, Nanos limit = 5s) {
    return eventually(limit, [&] {
        const Json all = site.admin_get("/v1/circuit");
        return all["circuits"].first()["votes"]["open"].number() == wanted;
    });
}

}  // namespace

TEST_CASE("e2e fleet: upgrades under load lose no request, and the fleet sees neither a node less nor one more",
          "[alone]") {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    Etcd etcd;
    Site a(member("pop-0", etcd.urls())), b(member("pop-1", etcd.urls()));
    for (Site* site : {&a, &b}) REQUIRE(leased(*site));
    REQUIRE(eventually(5s, [&] { return live(a) == 2 && live(b) == 2; }));
    const auto before = range(etcd, kPrefix).revision;
    Lanes lanes(a, {2ms, 20ms, 100ms});
    for (int i = 0; i < 5; ++i) {
        INFO(i << "\n" << a.log());
        REQUIRE(a.upgrade());
        REQUIRE(leased(a, 5s));
    }
    const LaneSeen seen = lanes.stop();
    INFO(seen.first_trouble);
    CHECK(seen.lost + seen.refused + seen.other == 0);
    CHECK(seen.answered > 100);
    pause_for(3500ms);  // the leases of before are over
    const auto after = range(etcd, kPrefix).revision;
    CHECK(after > before);
    const auto [fewest, most] = extremes(etcd, kNodes, before, after);
    CHECK(fewest == 2);
    CHECK(most == 2);
    CHECK(lease(a) == "leased");
    CHECK(serves_live(a));
    CHECK(a.stop_node(SIGTERM) == 0);
    CHECK(eventually(2s, [&] { return live(b) == 1; }));  // a node that ends leaves its fleet, an upgraded one too
}

TEST_CASE("e2e fleet: while one of two nodes is upgraded the vote of the other one opens nothing", "[alone]") {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    Etcd etcd;
    Site a(member("pop-0", etcd.urls())), b(member("pop-1", etcd.urls()));
    for (Site* site : {&a, &b}) REQUIRE(leased(*site));
    REQUIRE(eventually(5s, [&] { return live(a) == 2 && live(b) == 2; }));
    b.centre(R"({"mode":"error"})");
    REQUIRE(b.break_circuit());
    REQUIRE(votes(a, 1));
    for (int i = 0; i < 3; ++i) {
        REQUIRE(a.upgrade());
        REQUIRE(leased(a, 5s));
        pause_for(500ms);
        CHECK(a.circuit() == "closed");
        CHECK(serves_live(a));
    }
    CHECK_FALSE(holds(b.journal(), "central circuit open"));
    CHECK(a.admin_get("/v1/status")["lease"]["epoch"].number() == 1);
}

TEST_CASE("e2e fleet: the vote of a node that is upgraded counts again, and with another one opens the fleet",
          "[alone]") {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    Etcd etcd;
    Terms terms = member("pop-0", etcd.urls());
    terms.circuit = "minimum_calls = 10\nopen_wait = \"20s\"\nthrottle_below = 0\n";
    Site a(terms), b(member("pop-1", etcd.urls())), c(member("pop-2", etcd.urls()));
    for (Site* site : {&a, &b, &c}) REQUIRE(leased(*site));
    REQUIRE(eventually(5s, [&] { return live(c) == 3; }));
    a.centre(R"({"mode":"error"})");
    REQUIRE(a.break_circuit());
    REQUIRE(votes(c, 1));
    REQUIRE(a.upgrade());
    REQUIRE(leased(a, 5s));
    INFO(a.log());
    CHECK(a.circuit() == "open");
    CHECK(votes(c, 1));
    CHECK(c.circuit() == "closed");
    b.centre(R"({"mode":"error"})");
    REQUIRE(b.break_circuit());
    CHECK(eventually(4s, [&] { return c.circuit() == "open"; }));
}

TEST_CASE("e2e fleet: the prober is upgraded while it probes, and the fleet closes", "[alone]") {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    Etcd etcd;
    Site site(member("pop-0", etcd.urls()));
    REQUIRE(leased(site));
    site.centre(R"({"mode":"error"})");
    REQUIRE(site.break_circuit());
    REQUIRE(eventually(5s, [&] { return site.admin_get("/v1/status")["lease"]["epoch"].number() == 2; }));
    site.centre(R"({"mode":"healthy","latencyMs":{"min":200,"max":200}})");
    REQUIRE(eventually(20s, [&] {
        site.ask(verify_ask(site.order(), "PAYMENT", site.order()));
        return holds(site.ctl({"circuit", "show"}).out, "pop-0 probes");
    }));
    REQUIRE(site.upgrade());
    site.centre(R"({"latencyMs":{"min":1,"max":1}})");
    const MonoTime upgraded = MonoClock::read();
    const bool closed = eventually(20s, [&] {
        site.ask(verify_ask(site.order(), "PAYMENT", site.order()));
        return site.circuit() == "closed";
    });
    INFO(site.log() << site.ctl({"status"}).out << site.ctl({"circuit", "show"}).out);
    CHECK(closed);
    CHECK(MonoClock::read() - upgraded < 8s);  // no lease of the last life is waited for
}

TEST_CASE("e2e fleet: an upgrade while the store is away is an upgrade, orders stand, and the node links up again",
          "[alone]") {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    Etcd etcd;
    Site site(member("pop-0", etcd.urls()));
    REQUIRE(leased(site));
    REQUIRE(site.ctl({"degrade", "on", "--fleet", "--for", "5m", "--reason", "moving"}).status == 0);
    const auto degraded = [&] { return site.admin_get("/v1/status")["mode"]["node"].text() == "degraded"; };
    REQUIRE(eventually(5s, degraded));
    for (const bool gone : {false, true}) {
        if (gone)
            etcd.kill();
        else
            etcd.freeze();
        const MonoTime began = MonoClock::read();
        REQUIRE(site.upgrade());
        CHECK(MonoClock::read() - began < 4s);
        CHECK(degraded());
        CHECK(lease(site) == "autonomous");
        if (gone)
            etcd.start();
        else
            etcd.thaw();
        REQUIRE(leased(site));
        CHECK(degraded());
    }
    CHECK(site.ctl({"degrade", "auto", "--fleet", "--reason", "moved"}).status == 0);
    CHECK(eventually(10s, [&] { return serves_live(site); }));
}
