// A moment kept on disk, by both clocks, and how old it may be. Two bounds, because a caller must know on which side it
// errs: what must not outlive its age asks oldest_age, what must not be refilled early asks youngest_age. A jump of the
// wall clock can make nothing younger by the first and nothing older by the second.
#pragma once

#include <cstdint>
#include <optional>

#include "edge/base/time.h"

namespace holdfast {

// `boot` is boot_id() of the boot that `mono` was read in; 0 when the kernel did not tell.
struct Stamp {
    WallTime wall;
    MonoTime mono;
    std::uint64_t boot = 0;
    bool operator==(const Stamp&) const = default;
};

inline Stamp stamp(Now now, std::uint64_t boot) {
    return {now.wall, now.mono, boot};
}

// The greater of the ages by the two clocks; between boots the machine's uptime stands in for the monotonic one.
// Nothing for a moment in the future of either clock: such a record is not to be believed.
std::optional<Nanos> oldest_age(const Stamp& at, Now now, std::uint64_t boot);

// The age that is certain whatever the wall clock did: by the monotonic clock within a boot, else the machine's uptime;
// zero when the boots cannot be told apart. Never negative.
Nanos youngest_age(const Stamp& at, Now now, std::uint64_t boot);

} // namespace holdfast
