// The part of the guard that looks at what a head says: target, Host, framing, Expect.
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "edge/base/bytes.h"
#include "edge/net/header_guard.h"

namespace holdfast {
namespace {

bool refuse_target(Reject& reject, std::string_view detail) {
    return refuse(reject, 400, RejectReason::target, detail);
}

// One segment of a path, between slashes, still encoded. A dot may be written %2e, and means the same to some readers.
bool is_dot_segment(std::string_view segment) {
    int dots = 0;
    while (!segment.empty()) {
        if (segment[0] == '.') {
            segment.remove_prefix(1);
        } else if (segment.size() >= 3 && segment[0] == '%' && segment[1] == '2' && (segment[2] | 0x20) == 'e') {
            segment.remove_prefix(3);
        } else {
            return false;
        }
        ++dots;
    }
    return dots == 1 || dots == 2;
}

// Not pchar, RFC 3986 §3.3.
constexpr std::array<bool, 256> kNeverInPath = [] {
    std::array<bool, 256> out{};
    for (const char c : std::string_view("\"#<>\\^`{|}")) out[static_cast<unsigned char>(c)] = true;
    return out;
}();

bool check_path(std::string_view path, Reject& reject) {
    bool never = false;
    for (const char c : path) never |= kNeverInPath[static_cast<unsigned char>(c)];
    if (never) return refuse_target(reject, "the path holds a character that it must not");
    for (std::size_t i = path.find('%'); i != std::string_view::npos; i = path.find('%', i + 1)) {
        const int high = i + 2 < path.size() ? hex_value(path[i + 1]) : -1;
        const int low = i + 2 < path.size() ? hex_value(path[i + 2]) : -1;
        if (high < 0 || low < 0) return refuse_target(reject, "the path holds a malformed percent escape");
        const int byte = high * 16 + low;
        if (byte < 0x20 || byte == 0x7f) return refuse_target(reject, "the path holds an escaped control character");
    }
    for (std::string_view rest = path.substr(1);;) {
        const std::size_t slash = rest.find('/');
        const std::string_view segment = rest.substr(0, slash);
        if (is_dot_segment(segment)) return refuse_target(reject, "the path holds a dot segment");
        if (slash == std::string_view::npos) return true;
        if (segment.empty()) return refuse_target(reject, "the path holds an empty segment");
        rest.remove_prefix(slash + 1);
    }
}

// http://authority/path?query split; authority empty for origin-form.
struct TargetParts {
    std::string_view authority, path, query;
    bool absolute = false;
};

TargetParts split_target(std::string_view target) {
    TargetParts out;
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (target.starts_with('/')) break;  // origin-form, as nearly always
        if (target.size() < scheme.size() || !equal_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
        target.remove_prefix(scheme.size());
        out.absolute = true;
        const std::size_t end = target.find_first_of("/?");
        out.authority = target.substr(0, end);
        target.remove_prefix(out.authority.size());
        break;
    }
    const std::size_t mark = target.find('?');
    out.path = target.substr(0, mark);
    if (mark != std::string_view::npos) out.query = target.substr(mark + 1);
    if (out.absolute && out.path.empty()) out.path = "/";  // RFC 9112 §3.2.1
    return out;
}

// uri-host [":" port] with a plain name, an IPv4 or a bracketed IPv6 address; RFC 9110 §7.2, no escapes, no userinfo.
bool is_host(std::string_view host) {
    std::string_view port;
    bool has_port = false;
    if (!host.empty() && host.front() == '[') {
        const std::size_t end = host.find(']');
        if (end == std::string_view::npos || end < 3) return false;
        char address[INET6_ADDRSTRLEN] = {};  // longer ones are none
        in6_addr unused{};
        if (end - 1 >= sizeof address) return false;
        host.copy(address, end - 1, 1);
        if (std::memchr(address, 0, end - 1) != nullptr || ::inet_pton(AF_INET6, address, &unused) != 1) return false;
        const std::string_view rest = host.substr(end + 1);
        if (!rest.empty() && rest.front() != ':') return false;
        has_port = !rest.empty();
        port = has_port ? rest.substr(1) : rest;
    } else {
        const std::size_t colon = host.find(':');
        has_port = colon != std::string_view::npos;
        port = has_port ? host.substr(colon + 1) : std::string_view{};
        const std::string_view name = host.substr(0, colon);
        if (name.empty() || name.size() > 255) return false;
        for (const char c : name)
            if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                  c == '_'))
                return false;
    }
    if (!has_port) return true;
    unsigned number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    return error == std::errc{} && end == port.data() + port.size() && port.size() <= 5 && number <= 65535;
}

