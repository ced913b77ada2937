#include "tests/support/load_stats.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "edge/base/json.h"

namespace holdfast {

namespace {

// 32 buckets a power of two: the five bits below the leading one pick the bucket.
std::size_t bucket_of(std::uint64_t us) {
    if (us < 32) return us;
    const int lead = std::bit_width(us) - 6;
    return std::min<std::size_t>(static_cast<std::size_t>(lead + 1) * 32 + ((us >> lead) & 31),
                                 LatencyHistogram::kBuckets - 1);
}

std::uint64_t upper_end(std::size_t bucket) {
    if (bucket < 32) return bucket;
    const std::size_t lead = bucket / 32 - 1;
    return ((32 + bucket % 32 + 1) << lead) - 1;
}

double to_millis(Nanos d) {
    return std::round(static_cast<double>(d.count()) / 1e3) / 1e3;
}

} // namespace

void LatencyHistogram::add(Nanos latency) {
    const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(0, latency.count() / 1000));
    ++buckets_[bucket_of(us)];
    ++count_;
    max_ = std::max(max_, latency);
}

Nanos LatencyHistogram::quantile(double q) const {
    const auto rank = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
        seen += buckets_[i];
        if (seen >= rank && seen > 0) return std::min(max_, Nanos(std::chrono::microseconds(upper_end(i))));
    }
    return max_;
}

void LatencyHistogram::append_json(std::string& out) const {
    json::Writer w(out);
    w.begin_array();
    for (std::size_t i = 0; i < kBuckets; ++i)
        if (buckets_[i] != 0) w.begin_array().unsigned_integer(upper_end(i)).unsigned_integer(buckets_[i]).end_array();
    w.end_array();
}

void LoadStats::Part::add(const LoadAnswer& answer, Nanos took) {
    latency.add(took);
    failures += answer.status == 0;
    timeouts += answer.status == 0 && answer.code == LoadAnswer::kTimeout;
    auto it = answers.find(answer);
    if (it == answers.end()) {
        LoadAnswer other{"", answer.status, "", "", "other"};
        it = answers.try_emplace(answers.size() < kKindsMax ? answer : std::move(other)).first;
    }
    ++it->second;
}

void LoadStats::ended(const LoadAnswer& answer, Nanos latency) {
    interval_.add(answer, latency);
    total_.add(answer, latency);
}

void LoadStats::Part::append_members(std::string& out, Nanos span) const {
    const double seconds = std::max(1e-9, static_cast<double>(span.count()) / 1e9);
    out += fmt::format(R"("sent":{},"answered":{},"failures":{},"timeouts":{},"dropped":{},"perSecond":{:.1f})", sent,
                       answered(), failures, timeouts, dropped, static_cast<double>(answered()) / seconds);
    out += R"(,"latencyMs":)";
    json::Writer w(out);
    w.begin_object();
    for (const auto& [label, q] : {std::pair{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}})
        w.member(std::string_view(label), to_millis(latency.quantile(q)));
    w.member("max", to_millis(latency.max())).end_object();
    out += R"(,"answers":)";
    json::Writer list(out);
    list.begin_array();
    for (const auto& [answer, count] : answers) {
        list.begin_object().member("scene", answer.scene).member("status", answer.status);
        if (!answer.source.empty()) list.member("source", answer.source);
        if (!answer.outcome.empty()) list.member("outcome", answer.outcome);
        if (!answer.code.empty()) list.member("code", answer.code);
        list.member("count", count).end_object();
    }
    list.end_array();
}

std::string LoadStats::take_interval(Nanos since_start, Nanos span, std::size_t in_flight, std::size_t waiting) {
    std::string out = fmt::format(R"({{"t":{:.3f},"inFlight":{},"waiting":{},)",
                                  static_cast<double>(since_start.count()) / 1e9, in_flight, waiting);
    interval_.append_members(out, span);
    if (histograms_) {
        out += ",\"histogramUs\":";
        interval_.latency.append_json(out);
    }
    interval_ = Part{};
    return out + "}";
}

std::string LoadStats::summary(Nanos span) const {
    std::string out = fmt::format(R"({{"summary":true,"seconds":{:.3f},)", static_cast<double>(span.count()) / 1e9);
    total_.append_members(out, span);
    return out + "}";
}

} // namespace holdfast
