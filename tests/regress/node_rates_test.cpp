// A flood of subjects that used up what all limits were kept in, and refused by their rate those who had asked nothing.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "tests/regress/reload_bench.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

constexpr const char* kRules =
    "[[precheck]]\nname = \"per-hour\"\nkind = \"rate\"\nby = \"subject\"\n"
    "rate = { per_second = 0.0028, burst = 10 }\n"
    "[[precheck]]\nname = \"calls\"\nkind = \"rate\"\nby = \"credential\"\n"
    "rate = { per_second = 1000, burst = 1000 }\n";
constexpr const char* kFull = "impaired: a rate rule counts as many subjects or addresses as it can: ";

// By nobody's share, until every place of the rule that is not kept for a credential is taken.
void flood(OneNode& one) {
    const auto table = one.parts().rates.table("per-hour", "subject");
    for (std::size_t i = 0; i < 2 * kRateKeysMax; ++i)
        table->take(kNoSeat, fmt::format("flood-{}", i), {0.0028, 10}, one.world.now().mono);
}

// And the share of the credential that asks.
void flood_all(OneNode& one) {
    const auto table = one.parts().rates.table("per-hour", "subject");
    const CredentialSet& known = one.parts().snapshot->credentials;
    for (const std::string& id : known.ids())
        for (std::size_t i = 0; i < kRateKeysMax; ++i)
            table->take(known.find(id)->seat, id + std::to_string(i), {0.0028, 10}, one.world.now().mono);
}

}  // namespace

TEST_CASE("node: a flood of subjects takes a credential neither its rate nor its newcomers") {
    OneNode one(kRules);
    exchange(one.config, "id = \"app-a\"\n", "id = \"app-a\"\nrate = { per_second = 2000, burst = 4000 }\n");
    REQUIRE(one.start());
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").status == 200);
    flood(one);
    CHECK(one.ask("o-2", "LOGIN", "user-1").status == 200);
    CHECK(one.ask("o-3", "LOGIN", "user-2").status == 200);
}

TEST_CASE("node: a rule without room for a new subject sheds it, says so, and keeps those that it knows") {
    OneNode one(kRules);
    REQUIRE(one.start());
    CHECK(verdict_of(one) == "ok: live");
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").status == 200);
    flood(one);
    flood_all(one);
    CHECK(verdict_of(one).find(kFull) == 0);
    one.run_for(11s);
    CHECK(verdict_of(one) == "ok: live");
    const std::string series = "holdfast_precheck_denied_total{rule=\"per-hour\"}";
    const double before = metric(one, series);
    const OneNode::Got shed = one.ask("o-2", "LOGIN", "user-2");
    CHECK(shed.status == 503);
    CHECK(shed.text("code") == "Overloaded");
    CHECK(shed.text("message") == "per-hour: too many are counted: no room for one more");
    CHECK_FALSE(shed.headers_retry_after.empty());
    CHECK(metric(one, series) == before + 1);
    CHECK(verdict_of(one).find(kFull) == 0);
    CHECK(one.ask("o-3", "LOGIN", "user-1").status == 200);
    CHECK(one.ask("o-1", "LOGIN", "user-1").status == 200);
}

TEST_CASE("node: an order that is recorded is answered though its subject finds no room") {
    OneNode one(kRules);
    REQUIRE(one.start());
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").status == 200);
    one.run_for(10min);  // its key is refilled, and its order still known
    flood(one);
    flood_all(one);
    CHECK(one.ask("o-2", "LOGIN", "user-1").status == 503);
    CHECK(one.ask("o-1", "LOGIN", "user-1").status == 200);
}

TEST_CASE("node: a reload keeps what credentials and subjects have spent, and gives a new rule an empty table") {
    Reloading r(kRules);
    exchange(r.one.config, "id = \"app-a\"\n", "id = \"app-a\"\nrate = { per_second = 0.01, burst = 12 }\n");
    r.write(r.one.config);
    REQUIRE(r.reload().ok);
    for (int i = 0; i < 10; ++i) REQUIRE(r.one.ask(fmt::format("o-{}", i), "LOGIN", "user-1").status == 200);
    r.write(r.one.config + "[[precheck]]\nname = \"once\"\nkind = \"rate\"\nrate = { per_second = 0.01 }\n");
    REQUIRE(r.reload().ok);
    const OneNode::Got spent = r.one.ask("o-10", "LOGIN", "user-1");
    CHECK(spent.text("code") == "RateLimited");
    CHECK(spent.text("message").find("per-hour: ") == 0);
    CHECK(r.one.ask("o-11", "LOGIN", "user-2").status == 200);
    const OneNode::Got over = r.one.ask("o-12", "LOGIN", "user-3");
    CHECK(over.text("code") == "RateLimited");
    CHECK(over.text("message").find("credential-rate: ") == 0);
}
