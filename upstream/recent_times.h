// How long the latest of something took, at most N of them: at worst, and as a rule. However rare they are, none is
// forgotten but by N newer ones. Pure.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include "edge/base/time.h"

namespace holdfast {

template <std::size_t N>
class RecentTimes {
  public:
    void add(Nanos took) {
        times_[added_++ % N] = took;
        longest_.reset();
    }
    // Of one that was given up after so long: it says something only where none is known to take longer.
    void at_least(Nanos took) {
        if (size() == 0 || took > *longest()) add(took);
    }
    std::size_t size() const { return std::min(added_, N); }
    // Nothing before the first.
    std::optional<Nanos> longest() {
        if (!longest_ && size() > 0)
            longest_ = *std::max_element(times_.begin(), times_.begin() + static_cast<std::ptrdiff_t>(size()));
        return longest_;
    }
    // Half of them took this long or longer; nothing before the first.
    std::optional<Nanos> median() const {
        if (size() == 0) return std::nullopt;
        std::array<Nanos, N> sorted = times_;
        const auto end = sorted.begin() + static_cast<std::ptrdiff_t>(size());
        const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(size() / 2);
        std::nth_element(sorted.begin(), middle, end);
        return *middle;
    }

  private:
    std::array<Nanos, N> times_{};
    std::size_t added_ = 0;
    std::optional<Nanos> longest_;  // of them, where it was asked for since the last
};

}  // namespace holdfast
