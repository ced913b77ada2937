#include "edge/net/network_of.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace holdfast {

std::string network_of(const std::string& address) {
    std::array<char, 16> bytes{};
    if (::inet_pton(AF_INET, address.c_str(), bytes.data()) == 1) return std::string(bytes.data(), 3);
    if (::inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return address;
    // An IPv4 address as a socket for both families tells it.
    constexpr std::array<char, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '\xff', '\xff'};
    if (std::equal(kMapped.begin(), kMapped.end(), bytes.begin())) return std::string(bytes.data() + 12, 3);
    return std::string(bytes.data(), 6);
}

}  // namespace holdfast
