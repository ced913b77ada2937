// Whether a request's Host is one that this listener serves (listen.hosts). RFC 9110 §7.4: what is not ours is answered
// 421. Not a defence of the routes that authenticate: there the caller signs its Host.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

// "edge.example.com", "*.example.com" (one label in place of the star), "192.0.2.1" or "[2001:db8::1]", without a port.
bool is_host_entry(std::string_view text);

// `host` is a well-formed Host field; its port does not count, and letters count the same in both cases. No entries:
// any host is served. Requires: is_host_entry of each.
bool serves_host(const std::vector<std::string>& entries, std::string_view host);

}  // namespace holdfast
