#include "upstream/endpoint.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "edge/base/bytes.h"

namespace holdfast {
namespace {

template <std::size_t N>
bool literal_of(int family, std::string_view text, std::array<unsigned char, N>& out) {
    std::array<char, INET6_ADDRSTRLEN + 1> z{};
    if (text.empty() || text.size() >= z.size()) return false;
    std::copy(text.begin(), text.end(), z.begin());
    return inet_pton(family, z.data(), out.data()) == 1;
}

bool is_host_name(std::string_view host) {
    if (host.empty() || host.size() > 253 || host.front() == '.' || host.front() == '-') return false;
    if (host.find("..") != std::string_view::npos) return false;
    // A name whose last label is all digits would be taken for an address by some and for a name by others.
    const std::string_view last = host.substr(host.rfind('.') + 1);
    if (std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; })) return false;
    return std::all_of(host.begin(), host.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
               c == '_';
    });
}

tl::unexpected<Error> bad(std::string why) {
    return fail(Code::invalid, Origin::local, std::move(why));
}

// Splits "host:port" and "[v6]:port"; what is after the host, colon included, is left in `rest`.
Result<std::string_view> split_host(std::string_view authority, std::string_view& rest) {
    if (!authority.starts_with('[')) {
        const std::size_t colon = authority.find(':');
        rest = colon == std::string_view::npos ? std::string_view{} : authority.substr(colon);
        return authority.substr(0, colon);
    }
    const std::size_t close = authority.find(']');
    std::array<unsigned char, 16> v6;
    if (close == std::string_view::npos || !literal_of(AF_INET6, authority.substr(1, close - 1), v6))
        return bad("the IPv6 address in brackets is malformed");
    rest = authority.substr(close + 1);
    return authority.substr(1, close - 1);
}

Result<int> parse_port(std::string_view rest, int standard) {
    if (rest.empty()) return standard;
    int port = 0;
    const char* end = rest.data() + rest.size();
    const auto [at, error] = std::from_chars(rest.data() + 1, end, port);
    const bool digits = rest.size() > 1 && rest.size() <= 6 && rest[1] >= '0' && rest[1] <= '9';
    if (rest[0] != ':' || !digits || error != std::errc{} || at != end || port < 1 || port > 65535)
        return bad("the port must be 1 to 65535");
    return port;
}

bool is_path(std::string_view path) {
    return path.find("//") == std::string_view::npos && std::all_of(path.begin(), path.end(), [](char c) {
               return c > ' ' && c < 0x7f && std::string_view("\"<>\\^`{|}?#").find(c) == std::string_view::npos;
           });
}

} // namespace

bool is_ip_literal(std::string_view text) {
    std::array<unsigned char, 16> out;
    return literal_of(AF_INET, text, out) || literal_of(AF_INET6, text, out);
}

bool is_loopback_literal(std::string_view text) {
    std::array<unsigned char, 16> out{};
    if (literal_of(AF_INET, text, out)) return out[0] == 127;
    if (!literal_of(AF_INET6, text, out)) return false;
    return out.back() == 1 && std::all_of(out.begin(), out.end() - 1, [](unsigned char b) { return b == 0; });
}

Result<Endpoint> parse_endpoint(std::string_view url) {
    if (url.size() > kUrlMax) return bad("a URL has at most 2048 bytes");
    Endpoint e;
    e.url = std::string(url);
    std::string_view left = url;
    const std::size_t scheme_end = left.find("://");
    const std::string scheme = to_lower(left.substr(0, scheme_end == std::string_view::npos ? 0 : scheme_end));
    if (scheme != "https" && scheme != "http") return bad("a URL begins with https:// (or http:// for loopback)");
    e.tls = scheme == "https";
    left.remove_prefix(scheme_end + 3);
    const std::size_t path_at = std::min(left.find_first_of("/?#"), left.size());
    const std::string_view authority = left.substr(0, path_at);
    std::string_view path = left.substr(path_at);
    if (authority.find('@') != std::string_view::npos) return bad("a URL holds no user or password");
    if (path.find_first_of("?#") != std::string_view::npos) return bad("a URL holds no query and no fragment");
    if (!is_path(path)) return bad("the path holds bytes that a path must not hold");
    e.path_as_is = path.empty() ? "/" : std::string(path);
    while (path.ends_with('/')) path.remove_suffix(1);
    e.path = std::string(path);
    std::string_view port_text;
    const auto host = split_host(authority, port_text);
    if (!host) return tl::unexpected(host.error());
    const bool literal = is_ip_literal(*host);
    if (!literal && !is_host_name(*host)) return bad("the host is neither a name nor an address");
    const int standard = e.tls ? 443 : 80;
    const auto port = parse_port(port_text, standard);
    if (!port) return tl::unexpected(port.error());
    e.port = *port;
    e.host = to_lower(*host);
    const std::string in_url = authority.starts_with('[') ? "[" + e.host + "]" : e.host;
    e.host_header = *port == standard ? in_url : in_url + ":" + std::to_string(*port);
    if (e.tls) e.server_name = e.host;
    if (e.host == "localhost") e.host = "127.0.0.1"; // RFC 6761 §6.3: never asked of a server
    if (!e.tls && !is_loopback_literal(e.host))
        return bad("http:// is accepted for loopback addresses only: use https://");
    return e;
}

} // namespace holdfast