// What the fields that matter here said; each counted.
struct Known {
    int hosts = 0, lengths = 0, codings = 0, expects = 0, content_types = 0, disguised = 0;
    std::string_view host, length, coding, expect;
    bool close = false, keep_alive = false;
};

Known collect(const HeaderList& headers) {
    Known out;
    const auto note = [](int& count, std::string_view& slot, std::string_view value) {
        if (count++ == 0) slot = value;
    };
    std::string_view unused;
    for (std::size_t i = 0; i < headers.size(); ++i) {
        const HeaderList::Field field = headers[i];
        const auto is = [&field](std::string_view name) { return equal_ignoring_case(field.name, name); };
        switch (field.name.size()) {
            case 4:
                if (is("host")) note(out.hosts, out.host, field.value);
                break;
            case 6:
                if (is("expect")) note(out.expects, out.expect, field.value);
                break;
            case 10:
                if (!is("connection")) break;
                out.close = out.close || list_has_token(field.value, "close");
                out.keep_alive = out.keep_alive || list_has_token(field.value, "keep-alive");
                break;
            case 12:
                if (is("content-type")) note(out.content_types, unused, field.value);
                break;
            case 14:
                if (is("content-length"))
                    note(out.lengths, out.length, field.value);
                else if (is("content_length"))
                    ++out.disguised;
                break;
            case 17:
                if (is("transfer-encoding"))
                    note(out.codings, out.coding, field.value);
                else if (is("transfer_encoding"))
                    ++out.disguised;
                break;
            default:
                break;
        }
    }
    return out;
}

// 1*DIGIT below 2^63, nothing around it; RFC 9110 §8.6 less its list form.
std::optional<std::uint64_t> parse_length(std::string_view text) {
    if (text.empty() || text.size() > 19) return std::nullopt;
    std::uint64_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    if (value > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
    return value;
}

// A listed name that ends with a dash stands for all that begin so. An underscore counts as the dash that some readers
// make of it.
bool is_listed(std::string_view name, std::string_view listed) {
    if (listed.back() == '-' ? name.size() < listed.size() : name.size() != listed.size()) return false;
    for (std::size_t i = 0; i < listed.size(); ++i) {
        const char c = name[i] == '_' ? '-' : name[i];
        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != listed[i]) return false;
    }
    return true;
}

bool check_framing(const Known& known, int minor, int status, std::optional<std::uint64_t>& length, bool& chunked,
                   Reject& reject) {
    const auto bad = [&reject, status](std::string_view why) {
        return refuse(reject, status, RejectReason::framing, why);
    };
    if (known.disguised > 0) return bad("a framing field is written with an underscore");
    if (known.lengths > 1) return bad("Content-Length occurs more than once");
    if (known.codings > 1) return bad("Transfer-Encoding occurs more than once");
    if (known.codings == 1) {
        if (known.lengths == 1) return bad("Content-Length and Transfer-Encoding together");
        if (minor == 0) return bad("Transfer-Encoding in HTTP/1.0");
        if (!equal_ignoring_case(known.coding, "chunked")) return bad("a Transfer-Encoding other than chunked");
        chunked = true;
    }
    if (known.lengths == 1) {
        length = parse_length(known.length);
        if (!length) return bad("Content-Length is not a plain number");
    }
    return true;
}

}  // namespace

bool check_target(std::string_view target, Reject& reject) {
    const TargetParts parts = split_target(target);
    if (parts.absolute && !is_host(parts.authority))
        return refuse_target(reject, "the target's authority is malformed");
    if (parts.path.empty() || parts.path.front() != '/') return refuse_target(reject, "the target is not a path");
    if (parts.query.find('#') != std::string_view::npos) return refuse_target(reject, "the target holds a fragment");
    return check_path(parts.path, reject);
}

