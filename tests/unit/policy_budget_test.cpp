#include "policy/budget.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "edge/base/rng.h"

using namespace holdfast;

namespace {

constexpr std::uint64_t kBoot = 3;
const SipKey kKey{4};

struct Fixture {
    Budget budget{kKey, kBoot};
    Now now{MonoTime(50'000s), WallTime(Seconds(1'800'000'000))};
    BudgetLimits limits{3, 1};
    void pass(Nanos time) {
        now.mono += time;
        now.wall += time;
    }
    std::optional<Spend> spend(std::uint64_t subject, std::string_view scene = "LOGIN") {
        return budget.try_spend(scene, subject, limits, now);
    }
};

} // namespace

TEST_CASE("budget: a scene spends its budget in any minute, exactly") {
    Fixture f;
    CHECK(f.spend(1));
    f.pass(30s);
    CHECK(f.spend(2));
    CHECK(f.spend(3));
    CHECK_FALSE(f.spend(4));
    CHECK(f.spend(4, "OTHER"));
    CHECK(f.budget.spent_last_minute("LOGIN", f.now) == 3);
    f.pass(30s);
    CHECK(f.spend(5));
    CHECK_FALSE(f.spend(6));
    f.pass(30s - Nanos(1));
    CHECK_FALSE(f.spend(6));
    f.pass(Nanos(1));
    CHECK(f.spend(6));
    CHECK(f.spend(7));
    CHECK_FALSE(f.spend(8));
}

TEST_CASE("budget: a subject spends its share in any hour, exactly") {
    Fixture f;
    f.limits = {100, 2};
    CHECK(f.spend(1));
    f.pass(40min);
    CHECK(f.spend(1));
    CHECK_FALSE(f.spend(1));
    CHECK(f.spend(2));
    f.pass(20min - Nanos(1));
    CHECK_FALSE(f.spend(1));
    f.pass(Nanos(1));
    CHECK(f.spend(1));
    CHECK_FALSE(f.spend(1));
}

TEST_CASE("budget: no budget spends nothing") {
    Fixture f;
    f.limits = {0, 1};
    CHECK_FALSE(f.spend(1));
    f.limits = {1, 0};
    CHECK_FALSE(f.spend(1));
    CHECK_FALSE(f.budget.has_room("LOGIN", 1, f.limits, f.now));
    CHECK(f.budget.has_scene_room("LOGIN", f.limits, f.now));
    CHECK_FALSE(f.budget.has_subject_room(1, f.limits, f.now));
}

TEST_CASE("budget: a refund gives back both budgets, once") {
    Fixture f;
    f.limits = {1, 1};
    const auto spend = f.spend(1);
    REQUIRE(spend);
    CHECK_FALSE(f.spend(1));
    CHECK(f.budget.refund(*spend));
    CHECK_FALSE(f.budget.refund(*spend));
    CHECK(f.spend(1));
    CHECK_FALSE(f.spend(2));
}

TEST_CASE("budget: no jump of the wall clock refills anything") {
    Fixture f;
    f.limits = {1, 1};
    CHECK(f.spend(1));
    for (const Nanos jump : {Nanos(48h), Nanos(-48h), Nanos(10min)}) {
        f.now.wall += jump;
        CHECK_FALSE(f.spend(1));
        CHECK_FALSE(f.spend(2));
    }
    f.now.mono += 1min;
    CHECK(f.spend(2));
    CHECK_FALSE(f.spend(1));
}

TEST_CASE("budget: spends survive a restart within a boot at their true age") {
    Fixture f;
    f.limits = {1, 1};
    const auto spend = f.spend(1);
    REQUIRE(spend);
    const auto back = decode_spend(spend->encode());
    REQUIRE(back);
    CHECK(*back == *spend);
    f.pass(59s);
    f.now.wall += 24h;
    Fixture after;
    after.limits = f.limits;
    after.now = f.now;
    CHECK(after.budget.restore(*back, after.now));
    CHECK_FALSE(after.spend(2));
    after.pass(1s);
    const auto next = after.spend(2);
    REQUIRE(next);
    CHECK(next->serial > back->serial);
    CHECK_FALSE(after.spend(1));
    after.pass(59min);
    CHECK(after.spend(1));
}

