#include "upstream/retry_budget.h"

#include <algorithm>
#include <cmath>

namespace holdfast {

RetryBudget::RetryBudget(double share, std::uint32_t floor)
    : share_(std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0.0),
      floor_(std::min(floor, kFloorMax)),
      recent_(std::max(floor_, 1u)) {}

void RetryBudget::reconfigure(double share, std::uint32_t floor) {
    RetryBudget fresh(share, floor);
    share_ = fresh.share_;
    if (floor_ == fresh.floor_) return;
    floor_ = fresh.floor_;
    for (std::size_t i = recent_.size() - std::min<std::size_t>(recent_.size(), floor_); i < recent_.size(); ++i)
        static_cast<void>(fresh.recent_.push(recent_.at(i)));
    recent_ = std::move(fresh.recent_);
}

RetryBudget::Bucket& RetryBudget::current(MonoTime now) {
    return buckets_.current(now, [this](Bucket& old) {
        calls_ -= old.calls;
        retries_ -= old.retries;
        old = {};
    });
}

void RetryBudget::call(MonoTime now) {
    ++current(now).calls;
    ++calls_;
}

bool RetryBudget::take(MonoTime now) {
    Bucket& b = current(now);
    while (!recent_.empty() && now - recent_.at(0) >= 1s) recent_.pop();
    const bool by_share = static_cast<double>(retries_ + 1) <= share_ * static_cast<double>(calls_);
    const bool by_floor = recent_.size() < floor_;
    if (!by_share && !by_floor) return false;
    if (recent_.full()) recent_.pop();
    static_cast<void>(recent_.push(now));
    ++b.retries;
    ++retries_;
    return true;
}

double RetryBudget::left(MonoTime now) {
    current(now);
    return share_ * static_cast<double>(calls_) - static_cast<double>(retries_);
}

} // namespace holdfast
