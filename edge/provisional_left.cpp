#include "edge/parts.h"

namespace holdfast {

ProvisionalLeft provisional_left(Parts& parts, const SceneConfig& scene, Now now) {
    ProvisionalLeft out;
    const ScenePolicy& policy = scene.policy;
    if (!policy.ladder.has(Rung::provisional)) return out;
    const std::uint32_t limit = provisional_limits(parts, policy).per_minute;
    const std::uint32_t spent = parts.budget.spent_last_minute(scene.name, now);
    out.budget = limit - std::min(limit, spent);
    const OutageFacts outage = parts.outages.facts(scene.name, now);
    if (!outage.active) return out;
    out.outage = outage.certain;
    out.begins_in = std::max(Nanos(0), policy.provisional.after - outage.certain);
    out.ends_in = std::max(Nanos(0), policy.provisional.hard_stop - outage.since_renewal);
    return out;
}

}  // namespace holdfast
