#include <catch2/catch.hpp>

#include <span>
#include <string>
#include <vector>

#include "tests/sim/world.h"
#include "tests/support/effort.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

// More than these by sim_main --seed=S --count=N.
constexpr std::uint64_t kSeeds = 200, kPerCase = 50;
static_assert(kSeeds == 4 * kPerCase);

void hold(std::uint64_t part) {
    for (std::uint64_t seed = part * kPerCase + 1; seed <= part * kPerCase + effort(kPerCase); ++seed) {
        const WorldReport report = run_world({seed, Mutant::none, false});
        INFO(report.text());
        CHECK(report.ok());
    }
}

using Rules = std::vector<std::string>;

// Those of `rules` that the planted bug breaks in none of the first worlds.
Rules unbroken(Rules rules, Mutant mutant) {
    for (std::uint64_t seed = 1; seed <= 60 && !rules.empty(); ++seed) {
        const WorldReport report = run_world({seed, mutant, false});
        std::erase_if(rules, [&report](const std::string& rule) { return report.broke(rule); });
    }
    return rules;
}

}  // namespace

TEST_CASE("sim: nothing is let in and everything heals, seeds 1 to 50") {
    hold(0);
}

TEST_CASE("sim: nothing is let in and everything heals, seeds 51 to 100") {
    hold(1);
}

TEST_CASE("sim: nothing is let in and everything heals, seeds 101 to 150") {
    hold(2);
}

TEST_CASE("sim: nothing is let in and everything heals, seeds 151 to 200") {
    hold(3);
}

TEST_CASE("sim: the outage that an order makes ends with the order") {
    WorldFolder folder;
    SimLoop world;
    SimNet net(world, 1);
    NodeView view(world);
    SimHost host(net, view, kNodeAddress);
    SimOffload offload(view, 1);
    ConfigEnvironment env;
    env.now = world.now().wall;
    ConfigOutcome parsed = parse_config(config_text(WorldPlan{}, folder.path()), "sim.toml", env);
    REQUIRE(parsed.config);
    auto node = Node::start(std::move(*parsed.config), NodeSeams{view, host, host, offload, {}, 1, 1, {}});
    REQUIRE(node);
    const MonoTime begun = world.now().mono;
    bool stands = false;
    Operators(**node, "test").degrade(Mode::degraded, "", 2500ms, "a test", [&stands](Result<void> done) {
        stands = done.has_value();
    });
    world.run_until(begun + 2499ms);
    REQUIRE(stands);
    const auto outage = [&] { return (*node)->parts().outages.facts("LOGIN", view.now()).active; };
    CHECK(outage());
    world.run_until(begun + 2502ms);  // long before the next tick of the node
    CHECK_FALSE(outage());
}

TEST_CASE("sim: a seed replays exactly") {
    constexpr std::uint64_t kSome[] = {3, 7, 24, 58};
    for (const std::uint64_t seed : std::span(kSome).first(effort(4))) {
        const WorldReport once = run_world({seed, Mutant::none, false});
        const WorldReport again = run_world({seed, Mutant::none, false});
        INFO(once.text() << again.text());
        CHECK(once.hash == again.hash);
        CHECK(once.events == again.events);
        CHECK(once.requests > 100);
    }
}

TEST_CASE("sim: other seeds are other worlds") {
    CHECK(run_world({5, Mutant::none, false}).hash != run_world({6, Mutant::none, false}).hash);
}

TEST_CASE("sim: the worlds together reach every kind of answer") {
    constexpr std::uint64_t kAll = 30, kWorlds = effort(kAll, 8);
    WorldReport sum;
    for (std::uint64_t seed = 1; seed <= kWorlds; ++seed) {
        const WorldReport one = run_world({seed, Mutant::none, false});
        sum.live += one.live;
        sum.cached += one.cached;
        sum.featured += one.featured;
        sum.provisional += one.provisional;
        sum.refused += one.refused;
        sum.crashes += one.crashes;
    }
    // Bounds of all of them; of a part, the part.
    CHECK(sum.live * kAll > 1000 * kWorlds);
    CHECK(sum.cached * kAll > 200 * kWorlds);
    CHECK(sum.featured * kAll > 20 * kWorlds);
    CHECK(sum.provisional * kAll > 50 * kWorlds);
    CHECK(sum.refused * kAll > 500 * kWorlds);
    CHECK(sum.crashes * kAll > 10 * kWorlds);
}

TEST_CASE("sim: checkers fire when the centre had not said pass") {
    CHECK(unbroken({"live-from-centre", "cache-from-centre"}, Mutant::centre_flips) == Rules{});
}

TEST_CASE("sim: a checker fires when a revocation is not obeyed") {
    CHECK(unbroken({"revocation"}, Mutant::forgets_revoke) == Rules{});
}

TEST_CASE("sim: checkers fire when a degraded order is not obeyed") {
    CHECK(unbroken({"forced-degraded", "order-stands"}, Mutant::forgets_degrade) == Rules{});
}

TEST_CASE("sim: a checker fires when a request is answered twice") {
    CHECK(unbroken({"answered-once"}, Mutant::answers_twice) == Rules{});
}

TEST_CASE("sim: checkers fire when a restart forgets nonces and orders") {
    CHECK(unbroken({"nonce-once", "live-answer-kept"}, Mutant::erases_state) == Rules{});
}

TEST_CASE("sim: a checker fires when the journal was edited") {
    CHECK(unbroken({"journal"}, Mutant::edits_journal) == Rules{});
}

TEST_CASE("sim: a checker fires when an entry of the journal is missing") {
    CHECK(unbroken({"provisional-journalled"}, Mutant::hides_provisional) == Rules{});
}

TEST_CASE("sim: a checker fires when a world does not heal") {
    CHECK(unbroken({"live-after-heal"}, Mutant::keeps_circuit_open) == Rules{});
}
