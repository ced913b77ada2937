#include <fmt/format.h>

#include <numeric>

#include "edge/base/bytes.h"
#include "edge/config_check.h"

namespace holdfast {
namespace {

void check_endpoints(ConfigCheck& c) {
    auto& endpoints = c.draft.config.upstream.options.endpoints;
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
        const std::string key = fmt::format("upstream.endpoint[{}].url", i);
        if (!c.is_given(key)) continue;
        const double weight = endpoints[i].weight;
        auto parsed = parse_endpoint(endpoints[i].url);
        if (!parsed) {
            c.problems.error(c.at(key), fmt::format("{}: {}", key, parsed.error().detail),
                             "https://host[:port][/path], or http:// with a loopback address");
            continue;
        }
        endpoints[i] = std::move(*parsed);
        endpoints[i].weight = weight;
        for (std::size_t j = 0; j < i; ++j)
            if (endpoints[j].url == endpoints[i].url)
                c.problems.error(c.at(key), fmt::format("{} is there twice", key), "another endpoint's URL");
    }
}

// One endpoint needs no weight. Several have all of them, adding up to 100, or none.
void check_weights(ConfigCheck& c) {
    auto& endpoints = c.draft.config.upstream.options.endpoints;
    std::size_t given = 0;
    double sum = 0;
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
        const std::string key = fmt::format("upstream.endpoint[{}].weight", i);
        if (c.is_unread(key)) return;
        const bool is_given = c.is_given(key);
        given += is_given ? 1 : 0;
        if (!is_given) endpoints[i].weight = 100.0 / static_cast<double>(endpoints.size());
        sum += endpoints[i].weight;
    }
    if (given == 0 || endpoints.size() < 2) return;
    for (std::size_t i = 0; i < endpoints.size() && given < endpoints.size(); ++i) {
        const std::string key = fmt::format("upstream.endpoint[{}]", i);
        if (c.is_given(key + ".weight")) continue;
        c.problems.error(c.at(key), fmt::format("{} has no weight, others have one", key),
                         "a weight for every endpoint, or for none");
        return;
    }
    if (sum != 100)
        c.problems.error(c.at(fmt::format("upstream.endpoint[{}].weight", endpoints.size() - 1)),
                         fmt::format("the weights of all endpoints add up to {}", sum), "a sum of 100");
}

void check_mirror(ConfigCheck& c) {
    const auto& options = c.draft.config.upstream.options;
    if (options.mirror.url.empty()) return;
    const auto parsed = parse_endpoint(options.mirror.url);
    const bool v3 = options.alipay && options.alipay->protocol == AlipayProtocol::v3;
    if (v3 && parsed && !parsed->path.empty())
        c.problems.error(c.at("upstream.mirror.url"),
                         "upstream.mirror.url: with protocol = \"v3\" the path is the API's", "a URL without a path");
    if (!parsed)
        c.problems.error(c.at("upstream.mirror.url"), fmt::format("upstream.mirror.url: {}", parsed.error().detail),
                         "https://host[:port][/path], http:// with a loopback address, or empty");
    for (const Endpoint& endpoint : options.endpoints)
        if (endpoint.url == options.mirror.url)
            c.problems.error(c.at("upstream.mirror.url"),
                             "upstream.mirror.url is an endpoint: it would get calls twice",
                             "the URL of a shadow, or empty");
}

// The circuit judges its own options; its keys are ours below [upstream.circuit], but for those that stand in a table.
std::string circuit_key(const std::string& key) {
    if (key == "window_size" || key == "sliding_window.size") return "upstream.circuit.sliding_window.size";
    if (key == "ramp_steps") return "upstream.circuit.recovery_ramp.steps";
    if (key == "ramp_step") return "upstream.circuit.recovery_ramp.step";
    return "upstream.circuit." + key;
}

void check_tracing(ConfigCheck& c) {
    Endpoint& endpoint = c.draft.config.tracing.endpoint;
    if (endpoint.url.empty()) return;
    auto parsed = parse_endpoint(endpoint.url);
    if (parsed)
        endpoint = std::move(*parsed);
    else
        c.problems.error(c.at("tracing.endpoint"), fmt::format("tracing.endpoint: {}", parsed.error().detail),
                         "https://host[:port][/path], or http:// with a loopback address");
}

}  // namespace

void check_upstream(ConfigCheck& c) {
    check_tracing(c);
    auto& upstream = c.draft.config.upstream;
    if (upstream.options.endpoints.empty())
        c.problems.error(c.at("upstream"), "there is no [[upstream.endpoint]]", "at least one, with its url");
    check_endpoints(c);
    if (upstream.kind == "alipay") check_alipay(c);
    check_weights(c);
    const auto& timeout = upstream.options.timeout;
    if (timeout.min > timeout.max)
        c.problems.error(c.at("upstream.timeout_min"), "upstream.timeout_min is above upstream.timeout_max",
                         fmt::format("at most {}", format_duration(timeout.max)));
    if (timeout.min > upstream.deadline)
        c.problems.error(c.at("upstream.timeout_min"),
                         "upstream.timeout_min is above upstream.deadline: no try would be started",
                         fmt::format("at most {}", format_duration(upstream.deadline)));
    if (upstream.certificate.empty() != upstream.key.empty())
        c.problems.error(c.at(upstream.key.empty() ? "upstream.certificate" : "upstream.key"),
                         "upstream.certificate and upstream.key belong together", "both of them, or neither");
    const auto& path = upstream.options.health.path;
    if (!path.empty() && (path.front() != '/' || path.find_first_of(" \t\r\n?#") != std::string::npos))
        c.problems.error(c.at("upstream.health.path"), "upstream.health.path is not a path",
                         "such as \"/healthz\", or empty");
    const auto& ejection = upstream.options.ejection;
    if (ejection.base > ejection.max)
        c.problems.error(c.at("upstream.ejection.base"), "upstream.ejection.base is above upstream.ejection.max",
                         fmt::format("at most {}", format_duration(ejection.max)));
    check_mirror(c);
    upstream.options.pool.idle = upstream.options.pool.connections;
    for (auto& problem : check(upstream.options.circuit)) {
        const std::string key = circuit_key(problem.key);
        const std::string message = fmt::format("{}: {}", key, problem.message);
        if (problem.warning)
            c.problems.warn(c.at(key), message);
        else
            c.problems.error(c.at(key), message);
    }
}

}  // namespace holdfast
