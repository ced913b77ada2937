#include "tests/bench/recovery/slow_centre.h"

#include <algorithm>

namespace holdfast::recovery {
namespace {

double seconds(Nanos d) {
    return static_cast<double>(d.count()) / 1e9;
}

Nanos nanos(double s) {
    return Nanos(static_cast<std::int64_t>(s * 1e9));
}

}  // namespace

double SlowCentre::rate(Nanos grown) const {
    const double part = plan_.at_return + (1 - plan_.at_return) * seconds(grown) / seconds(plan_.growth);
    return plan_.full * std::min(1.0, part);
}

double SlowCentre::rate_at_best(MonoTime t) const {
    if (t < plan_.down_at) return plan_.full;
    return t < plan_.back_at ? 0 : rate(t - plan_.back_at);
}

double SlowCentre::waiting(MonoTime now, double rate) const {
    return busy_until_ <= now ? 0 : seconds(busy_until_ - now) * rate;
}

void SlowCentre::grow(MonoTime now) {
    const double full = std::min(1.0, waiting(now, rate(grown_)) / plan_.queue);
    grown_ += nanos(seconds(now - std::max(grown_at_, plan_.back_at)) * (1 - full));
    grown_at_ = now;
}

SlowCentre::Reply SlowCentre::ask(MonoTime now) {
    const Nanos latency = plan_.latency_min + nanos(rng_.unit() * seconds(plan_.latency_max - plan_.latency_min));
    if (now >= plan_.down_at && now < plan_.back_at) {
        busy_until_ = now;  // what waited is gone with it
        return {false, false, plan_.latency_min};
    }
    if (now >= plan_.back_at) grow(now);
    const double rate = now < plan_.down_at ? plan_.full : this->rate(grown_);
    const double waiting = this->waiting(now, rate);
    if (waiting >= plan_.queue) return {true, false, latency};
    busy_until_ = std::max(now, busy_until_) + nanos(1 / (rate * (1 - plan_.thrash * waiting / plan_.queue)));
    // It goes down with whatever waits in it.
    const bool lost = now < plan_.down_at && busy_until_ >= plan_.down_at;
    return {true, !lost, latency + (busy_until_ - now)};
}

}  // namespace holdfast::recovery
