#include "edge/host_list.h"

#include <algorithm>

#include "edge/base/bytes.h"
#include "upstream/endpoint.h"

namespace holdfast {
namespace {

constexpr std::size_t kNameBytesMax = 253;  // RFC 1035 §2.3.4, as text
constexpr std::size_t kLabelBytesMax = 63;

bool is_label(std::string_view label) {
    return !label.empty() && label.size() <= kLabelBytesMax &&
           std::all_of(label.begin(), label.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                      c == '_';
           });
}

bool is_name(std::string_view name) {
    if (name.empty() || name.size() > kNameBytesMax) return false;
    for (;;) {
        const std::size_t dot = name.find('.');
        if (!is_label(name.substr(0, dot))) return false;
        if (dot == std::string_view::npos) return true;
        name.remove_prefix(dot + 1);
    }
}

std::string_view without_port(std::string_view host) {
    if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
    return host.substr(0, host.find(':'));
}

bool matches(std::string_view entry, std::string_view host) {
    if (!entry.starts_with("*.")) return equal_ignoring_case(entry, host);
    const std::size_t dot = host.find('.');
    return dot != std::string_view::npos && dot > 0 && equal_ignoring_case(entry.substr(1), host.substr(dot));
}

}  // namespace

bool is_host_entry(std::string_view text) {
    if (text.starts_with('[') && text.ends_with(']') && text.size() > 2) {
        const std::string_view inside = text.substr(1, text.size() - 2);
        return inside.find(':') != std::string_view::npos && is_ip_literal(inside);
    }
    if (text.starts_with("*.")) text.remove_prefix(2);
    return is_name(text);
}

bool serves_host(const std::vector<std::string>& entries, std::string_view host) {
    if (entries.empty()) return true;
    const std::string_view name = without_port(host);
    return std::any_of(entries.begin(), entries.end(),
                       [name](const std::string& entry) { return matches(entry, name); });
}

}  // namespace holdfast
