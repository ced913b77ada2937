// The form of a coupon: fixed prefix, length and alphabet, a check character, and dates, in the code itself or beside
// it. Only the form: whether a coupon exists or was spent is the centre's to say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/result.h"
#include "edge/base/time.h"

namespace holdfast {

inline constexpr std::size_t kCouponBytesMax = 128;

struct CouponForm {
    enum class Alphabet {
        digits,
        upper,
        alphanumeric,
        any
    };                                         // 0-9; A-Z; A-Z0-9; 0-9A-Za-z_- (for the part after prefix)
    enum class Check { none, luhn, mod11_10 }; // the last digit: ISO/IEC 7812-1 annex B; ISO 7064 hybrid system
    std::string prefix;
    std::size_t length = 0; // of the whole code; 0: any up to kCouponBytesMax
    Alphabet alphabet = Alphabet::alphanumeric;
    Check check =
        Check::none; // over the digits of the whole code; needs an alphabet where the last character is a digit
    // Where eight digits YYYYMMDD stand in the code, counted from 0. Both days are included, in UTC.
    std::optional<std::size_t> from_at, until_at;
};

enum class CouponFault { none, length, prefix, alphabet, check_digit, malformed_date, not_yet_valid, expired };
std::string_view name(CouponFault fault);

CouponFault check_coupon(const CouponForm& form, std::string_view code, WallTime now);
// Why a form cannot work (a date beyond its end, a check digit over letters): every reason; empty: it can.
std::vector<std::string> form_faults(const CouponForm& form);

bool luhn_ok(std::string_view digits);     // false for anything but 2 or more digits
bool mod11_10_ok(std::string_view digits); // likewise

// A day or a moment: "YYYYMMDD", "YYYY-MM-DD" or RFC 3339. `end` gives the end of a day instead of its beginning.
std::optional<WallTime> parse_day(std::string_view text, bool end);

} // namespace holdfast
