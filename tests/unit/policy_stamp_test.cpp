#include "policy/stamp.h"

#include <catch2/catch.hpp>

using namespace holdfast;

namespace {

constexpr std::uint64_t kBoot = 7, kOther = 8;

Now at(Nanos mono, Nanos wall) {
    return {MonoTime(mono), WallTime(wall)};
}

} // namespace

TEST_CASE("stamp: an age is the greater of both clocks within a boot") {
    const Stamp made = stamp(at(1000s, 5000s), kBoot);
    CHECK(oldest_age(made, at(1010s, 5010s), kBoot) == Nanos(10s));
    CHECK(oldest_age(made, at(1010s, 5001s), kBoot) == Nanos(10s));
    CHECK(oldest_age(made, at(1010s, 5999s), kBoot) == Nanos(999s));
}

TEST_CASE("stamp: no jump of the wall clock makes anything younger") {
    const Stamp made = stamp(at(1000s, 5000s), kBoot);
    for (const Nanos jump : {Nanos(-4000s), Nanos(-20s), Nanos(-10s), Nanos(0s), Nanos(10s), Nanos(4000s)}) {
        const Now later = at(1020s, Nanos(5020s) + jump);
        const auto age = oldest_age(made, later, kBoot);
        CHECK((!age || *age >= Nanos(20s)));
        CHECK(youngest_age(made, later, kBoot) == Nanos(20s));
    }
}

TEST_CASE("stamp: a moment in the future of either clock has no age") {
    const Stamp made = stamp(at(1000s, 5000s), kBoot);
    CHECK_FALSE(oldest_age(made, at(1010s, 4999s), kBoot));
    CHECK_FALSE(oldest_age(made, at(999s, 5010s), kBoot));
    CHECK_FALSE(oldest_age(made, at(5s, 4999s), kOther));
    CHECK(youngest_age(made, at(999s, 5010s), kBoot) == Nanos(0));
}

TEST_CASE("stamp: between boots the uptime is the least age") {
    const Stamp made = stamp(at(1000s, 5000s), kBoot);
    CHECK(oldest_age(made, at(30s, 5010s), kOther) == Nanos(30s));
    CHECK(oldest_age(made, at(30s, 5100s), kOther) == Nanos(100s));
    CHECK(youngest_age(made, at(30s, 9999s), kOther) == Nanos(30s));
}

TEST_CASE("stamp: boots that cannot be told apart prove nothing") {
    const Stamp made = stamp(at(1000s, 5000s), 0);
    CHECK(youngest_age(made, at(1010s, 5010s), 0) == Nanos(0));
    CHECK(youngest_age(made, at(1010s, 5010s), kBoot) == Nanos(0));
    CHECK(oldest_age(made, at(1010s, 5010s), 0) == Nanos(1010s));
}
