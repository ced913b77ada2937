// [config_source] and [registration]: what a node must know to ask another server.
#include <fmt/format.h>

#include "edge/base/bytes.h"
#include "edge/base/printable.h"
#include "edge/config_check.h"

namespace holdfast {
namespace {

void check_access(ConfigCheck& c, const std::string& section, RemoteAccess& access) {
    const TextPlace place = c.at(section + ".endpoints");
    for (const std::string& url : access.urls) {
        auto parsed = parse_endpoint(url);
        if (parsed) {
            access.endpoints.push_back(std::move(*parsed));
            continue;
        }
        c.problems.error(place,
                         fmt::format("{}.endpoints: {}: {}", section, toml_string(shown_url(url).substr(0, 64)),
                                     parsed.error().detail),
                         "https://host[:port], or http:// with a loopback address");
    }
    if (access.urls.empty() && !c.is_unread(section + ".endpoints"))
        c.problems.error(place, section + ".endpoints is empty", "at least one, such as \"https://server:8500\"");
    const auto pair = [&](const char* one, bool has_one, const char* other, bool has_other) {
        if (has_one == has_other) return;
        const std::string there = fmt::format("{}.{}", section, has_one ? one : other);
        c.problems.error(c.at(there), fmt::format("{} without {}.{}", there, section, has_one ? other : one),
                         "both of them, or neither");
    };
    pair("user", !access.user.empty(), "password_file", !access.password_file.empty());
    pair("certificate", !access.certificate.empty(), "key", !access.key.empty());
}

void check_registration(ConfigCheck& c) {
    auto& registration = c.draft.config.registration;
    check_access(c, "registration", registration.access);
    const bool given = !registration.address.empty();
    if (!given) registration.address = c.draft.config.listen.address;
    const std::string key = given ? "registration.address" : "listen.address";
    const auto address = parse_listen_address(registration.address);
    if (!address && given)
        c.problems.error(c.at(key), fmt::format("{} cannot be {}", key, toml_string(registration.address)),
                         "IP:port or [IPv6]:port");
    if (address && (address->host == "0.0.0.0" || address->host == "::"))
        c.problems.error(c.at(key), "nobody could reach the node at " + registration.address,
                         "registration.address with the address that clients use");
}

}  // namespace

void check_sources(ConfigCheck& c) {
    auto& config = c.draft.config;
    if (config.config_source.kind != "file") check_access(c, "config_source", config.config_source.access);
    if (config.registration.kind != "none") check_registration(c);
}

}  // namespace holdfast
