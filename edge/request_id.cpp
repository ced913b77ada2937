#include "edge/request_id.h"

namespace holdfast {

std::string make_request_id(WallTime now, Rng& rng) {
    constexpr std::string_view kHex = "0123456789abcdef";
    const auto millis = static_cast<std::uint64_t>(std::chrono::floor<Millis>(now.time_since_epoch()).count());
    const std::uint64_t random = rng.next();
    std::string out(kRequestIdBytes, '-');
    char* to = out.data();
    const char* const digits = kHex.data();
    for (char c : {'r', 'e', 'q', '-'}) *to++ = c;
    for (int shift = 44; shift >= 0; shift -= 4) *to++ = digits[millis >> shift & 15];
    for (int shift = 44; shift >= 0; shift -= 4) *to++ = digits[random >> shift & 15];
    return out;
}

}  // namespace holdfast
