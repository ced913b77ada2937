#include "edge/config_check.h"

#include <fmt/format.h>

#include <charconv>

#include "edge/base/bytes.h"
#include "edge/descriptors.h"
#include "edge/host_list.h"
#include "edge/net/ip_match.h"

namespace holdfast {
namespace {

void check_address(ConfigCheck& c, const std::string& key, const std::string& text) {
    if (parse_listen_address(text)) return;
    const Option* option = find_option(key);  // a default is an address that serves
    const std::string_view sample = option->fallback != nullptr ? option->fallback : "0.0.0.0:8443";
    c.problems.error(c.at(key), fmt::format("{} cannot be {}", key, toml_string(text.substr(0, 64))),
                     fmt::format("IP:port or [IPv6]:port, such as {}", toml_string(sample)));
}

// The node binds IPv6 addresses for IPv6 alone, so only listeners of one family can be in each other's way.
void check_overlap(ConfigCheck& c) {
    const auto& config = c.draft.config;
    const auto clients = parse_listen_address(config.listen.address),
               metrics = parse_listen_address(config.admin.listen);
    if (!clients || !metrics || clients->port != metrics->port || clients->port == 0) return;
    if (!hosts_overlap(clients->host, metrics->host)) return;
    c.problems.error(c.at(c.is_given("admin.listen") ? "admin.listen" : "listen.address"),
                     fmt::format("admin.listen {} and listen.address {} overlap", toml_string(config.admin.listen),
                                 toml_string(config.listen.address)),
                     "two ports, or two addresses of which none is 0.0.0.0 or [::]");
}

void check_tls(ConfigCheck& c) {
    const auto& listen = c.draft.config.listen;
    if (c.is_unread("listen.certificate") || c.is_unread("listen.key")) return;
    if (listen.certificate.empty() != listen.key.empty()) {
        const bool no_key = listen.key.empty();
        c.problems.error(c.at(no_key ? "listen.certificate" : "listen.key"),
                         no_key ? "listen.certificate without listen.key" : "listen.key without listen.certificate",
                         "both of them, or neither for plain HTTP on a loopback address");
        return;
    }
    const auto address = parse_listen_address(listen.address);
    if (!listen.tls() && address && !address->loopback)
        c.problems.error(c.at("listen.address"), "plain HTTP on an address that is not loopback",
                         "listen.certificate and listen.key, or an address such as \"127.0.0.1:8080\"");
}

void check_hosts(ConfigCheck& c) {
    for (const std::string& host : c.draft.config.listen.hosts)
        if (!is_host_entry(host))
            c.problems.error(c.at("listen.hosts"),
                             fmt::format("listen.hosts cannot hold {}", toml_string(host.substr(0, 64))),
                             "host names or addresses without a port, such as \"edge.example.com\"");
}

void check_limits(ConfigCheck& c) {
    const auto& config = c.draft.config;
    if (config.limits.memory < config.limits.body_bytes)
        c.problems.error(c.at("limits.memory"), "limits.memory is less than one request body",
                         fmt::format("at least limits.body_bytes, {}", format_size(config.limits.body_bytes)));
    const auto wanted = config.limits.connections + descriptors_beside_clients(config);
    if (c.env.descriptors_max != 0 && wanted > c.env.descriptors_max)
        c.problems.warn(
            c.at("limits.connections"),
            fmt::format("limits.connections and upstream.connections need {} descriptors, the process may open {}",
                        wanted, c.env.descriptors_max),
            fmt::format("a node here takes {} client connections at once: raise LimitNOFILE (ulimit -Hn) to {} or "
                        "more, or lower limits.connections",
                        connections_within(config, c.env.descriptors_max), wanted));
}

}  // namespace

std::optional<ListenAddress> parse_listen_address(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::string_view host = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (bracketed != (host.find(':') != std::string_view::npos) || !is_ip_literal(host)) return std::nullopt;
    ListenAddress out{std::string(host), 0, is_loopback_literal(host)};
    const auto end = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (port.empty() || end.ec != std::errc{} || end.ptr != port.data() + port.size()) return std::nullopt;
    if (out.port < 0 || out.port > 65535 || port.front() == '-') return std::nullopt;
    return out;
}

void check_node(ConfigCheck& c) {
    auto& config = c.draft.config;
    if (config.node.name.empty()) config.node.name = c.env.host_name;
    if (!config.listen.address.empty()) check_address(c, "listen.address", config.listen.address);
    if (!config.admin.listen.empty()) check_address(c, "admin.listen", config.admin.listen);
    check_overlap(c);
    check_tls(c);
    check_hosts(c);
    check_limits(c);
    if (config.auth.window % 1s != Nanos{})
        c.problems.error(c.at("auth.window"), "auth.window is not in whole seconds", "a duration such as \"300s\"");
    config.upstream.options.node = config.node.name;
    config.upstream.options.region = config.node.region;
}

}  // namespace holdfast
