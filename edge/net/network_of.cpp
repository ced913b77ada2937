#include "edge/net/network_of.h"

#include <arpa/inet.h>

#include <array>

namespace holdfast {

std::string network_of(const std::string& address) {
    std::array<char, 16> bytes{};
    if (::inet_pton(AF_INET, address.c_str(), bytes.data()) == 1) return std::string(bytes.data(), 3);
    if (::inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1) return std::string(bytes.data(), 6);
    return address;
}

}  // namespace holdfast
