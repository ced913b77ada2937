#include "upstream/canary.h"

#include <cmath>

#include "edge/base/rng.h"

namespace holdfast {

std::uint64_t endpoint_id(std::string_view url) {
    std::uint64_t hash = 0xcbf29ce484222325ull; // FNV-1a
    for (const char c : url) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
    return hash;
}

std::optional<std::size_t> choose(std::span<const WeightedEndpoint> endpoints, std::uint64_t subject) {
    std::optional<std::size_t> best;
    double best_score = 0;
    bool best_weighs = false;
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
        const WeightedEndpoint& e = endpoints[i];
        if (!e.eligible) continue;
        const bool weighs = e.weight > 0;
        // -w / ln(u), u uniform in (0, 1) from the pair: the highest wins, each in proportion to its weight.
        Rng mixed(subject ^ Rng(e.id).next());
        const double u = (static_cast<double>(mixed.next() >> 11) + 0.5) * 0x1.0p-53;
        const double score = -(weighs ? e.weight : 1) / std::log(u);
        if (best && (best_weighs > weighs || (best_weighs == weighs && best_score >= score))) continue;
        best = i;
        best_score = score;
        best_weighs = weighs;
    }
    return best;
}

} // namespace holdfast
