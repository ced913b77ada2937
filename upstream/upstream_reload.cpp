// A reload of an upstream: endpoints keep their numbers, calls under way keep their endpoints.
#include <algorithm>

#include "edge/base/check.h"
#include "upstream/upstream.h"

namespace holdfast {

Upstream::One Upstream::make_endpoint(const Endpoint& endpoint) {
    PoolOptions pool = options_.pool;
    if (options_.alipay) pool.answer_bytes = std::max(pool.answer_bytes, kAlipayAnswerMax);
    One one{std::make_unique<Pool>(loop_, dialer_, network_, endpoint, pool, options_.resolver), nullptr,
            CentralHead(endpoint, options_.node, options_.region), &*urls_.insert(endpoint.url).first,
            TimeoutEstimator(options_.timeout)};
    one.weight = endpoint.weight;
    return one;
}

void Upstream::make_probe(std::size_t at) {
    One& one = endpoints_[at];
    one.health.reset();
    if (!one.left && !options_.health.path.empty())
        one.health = std::make_unique<HealthProbe>(loop_, *one.pool, options_.health,
                                                   [this, at](bool healthy) { probed(at, healthy); });
}

void Upstream::count_present() {
    std::vector<std::size_t> present;
    for (std::size_t i = 0; i < endpoints_.size(); ++i)
        if (!endpoints_[i].left) present.push_back(i);
    HF_CHECK(!present.empty());
    first_ = present.front();
    only_ = present.size() == 1 ? std::optional(first_) : std::nullopt;
}

// Where each of them goes: its own slot, one that has rested for long enough, or a new one.
std::optional<std::vector<std::size_t>> Upstream::slots_for(const std::vector<Endpoint>& endpoints) const {
    const MonoTime now = loop_.now().mono;
    std::vector<bool> taken(kEndpointSlots, false);
    std::vector<std::size_t> out(endpoints.size(), kEndpointSlots);
    for (std::size_t e = 0; e < endpoints.size(); ++e)
        for (std::size_t i = 0; i < endpoints_.size(); ++i)
            if (!taken[i] && endpoint_url(i) == endpoints[e].url) {
                taken[i] = true;
                out[e] = i;
                break;
            }
    for (std::size_t& slot : out) {
        for (std::size_t i = 0; slot == kEndpointSlots && i < kEndpointSlots; ++i) {
            const bool unused = i >= endpoints_.size();
            const bool rested = !unused && endpoints_[i].left && now - *endpoints_[i].left >= kSlotRest &&
                                endpoints_[i].pool->busy() == 0 && endpoints_[i].pool->queued() == 0;
            if (!taken[i] && (unused || rested)) slot = i;
        }
        if (slot == kEndpointSlots) return std::nullopt;
        taken[slot] = true;
    }
    return out;
}

Result<void> Upstream::reconfigure(UpstreamOptions options, bool fresh_connections) {
    HF_CHECK(!options.endpoints.empty() && options.endpoints.size() <= kEndpointsMax);
    HF_CHECK(options.retries <= kRetriesMax);
    const auto slots = slots_for(options.endpoints);
    if (!slots)
        return fail(Code::full, Origin::local,
                    "too many endpoints were replaced within the last three minutes; try again a little later");
    const Now now = loop_.now();
    const UpstreamOptions before = std::exchange(options_, std::move(options));
    options_.boot_clock = before.boot_clock;
    std::vector<bool> present(std::max(endpoints_.size(), *std::max_element(slots->begin(), slots->end()) + 1), false);
    for (std::size_t e = 0; e < slots->size(); ++e) {
        const std::size_t at = (*slots)[e];
        const Endpoint& wanted = options_.endpoints[e];
        present[at] = true;
        if (at >= endpoints_.size() || endpoint_url(at) != wanted.url) {
            if (at == endpoints_.size()) {
                endpoints_.push_back(make_endpoint(wanted));
                weights_.push_back({});
            } else {
                endpoints_[at] = make_endpoint(wanted);
            }
            weights_[at] = {endpoint_id(wanted.url), wanted.weight, true};
            continue;
        }
        const auto old = std::find_if(before.endpoints.begin(), before.endpoints.end(),
                                      [&](const Endpoint& one) { return one.url == wanted.url; });
        if (old == before.endpoints.end() || old->weight != wanted.weight) {
            endpoints_[at].weight = wanted.weight;
            endpoints_[at].weight_change.reset();
        }
        endpoints_[at].left.reset();
    }
    PoolOptions emptied = options_.pool;
    emptied.idle = 0;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
        One& one = endpoints_[i];
        if (!present[i] && !one.left) one.left = now.mono;
        one.pool->reconfigure(present[i] ? options_.pool : emptied, options_.resolver);
        if (fresh_connections) one.pool->renew();
        make_probe(i);
    }
    count_present();
    ejection_.reconfigure(options_.ejection, present);
    for (std::size_t i = 0; i < endpoints_.size(); ++i) ejection_.set_weighs(i, endpoints_[i].weight > 0);
    if (options_.health.path.empty()) ejection_.end_probes(now.mono);
    keep_half();
    if (options_.mirror != before.mirror || fresh_connections) make_mirror();
    estimator_.reconfigure(options_.timeout);
    for (One& one : endpoints_) one.latency.reconfigure(options_.timeout);
    budget_.reconfigure(options_.retry_budget, options_.retry_floor);
    late_.set_limit(options_.late_limit > Nanos{0} ? options_.late_limit : options_.timeout.max + 10s);
    circuit_.reconfigure(options_.circuit, now);
    circuit_touched();
    return {};
}

}  // namespace holdfast
