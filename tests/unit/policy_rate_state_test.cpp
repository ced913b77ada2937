#include "policy/rate_state.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

using namespace holdfast;

namespace {

const RateSpec kOnce{0.01, 1};
const MonoTime kThen(100s);

}  // namespace

TEST_CASE("rate_state: the table of a rule is the same for as long as somebody has the rule, by name and kind") {
    RateState rates(SipKey{3}, 64);
    auto table = rates.table("rule", "subject");
    CHECK(table->capacity() == 64);
    CHECK(table->take(kNoSeat, "u", kOnce, kThen).allowed);
    CHECK(rates.table("rule", "subject") == table);
    for (const auto& other : {rates.table("rule", "address"), rates.table("rule-2", "subject")})
        CHECK(other->take(kNoSeat, "u", kOnce, kThen).allowed);
    CHECK(rates.credential_rates("rule") != nullptr);
    table.reset();
    CHECK(rates.table("rule", "subject")->size() == 0);
}

TEST_CASE("rate_state: keys of one rule take no room from another's, and a full one is seen") {
    RateState rates(SipKey{3}, 64);
    const auto full = rates.table("a", "subject"), other = rates.table("b", "subject");
    CHECK_FALSE(rates.full_at());
    for (int i = 0; i < 1000; ++i) full->take(kNoSeat, std::to_string(i), kOnce, kThen);
    CHECK(rates.full_at() == kThen);
    CHECK(full->take(kNoSeat, "u", kOnce, kThen).no_room);
    for (int i = 0; i < 64; ++i) CHECK(other->take(kNoSeat, std::to_string(i), kOnce, kThen).allowed);
}

TEST_CASE("rate_state: a credential keeps its seat and what it has spent while others come and go") {
    RateState rates(SipKey{3});
    auto first = rates.seat({"a", "b"});
    const auto spent = rates.credential_rates("rule");
    const RateSeat a = (*first)[0], b = (*first)[1];
    REQUIRE(a != kNoSeat);
    REQUIRE(b != kNoSeat);
    REQUIRE(a != b);
    CHECK(spent->take(a, kOnce, kThen).allowed);
    CHECK(spent->take(b, kOnce, kThen).allowed);
    auto second = rates.seat({"c", "b", "d"});
    CHECK((*second)[1] == b);
    for (const std::size_t i : {0u, 2u}) {
        CHECK((*second)[i] != a);  // somebody may still ask by it
        CHECK(rates.credential_rates("rule")->take((*second)[i], kOnce, kThen).allowed);
    }
    CHECK_FALSE(spent->peek(b, kOnce, kThen).allowed);
    first.reset();
    auto third = rates.seat({"a", "b"});
    CHECK(*third == std::vector<RateSeat>{a, b});
    CHECK_FALSE(spent->peek(a, kOnce, kThen).allowed);
    third.reset();
    const auto fourth = rates.seat({"e", "b"});
    CHECK(*fourth == std::vector<RateSeat>{a, b});  // nobody's any more, and refilled for whom it is given to
    CHECK(spent->take(a, kOnce, kThen).allowed);
    CHECK_FALSE(spent->take(b, kOnce, kThen).allowed);
}

TEST_CASE("rate_state: seats are as many as credentials at once, however many there were") {
    RateState rates(SipKey{3});
    RateState::Seats seats;
    RateSeat most = 0;
    for (int i = 0; i < 1000; ++i) {
        seats = rates.seat({"a" + std::to_string(i), "b" + std::to_string(i)});
        for (const RateSeat seat : *seats) most = std::max(most, seat);
    }
    CHECK(most <= 4);
}

TEST_CASE("rate_state: tables of before and after share between the credentials in force") {
    RateState rates(SipKey{3}, 1000);
    const auto seats = rates.seat({"a", "b"});
    const auto before = rates.table("before", "subject");
    rates.set_shares(seats);
    for (const auto& table : {before, rates.table("after", "subject")}) {
        for (int i = 0; i < 2000; ++i) table->take((*seats)[0], std::to_string(i), kOnce, kThen);
        CHECK(table->size() == 750);
        CHECK(table->take((*seats)[1], "own", kOnce, kThen).allowed);
    }
}
