#include "edge/net/ip_match.h"

#include <arpa/inet.h>

#include <array>
#include <cstdint>
#include <optional>

namespace holdfast {
namespace {

struct Ip {
    int family = AF_INET;
    std::array<std::uint8_t, 16> bytes{};  // of IPv4 the first four
    bool all() const { return bytes == std::array<std::uint8_t, 16>{}; }
    bool operator==(const Ip&) const = default;
};

std::optional<Ip> ip_of(const std::string& text) {
    for (const int family : {AF_INET, AF_INET6}) {
        Ip out{family};
        if (::inet_pton(family, text.c_str(), out.bytes.data()) == 1) return out;
    }
    return std::nullopt;
}

}  // namespace

bool same_ip(const std::string& a, const std::string& b) {
    const auto x = ip_of(a), y = ip_of(b);
    return x && y && *x == *y;
}

bool hosts_overlap(const std::string& a, const std::string& b) {
    const auto x = ip_of(a), y = ip_of(b);
    return x && y && x->family == y->family && (*x == *y || x->all() || y->all());
}

bool serves_both(const std::string& a, const std::string& b) {
    if (hosts_overlap(a, b)) return true;
    const auto x = ip_of(a), y = ip_of(b);
    return x && y && ((x->all() && x->family == AF_INET6) || (y->all() && y->family == AF_INET6));
}

}  // namespace holdfast
