#include <catch2/catch.hpp>

#include "cache/record.h"

using namespace holdfast;

namespace {

const SecretKey kKey = [] {
    SecretKey k;
    k.fill(7);
    return k;
}();

OutcomeRecord sample() {
    OutcomeRecord r;
    r.outcome = {Verdict::pass, 0.987, "v-1", Seconds(600), {0.5f, -1.25f, 3.0f}, "m1"};
    r.decided = Now::read();
    r.boot = boot_id();
    r.asked_epoch = 9;
    r.evidence.fill(3);
    r.scene = "LOGIN";
    r.has_device = true;
    return r;
}

} // namespace

TEST_CASE("record: an outcome comes back as it was sealed") {
    Codec codec(kKey, 1);
    const OutcomeKey key = codec.outcome_key({"app", "alice", "LOGIN", "d1"});
    std::string sealed;
    codec.seal_outcome(key, sample(), 77, sealed);
    OutcomeRecord back;
    REQUIRE(codec.open_outcome(key, sealed, back));
    const OutcomeRecord want = sample();
    CHECK(back.outcome.verdict == Verdict::pass);
    CHECK(back.outcome.score == want.outcome.score);
    CHECK(back.outcome.max_age == want.outcome.max_age);
    CHECK(back.outcome.feature == want.outcome.feature);
    CHECK(back.outcome.feature_model == "m1");
    CHECK(back.outcome.verification_id == "v-1");
    CHECK(back.asked_epoch == 9);
    CHECK(back.evidence == want.evidence);
    CHECK(back.scene == "LOGIN");
    CHECK(back.has_device);
    CHECK(sealed.find("LOGIN") == std::string::npos);
    CHECK(read_header(sealed)->drop_after == 77);
}

TEST_CASE("record: any changed byte is refused") {
    Codec codec(kKey, 1);
    const OutcomeKey key = codec.outcome_key({"app", "alice", "LOGIN", ""});
    std::string sealed;
    codec.seal_outcome(key, sample(), 77, sealed);
    OutcomeRecord back;
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        std::string bad = sealed;
        bad[i] = static_cast<char>(bad[i] ^ 0x10);
        INFO(i);
        CHECK_FALSE(codec.open_outcome(key, bad, back));
        CHECK_FALSE(codec.open_outcome(key, std::string_view(sealed).substr(0, i), back));
    }
}

TEST_CASE("record: it opens under its own key, store and master key only") {
    Codec codec(kKey, 1);
    const OutcomeKey alice = codec.outcome_key({"app", "alice", "LOGIN", ""});
    std::string sealed;
    codec.seal_outcome(alice, sample(), 77, sealed);
    OutcomeRecord back;
    CHECK_FALSE(codec.open_outcome(codec.outcome_key({"app", "bob", "LOGIN", ""}), sealed, back));
    Codec other_store(kKey, 2);
    CHECK_FALSE(other_store.open_outcome(alice, sealed, back));
    SecretKey other = kKey;
    other[31] ^= 1;
    Codec other_master(other, 1);
    CHECK_FALSE(other_master.open_outcome(alice, sealed, back));
    CHECK_FALSE(codec.open(view_of(alice), RecordKind::order, sealed));
    Codec later(kKey, 1);
    CHECK(later.open_outcome(alice, sealed, back));
}

TEST_CASE("record: keys keep neighbouring texts apart and the subject together") {
    Codec codec(kKey, 1);
    const auto key = [&](std::string_view c, std::string_view s, std::string_view n, std::string_view d) {
        return std::string(view_of(codec.outcome_key({c, s, n, d})));
    };
    CHECK(key("ab", "s", "c", "") != key("a", "s", "bc", ""));
    CHECK(key("a", "s", "bc", "") != key("a", "s", "b", "c"));
    CHECK(key("a", "s", "b", "") == key("a", "s", "b", ""));
    CHECK(key("a", "s", "b", "").substr(0, 16) == key("x", "s", "y", "z").substr(0, 16));
    CHECK(key("a", "s", "b", "").substr(0, 16) != key("a", "t", "b", "").substr(0, 16));
    CHECK(codec.order_key("a", "bc") != codec.order_key("ab", "c"));
    const OrderKey first = codec.order_key("a", "1");
    CHECK(codec.order_key("b", "1") != first);
    CHECK(codec.order_key("a", "1") == first);
    CHECK(codec.order_key("a", "2") != first);
    CHECK(codec.order_key("a", "") != codec.order_key("b", ""));
    SecretKey other = kKey;
    other[0] ^= 1;
    CHECK(Codec(other, 1).order_key("a", "1") != first);
    CHECK(Codec(other, 1).subject_hash("s") != codec.subject_hash("s"));
    CHECK(view_of(codec.subject_hash("s")) == key("a", "s", "b", "").substr(0, 16));
}

TEST_CASE("record: no clock makes a record younger") {
    const Now decided{MonoTime(1000s), WallTime(500'000s)};
    const std::uint64_t here = boot_id(), elsewhere = here + 1;
    REQUIRE(here != 0);
    const auto age = [&](std::uint64_t boot, Nanos mono, Nanos wall, WallTime high = WallTime{}) {
        return record_age(decided, boot, {decided.mono + mono, decided.wall + wall}, high);
    };
    CHECK(age(here, 10s, 10s) == 10s);
    CHECK(age(here, 10s, 9500ms) == 10s); // wall set back a little
    CHECK_FALSE(age(here, 10s, -2s));     // wall before the record: from the future
    CHECK(age(here, 10s, 1h) == 1h);      // wall set forward
    CHECK_FALSE(age(here, -1s, 10s));     // impossible within a boot
    CHECK(age(elsewhere, -995s, 10s) == 10s);
    CHECK(age(elsewhere, -900s, 10s) == 100s);  // this boot is older than the wall clock says the record is
    CHECK(age(elsewhere, 5s, -500ms) == 1005s);
    CHECK(age(elsewhere, -900s, 10s, decided.wall + 1h) == 1h);
    CHECK_FALSE(age(elsewhere, 5s, -10s));
    CHECK(age(0, 5s, 7s) == 7s);
    const auto within = [&](std::uint64_t boot, Nanos mono) {
        return age_within_boot(decided, boot, {decided.mono + mono, decided.wall - 1h});
    };
    CHECK(within(here, 10s) == 10s);
    CHECK_FALSE(within(here, -1s));
    CHECK_FALSE(within(elsewhere, 10s));
    CHECK_FALSE(within(0, 10s));
}
