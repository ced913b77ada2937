// A ring of one-second buckets over the last N seconds, the current second included. It keeps no sums: who uses it
// subtracts what it drops.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "edge/base/time.h"

namespace holdfast {

template <typename Bucket, std::size_t N>
class SecondBuckets {
  public:
    // The bucket of now. Calls `drop(bucket)` for each one that has left the span; drop must leave it empty, and
    // dropping an empty one must do nothing.
    template <typename Drop>
    Bucket& current(MonoTime now, Drop drop) {
        const auto second =
            std::max<std::int64_t>(newest_, std::chrono::floor<Seconds>(now.time_since_epoch()).count());
        const auto steps = std::min<std::int64_t>(second - newest_, N);
        for (std::int64_t i = 0; i < steps; ++i) drop(buckets_[static_cast<std::size_t>(second - i) % N]);
        newest_ = second;
        return buckets_[static_cast<std::size_t>(second) % N];
    }
    void clear() { buckets_ = {}; }

  private:
    std::array<Bucket, N> buckets_{};
    std::int64_t newest_ = 0;
};

} // namespace holdfast
