// What a load run saw: a latency histogram with a fixed relative error, and answers counted by what they say. Kept for
// the interval and for the whole run, and written as JSON lines.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "edge/base/time.h"

namespace holdfast {

// Latencies from 1 us to over an hour, each within 1/32 of its value.
class LatencyHistogram {
  public:
    static constexpr std::size_t kBuckets = 32 * 34;

    void add(Nanos latency);
    void clear() { *this = LatencyHistogram{}; }
    std::uint64_t count() const { return count_; }
    Nanos max() const { return max_; }
    // The upper end of the bucket that holds the quantile; zero when empty. Requires: 0 <= q <= 1.
    Nanos quantile(double q) const;
    // "[[us,count],...]": upper ends of the buckets that are not empty, so that intervals can be added up elsewhere.
    void append_json(std::string& out) const;

  private:
    std::array<std::uint32_t, kBuckets> buckets_{};
    std::uint64_t count_ = 0;
    Nanos max_{0};
};

struct LoadAnswer {
    static constexpr std::string_view kTimeout = "timeout";
    std::string scene;
    int status = 0;      // 0: no answer came; `code` says why
    std::string source;  // live, cache, feature, policy; empty when the answer has none
    std::string outcome; // pass, fail, review, provisional; empty for errors
    std::string code;    // of an error answer, or kTimeout, closed, refused, invalid
    bool operator<(const LoadAnswer& other) const {
        return std::tie(scene, status, source, outcome, code) <
               std::tie(other.scene, other.status, other.source, other.outcome, other.code);
    }
};

class LoadStats {
  public:
    static constexpr std::size_t kKindsMax = 500; // of answers; more are counted as one, with the code "other"

    void sent() { ++interval_.sent, ++total_.sent; }
    void ended(const LoadAnswer& answer, Nanos latency);      // with an answer or without
    void dropped() { ++interval_.dropped, ++total_.dropped; } // never sent: the backlog was full

    // One JSON object without a line end; the interval begins anew. `since_start` and `span` are wall times of the run.
    std::string take_interval(Nanos since_start, Nanos span, std::size_t in_flight, std::size_t waiting);
    void with_histograms() { histograms_ = true; } // in every interval from now on
    std::string summary(Nanos span) const;
    std::uint64_t answers() const { return total_.answered(); }
    std::uint64_t sent_count() const { return total_.sent; }
    std::uint64_t failures() const { return total_.failures; }  // no answer at all: timeouts too
    std::uint64_t timeouts() const { return total_.timeouts; }

  private:
    struct Part {
        std::uint64_t sent = 0;
        std::uint64_t dropped = 0;
        std::uint64_t failures = 0;
        std::uint64_t timeouts = 0;  // of them
        LatencyHistogram latency;    // of failures too: how long was waited for nothing
        std::map<LoadAnswer, std::uint64_t> answers;
        std::uint64_t answered() const { return latency.count() - failures; }
        void add(const LoadAnswer& answer, Nanos latency);
        void append_members(std::string& out, Nanos span) const;
    };
    Part interval_;
    Part total_;
    bool histograms_ = false;
};

} // namespace holdfast
