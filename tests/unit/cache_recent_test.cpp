#include <catch2/catch.hpp>

#include <random>

#include "cache/recent_answers.h"

using namespace holdfast;

namespace {

// As the keyed hash spreads them.
std::vector<OutcomeKey> keys(std::size_t count) {
    std::mt19937_64 random(7);
    std::vector<OutcomeKey> out(count);
    for (OutcomeKey& key : out)
        for (auto& byte : key) byte = static_cast<std::remove_reference_t<decltype(byte)>>(random());
    return out;
}

RecentAnswers::Seen seen(std::uint64_t print) {
    return {{MonoTime(Nanos(static_cast<Nanos::rep>(print))), WallTime{}}, 0, print};
}

}  // namespace

TEST_CASE("recent answers: of 2,000 people in turns nineteen of twenty are found again") {
    RecentAnswers recent;
    const auto people = keys(2'000);
    std::uint64_t found = 0, print = 0;
    for (int round = 0; round < 10; ++round) {
        for (const OutcomeKey& key : people) {
            if (recent.find(key) != nullptr)
                ++found;
            else
                recent.note(key, seen(++print));
        }
    }
    CHECK(found > 9 * people.size() * 94 / 100);
}

TEST_CASE("recent answers: a key has its last answer only, and none once it is forgotten, however many came") {
    RecentAnswers recent;
    const auto people = keys(10'000);
    for (std::size_t i = 0; i < people.size(); ++i) {
        recent.note(people[i], seen(i));
        recent.note(people[i], seen(i + 1));
        REQUIRE(recent.find(people[i]) != nullptr);
        CHECK(recent.find(people[i])->print == i + 1);
        if (i % 2 == 0) recent.forget(people[i]);
        if (i % 2 == 0) CHECK(recent.find(people[i]) == nullptr);
    }
    std::size_t kept = 0;
    for (std::size_t i = 0; i < people.size(); ++i) {
        const auto* at = recent.find(people[i]);
        if (at == nullptr) continue;
        ++kept;
        CHECK(at->print == i + 1);
        CHECK(i % 2 == 1);
    }
    CHECK(kept > 3'500);
    recent.forget_all();
    for (const OutcomeKey& key : people) CHECK(recent.find(key) == nullptr);
}
