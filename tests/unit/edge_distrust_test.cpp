#include <catch2/catch.hpp>

#include <string>

#include "edge/distrust.h"

using namespace holdfast;

namespace {

struct Key {  // the owner of what its view names
    explicit Key(int i) : subject("s" + std::to_string(i)) {}
    operator SubjectKey() const { return {"shop", subject, "login", ""}; }
    std::string subject;
};

}  // namespace

TEST_CASE("distrust: a key is distrusted for its time, others are not") {
    Distrust d(SipKey{});
    const MonoTime t0{1h};
    d.add(Key(1), t0 + 10s, t0);
    CHECK(d.holds(Key(1), t0));
    CHECK_FALSE(d.holds(Key(2), t0));
    CHECK_FALSE(d.holds(Key(1), t0 + 10s));
    CHECK(d.size() == 0);
}

TEST_CASE("distrust: what could not be written down is known until something newer is") {
    Distrust d(SipKey{});
    const MonoTime t0{1h};
    d.add(Key(1), t0 + 10s, t0, Distrust::Refusal{{t0, WallTime{}}, Verdict::review, Seconds(5), 7});
    d.add(Key(2), t0 + 10s, t0);
    REQUIRE(d.refusal(Key(1)));
    CHECK(d.refusal(Key(1))->verdict == Verdict::review);
    CHECK(d.refusal(Key(1))->max_age == Seconds(5));
    CHECK(d.refusal(Key(1))->epoch == 7);
    CHECK_FALSE(d.refusal(Key(2)));
    CHECK_FALSE(d.refusal(Key(3)));
    d.forget_refusal(Key(1));
    CHECK_FALSE(d.refusal(Key(1)));
    CHECK(d.holds(Key(1), t0));  // an older pass may still be what the disk has
}

TEST_CASE("distrust: ticks forget all that is over and nothing else, each a part of it") {
    Distrust d(SipKey{});
    const MonoTime t0{1h};
    const int many = 20'000;
    for (int i = 0; i < many; ++i) d.add(Key(i), t0 + (i % 2 == 0 ? 1s : 1h), t0);
    d.expire(t0 + 2s);
    CHECK(d.size() > many * 3 / 4);
    for (int i = 0; i < 100; ++i) d.expire(t0 + 2s);
    CHECK(d.size() == many / 2);
    CHECK(d.holds(Key(1), t0 + 2s));
    for (int i = 0; i < 100; ++i) d.expire(t0 + 2h);
    CHECK(d.size() == 0);
}

TEST_CASE("distrust: when there is no room every key is distrusted until the last one ends") {
    Distrust d(SipKey{});
    const MonoTime t0{1h};
    for (std::size_t i = 0; i < Distrust::kKeysMax; ++i) d.add(Key(int(i)), t0 + 1s, t0);
    CHECK_FALSE(d.holds(Key(-1), t0));
    d.add(Key(-2), t0 + 60s, t0);
    CHECK(d.holds(Key(-1), t0 + 59s));
    CHECK_FALSE(d.holds(Key(-1), t0 + 60s));
}

TEST_CASE("distrust: keys whose time is over make room for a new one") {
    Distrust d(SipKey{});
    const MonoTime t0{1h};
    for (std::size_t i = 0; i < Distrust::kKeysMax; ++i) d.add(Key(int(i)), t0 + 1s, t0);
    d.add(Key(-2), t0 + 60s, t0 + 2s);
    CHECK(d.holds(Key(-2), t0 + 3s));
    CHECK_FALSE(d.holds(Key(-1), t0 + 3s));
}

TEST_CASE("distrust: a full one looks for room at most every 100 ms") {
    Distrust d(SipKey{});
    const MonoTime t0{1h}, looked = t0 + 950ms;
    for (std::size_t i = 0; i < Distrust::kKeysMax; ++i) d.add(Key(int(i)), t0 + 1s, t0);
    d.add(Key(-1), t0 + 60s, looked);
    d.add(Key(-2), t0 + 60s, looked + Distrust::kExpireEvery - 1ms);
    CHECK(d.full());
    CHECK(d.holds(Key(-2), t0 + 59s));  // as everybody is
    d.add(Key(-3), t0 + 60s, looked + Distrust::kExpireEvery);
    CHECK_FALSE(d.full());
}

TEST_CASE("distrust: a key that is in it takes what is newer also when there is no room for another") {
    Distrust d(SipKey{});
    const MonoTime t0{1h};
    const Distrust::Refusal review{{t0, WallTime{}}, Verdict::review, {}, 7};
    const Distrust::Refusal fail{{t0 + 1s, WallTime{}}, Verdict::fail, {}, 8};
    for (std::size_t i = 0; i < Distrust::kKeysMax; ++i) d.add(Key(int(i)), t0 + 60s, t0, review);
    CHECK_FALSE(d.has_room(Key(-1)));
    REQUIRE(d.has_room(Key(1)));
    d.add(Key(1), t0 + 120s, t0 + 1s, fail);
    REQUIRE(d.refusal(Key(1)));
    CHECK(d.refusal(Key(1))->verdict == Verdict::fail);
    CHECK(d.holds(Key(1), t0 + 119s));
    CHECK_FALSE(d.holds(Key(-1), t0 + 1s));  // it has not cost the others anything
}
