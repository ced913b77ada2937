// How many looks at requests become entries of the journal, whoever looks and however often.
#include "edge/look_limit.h"

#include <catch2/catch.hpp>

using namespace holdfast;

namespace {

using Verdict = LookLimit::Verdict;
constexpr MonoTime kStart{1000s};

}  // namespace

TEST_CASE("look limit: one entry a minute for the same request and address") {
    LookLimit limit;
    CHECK(limit.look("a", "127.0.0.1", kStart) == Verdict::enter);
    CHECK(limit.look("a", "127.0.0.1", kStart) == Verdict::covered);
    CHECK(limit.look("a", "127.0.0.2", kStart) == Verdict::enter);
    CHECK(limit.look("b", "127.0.0.1", kStart) == Verdict::enter);
    CHECK(limit.look("a", "127.0.0.1", kStart + LookLimit::kSame - Nanos(1)) == Verdict::covered);
    CHECK(limit.look("a", "127.0.0.1", kStart + LookLimit::kSame) == Verdict::enter);
}

TEST_CASE("look limit: all together have a burst, and then one at a time") {
    LookLimit limit;
    for (int i = 0; i < LookLimit::kBurst; ++i) CHECK(limit.look(std::to_string(i), "p", kStart) == Verdict::enter);
    CHECK(limit.look("more", "p", kStart) == Verdict::refuse);
    CHECK(limit.look("more", "other", kStart) == Verdict::refuse);
    CHECK(limit.look("0", "p", kStart) == Verdict::covered);  // that one is written down
    CHECK(limit.wait(kStart) == LookLimit::kRefill);
    CHECK(limit.wait(kStart + 4s) == LookLimit::kRefill - 4s);
    CHECK(limit.look("more", "p", kStart + LookLimit::kRefill - Nanos(1)) == Verdict::refuse);
    CHECK(limit.look("more", "p", kStart + LookLimit::kRefill) == Verdict::enter);
    CHECK(limit.look("again", "p", kStart + LookLimit::kRefill) == Verdict::refuse);
}

TEST_CASE("look limit: a day of looking as fast as one can is ten entries a minute") {
    LookLimit limit;
    int entered = 0, asked = 0;
    for (Nanos at{0}; at < 24h; at += 500ms)
        entered += limit.look(std::to_string(asked++), "p", kStart + at) == Verdict::enter;
    CHECK(entered >= 24 * 60 * 10);
    CHECK(entered <= 24 * 60 * 10 + LookLimit::kBurst);
}
