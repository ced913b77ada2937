#include "edge/snapshot.h"

#include <algorithm>

namespace holdfast {
namespace {

Nanos longest_age(const ScenePolicy& policy) {
    Nanos age{0};
    if (policy.ladder.has(Rung::cache)) age = std::max({age, policy.cache.max_age, policy.cache.fail_max_age});
    if (policy.ladder.has(Rung::feature)) age = std::max(age, policy.feature.max_age);
    return age;
}

}  // namespace

Result<std::shared_ptr<Snapshot>> Snapshot::make(Config config, Metrics& metrics, RateState& rates) {
    auto out = std::make_shared<Snapshot>();  // owners: the node, and each exchange that began under it
    out->config = std::move(config);
    auto credentials = CredentialSet::make(out->config.credentials);
    if (!credentials) return tl::unexpected(credentials.error());
    out->credentials = std::move(*credentials);
    out->credentials.seat(rates);
    auto prechecks = Prechecks::make(out->config.prechecks, out->config.node.region, rates);
    if (!prechecks) return tl::unexpected(prechecks.error());
    out->prechecks = std::move(*prechecks);
    for (const SceneConfig& scene : out->config.scenes)
        out->scenes.push_back({&scene, metrics.scene(scene.name), longest_age(scene.policy)});
    return out;
}

Nanos Snapshot::max_age() const {
    Nanos longest{0};
    for (const SceneRuntime& scene : scenes) longest = std::max(longest, scene.max_age);
    return longest;
}

}  // namespace holdfast
