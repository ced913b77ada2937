// Whether an address stays on this machine. The stand-in and the load generator take no other: neither may ever serve
// or load somebody else's network by a slip in an argument.
#pragma once

#include <string_view>

namespace holdfast {

inline bool is_loopback_ip(std::string_view ip) {
    if (ip == "::1") return true;
    if (ip.substr(0, 4) != "127.") return false;
    int dots = 0;
    int digits = 0;
    for (const char c : ip) {
        if (c == '.') {
            if (digits == 0) return false;
            ++dots, digits = 0;
        } else if (c < '0' || c > '9' || ++digits > 3)
            return false;
    }
    return dots == 3 && digits > 0;
}

// "IP:port" or "[v6]:port".
inline bool is_loopback_address(std::string_view address) {
    const auto colon = address.rfind(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == address.size()) return false;
    for (const char c : address.substr(colon + 1))
        if (c < '0' || c > '9') return false;
    std::string_view ip = address.substr(0, colon);
    if (ip.front() == '[' && ip.back() == ']') ip = ip.substr(1, ip.size() - 2);
    return is_loopback_ip(ip);
}

} // namespace holdfast
