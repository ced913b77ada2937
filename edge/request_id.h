// Request ids: "req-" and 24 hex digits, time first (milliseconds, then random bits), so that they sort by age in logs.
// Unique, not secret, and never an authorization of anything.
#pragma once

#include <string>

#include "edge/base/rng.h"
#include "edge/base/time.h"

namespace holdfast {

inline constexpr std::size_t kRequestIdBytes = 28;

std::string make_request_id(WallTime now, Rng& rng);

}  // namespace holdfast
