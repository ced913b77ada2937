#include "policy/feature_match.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

using namespace holdfast;

namespace {

std::vector<float> ramp(std::size_t n, float slope) {
    std::vector<float> out;
    for (std::size_t i = 0; i < n; ++i) out.push_back(1.0f + slope * static_cast<float>(i));
    return out;
}

} // namespace

TEST_CASE("feature_match: cosine of equal, scaled, opposite and orthogonal vectors") {
    const auto a = ramp(128, 0.1f);
    auto scaled = a, opposite = a, left = a, right = a;
    for (std::size_t i = 0; i < a.size(); ++i) {
        scaled[i] *= 1e-3f;
        opposite[i] = -a[i];
        left[i] = i % 2 ? 1.0f : 0.0f;
        right[i] = i % 2 ? 0.0f : 1.0f;
    }
    CHECK(*similarity(a, "", a, "") == Approx(1.0));
    CHECK(*similarity(a, "m", scaled, "m") == Approx(1.0));
    CHECK(*similarity(a, "", opposite, "") == Approx(-1.0));
    CHECK(*similarity(left, "", right, "") == Approx(0.0).margin(1e-12));
    CHECK(*similarity(a, "", a, "") <= 1.0);
}

TEST_CASE("feature_match: nothing is concluded where nothing can be") {
    const auto a = ramp(128, 0.1f);
    CHECK_FALSE(similarity(a, "", ramp(129, 0.1f), ""));
    CHECK_FALSE(similarity(a, "v1", a, "v2"));
    CHECK_FALSE(similarity(a, "v1", a, ""));
    CHECK_FALSE(similarity(a, "", std::vector<float>(128, 0.0f), ""));
    CHECK_FALSE(similarity(std::vector<float>(128, 0.0f), "", a, ""));
    CHECK_FALSE(similarity({}, "", {}, ""));
    CHECK_FALSE(similarity(ramp(63, 1), "", ramp(63, 1), ""));
    CHECK_FALSE(similarity(ramp(1025, 1), "", ramp(1025, 1), ""));
    auto broken = a;
    for (float value : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
        broken[5] = value;
        CHECK_FALSE(similarity(a, "", broken, ""));
    }
}

TEST_CASE("feature_match: the largest and smallest values neither overflow nor vanish") {
    const std::vector<float> huge(1024, std::numeric_limits<float>::max()),
        tiny(1024, std::numeric_limits<float>::denorm_min());
    CHECK(*similarity(huge, "", tiny, "") == Approx(1.0));
}
