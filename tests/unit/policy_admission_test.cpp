#include "policy/admission.h"

#include <catch2/catch.hpp>

using namespace holdfast;

TEST_CASE("admission: requests are taken up to each limit and not beyond") {
    const LoadLimits limits{1000, 10};
    CHECK(shed({0, 0, false}, limits, 1000) == Shed::no);
    CHECK(shed({0, 0, false}, limits, 1001) == Shed::memory);
    CHECK(shed({600, 9, false}, limits, 400) == Shed::no);
    CHECK(shed({600, 9, false}, limits, 401) == Shed::memory);
    CHECK(shed({1001, 0, false}, limits, 0) == Shed::memory);
    CHECK(shed({600, 9, false}, limits, UINT64_MAX) == Shed::memory);
    CHECK(shed({0, 10, false}, limits, 0) == Shed::in_flight);
    CHECK(shed({0, 0, true}, limits, 0) == Shed::draining);
}
