// How long to wait before a retry: base · 2ⁿ ± 20 %. Only the wait: whether there is a retry at all is for the budget,
// the circuit and the deadline to say.
#pragma once

#include <cstdint>

#include "edge/base/rng.h"
#include "edge/base/time.h"

namespace holdfast {

inline constexpr double kBackoffJitter = 0.2;
inline constexpr Nanos kBackoffMax = 1h; // before the jitter

// `n` is 0 for the first retry. Never negative.
Nanos backoff(Nanos base, std::uint32_t n, Rng& rng);

} // namespace holdfast
