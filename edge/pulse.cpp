#include "edge/pulse.h"

#include <algorithm>
#include <bit>

namespace holdfast {
namespace {

std::size_t bucket(Nanos took) {
    const std::int64_t micros = took / std::chrono::microseconds(1);
    const auto us = static_cast<std::uint32_t>(std::clamp<std::int64_t>(micros, 0, UINT32_MAX));
    if (us < 4) return us;
    const int octave = std::bit_width(us) - 1;  // 2 to 31
    return static_cast<std::size_t>(octave - 1) * 4 + ((us >> (octave - 2)) & 3u);
}

Nanos upper_edge(std::size_t index) {
    if (index < 4) return std::chrono::microseconds(index + 1);
    const std::size_t octave = index / 4 + 1;
    return std::chrono::microseconds((std::uint64_t(index % 4) + 5) << (octave - 2));
}

}  // namespace

std::uint32_t Pulse::Beat::total() const {
    std::uint32_t out = 0;
    for (const std::uint32_t n : answers) out += n;
    return out;
}

Nanos Pulse::Beat::quantile(double q) const {
    std::uint64_t all = 0;
    for (const std::uint32_t n : took) all += n;
    if (all == 0) return Nanos(0);
    const double due = q * double(all);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
        seen += took[i];
        if (double(seen) >= due && seen > 0) return upper_edge(i);
    }
    return upper_edge(kBuckets - 1);
}

std::uint64_t Pulse::number(MonoTime now) const {
    return static_cast<std::uint64_t>(now.time_since_epoch() / kBeatEvery) + kBeats;
}

Pulse::Beat& Pulse::current(MonoTime now) {
    const std::uint64_t current = number(now);
    if (current > last_) {
        const std::uint64_t gone = std::min<std::uint64_t>(current - last_, kBeats);
        for (std::uint64_t i = 0; i < gone; ++i) beats_[(current - i) % kBeats] = {};
        last_ = current;
    }
    return beats_[last_ % kBeats];
}

void Pulse::answered(std::size_t kind, Nanos took, Seconds cached_age, MonoTime now) {
    Beat& beat = current(now);
    ++beat.answers[std::min(kind, kKinds - 1)];
    ++beat.took[bucket(took)];
    beat.oldest = std::max(beat.oldest, cached_age);
}

void Pulse::refused(ApiCode code, MonoTime now) {
    ++current(now).refused[static_cast<std::size_t>(code)];
}

Pulse::Refusals Pulse::refusals(MonoTime now) const {
    Beat sum;
    Refusals out;
    for (std::size_t ago = 0; ago < static_cast<std::size_t>(1min / kBeatEvery); ++ago) {
        const Beat one = beat(ago, now);
        for (std::size_t kind = 1; kind < kKinds; ++kind) out.asked += one.answers[kind];
        for (std::size_t code = 0; code < sum.refused.size(); ++code) sum.refused[code] += one.refused[code];
    }
    for (std::size_t code = 0; code < sum.refused.size(); ++code) {
        const std::uint32_t n = sum.refused[code];
        if (n == 0 || static_cast<ApiCode>(code) == ApiCode::draining) continue;
        out.asked += n;
        Refusals::Share& share = text_of(static_cast<ApiCode>(code)).status < 500 ? out.refused : out.unanswered;
        share.count += n;
        if (n <= share.by_most) continue;
        share.by_most = n;
        share.most = static_cast<ApiCode>(code);
    }
    return out;
}

Pulse::Beat Pulse::beat(std::size_t ago, MonoTime now) const {
    const std::uint64_t wanted = number(now) - std::min(ago, kBeats);
    if (ago >= kBeats || wanted > last_ || last_ - wanted >= kBeats) return {};
    return beats_[wanted % kBeats];
}

}  // namespace holdfast