TEST_CASE("budget: after a reboot a spend is only as old as the machine is up") {
    Fixture f;
    f.limits = {1, 1};
    const auto spend = f.spend(1);
    REQUIRE(spend);
    Budget after(kKey, kBoot + 1);
    Now now{MonoTime(30s), f.now.wall + 48h};
    CHECK(after.restore(*spend, now));
    CHECK_FALSE(after.has_room("LOGIN", 2, f.limits, now));
    now.mono += 30s;
    CHECK(after.has_room("LOGIN", 2, f.limits, now));
    CHECK_FALSE(after.has_subject_room(1, f.limits, now));
    Budget long_up(kKey, kBoot + 1);
    CHECK_FALSE(long_up.restore(*spend, {MonoTime(1h), f.now.wall}));
}

TEST_CASE("budget: spends that are over are handed out once, to be erased") {
    Fixture f;
    const auto first = f.spend(1), second = f.spend(2);
    f.pass(30min);
    const auto third = f.spend(3);
    f.pass(30min);
    const auto over = f.budget.expire(f.now);
    REQUIRE(over.size() == 2);
    CHECK(over[0].key() == first->key());
    CHECK(over[1].key() == second->key());
    CHECK(f.budget.expire(f.now).empty());
    CHECK(f.budget.size() == 1);
    CHECK(third->key() == "spend/0000000000000003");
}

TEST_CASE("budget: restored in any order, it counts the same") {
    Fixture f;
    f.limits = {100, 100};
    std::vector<Spend> spends;
    Rng rng(9);
    for (int i = 0; i < 50; ++i) {
        spends.push_back(*f.spend(rng.below(5)));
        f.pass(Millis(rng.below(4000)));
    }
    std::reverse(spends.begin(), spends.end());
    Budget after(kKey, kBoot);
    for (const Spend& spend : spends) CHECK(after.restore(spend, f.now));
    for (int i = 0; i < 50; ++i) {
        CHECK(after.spent_last_minute("LOGIN", f.now) == f.budget.spent_last_minute("LOGIN", f.now));
        f.pass(2s);
    }
}

TEST_CASE("budget: bounded in spends and scenes") {
    Fixture f;
    f.limits = {kSpendsMax + 10, 1};
    for (std::size_t i = 0; i < kSpendsMax; ++i) REQUIRE(f.spend(i));
    CHECK_FALSE(f.spend(kSpendsMax));
    CHECK(f.budget.size() == kSpendsMax);
    f.pass(1h);
    CHECK(f.spend(kSpendsMax));
    Fixture scenes;
    for (std::size_t i = 0; i < kBudgetScenesMax; ++i) REQUIRE(scenes.spend(i, "S" + std::to_string(i)));
    CHECK_FALSE(scenes.spend(9999, "ONE-MORE"));
    CHECK(scenes.spend(9999, "S0"));
}

TEST_CASE("budget: a full one keeps every record of before a restart, and spends nothing") {
    Fixture f;
    f.limits = {10 * kSpendsMax, 1};
    Budget after(kKey, kBoot);
    Spend spend{0, "LOGIN", 0, stamp(f.now, kBoot)};
    for (std::size_t i = 0; i < kSpendsRestoredMax + 3; ++i) {
        spend.serial = spend.subject = i + 1;
        REQUIRE(after.restore(spend, f.now));  // false would erase a spend that still counts
    }
    CHECK(after.size() == kSpendsRestoredMax);
    CHECK_FALSE(after.has_room("LOGIN", 999'999'999, f.limits, f.now));
    f.pass(1h);
    CHECK_FALSE(after.restore(spend, f.now));
    CHECK(after.has_room("LOGIN", 1, f.limits, f.now));
}

TEST_CASE("budget: subjects are told apart by credential and scene") {
    const Budget budget(kKey, kBoot);
    const auto base = budget.subject_hash("app", "LOGIN", "u");
    CHECK(base == Budget(kKey, 0).subject_hash("app", "LOGIN", "u"));
    CHECK(base != budget.subject_hash("app", "PAYMENT", "u"));
    CHECK(base != budget.subject_hash("web", "LOGIN", "u"));
    CHECK(base != Budget(SipKey{5}, kBoot).subject_hash("app", "LOGIN", "u"));
}

TEST_CASE("budget: stored spends are read strictly") {
    Fixture f;
    const std::string good = f.spend(1)->encode();
    for (std::size_t n = 0; n < good.size(); ++n) CHECK_FALSE(decode_spend(good.substr(0, n)));
    CHECK_FALSE(decode_spend(good + "x"));
    std::string version = good;
    version[0] = 9;
    CHECK(decode_spend(version).error().code == Code::corrupt);
}
