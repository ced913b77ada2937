#include "upstream/etcd_rotation.h"

#include <algorithm>

#include "edge/base/check.h"

namespace holdfast {

EtcdRotation::EtcdRotation(std::size_t endpoints, std::size_t first) : all_(endpoints), current_(first) {
    HF_CHECK(endpoints >= 1 && endpoints <= kEndpointsMax && first < endpoints);
}

std::optional<EtcdRotation::Pick> EtcdRotation::pick(MonoTime now, std::uint32_t tried) const {
    std::optional<Pick> best;
    for (std::size_t i = 0; i < all_.size(); ++i) {
        const std::size_t at = (current_ + i) % all_.size();
        if ((tried >> at & 1u) != 0) continue;
        const MonoTime from = std::max(all_[at].rests_until, now);
        if (from == now) return Pick{at, now};
        if (!best || from < best->from) best = Pick{at, from};
    }
    return best;
}

void EtcdRotation::succeeded(std::size_t endpoint) {
    all_[endpoint] = {};
    if (all_[current_].failures > 0) current_ = endpoint;
}

void EtcdRotation::failed(std::size_t endpoint, MonoTime now, Rng& rng) {
    One& one = all_[endpoint];
    Nanos rest = kRestBase;
    for (std::uint32_t i = 0; i < one.failures && rest < kRestMax; ++i) rest *= 2;
    rest = std::min(rest, kRestMax);
    rest += Nanos(static_cast<Nanos::rep>(static_cast<double>(rest.count()) * (rng.unit() * 0.4 - 0.2)));
    one.rests_until = now + std::min(rest, kRestMax);
    ++one.failures;
    if (endpoint == current_) current_ = (current_ + 1) % all_.size();
}

}  // namespace holdfast