bool check_request_fields(RequestHead& head, std::uint64_t body_bytes_max, Reject& reject) {
    const Known known = collect(head.headers);
    head.chunked = false;
    head.content_length.reset();
    if (!check_framing(known, head.minor, 400, head.content_length, head.chunked, reject)) return false;
    // RFC 9112 §7 has codings in any case; some readers do not.
    if (head.chunked && known.coding != "chunked")
        return refuse(reject, 400, RejectReason::framing, "a Transfer-Encoding not written exactly as chunked");
    if (known.hosts > 1) return refuse(reject, 400, RejectReason::host, "Host occurs more than once");
    if (known.hosts == 0 && head.minor > 0) return refuse(reject, 400, RejectReason::host, "Host is missing");
    if (known.hosts == 1 && !is_host(known.host)) return refuse(reject, 400, RejectReason::host, "Host is malformed");
    if (known.content_types > 1) return refuse(reject, 400, RejectReason::syntax, "Content-Type occurs more than once");
    const TargetParts parts = split_target(head.target);
    if (parts.absolute && !equal_ignoring_case(parts.authority, known.host))
        return refuse(reject, 400, RejectReason::host, "the target names another host than Host");
    head.raw_path = parts.path;
    head.query = parts.query;
    head.host = known.host;
    head.keep_alive = !known.close && (head.minor > 0 || known.keep_alive);
    if (known.expects > 1 || (known.expects == 1 && !equal_ignoring_case(known.expect, "100-continue")))
        return refuse(reject, 417, RejectReason::expect, "an expectation other than 100-continue");
    head.expect_continue = known.expects == 1 && head.minor > 0;
    if (head.content_length.value_or(0) > body_bytes_max)
        return refuse(reject, 413, RejectReason::body_too_large, "the body is larger than allowed");
    return true;
}

bool check_response_fields(ResponseHead& head, bool to_head, std::uint64_t body_bytes_max, Reject& reject) {
    const Known known = collect(head.headers);
    head.chunked = false;
    head.content_length.reset();
    if (!check_framing(known, head.minor, 502, head.content_length, head.chunked, reject)) return false;
    head.keep_alive = !known.close && (head.minor > 0 || known.keep_alive);
    if (head.status == 101)
        return refuse(reject, 502, RejectReason::upgrade, "a switch of protocols that nobody asked for");
    const bool bodiless = head.status < 200 || head.status == 204 || head.status == 304;
    if (bodiless && (head.chunked || head.content_length.value_or(0) > 0))
        return refuse(reject, 502, RejectReason::framing, "a body on an answer that has none");
    if (to_head || bodiless) return true;
    if (!head.chunked && !head.content_length) {
        if (head.minor > 0 && !known.close)
            return refuse(reject, 502, RejectReason::framing, "an answer without a length");
        head.keep_alive = false;
    }
    if (head.content_length.value_or(0) > body_bytes_max)
        return refuse(reject, 502, RejectReason::body_too_large, "the answer's body is larger than allowed");
    return true;
}

bool is_forbidden_trailer(std::string_view name, bool of_request) {
    // Framing, routing, who asks, and what the content is; RFC 9110 §6.5.1.
    static constexpr std::array<std::string_view, 12> kNever{
        "transfer-encoding", "content-length", "host",       "authorization", "content-type", "content-encoding",
        "content-range",     "trailer",        "connection", "expect",        "te",           "set-cookie"};
    // What a route, a proxy or the centre takes from a request's head.
    static constexpr std::array<std::string_view, 24> kNeverAsked{
        "content-",        "x-content-", "proxy-",        "x-timestamp", "x-nonce",      "cookie",
        "idempotency-key", "x-edge-",    "x-deadline-ms", "x-attempt",   "x-request-id", "forwarded",
        "x-forwarded-",    "x-real-ip",  "traceparent",   "tracestate",  "via",          "max-forwards",
        "upgrade",         "keep-alive", "cache-control", "pragma",      "range",        "if-"};
    const auto names = [name](std::string_view listed) { return is_listed(name, listed); };
    return std::any_of(kNever.begin(), kNever.end(), names) ||
           (of_request && std::any_of(kNeverAsked.begin(), kNeverAsked.end(), names));
}

}  // namespace holdfast
