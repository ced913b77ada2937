#include "upstream/throttle.h"

#include <algorithm>

namespace holdfast {

Throttle::Bucket& Throttle::current(MonoTime now) {
    return buckets_.current(now, [this](Bucket& old) {
        sent_ -= old.sent;
        accepted_ -= old.accepted;
        held_ -= old.held;
        old = {};
    });
}

void Throttle::answered(bool accepted, MonoTime now) {
    Bucket& b = current(now);
    ++b.sent, ++sent_;
    if (accepted) ++b.accepted, ++accepted_;
}

void Throttle::held_back(MonoTime now) {
    ++current(now).held;
    ++held_;
}

double Throttle::probability(MonoTime now) {
    current(now);
    const std::uint64_t requested = sent_ + held_;
    if (requested == 0) return 1;
    return std::min(1.0, std::max(kK * static_cast<double>(accepted_), 1.0) / static_cast<double>(requested));
}

std::uint64_t Throttle::sent(MonoTime now) {
    current(now);
    return sent_;
}

void Throttle::clear() {
    buckets_.clear();
    sent_ = accepted_ = held_ = 0;
}

} // namespace holdfast
