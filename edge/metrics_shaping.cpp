#include "edge/metrics_shaping.h"

#include "edge/metrics_series.h"

namespace holdfast {
namespace {

prometheus::Family<prometheus::Gauge>& gauge(prometheus::Registry& registry, const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}
prometheus::Family<prometheus::Counter>& counter(prometheus::Registry& registry, const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

void catch_up(prometheus::Counter& counter, std::uint64_t now) {
    if (static_cast<double>(now) > counter.Value()) counter.Increment(static_cast<double>(now) - counter.Value());
}

}  // namespace

prometheus::Registry& Metrics::registry() {
    return series_->registry;
}

ShapingMetrics::ShapingMetrics(Metrics& metrics, std::string upstream)
    : upstream_(std::move(upstream)),
      ejected_(gauge(metrics.registry(), "holdfast_upstream_ejected", "1 while calls go around this endpoint.")),
      weight_(gauge(metrics.registry(), "holdfast_upstream_weight", "The endpoint's weight, configured or by order.")),
      share_(gauge(metrics.registry(), "holdfast_upstream_share_ratio", "Of the subjects that it gets now.")),
      addresses_(gauge(metrics.registry(), "holdfast_upstream_addresses", "Addresses known of the endpoint's name.")),
      stale_(gauge(metrics.registry(), "holdfast_upstream_addresses_stale",
                   "1 while the name does not resolve and the last good addresses serve.")),
      ejections_(counter(metrics.registry(), "holdfast_upstream_ejections_total", "Times that it was taken out.")),
      mirrored_(counter(metrics.registry(), "holdfast_mirror_copies_total", "Copies for the shadow endpoint.")),
      mirroring_(gauge(metrics.registry(), "holdfast_mirror_copies_under_way", "Copies that nobody has answered yet.")
                     .Add({})) {
    for (std::size_t i = 0; i < kMirrorResults; ++i)
        results_[i] = &mirrored_.Add({{"result", std::string(name(static_cast<MirrorResult>(i)))}});
}

ShapingMetrics::One& ShapingMetrics::endpoint(const std::string& url) {
    if (const auto at = endpoints_.find(url); at != endpoints_.end()) return at->second;
    const std::map<std::string, std::string> labels{{"upstream", upstream_}, {"endpoint", url}};
    return endpoints_
        .emplace(url, One{&ejected_.Add(labels), &weight_.Add(labels), &share_.Add(labels), &addresses_.Add(labels),
                          &stale_.Add(labels), &ejections_.Add(labels)})
        .first->second;
}

void ShapingMetrics::refresh(const UpstreamStatus& status) {
    for (auto& [url, one] : endpoints_) one.seen = false;
    for (const EndpointStatus& e : status.endpoints) {
        One& one = endpoint(e.url);
        one.seen = true;
        one.ejected->Set(e.ejected ? 1 : 0);
        one.weight->Set(e.weight);
        one.share->Set(e.share);
        one.addresses->Set(static_cast<double>(e.addresses));
        one.stale->Set(e.addresses_stale ? 1 : 0);
        catch_up(*one.ejections, e.ejections);
    }
    forget_the_unseen();
    for (std::size_t i = 0; i < kMirrorResults; ++i) catch_up(*results_[i], status.mirrored[i]);
    mirroring_.Set(status.mirror ? static_cast<double>(status.mirror->under_way) : 0);
}

void ShapingMetrics::forget_the_unseen() {
    for (auto at = endpoints_.begin(); at != endpoints_.end();) {
        if (at->second.seen) {
            ++at;
            continue;
        }
        for (const auto& [family, gauge] :
             {std::pair{&ejected_, at->second.ejected}, std::pair{&weight_, at->second.weight},
              std::pair{&share_, at->second.share}, std::pair{&addresses_, at->second.addresses},
              std::pair{&stale_, at->second.stale}})
            family->Remove(gauge);
        ejections_.Remove(at->second.ejections);
        at = endpoints_.erase(at);
    }
}

}  // namespace holdfast
