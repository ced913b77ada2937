#include "policy/degrade_mode.h"

#include <catch2/catch.hpp>

#include "edge/base/rng.h"

using namespace holdfast;

namespace {

constexpr std::uint64_t kBoot = 11;
const Scope kNode{Scope::Kind::node, ""}, kFleet{Scope::Kind::fleet, ""}, kLogin{Scope::Kind::scene, "LOGIN"};

struct Fixture {
    Overrides overrides{kBoot};
    Now now{MonoTime(1000s), WallTime(Seconds(1'800'000'000))};
    void pass(Nanos time) {
        now.mono += time;
        now.wall += time;
    }
    Override order(const Scope& scope, Mode mode, Nanos time = kOverrideForDefault) {
        auto made = overrides.propose({scope, mode, CircuitForce::none, "maintenance", "uid 0", time}, now);
        REQUIRE(made);
        REQUIRE(overrides.stand(*made));
        return *made;
    }
    Override force(CircuitForce force, const Scope& scope = kNode) {
        auto made = overrides.propose({scope, Mode::automatic, force, "maintenance", "uid 0", 10min}, now);
        REQUIRE(made);
        REQUIRE(overrides.stand(*made));
        return *made;
    }
    Mode mode(std::string_view scene = "LOGIN") { return overrides.mode_of(scene, now); }
};

} // namespace

TEST_CASE("degrade_mode: the more specific order stands, over every combination") {
    for (Mode fleet : {Mode::automatic, Mode::degraded, Mode::live})
        for (Mode node : {Mode::automatic, Mode::degraded, Mode::live})
            for (Mode scene : {Mode::automatic, Mode::degraded, Mode::live}) {
                Fixture f;
                if (fleet != Mode::automatic) f.order(kFleet, fleet);
                if (node != Mode::automatic) f.order(kNode, node);
                if (scene != Mode::automatic) f.order(kLogin, scene);
                const Mode below = node != Mode::automatic ? node : fleet;
                CHECK(f.mode() == (scene != Mode::automatic ? scene : below));
                CHECK(f.mode("PAYMENT") == below);
            }
}

TEST_CASE("degrade_mode: the node's circuit order stands before any order of the fleet, a scene's mode before both") {
    for (const Mode fleet : {Mode::degraded, Mode::live}) {
        Fixture f;
        f.order(kFleet, fleet);
        f.force(CircuitForce::closed);
        CHECK(f.mode() == Mode::automatic);
        CHECK(f.overrides.mode_order("LOGIN", f.now) == nullptr);
        f.order(kLogin, Mode::live);
        CHECK(f.mode() == Mode::live);
        CHECK(f.mode("PAYMENT") == Mode::automatic);
        f.order(kNode, Mode::degraded);
        CHECK(f.mode("PAYMENT") == Mode::degraded);
        CHECK(f.overrides.clear(kNode, false));
        CHECK(f.overrides.clear(kNode, true));
        CHECK(f.mode("PAYMENT") == fleet);
    }
}

TEST_CASE("degrade_mode: the fleet's order has its place however many scenes have one") {
    Fixture f;
    for (std::size_t i = 0; i < kOverridesMax; ++i)
        f.order({Scope::Kind::scene, "S" + std::to_string(i)}, Mode::live);
    auto more = f.overrides.propose({kNode, Mode::degraded, CircuitForce::none, "r", "a", 1min}, f.now);
    CHECK_FALSE(f.overrides.stand(*more));
    f.order(kFleet, Mode::degraded);
    CHECK(f.mode() == Mode::degraded);
}

TEST_CASE("degrade_mode: nothing proposed stands before it is let stand") {
    Fixture f;
    REQUIRE(f.overrides.propose({kNode, Mode::degraded, CircuitForce::none, "r", "a", 1min}, f.now));
    CHECK(f.mode() == Mode::automatic);
}

TEST_CASE("degrade_mode: an order ends by itself, whatever the wall clock does") {
    Fixture f;
    f.order(kNode, Mode::degraded, 30min);
    CHECK(f.overrides.next_end() == f.now.mono + 30min);
    f.now.wall -= 10h;
    f.now.mono += 30min - 1s;
    CHECK(f.mode() == Mode::degraded);
    CHECK(f.overrides.mode_order("LOGIN", f.now)->remaining(f.now) == Nanos(1s));
    f.now.mono += 1s;
    CHECK(f.mode() == Mode::automatic);
    CHECK(f.overrides.all(f.now).empty());
    const auto over = f.overrides.expire(f.now);
    REQUIRE(over.size() == 1);
    CHECK(over[0].key() == "degrade/node");
    CHECK(f.overrides.expire(f.now).empty());
    CHECK_FALSE(f.overrides.next_end());
}

TEST_CASE("degrade_mode: when the specific order ends the general one shows again") {
    Fixture f;
    f.order(kNode, Mode::degraded, 1h);
    f.order(kLogin, Mode::live, 5min);
    CHECK(f.mode() == Mode::live);
    f.pass(5min);
    CHECK(f.mode() == Mode::degraded);
    CHECK(f.overrides.clear(kNode, false));
    CHECK_FALSE(f.overrides.clear(kNode, false));
    CHECK(f.mode() == Mode::automatic);
}

TEST_CASE("degrade_mode: circuit orders stand beside degrade orders, the node's before the fleet's") {
    Fixture f;
    CHECK(f.overrides.force(f.now) == CircuitForce::none);
    f.force(CircuitForce::open, kFleet);
    CHECK(f.overrides.force(f.now) == CircuitForce::open);
    CHECK(f.force(CircuitForce::closed).key() == "circuit/node");
    CHECK(f.overrides.force(f.now) == CircuitForce::closed);
    f.order(kNode, Mode::degraded);
    CHECK(f.mode() == Mode::degraded);
    CHECK(f.overrides.all(f.now).size() == 3);
    CHECK(f.overrides.clear(kNode, true));
    CHECK(f.mode() == Mode::degraded);
    CHECK(f.overrides.force(f.now) == CircuitForce::open);
}

TEST_CASE("degrade_mode: orders without reason, out of bounds or contradictory are refused") {
    Fixture f;
    const auto refused = [&f](OverrideRequest request) { return !f.overrides.propose(request, f.now); };
    const OverrideRequest good{kNode, Mode::degraded, CircuitForce::none, "r", "a", 15min};
    CHECK_FALSE(refused(good));
    const auto with = [&good](auto change) {
        OverrideRequest out = good;
        change(out);
        return out;
    };
    CHECK(refused(with([](auto& r) { r.reason = ""; })));
    CHECK(refused(with([](auto& r) { r.reason = "two\nlines"; })));
    CHECK(refused(with([](auto& r) { r.reason = "\xff"; })));
    CHECK(refused(with([](auto& r) { r.reason = std::string(kOverrideReasonBytesMax + 1, 'r'); })));
    CHECK(refused(with([](auto& r) { r.author = ""; })));
    CHECK(refused(with([](auto& r) { r.for_ = Nanos(0); })));
    CHECK(refused(with([](auto& r) { r.for_ = -1min; })));
    CHECK(refused(with([](auto& r) { r.for_ = kOverrideForMax + 1s; })));
    CHECK_FALSE(refused(with([](auto& r) { r.for_ = kOverrideForMax; })));
    CHECK(refused(with([](auto& r) { r.mode = Mode::automatic; })));
    CHECK(refused(with([](auto& r) { r.force = CircuitForce::open; })));
    CHECK(refused(with([](auto& r) { r.scope = {Scope::Kind::scene, ""}; })));
    CHECK(refused(with([](auto& r) { r.scope = {Scope::Kind::node, "LOGIN"}; })));
    CHECK(refused({kLogin, Mode::automatic, CircuitForce::open, "r", "a", 15min}));
}

TEST_CASE("degrade_mode: more orders than the maximum are refused, an old one is still replaced") {
    Fixture f;
    for (std::size_t i = 0; i < kOverridesMax; ++i) f.order({Scope::Kind::scene, "S" + std::to_string(i)}, Mode::live);
    auto more = f.overrides.propose({kNode, Mode::degraded, CircuitForce::none, "r", "a", 15min}, f.now);
    REQUIRE(more);
    CHECK(f.overrides.stand(*more).error().code == Code::full);
    f.order({Scope::Kind::scene, "S7"}, Mode::degraded);
    CHECK(f.mode("S7") == Mode::degraded);
}

TEST_CASE("degrade_mode: an order survives a restart with what is left of it") {
    Fixture f;
    const Override order = f.order(kLogin, Mode::degraded, 1h);
    const auto back = decode_override(order.encode());
    REQUIRE(back);
    CHECK(back->key() == "degrade/scene/LOGIN");
    CHECK(back->reason == "maintenance");
    CHECK(back->author == "uid 0");
    f.pass(20min);
    Overrides after(kBoot);
    CHECK(after.restore(*back, f.now));
    CHECK(after.mode_order("LOGIN", f.now)->remaining(f.now) == Nanos(40min));
    f.pass(40min);
    CHECK(after.mode_of("LOGIN", f.now) == Mode::automatic);
    CHECK_FALSE(Overrides(kBoot).restore(*back, f.now));
}

TEST_CASE("degrade_mode: after a reboot an order never lasts longer than it was granted") {
    Fixture f;
    const Override order = f.order(kNode, Mode::degraded, 1h);
    struct Case {
        Nanos uptime, wall;
        std::optional<Nanos> left;
    };
    // The wall clock of after the reboot, relative to the order's: right, gone back, far ahead.
    for (const Case& c : {Case{60s, 10min, 50min}, Case{60s, -5h, 1h - 60s}, Case{60s, 2h, std::nullopt},
                          Case{2h, 10min, std::nullopt}, Case{0s, -5h, 1h}}) {
        for (const std::uint64_t boot : {kBoot + 1}) {
            Overrides after(boot);
            const Now now{MonoTime(c.uptime), order.set.wall + c.wall};
            CHECK(after.restore(order, now) == c.left.has_value());
            if (c.left) CHECK(after.mode_order("X", now)->remaining(now) == *c.left);
        }
    }
    Overrides unknown(0);
    const Now now{MonoTime(60s), order.set.wall + 10min};
    CHECK(unknown.restore(order, now));
    CHECK(unknown.mode_order("X", now)->remaining(now) == Nanos(50min));
}

TEST_CASE("degrade_mode: stored orders are read strictly") {
    Fixture f;
    const std::string good = f.order(kLogin, Mode::live, 1h).encode();
    REQUIRE(decode_override(good));
    for (std::size_t n = 0; n < good.size(); ++n) CHECK_FALSE(decode_override(good.substr(0, n)));
    CHECK_FALSE(decode_override(good + '\0'));
    CHECK(decode_override("").error().code == Code::corrupt);
    std::string version = good;
    version[0] = 2;
    CHECK_FALSE(decode_override(version));
    Rng rng(5);
    for (int i = 0; i < 20'000; ++i) {
        std::string changed = good;
        changed[rng.below(changed.size())] = static_cast<char>(rng.next());
        // Whatever it reads, it must be an order that could have been given.
        if (const auto read = decode_override(changed)) CHECK(read->granted <= kOverrideForMax);
    }
}
