// A histogram of durations as the loop fills it: plain numbers, without the lock and the atomics of prometheus-cpp's,
// which gets them before somebody looks. Loop thread only.
#pragma once

#include <prometheus/histogram.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "edge/base/check.h"
#include "edge/base/time.h"

namespace holdfast {

class Tally {
  public:
    static constexpr std::size_t kBoundsMax = 16;  // more than any histogram of the node has

    Tally() = default;
    // `bounds`: those of `to`, in seconds, rising, at most kBoundsMax. `to` outlives it.
    Tally(prometheus::Histogram& to, const prometheus::Histogram::BucketBoundaries& bounds)
        : to_(&to), bounds_(bounds.size()) {
        HF_CHECK(bounds_ <= kBoundsMax);
        for (std::size_t i = 0; i < bounds_; ++i)
            bound_[i] = std::chrono::round<Nanos>(std::chrono::duration<double>(bounds[i]));
    }
    // Counts under the first bound that is not below it. Requires: it was made for a histogram.
    void observe(Nanos took) {
        std::size_t at = 0;
        while (at < bounds_ && bound_[at] < took) ++at;
        ++count_[at];
        sum_ns_ += static_cast<double>(took.count());
    }
    // What was counted since the last time.
    void hand_over() {
        if (to_ == nullptr || std::all_of(count_.begin(), count_.end(), [](std::uint64_t n) { return n == 0; })) return;
        to_->ObserveMultiple({count_.begin(), count_.begin() + static_cast<std::ptrdiff_t>(bounds_) + 1},
                             sum_ns_ * 1e-9);
        count_ = {};
        sum_ns_ = 0;
    }

    prometheus::Histogram* histogram() const { return to_; }

  private:
    prometheus::Histogram* to_ = nullptr;
    std::size_t bounds_ = 0;
    std::array<Nanos, kBoundsMax> bound_{};
    std::array<std::uint64_t, kBoundsMax + 1> count_{};  // the last one: above every bound
    double sum_ns_ = 0;  // a whole number would run over on a busy node that nobody scrapes
};

}  // namespace holdfast
