#include "policy/nonce_window.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "edge/base/rng.h"

using namespace holdfast;
using Insert = NonceWindow::Insert;

namespace {

constexpr Seconds kWindow{300};
const SipKey kKey{1, 2, 3};

struct Fixture {
    NonceWindow nonces;
    Now now{MonoTime(5000s), WallTime(Seconds(1'800'000'000))};
    explicit Fixture(std::size_t capacity = 1000) : nonces(capacity, kWindow, kKey) { nonces.set_owners({"app"}); }
    void pass(Nanos time) {
        now.mono += time;
        now.wall += time;
    }
    // A request signed `ahead` of the node's clock.
    Insert use(const std::string& nonce, const std::string& id = "app", Seconds ahead = Seconds(0)) {
        const WallTime expiry = from_unix_seconds(unix_seconds(now.wall) + ahead.count() + kWindow.count() + 1);
        return nonces.insert(nonces.fingerprint(id, nonce), expiry, now);
    }
};

} // namespace

TEST_CASE("nonce_window: a nonce is fresh once for each secret id") {
    Fixture f;
    CHECK(f.use("n1") == Insert::fresh);
    CHECK(f.use("n1") == Insert::replayed);
    CHECK(f.use("n1", "other") == Insert::fresh);
    CHECK(f.use("n2") == Insert::fresh);
    CHECK(f.nonces.size() == 3);
}

TEST_CASE("nonce_window: a nonce counts until its end and not much longer") {
    Fixture f;
    CHECK(f.use("n1") == Insert::fresh);
    f.pass(300s);
    CHECK(f.use("n1") == Insert::replayed);
    f.pass(4s);
    CHECK(f.use("n1") == Insert::fresh);
    CHECK(f.use("early", "app", kWindow) == Insert::fresh);
    f.pass(600s);
    CHECK(f.use("early", "app", Seconds(0)) == Insert::replayed);
    f.pass(4s);
    CHECK(f.use("early") == Insert::fresh);
}

TEST_CASE("nonce_window: a wall clock that goes back lets nothing in twice") {
    Fixture f;
    const Now then = f.now;
    const auto fingerprint = f.nonces.fingerprint("app", "n1");
    const WallTime expiry = then.wall + Seconds(301);
    CHECK(f.nonces.insert(fingerprint, expiry, then) == Insert::fresh);
    // Long after its end, the wall clock shows the moment of the first use again.
    for (const Nanos later : {Nanos(10s), Nanos(400s), Nanos(2h)}) {
        const Now again{then.mono + later, then.wall};
        CHECK(f.nonces.insert(fingerprint, expiry, again) != Insert::fresh);
    }
    // A clock that is right again finds the window open.
    f.pass(2h);
    CHECK(f.use("n2") == Insert::fresh);
}

TEST_CASE("nonce_window: a wall clock that runs ahead for a while forgets nothing that can come again") {
    Fixture f;
    const Now then = f.now;
    const auto fingerprint = f.nonces.fingerprint("app", "n1");
    const WallTime expiry = then.wall + Seconds(301);
    CHECK(f.nonces.insert(fingerprint, expiry, then) == Insert::fresh);
    CHECK(f.nonces.insert(f.nonces.fingerprint("app", "n2"), then.wall + 3h, {then.mono + 1s, then.wall + 2h}) ==
          Insert::fresh);
    CHECK(f.nonces.insert(fingerprint, expiry, {then.mono + 2s, then.wall + 2s}) == Insert::replayed);
}

TEST_CASE("nonce_window: full refuses, and has room again when nonces end") {
    Fixture f(100);
    for (int i = 0; i < 100; ++i) CHECK(f.use("n" + std::to_string(i)) == Insert::fresh);
    CHECK(f.use("one more") == Insert::full);
    CHECK(f.use("n5") == Insert::replayed);
    f.pass(304s);
    for (int i = 0; i < 100; ++i) CHECK(f.use("m" + std::to_string(i)) == Insert::fresh);
    CHECK(f.use("one more") == Insert::full);
    CHECK(f.nonces.size() == 100);
}

TEST_CASE("nonce_window: one caller cannot fill it for another") {
    Fixture f(1000);
    f.nonces.set_owners({"greedy", "quiet", "third"});
    int greedy = 0;
    while (f.use("g" + std::to_string(greedy), "greedy") == Insert::fresh) ++greedy;
    CHECK(greedy >= 1000 / 2 + 1000 / 6);
    for (int i = 0; i < 1000 / 6; ++i) {
        CHECK(f.use("q" + std::to_string(i), "quiet") == Insert::fresh);
        CHECK(f.use("t" + std::to_string(i), "third") == Insert::fresh);
    }
    CHECK(f.use("more", "greedy") == Insert::full);
    CHECK(f.use("stranger", "unknown") == Insert::full);
}

TEST_CASE("nonce_window: shares follow a change of credentials") {
    Fixture f(1000);
    f.nonces.set_owners({"a", "b"});
    int a = 0;
    while (f.use("n" + std::to_string(a), "a") == Insert::fresh) ++a;
    f.nonces.set_owners({"b", "c"});
    CHECK(f.use("n0", "a") == Insert::replayed);
    CHECK(f.use("x", "b") == Insert::fresh);
    CHECK(f.use("x", "a") == Insert::full);
    f.pass(310s);
    f.nonces.tick(f.now);
    f.nonces.set_owners({"b", "c", "d"});
    for (const char* id : {"b", "c", "d"}) CHECK(f.use("y", id) == Insert::fresh);
    for (int round = 0; round < 50; ++round) f.nonces.set_owners({"r" + std::to_string(round)});
    CHECK(f.use("z", "r49") == Insert::fresh);
}

TEST_CASE("nonce_window: what a restart brings back counts") {
    Fixture before;
    const auto kept = before.nonces.fingerprint("app", "n1"), over = before.nonces.fingerprint("app", "n0");
    Fixture after;
    after.now.mono = MonoTime(20s);
    const WallTime end = after.now.wall + Seconds(100);
    CHECK(after.nonces.fingerprint("app", "n1") == kept);
    CHECK(after.nonces.restore(kept, end, after.now) == Insert::fresh);
    CHECK(after.nonces.restore(kept, end, after.now) == Insert::replayed);
    CHECK(after.nonces.restore(over, after.now.wall - Seconds(5), after.now) == Insert::expired);
    CHECK(after.nonces.insert(kept, end, after.now) == Insert::replayed);
    // The wall clock of before the restart: what was not brought back is refused all the same.
    CHECK(after.nonces.insert(over, after.now.wall - Seconds(5), {after.now.mono, after.now.wall - 60s}) ==
          Insert::expired);
    after.pass(104s);
    after.nonces.tick(after.now);
    CHECK(after.nonces.size() == 0);
}

TEST_CASE("nonce_window: a restored nonce from far in the future ends with the ring") {
    Fixture f;
    const auto fingerprint = f.nonces.fingerprint("app", "n1");
    CHECK(f.nonces.restore(fingerprint, f.now.wall + 1000h, f.now) == Insert::fresh);
    f.pass(700s);
    f.nonces.tick(f.now);
    CHECK(f.nonces.size() == 0);
}

TEST_CASE("nonce_window: after a long sleep nothing is left over") {
    Fixture f(500);
    for (int i = 0; i < 500; ++i) f.use("n" + std::to_string(i), "app", Seconds(i % 300));
    f.pass(48h);
    f.nonces.tick(f.now, 100);
    CHECK(f.nonces.size() == 400);
    f.nonces.tick(f.now);
    CHECK(f.nonces.size() == 0);
    for (int i = 0; i < 500; ++i) CHECK(f.use("n" + std::to_string(i)) == Insert::fresh);
}

TEST_CASE("nonce_window: equals a plain map over random traffic") {
    Fixture f(2000);
    f.nonces.set_owners({"a", "b"});
    Rng rng(42);
    std::map<std::string, MonoTime> model;
    for (int i = 0; i < 60'000; ++i) {
        f.pass(Millis(rng.below(120)));
        const std::string id = rng.chance(0.5) ? "a" : "b", nonce = "n" + std::to_string(rng.below(1500));
        const Insert got = f.use(nonce, id);
        const auto known = model.find(id + nonce);
        // Between a nonce's end and three seconds later either answer is right.
        if (known == model.end() || known->second + 304s < f.now.mono) REQUIRE(got != Insert::replayed);
        if (known != model.end() && f.now.mono < known->second + 300s) REQUIRE(got == Insert::replayed);
        if (got == Insert::fresh) model[id + nonce] = f.now.mono;
        REQUIRE(f.nonces.size() <= 2000);
    }
}

TEST_CASE("nonce_window: the end of a full window is paid for in small pieces") {
    Fixture f(200'000);
    for (int i = 0; i < 200'000; ++i) REQUIRE(f.use("n" + std::to_string(i)) == Insert::fresh);
    f.pass(310s);
    std::size_t before = f.nonces.size();
    const MonoTime begin = MonoClock::read();
    for (int i = 0; i < 100'000; ++i) {
        REQUIRE(f.use("m" + std::to_string(i)) == Insert::fresh);
        REQUIRE(f.nonces.size() + 8 > before);
        before = f.nonces.size();
    }
    CHECK(f.nonces.size() == 100'000);
    // Far above what it takes, so that only a change of order of growth fails it.
    CHECK((MonoClock::read() - begin) / 100'000 < Nanos(50'000));
}

TEST_CASE("nonce_window: capacity is clamped to its bounds") {
    CHECK(NonceWindow(0, kWindow, kKey).capacity() == kNonceCapacityMin);
    CHECK(NonceWindow(1000, kWindow, kKey).capacity() == 1000);
}
