// What a reload does to series: those of names that left go, and their places are kept for a while.
#include <algorithm>

#include "edge/metrics_series.h"

namespace holdfast {
namespace {

bool names(const std::vector<std::string>& all, const std::string& one) {
    return one == "other" || std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

// A new place, or one whose scene left so long ago that nobody counts under it any more.
Metrics::Series::Scene& Metrics::Series::scene_slot(std::size_t& at) {
    for (at = 1; at < scenes.size(); ++at)
        if (scenes[at].left_at != 0 && reloads - scenes[at].left_at >= kIndexRest) return scenes[at] = Scene{};
    at = scenes.size();
    return scenes.emplace_back();
}

void Metrics::Series::take_away_scene(std::size_t at) {
    Scene& scene = scenes[at];
    for (const auto& of_source : scene.answered)
        for (Counter* counter : of_source)
            if (counter != nullptr) requests.Remove(counter);
    for (Counter* counter : scene.refused)
        if (counter != nullptr) requests.Remove(counter);
    for (const Tally& took : scene.took) request_took.Remove(took.histogram());
    mode.Remove(scene.mode);
    provisional_left.Remove(scene.provisional_left);
    provisional_seconds.Remove(scene.provisional_seconds);
    scene = scenes[kSceneOther];
    scene.left_at = reloads;
}

// Tallies are copied here, and what they hold must not be: it would count twice.
void Metrics::Series::take_away_all_but(const MetricLabels& labels) {
    hand_over();
    ++reloads;
    for (auto it = scene_index.begin(); it != scene_index.end();) {
        const bool stays = names(labels.scenes, it->first);
        if (!stays) take_away_scene(it->second);
        it = stays ? std::next(it) : scene_index.erase(it);
    }
    for (auto it = endpoint_index.begin(); it != endpoint_index.end();) {
        const bool stays = names(labels.endpoints, it->first);
        if (!stays) {
            Endpoint& endpoint = endpoints[it->second];
            for (Counter* counter : endpoint.calls) calls.Remove(counter);
            call_took.Remove(endpoint.took.histogram());
            endpoint = endpoints[0];
            spare_endpoints.push_back(it->second);
        }
        it = stays ? std::next(it) : endpoint_index.erase(it);
    }
    for (auto it = rule_index.begin(); it != rule_index.end();) {
        const bool stays = names(labels.rules, it->first);
        if (!stays) {
            denied.Remove(std::exchange(rules[it->second], rules[0]));
            spare_rules.push_back(it->second);
        }
        it = stays ? std::next(it) : rule_index.erase(it);
    }
}

}  // namespace holdfast
