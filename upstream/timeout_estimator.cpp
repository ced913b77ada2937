#include "upstream/timeout_estimator.h"

#include <algorithm>
#include <bit>

namespace holdfast {
namespace {

constexpr unsigned kBits = 4;           // of the mantissa: 16 steps an octave
constexpr std::uint64_t kUnit = 64'000; // the first octave, in ns
constexpr std::uint64_t kPerOctave = 1 << kBits;

} // namespace

// Step 0 holds everything below one unit; octave k begins at unit · 2^k and is cut into 16 equal steps.
std::size_t TimeoutEstimator::step_of(Nanos latency) {
    const auto scaled = static_cast<std::uint64_t>(std::max<Nanos::rep>(latency.count(), 0)) / (kUnit / kPerOctave);
    if (scaled < kPerOctave) return 0;
    const auto octave = static_cast<std::size_t>(std::bit_width(scaled)) - kBits - 1;
    const std::size_t step = 1 + octave * kPerOctave + ((scaled >> octave) - kPerOctave);
    return std::min(step, kSteps - 1);
}

Nanos TimeoutEstimator::upper_bound(std::size_t step) {
    if (step == 0) return Nanos(kUnit);
    const std::size_t octave = (step - 1) / kPerOctave;
    const std::uint64_t next = ((step - 1) % kPerOctave + kPerOctave + 1) << octave;
    return Nanos(static_cast<Nanos::rep>(next * (kUnit / kPerOctave)));
}

void TimeoutEstimator::rotate(MonoTime now) {
    const Nanos age = now - began_;
    if (age < kGeneration) return;
    const bool both = age >= 2 * kGeneration;
    previous_ = both ? Histogram{} : current_;
    previous_count_ = both ? 0 : current_count_;
    current_ = {};
    current_count_ = 0;
    began_ = now;
    step_ = kSteps - 1;
    above_ = 0;
}

void TimeoutEstimator::sample(Nanos latency, MonoTime now) {
    rotate(now);
    const std::size_t step = step_of(latency);
    ++current_[step];
    ++current_count_;
    if (step > step_) ++above_;
}

std::optional<Nanos> TimeoutEstimator::p99(MonoTime now) {
    rotate(now);
    const std::uint64_t count = current_count_ + previous_count_;
    if (count < kSamplesMin) return std::nullopt;
    const std::uint64_t above_max = count / 100; // so many may be slower
    while (above_ > above_max) above_ -= in(++step_);
    while (above_ + in(step_) <= above_max) above_ += in(step_--);
    return upper_bound(step_);
}

Nanos TimeoutEstimator::timeout(MonoTime now) {
    const auto measured = p99(now);
    if (!measured) return options_.max;
    const double wanted = static_cast<double>(measured->count()) * options_.factor;
    if (wanted >= static_cast<double>(options_.max.count())) return options_.max;
    return std::max(options_.min, Nanos(static_cast<Nanos::rep>(wanted)));
}

} // namespace holdfast
