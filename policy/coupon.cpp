#include "policy/coupon.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast {
namespace {

constexpr std::size_t kDayBytes = 8;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}

bool in_alphabet(char c, CouponForm::Alphabet alphabet) {
    switch (alphabet) {
        case CouponForm::Alphabet::digits:
            return is_digit(c);
        case CouponForm::Alphabet::upper:
            return is_upper(c);
        case CouponForm::Alphabet::alphanumeric:
            return is_digit(c) || is_upper(c);
        case CouponForm::Alphabet::any:
            return is_digit(c) || is_upper(c) || (c >= 'a' && c <= 'z') || c == '_' || c == '-';
    }
    return false;
}

bool all_digits(std::string_view text) {
    return std::all_of(text.begin(), text.end(), is_digit);
}

int number(std::string_view digits) {
    int out = 0;
    for (char c : digits) out = out * 10 + (c - '0');
    return out;
}

// The digits of a code: letters between them take no part in the check.
std::string digits_of(std::string_view code) {
    std::string out;
    for (char c : code)
        if (is_digit(c)) out.push_back(c);
    return out;
}

bool check_ok(CouponForm::Check check, std::string_view code) {
    if (check == CouponForm::Check::none) return true;
    if (code.empty() || !is_digit(code.back())) return false;
    const std::string digits = digits_of(code);
    return check == CouponForm::Check::luhn ? luhn_ok(digits) : mod11_10_ok(digits);
}

} // namespace

std::string_view name(CouponFault fault) {
    switch (fault) {
        case CouponFault::none:
            return "none";
        case CouponFault::length:
            return "length";
        case CouponFault::prefix:
            return "prefix";
        case CouponFault::alphabet:
            return "alphabet";
        case CouponFault::check_digit:
            return "check_digit";
        case CouponFault::malformed_date:
            return "malformed_date";
        case CouponFault::not_yet_valid:
            return "not_yet_valid";
        case CouponFault::expired:
            return "expired";
    }
    return "none";
}

bool luhn_ok(std::string_view digits) {
    if (digits.size() < 2 || !all_digits(digits)) return false;
    int sum = 0;
    bool twice = false;
    for (auto at = digits.rbegin(); at != digits.rend(); ++at, twice = !twice) {
        const int d = (*at - '0') * (twice ? 2 : 1);
        sum += d > 9 ? d - 9 : d;
    }
    return sum % 10 == 0;
}

bool mod11_10_ok(std::string_view digits) {
    if (digits.size() < 2 || !all_digits(digits)) return false;
    int product = 10;
    for (char c : digits.substr(0, digits.size() - 1)) {
        const int sum = (product + (c - '0')) % 10;
        product = (sum == 0 ? 10 : sum) * 2 % 11;
    }
    return (product + (digits.back() - '0')) % 10 == 1;
}

std::optional<WallTime> parse_day(std::string_view text, bool end) {
    // Years that nanoseconds of 64 bits cannot hold are no dates of a coupon.
    if (text.size() < kDayBytes || text.substr(0, 4) < "1970" || text.substr(0, 4) > "2199") return std::nullopt;
    std::string day;
    if (text.size() == kDayBytes) {
        day = text;
    } else if (text.size() == 10 && text[4] == '-' && text[7] == '-') {
        day = fmt::format("{}{}{}", text.substr(0, 4), text.substr(5, 2), text.substr(8, 2));
    } else {
        return parse_rfc3339(text);
    }
    if (!all_digits(day)) return std::nullopt;
    const std::chrono::year_month_day date{
        std::chrono::year(number(std::string_view(day).substr(0, 4))),
        std::chrono::month(static_cast<unsigned>(number(std::string_view(day).substr(4, 2)))),
        std::chrono::day(static_cast<unsigned>(number(std::string_view(day).substr(6, 2))))};
    if (!date.ok()) return std::nullopt;
    const auto begin = std::chrono::sys_days(date).time_since_epoch();
    return WallTime(begin + (end ? Nanos(24h) - Nanos(1) : Nanos(0)));
}

std::vector<std::string> form_faults(const CouponForm& form) {
    std::vector<std::string> out;
    if (form.length > kCouponBytesMax) out.push_back(fmt::format("length must be at most {}", kCouponBytesMax));
    if (form.prefix.size() >= kCouponBytesMax)
        out.push_back("prefix is too long");
    else if (form.length != 0 && form.prefix.size() >= form.length)
        out.push_back("prefix must be shorter than length");
    if (form.check != CouponForm::Check::none && form.alphabet == CouponForm::Alphabet::upper)
        out.push_back("a check digit needs an alphabet with digits");
    const auto reaches = [&form](const auto& at) { return at && (*at > form.length || form.length - *at < kDayBytes); };
    if (form.length == 0 && (form.from_at || form.until_at))
        out.push_back("a date in the code needs a length");
    else if (reaches(form.from_at) || reaches(form.until_at))
        out.push_back("a date in the code ends behind its length");
    return out;
}

CouponFault check_coupon(const CouponForm& form, std::string_view code, WallTime now) {
    const bool right_length =
        form.length == 0 ? !code.empty() && code.size() <= kCouponBytesMax : code.size() == form.length;
    if (!right_length) return CouponFault::length;
    if (!code.starts_with(form.prefix)) return CouponFault::prefix;
    for (char c : code.substr(form.prefix.size()))
        if (!in_alphabet(c, form.alphabet)) return CouponFault::alphabet;
    if (!check_ok(form.check, code)) return CouponFault::check_digit;
    if (form.from_at) {
        const auto from = parse_day(code.substr(*form.from_at, kDayBytes), false);
        if (!from) return CouponFault::malformed_date;
        if (now < *from) return CouponFault::not_yet_valid;
    }
    if (form.until_at) {
        const auto until = parse_day(code.substr(*form.until_at, kDayBytes), true);
        if (!until) return CouponFault::malformed_date;
        if (now > *until) return CouponFault::expired;
    }
    return CouponFault::none;
}

} // namespace holdfast
