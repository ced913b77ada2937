// One endpoint of an upstream as its URL says it: where to connect, what the certificate must hold, what Host says.
// Plain http is for loopback only.
#pragma once

#include <string>
#include <string_view>

#include "edge/base/result.h"

namespace holdfast {

struct Endpoint {
    std::string url; // as configured: its name for operators, logs and labels
    bool tls = true;
    std::string host; // a name or an IP literal, without brackets; "localhost" has become 127.0.0.1
    int port = 443;
    std::string path;        // without a final slash; empty for "/" and for none
    std::string path_as_is;  // as the URL has it; "/" for none
    std::string host_header; // the authority; the default port left out
    std::string server_name; // for SNI and the certificate: the name or the literal; empty without TLS
    double weight = 1;
};

// Code::invalid with a sentence that says what is wrong: another scheme, http to anything but loopback, user info, a
// query, a fragment, a bad port, path or name, or more than kUrlMax bytes.
inline constexpr std::size_t kUrlMax = 2048;
Result<Endpoint> parse_endpoint(std::string_view url);

// Whether `text` is an IPv4 or IPv6 literal (without brackets).
bool is_ip_literal(std::string_view text);
bool is_loopback_literal(std::string_view text);

} // namespace holdfast
