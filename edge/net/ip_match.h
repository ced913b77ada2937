// Whether two IP addresses in text mean the same, or take each other's connections. Texts that are no address match
// nothing.
#pragma once

#include <string>

namespace holdfast {

bool same_ip(const std::string& a, const std::string& b);  // "::1" and "0:0::1" are
// Whether sockets of one port at both would be in each other's way, those of IPv6 taking IPv6 alone: the same address,
// or one of them all addresses (0.0.0.0, ::) of the other's family.
bool hosts_overlap(const std::string& a, const std::string& b);
// Whether one of them is all addresses, so that a socket at either serves clients of the other. A socket of others at
// "::" may take IPv4 as well.
bool serves_both(const std::string& a, const std::string& b);

}  // namespace holdfast
