// The families and handles behind Metrics: which label sets exist, and where each is kept. Private to metrics*.cpp;
// everybody else counts through metrics.h.
#pragma once

#include <prometheus/registry.h>

#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "edge/metrics.h"
#include "edge/metrics_tally.h"
#include "upstream/central_codec.h"
#include "upstream/circuit.h"

namespace holdfast {

inline constexpr std::size_t kSources = 5;   // by Source; 0 is "none"
inline constexpr std::size_t kOutcomes = 5;  // by Outcome; 0 is "none"
inline constexpr Outcome kPending{};         // that "none" of a live answer: the centre works on it
inline constexpr std::size_t kCallResults = static_cast<std::size_t>(FailureKind::local) + 1;
inline constexpr std::size_t kCircuitStates = 3;

template <typename T>
constexpr std::size_t index(T value) {
    return static_cast<std::size_t>(value);
}

struct LabelHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using LabelIndex = std::unordered_map<std::string, std::size_t, LabelHash, std::equal_to<>>;

struct Metrics::Series {
    template <typename T>
    using Family = prometheus::Family<T>;
    using Counter = prometheus::Counter;
    using Gauge = prometheus::Gauge;
    using Histogram = prometheus::Histogram;

    explicit Series(std::string upstream_kind);
    void add_closed_sets();

    struct Scene {
        std::string name;
        std::array<std::array<Counter*, kOutcomes>, kSources> answered{};
        std::array<Counter*, static_cast<std::size_t>(ApiCode::count_)> refused{};
        std::array<Tally, kSources> took{};
        Gauge* mode = nullptr;
        Gauge *provisional_left = nullptr, *provisional_seconds = nullptr;  // nullptr: of "other", which has none
        std::uint64_t left_at = 0;  // the reload that took it away; 0: it is there
    };
    struct Endpoint {
        std::array<Counter*, kCallResults> calls{};
        Tally took;
    };

    // Each answers the index; the index of "other" when the metric is full.
    std::size_t add_scene(const std::string& name);
    std::size_t add_endpoint(const std::string& url);
    std::size_t add_rule(const std::string& name);
    void take_away_all_but(const MetricLabels& labels);
    void take_away_scene(std::size_t at);
    Scene& scene_slot(std::size_t& at);
    Counter& answered(Scene& scene, Source source, Outcome outcome);  // made on first use where it is not foreseen

    void hand_over();  // what the tallies hold

    Counter& plain_counter(const char* name, const char* help);
    Gauge& plain_gauge(const char* name, const char* help);
    Histogram& plain_histogram(const char* name, const char* help,
                               const prometheus::Histogram::BucketBoundaries& buckets);

    prometheus::Registry registry;
    std::string upstream;
    Family<Counter>&requests, &denied, &auth_failures, &rejects, &calls, &retries, &transitions, &evictions, &journal,
        &notices, &reconciliations;
    Family<Histogram>&request_took, &call_took;
    Family<Gauge>&circuit, &mode, &provisional_left, &provisional_seconds, &connections, &stores, &config_info,
        &build_info;

    std::deque<Scene> scenes;  // [kSceneOther] is "other"; a deque: handles stay where they are
    std::uint64_t reloads = 0;
    std::vector<std::size_t> spare_endpoints, spare_rules;  // places of those that left; looked up anew by each use
    template <typename T>
    static std::size_t slot(std::vector<std::size_t>& spare, std::deque<T>& all) {
        if (spare.empty()) {
            all.emplace_back();
            return all.size() - 1;
        }
        const std::size_t at = spare.back();
        spare.pop_back();
        return at;
    }
    std::deque<Endpoint> endpoints;
    std::deque<Counter*> rules;
    LabelIndex scene_index, endpoint_index, rule_index, reject_index, journal_index;
    std::array<Counter*, static_cast<std::size_t>(ApiCode::count_)> auth{};
    std::array<Counter*, kRejectLabels.size()> rejected{};
    std::array<Counter*, kJournalKinds.size()> journalled{};
    std::array<Counter*, kNoticeResults.size()> notified{};
    std::array<Counter*, kReconciledResults.size()> reconciled{};
    std::array<Counter*, kCircuitStates> to{};
    std::array<Counter*, static_cast<std::size_t>(EvictionCause::count_)> evicted{};
    std::array<Gauge*, static_cast<std::size_t>(ConnectionState::count_)> connection{};
    std::array<Gauge*, static_cast<std::size_t>(StoreName::count_)> store{};
    Tally loop_lag;
    Gauge* circuit_state = nullptr;
    Counter* retried = nullptr;
    Counter* looked_up = nullptr;  // of `requests`
    Gauge* config = nullptr;  // the one series of config_info
    Counter* capped = nullptr;
};

}  // namespace holdfast
