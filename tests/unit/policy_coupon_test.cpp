#include "policy/coupon.h"

#include <catch2/catch.hpp>

using namespace holdfast;
using Alphabet = CouponForm::Alphabet;
using Check = CouponForm::Check;

namespace {

const WallTime kNow = *parse_rfc3339("2026-03-15T12:00:00Z");

} // namespace

TEST_CASE("coupon: Luhn accepts known numbers and catches every single wrong digit") {
    for (std::string_view good : {"79927398713", "4111111111111111", "00"}) CHECK(luhn_ok(good));
    for (std::string_view bad : {"", "0", "79927398710", "7992739871a", "411111111111111 "}) CHECK_FALSE(luhn_ok(bad));
    const std::string good = "79927398713";
    for (std::size_t i = 0; i < good.size(); ++i) {
        for (char c = '0'; c <= '9'; ++c) {
            std::string changed = good;
            changed[i] = c;
            CHECK(luhn_ok(changed) == (c == good[i]));
        }
    }
}

TEST_CASE("coupon: ISO 7064 mod 11,10 accepts its own example and catches single digits and swaps") {
    CHECK(mod11_10_ok("07945")); // 0794 with check character 5, from the standard
    CHECK_FALSE(mod11_10_ok("07940"));
    for (std::string_view bad : {"", "5", "0794x"}) CHECK_FALSE(mod11_10_ok(bad));
    const std::string good = "07945";
    for (std::size_t i = 0; i < good.size(); ++i) {
        for (char c = '0'; c <= '9'; ++c) {
            std::string changed = good;
            changed[i] = c;
            CHECK(mod11_10_ok(changed) == (c == good[i]));
        }
    }
}

TEST_CASE("coupon: form, prefix, alphabet and check digit") {
    const CouponForm form{"HF-", 14, Alphabet::digits, Check::luhn, {}, {}};
    REQUIRE(form_faults(form).empty());
    CHECK(check_coupon(form, "HF-79927398713", kNow) == CouponFault::none);
    CHECK(check_coupon(form, "HF-79927398710", kNow) == CouponFault::check_digit);
    CHECK(check_coupon(form, "HF-7992739871", kNow) == CouponFault::length);
    CHECK(check_coupon(form, "HG-79927398713", kNow) == CouponFault::prefix);
    CHECK(check_coupon(form, "HF-7992739871X", kNow) == CouponFault::alphabet);
    CHECK(check_coupon(form, "", kNow) == CouponFault::length);
    const CouponForm open{"", 0, Alphabet::any, Check::none, {}, {}};
    CHECK(check_coupon(open, "a_B-9", kNow) == CouponFault::none);
    CHECK(check_coupon(open, "a b", kNow) == CouponFault::alphabet);
    CHECK(check_coupon(open, std::string(kCouponBytesMax + 1, 'a'), kNow) == CouponFault::length);
    const CouponForm mixed{"", 0, Alphabet::alphanumeric, Check::mod11_10, {}, {}};
    CHECK(check_coupon(mixed, "AB07945", kNow) == CouponFault::none);
    CHECK(check_coupon(mixed, "AB0794C", kNow) == CouponFault::check_digit);
    CHECK(check_coupon({"", 4, Alphabet::upper, Check::none, {}, {}}, "ABC1", kNow) == CouponFault::alphabet);
}

TEST_CASE("coupon: both of its days are included") {
    const CouponForm form{"C", 17, Alphabet::digits, Check::none, 1, 9};
    REQUIRE(form_faults(form).empty());
    const auto judge = [&form](std::string_view code, std::string_view at) {
        return check_coupon(form, code, *parse_rfc3339(at));
    };
    const std::string_view code = "C2026031020260320";
    CHECK(judge(code, "2026-03-09T23:59:59.999Z") == CouponFault::not_yet_valid);
    CHECK(judge(code, "2026-03-10T00:00:00Z") == CouponFault::none);
    CHECK(judge(code, "2026-03-20T23:59:59.999Z") == CouponFault::none);
    CHECK(judge(code, "2026-03-21T00:00:00Z") == CouponFault::expired);
    CHECK(judge("C2026023020260320", "2026-03-15T00:00:00Z") == CouponFault::malformed_date);
    CHECK(judge("C2026031099999999", "2026-03-15T00:00:00Z") == CouponFault::malformed_date);
}

TEST_CASE("coupon: days in their three spellings") {
    CHECK(parse_day("20260315", false) == parse_rfc3339("2026-03-15T00:00:00Z"));
    CHECK(parse_day("2026-03-15", true) == *parse_rfc3339("2026-03-16T00:00:00Z") - Nanos(1));
    CHECK(parse_day("2026-03-15T12:00:00Z", true) == kNow);
    for (std::string_view bad :
         {"", "2026-3-15", "2026315", "20261301", "20260229", "19691231", "22000101", "2026/03/15",
          "9999-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2026-03-15 12:00:00Z", "202603150"})
        CHECK_FALSE(parse_day(bad, false));
}

TEST_CASE("coupon: forms that cannot work are named") {
    CHECK(form_faults({"", kCouponBytesMax + 1, Alphabet::any, Check::none, {}, {}}).size() == 1);
    CHECK(form_faults({"ABC", 3, Alphabet::any, Check::none, {}, {}}).size() == 1);
    CHECK(form_faults({"", 8, Alphabet::upper, Check::luhn, {}, {}}).size() == 1);
    CHECK(form_faults({"", 0, Alphabet::digits, Check::none, 0, {}}).size() == 1);
    CHECK(form_faults({"", 10, Alphabet::digits, Check::none, {}, 3}).size() == 1);
    CHECK(form_faults({"", 10, Alphabet::digits, Check::none, SIZE_MAX, {}}).size() == 1);
    CHECK(form_faults({"", 10, Alphabet::digits, Check::none, 2, {}}).empty());
}
