#include "policy/stamp.h"

#include <algorithm>

namespace holdfast {
namespace {

bool same_boot(const Stamp& at, std::uint64_t boot) {
    return boot != 0 && at.boot == boot;
}

} // namespace

std::optional<Nanos> oldest_age(const Stamp& at, Now now, std::uint64_t boot) {
    const Nanos by_wall = now.wall - at.wall;
    if (by_wall < Nanos{0}) return std::nullopt;
    if (same_boot(at, boot)) {
        const Nanos by_mono = now.mono - at.mono;
        if (by_mono < Nanos{0}) return std::nullopt;
        return std::max(by_wall, by_mono);
    }
    // Another boot certainly ended before this one began. When the boots cannot be told apart, the uptime only makes
    // the record older than it may be, which is the safe side.
    return std::max(by_wall, now.mono.time_since_epoch());
}

Nanos youngest_age(const Stamp& at, Now now, std::uint64_t boot) {
    if (boot == 0 || at.boot == 0) return Nanos{0};
    const Nanos age = same_boot(at, boot) ? now.mono - at.mono : now.mono.time_since_epoch();
    return std::max(age, Nanos{0});
}

} // namespace holdfast
