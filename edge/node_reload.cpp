// The swap of a node's configuration: all that can fail first, then everything at once, between two requests.
#include "edge/node_reload.h"

#include "edge/base/log.h"
#include "edge/descriptors.h"
#include "edge/node.h"

namespace holdfast {

MetricLabels labels_of(const Config& config) {
    MetricLabels labels;
    labels.upstream = config.upstream.kind;
    for (const SceneConfig& scene : config.scenes) labels.scenes.push_back(scene.name);
    for (const Endpoint& endpoint : config.upstream.options.endpoints) labels.endpoints.push_back(endpoint.url);
    labels.rules = {"credential-scene", "credential-rate"};
    for (const PrecheckRule& rule : config.prechecks) labels.rules.push_back(rule.name);
    return labels;
}

ServerOptions server_options(const Config& config, std::uint64_t descriptors_max) {
    const LimitsConfig& limits = config.limits;
    ServerOptions out;
    out.request_limits.header_bytes = limits.header_bytes;
    out.request_limits.body_bytes = limits.body_bytes;
    out.connections_max = connections_within(config, descriptors_max);
    out.connections_per_prefix = limits.connections_per_prefix;
    out.memory_max = limits.memory;
    out.body_rate_min = limits.body_rate_min;
    out.handshake_timeout = limits.handshake_timeout;
    out.header_timeout = limits.header_timeout;
    out.body_timeout = limits.body_timeout;
    out.write_stall_timeout = limits.write_stall_timeout;
    out.keepalive_timeout = limits.keepalive_timeout;
    return out;
}

namespace {

// The names of both, so that handles can be had before anything of the old configuration goes.
MetricLabels together(MetricLabels a, const MetricLabels& b) {
    a.scenes.insert(a.scenes.end(), b.scenes.begin(), b.scenes.end());
    a.endpoints.insert(a.endpoints.end(), b.endpoints.begin(), b.endpoints.end());
    a.rules.insert(a.rules.end(), b.rules.begin(), b.rules.end());
    return a;
}

}  // namespace

void Node::tell_cap(std::size_t connections) const {
    if (connections >= config().limits.connections) return;
    log::warn(
        "limits.connections is {}, and the process may open {} descriptors: it takes {} client connections at once",
        config().limits.connections, seams_.descriptors_max, connections);
}

Result<void> Node::adopt(Config wanted, SetFiles::Sets sets, bool fresh_connections) {
    const Config& before = config();
    metrics_->adopt(together(labels_of(before), labels_of(wanted)));
    auto made = Snapshot::make(std::move(wanted), *metrics_, *rates_);
    auto ready = made ? upstream_->reconfigure((*made)->config.upstream.options, fresh_connections)
                      : Result<void>(tl::unexpected(made.error()));
    if (!ready) {
        metrics_->adopt(labels_of(before));
        return ready;
    }
    set_files_ = SetFiles::open(*made, std::move(sets), seams_.loop, seams_.offload);
    if ((*made)->credentials.ids() != snapshot_->credentials.ids()) nonces_->set_owners((*made)->credentials.ids());
    rates_->set_shares((*made)->credentials.seats());
    parts_->snapshot = snapshot_ = std::move(*made);
    storage_->orders().know_for(snapshot_->max_age());
    if (membership_ != nullptr) membership_->reconfigured();
    const Config& c = config();
    metrics_->adopt(labels_of(c));
    for (SceneRuntime& scene : snapshot_->scenes) scene.metric = metrics_->scene(scene.config->name);
    metrics_->config_info(c.hash, c.generation, c.kind);
    const ServerOptions options = server_options(c, seams_.descriptors_max);
    if (options.connections_max != server_->options().connections_max) tell_cap(options.connections_max);
    server_->reconfigure(options);
    parts_->in_flight_max = c.limits.in_flight;
    log::set_level(c.log.level);
    check_clock();
    orders_changed();
    return {};
}

}  // namespace holdfast
