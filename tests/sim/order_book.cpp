#include "tests/sim/order_book.h"

#include <algorithm>

namespace holdfast::sim {

void OrderBook::done(const std::string& scene, Mode mode, MonoTime since, MonoTime ends) {
    standing_[scene] = {true, mode, since, mode == Mode::automatic ? MonoTime{} : ends};
}

bool OrderBook::pending(const std::string& scene) const {
    const auto at = standing_.find(scene);
    return at != standing_.end() && !at->second.known;
}

bool OrderBook::binding(const std::string& scene, MonoTime now, Standing& out) const {
    out = Standing{};
    // When an order ends, the one behind it binds from then on.
    MonoTime from{};
    for (const std::string& scope : {scene, std::string()}) {
        const auto at = standing_.find(scope);
        if (at == standing_.end()) continue;
        const Standing& s = at->second;
        if (!s.known || (s.ends != MonoTime{} && now + kEndMargin > s.ends && now < s.ends + kEndMargin)) return false;
        const bool stands = s.mode != Mode::automatic && now < s.ends;
        if (!stands) {
            from = std::max({from, s.since, std::min(s.ends, now)});
            continue;
        }
        out = s;
        out.since = std::max(s.since, from);
        return true;
    }
    return true;
}

std::optional<Mode> OrderBook::mode_of(const std::string& scene, MonoTime now) const {
    Standing bound;
    if (!binding(scene, now, bound)) return std::nullopt;
    return bound.mode;
}

std::optional<MonoTime> OrderBook::degraded_since(const std::string& scene, MonoTime now) const {
    Standing bound;
    if (!binding(scene, now, bound) || bound.mode != Mode::degraded) return std::nullopt;
    return bound.since;
}

}  // namespace holdfast::sim
