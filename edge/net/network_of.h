// The network that a peer is in: bounds that are counted by it are not got round with another address of the same
// customer.
#pragma once

#include <string>

namespace holdfast {

// The first three bytes of an IPv4 address, six of an IPv6 one; any other text stands for itself.
std::string network_of(const std::string& address);

}  // namespace holdfast
