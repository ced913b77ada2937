#include "upstream/backoff.h"

#include <algorithm>
#include <cmath>

namespace holdfast {

Nanos backoff(Nanos base, std::uint32_t n, Rng& rng) {
    const double wait =
        std::ldexp(static_cast<double>(std::max(base, Nanos{0}).count()), static_cast<int>(std::min(n, 62u)));
    const double capped = std::min(wait, static_cast<double>(kBackoffMax.count()));
    const double jitter = 1 - kBackoffJitter + 2 * kBackoffJitter * rng.unit();
    return Nanos(static_cast<Nanos::rep>(capped * jitter));
}

} // namespace holdfast
