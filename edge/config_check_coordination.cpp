// [coordination]: what a node must know to take part in the circuit of a fleet.
#include <fmt/format.h>

#include "edge/base/bytes.h"
#include "edge/base/printable.h"
#include "edge/config_check.h"
#include "upstream/fleet_records.h"

namespace holdfast {
namespace {

constexpr std::string_view kNameRule = "1 to 64 of A-Z, a-z, 0-9, \".\", \"_\" and \"-\"";

void check_store(ConfigCheck& c) {
    auto& coordination = c.draft.config.coordination;
    const TextPlace place = c.at("coordination.endpoints");
    auto& endpoints = coordination.etcd.endpoints;
    bool tls = false;
    for (const std::string& url : coordination.endpoints) {
        auto parsed = parse_endpoint(url);
        if (!parsed) {
            c.problems.error(place,
                             fmt::format("coordination.endpoints: {}: {}", toml_string(shown_url(url).substr(0, 64)),
                                         parsed.error().detail),
                             "https://host[:port], or http:// with a loopback address");
            continue;
        }
        for (const Endpoint& other : endpoints)
            if (other.url == parsed->url)
                c.problems.error(place, fmt::format("coordination.endpoints holds {} twice", toml_string(url)),
                                 "each member of the cluster once");
        tls = tls || parsed->tls;
        endpoints.push_back(std::move(*parsed));
    }
    if (coordination.endpoints.empty())
        c.problems.error(place, "coordination.endpoints is empty", "at least one, such as \"https://etcd-1:2379\"");
    for (const std::string_view key : {"ca_file", "certificate"}) {
        const std::string& file = key == "ca_file" ? coordination.ca_file : coordination.certificate;
        if (!file.empty() && !tls && !endpoints.empty())
            c.problems.warn(c.at(fmt::format("coordination.{}", key)),
                            fmt::format("coordination.{} serves nothing: no endpoint is https", key));
    }
}

// Two keys that have no meaning without each other.
void check_pair(ConfigCheck& c, std::string_view one, bool has_one, std::string_view other, bool has_other) {
    if (has_one == has_other) return;
    const std::string there = fmt::format("coordination.{}", has_one ? one : other);
    const std::string missing = fmt::format("coordination.{}", has_one ? other : one);
    if (c.is_unread(missing)) return;
    c.problems.error(c.at(there), fmt::format("{} without {}", there, missing), "both of them, or neither");
}

}  // namespace

void check_coordination(ConfigCheck& c) {
    auto& config = c.draft.config;
    auto& coordination = config.coordination;
    if (!coordination.shared()) return;
    if (!is_fleet_name(coordination.fleet))
        c.problems.error(c.at("coordination.fleet"),
                         fmt::format("coordination.fleet cannot be {}", toml_string(coordination.fleet)),
                         std::string(kNameRule));
    if (!is_fleet_name(config.node.name))
        c.problems.error(c.at("node.name"),
                         fmt::format("node.name cannot be {} in a fleet", toml_string(config.node.name)),
                         std::string(kNameRule), "each node of the fleet under a name of its own");
    check_store(c);
    if (coordination.lease_ttl % 1s != Nanos{})
        c.problems.error(c.at("coordination.lease_ttl"), "coordination.lease_ttl is not in whole seconds",
                         "a duration such as \"10s\"");
    if (coordination.min_votes < 2)
        c.problems.warn(c.at("coordination.min_votes"),
                        "coordination.min_votes = 1 counts as 2 while more than one node is registered",
                        "one node alone never opens the circuit of others");
    check_pair(c, "user", !coordination.etcd.user.empty(), "password_file", !coordination.password_file.empty());
    check_pair(c, "certificate", !coordination.certificate.empty(), "key", !coordination.key.empty());
}

}  // namespace holdfast
