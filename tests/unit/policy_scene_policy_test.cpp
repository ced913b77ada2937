#include "policy/scene_policy.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace holdfast;

namespace {

ScenePolicy full() {
    ScenePolicy out;
    for (Rung rung : {Rung::cache, Rung::feature, Rung::provisional}) out.ladder.add(rung);
    out.cache.max_age = 15min;
    out.feature = {24h, 0.82};
    out.provisional.budget_per_minute = 100;
    return out;
}

} // namespace

TEST_CASE("scene_policy: as compiled it has no rung and no room") {
    const ScenePolicy none;
    CHECK(none.ladder.size() == 0);
    CHECK(none.cache.max_age == Nanos(0));
    CHECK(none.feature.max_age == Nanos(0));
    CHECK(none.provisional.budget_per_minute == 0);
    CHECK_FALSE(fault_of(none));
}

TEST_CASE("scene_policy: a ladder keeps its order and no rung twice") {
    Ladder ladder;
    CHECK(ladder.add(Rung::provisional));
    CHECK(ladder.add(Rung::cache));
    CHECK_FALSE(ladder.add(Rung::cache));
    CHECK(ladder.size() == 2);
    CHECK(ladder[0] == Rung::provisional);
    CHECK(ladder.has(Rung::cache));
    CHECK_FALSE(ladder.has(Rung::feature));
    for (Rung rung : {Rung::cache, Rung::feature, Rung::provisional}) CHECK(parse_rung(name(rung)) == rung);
    CHECK_FALSE(parse_rung("none"));
}

TEST_CASE("scene_policy: numbers that cannot stand are named") {
    REQUIRE_FALSE(fault_of(full()));
    const auto fault = [](auto change) {
        ScenePolicy policy = full();
        change(policy);
        return fault_of(policy).value_or("");
    };
    CHECK(fault([](auto& p) { p.cache.overrun_percent = 26; }).starts_with("cache.overrun"));
    CHECK(fault([](auto& p) { p.cache.overrun_percent = 25; }).empty());
    CHECK(fault([](auto& p) { p.cache.max_age = Nanos(0); }).starts_with("cache.max_age"));
    CHECK(fault([](auto& p) { p.cache.fail_max_age = -1s; }).starts_with("cache.fail_max_age"));
    CHECK(fault([](auto& p) { p.feature.max_age = Nanos(0); }).starts_with("feature.max_age"));
    for (double bad : {0.0, -0.5, 1.1, std::nan("")})
        CHECK(fault([bad](auto& p) { p.feature.threshold = bad; }).starts_with("feature.threshold"));
    CHECK(fault([](auto& p) { p.provisional.budget_per_minute = 0; }).starts_with("provisional.budget"));
    CHECK(fault([](auto& p) {
              p.provisional.budget_per_minute = kBudgetPerMinuteMax + 1;
          }).starts_with("provisional.budget"));
    CHECK(fault([](auto& p) { p.provisional.per_subject_per_hour = kPerSubjectPerHourMax + 1; }) != "");
    CHECK(fault([](auto& p) { p.provisional.after = p.provisional.hard_stop; }).starts_with("provisional.after"));
}
