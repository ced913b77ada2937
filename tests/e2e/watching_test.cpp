// What watches a fleet: rules, runbook and dashboard over what a real node exports, and alerts all the way to people.
#include <catch2/catch.hpp>

#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {
const std::string kSupport = std::string(HOLDFAST_SOURCE_DIR) + "/tests/support/";
}

TEST_CASE("e2e: rules, runbook and dashboard name what a fresh node exports, and the rules pass their tests") {
    const Site site;
    const HttpAnswer metrics = site.monitor("/metrics");
    REQUIRE(metrics.status == 200);
    const Finished watched = run({"python3", kSupport + "watching.py"}, metrics.body, 60s);
    INFO(watched.out << watched.err);
    CHECK(watched.status == 0);
}

TEST_CASE("e2e: alerts reach a mail and a DingTalk group through a real Alertmanager", "[alone]") {
    const Finished alerted = run({"python3", "-W", "ignore", kSupport + "alerting.py"}, {}, 120s);
    INFO(alerted.out << alerted.err);
    CHECK(alerted.status == 0);
}
