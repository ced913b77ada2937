#include "edge/metrics_series.h"

#include <vector>

namespace holdfast {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Histogram;

const Histogram::BucketBoundaries kRequestBuckets{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                  0.1,    0.25,  0.5,    1,     2,    3,     5};

// Errors that a request can get once its scene is known; the others are counted under the scene "other".
constexpr ApiCode kSceneCodes[] = {
    ApiCode::scene_forbidden,  ApiCode::precheck_denied,          ApiCode::rate_limited,
    ApiCode::order_conflict,   ApiCode::internal_error,           ApiCode::upstream_invalid_response,
    ApiCode::upstream_timeout, ApiCode::verification_unavailable, ApiCode::overloaded,
    ApiCode::draining,         ApiCode::request_timeout,
};
struct Foreseen {
    Source source;
    Outcome outcome;
};
constexpr Foreseen kAnswers[] = {
    {Source::live, Outcome::pass},      {Source::live, Outcome::fail},
    {Source::live, Outcome::review},    {Source::live, kPending},
    {Source::cache, Outcome::pass},     {Source::cache, Outcome::fail},
    {Source::cache, Outcome::review},   {Source::feature, Outcome::pass},
    {Source::feature, Outcome::review}, {Source::policy, Outcome::provisional},
};
constexpr std::size_t kSceneSeries = std::size(kSceneCodes) + std::size(kAnswers);
constexpr std::size_t kOtherSeries = static_cast<std::size_t>(ApiCode::count_) + std::size(kAnswers) + 1;
constexpr std::size_t kScenesMax = (Metrics::kSeriesMax - kOtherSeries) / kSceneSeries;
constexpr std::size_t kEndpointSeriesMax = Metrics::kSeriesMax / kCallResults;

constexpr std::string_view kEvictionNames[] = {"expired", "full", "revoked", "purged", "damaged"};
constexpr std::string_view kConnectionNames[] = {"handshake", "idle", "active", "admin"};
constexpr std::string_view kStoreNames[] = {"cache", "state", "journal", "evidence"};
constexpr ApiCode kAuthCodes[] = {ApiCode::invalid_request, ApiCode::missing_credential, ApiCode::invalid_signature,
                                  ApiCode::request_expired, ApiCode::nonce_replayed,     ApiCode::overloaded};

}  // namespace

Metrics::Series::Series(std::string upstream_kind)
    : upstream(std::move(upstream_kind)),
      requests(BuildCounter()
                   .Name("holdfast_requests_total")
                   .Help("Requests for verifications and for their orders (no source, no scene), answered or refused.")
                   .Register(registry)),
      denied(BuildCounter()
                 .Name("holdfast_precheck_denied_total")
                 .Help("Requests denied by a precheck.")
                 .Register(registry)),
      auth_failures(
          BuildCounter().Name("holdfast_auth_failures_total").Help("Callers not authenticated.").Register(registry)),
      rejects(BuildCounter()
                  .Name("holdfast_http_rejects_total")
                  .Help("Messages refused and connections closed, by their reason.")
                  .Register(registry)),
      calls(BuildCounter().Name("holdfast_upstream_calls_total").Help("Tries of the centre.").Register(registry)),
      retries(
          BuildCounter().Name("holdfast_upstream_retries_total").Help("Tries after a first one.").Register(registry)),
      transitions(
          BuildCounter().Name("holdfast_circuit_transitions_total").Help("Changes of the circuit.").Register(registry)),
      evictions(BuildCounter()
                    .Name("holdfast_cache_evictions_total")
                    .Help("Records that left the cache.")
                    .Register(registry)),
      journal(BuildCounter()
                  .Name("holdfast_journal_entries_total")
                  .Help("Entries of the audit journal.")
                  .Register(registry)),
      notices(BuildCounter()
                  .Name("holdfast_notifications_total")
                  .Help("Results that the centre sent by itself, and what became of them.")
                  .Register(registry)),
      reconciliations(BuildCounter()
                          .Name("holdfast_reconciled_total")
                          .Help("Provisional answers, by what the centre said of them afterwards.")
                          .Register(registry)),
      request_took(BuildHistogram()
                       .Name("holdfast_request_duration_seconds")
                       .Help("From the whole request to its answer.")
                       .Register(registry)),
      call_took(BuildHistogram().Name("holdfast_upstream_duration_seconds").Help("Of one try.").Register(registry)),
      circuit(BuildGauge().Name("holdfast_circuit_state").Help("0 closed, 1 half-open, 2 open.").Register(registry)),
      mode(BuildGauge().Name("holdfast_mode").Help("0 auto, 1 degraded, 2 live.").Register(registry)),
      provisional_left(BuildGauge()
                           .Name("holdfast_provisional_remaining")
                           .Help("Provisional answers that this minute's budget has left.")
                           .Register(registry)),
      provisional_seconds(BuildGauge()
                              .Name("holdfast_provisional_remaining_seconds")
                              .Help("Until hard_stop ends them in the outage under way; 0 without one.")
                              .Register(registry)),
      connections(
          BuildGauge().Name("holdfast_connections").Help("Connections of clients and operators.").Register(registry)),
      stores(BuildGauge().Name("holdfast_store_up").Help("1 when this part of the storage works.").Register(registry)),
      config_info(BuildGauge().Name("holdfast_config_info").Help("The configuration in force.").Register(registry)),
      build_info(BuildGauge().Name("holdfast_build_info").Help("The program.").Register(registry)) {
    capped = &plain_counter("holdfast_series_capped_total", "Labels counted under \"other\" because a metric is full.");
    add_scene("other");
    add_endpoint("other");
    add_rule("other");
    add_closed_sets();
    circuit_state = &circuit.Add({{"upstream", upstream}});
    looked_up = &requests.Add({{"scene", "other"}, {"source", "none"}, {"outcome", "none"}, {"code", "OK"}});
    retried = &retries.Add({{"upstream", upstream}});
    config = &config_info.Add({{"hash", ""}, {"generation", "0"}, {"source", ""}});
    build_info.Add({{"version", HOLDFAST_VERSION}}).Set(1);
}

void Metrics::Series::add_closed_sets() {
    for (const auto code : kAuthCodes)
        auth[index(code)] = &auth_failures.Add({{"code", std::string(text_of(code).code)}});
    for (std::size_t i = 0; i < kRejectLabels.size(); ++i) {
        rejected[i] = &rejects.Add({{"reason", std::string(kRejectLabels[i])}});
        reject_index.emplace(kRejectLabels[i], i);
    }
    for (std::size_t i = 0; i < kJournalKinds.size(); ++i) {
        journalled[i] = &journal.Add({{"kind", std::string(kJournalKinds[i])}});
        journal_index.emplace(kJournalKinds[i], i);
    }
    for (std::size_t i = 0; i < kNoticeResults.size(); ++i)
        notified[i] = &notices.Add({{"result", std::string(kNoticeResults[i])}});
    for (std::size_t i = 0; i < kReconciledResults.size(); ++i)
        reconciled[i] = &reconciliations.Add({{"result", std::string(kReconciledResults[i])}});
    for (std::size_t i = 0; i < evicted.size(); ++i)
        evicted[i] = &evictions.Add({{"cause", std::string(kEvictionNames[i])}});
    for (std::size_t i = 0; i < connection.size(); ++i)
        connection[i] = &connections.Add({{"state", std::string(kConnectionNames[i])}});
    for (std::size_t i = 0; i < store.size(); ++i) store[i] = &stores.Add({{"store", std::string(kStoreNames[i])}});
    for (std::size_t i = 0; i < to.size(); ++i)
        to[i] = &transitions.Add({{"upstream", upstream}, {"to", std::string(name(static_cast<CircuitState>(i)))}});
}

std::size_t Metrics::Series::add_scene(const std::string& label) {
    if (const auto it = scene_index.find(label); it != scene_index.end()) return it->second;
    const bool other = scenes.empty();
    if (!other && scene_index.size() > kScenesMax) {
        capped->Increment();
        return kSceneOther;
    }
    std::size_t at = 0;
    Scene& scene = scene_slot(at);
    scene.name = label;
    for (const auto& [source, outcome] : kAnswers) answered(scene, source, outcome);
    const auto refuse = [this, &scene, &label](ApiCode code) {
        scene.refused[index(code)] = &requests.Add(
            {{"scene", label}, {"source", "none"}, {"outcome", "none"}, {"code", std::string(text_of(code).code)}});
    };
    if (other)
        for (std::size_t i = 0; i < index(ApiCode::count_); ++i) refuse(static_cast<ApiCode>(i));
    else
        for (const auto code : kSceneCodes) refuse(code);
    for (std::size_t i = 0; i < kSources; ++i) {
        const std::string source(i == 0 ? std::string_view("none") : holdfast::name(static_cast<Source>(i)));
        Histogram& took = request_took.Add({{"scene", label}, {"source", source}}, kRequestBuckets);
        scene.took[i] = Tally(took, kRequestBuckets);
    }
    // "other" has no mode of its own: the node's stands in its place.
    scene.mode = &mode.Add({{"scene", other ? "*" : label}});
    if (!other) {
        scene.provisional_left = &provisional_left.Add({{"scene", label}});
        scene.provisional_seconds = &provisional_seconds.Add({{"scene", label}});
    }
    scene_index.emplace(label, at);
    return at;
}

prometheus::Counter& Metrics::Series::answered(Scene& scene, Source source, Outcome outcome) {
    Counter*& at = scene.answered[index(source)][index(outcome)];
    if (at == nullptr)
        at = &requests.Add({{"scene", scene.name},
                            {"source", std::string(holdfast::name(source))},
                            {"outcome", index(outcome) == 0 ? "none" : std::string(holdfast::name(outcome))},
                            {"code", "OK"}});
    return *at;
}

std::size_t Metrics::Series::add_endpoint(const std::string& url) {
    if (const auto it = endpoint_index.find(url); it != endpoint_index.end()) return it->second;
    if (endpoint_index.size() >= kEndpointSeriesMax) {
        capped->Increment();
        return 0;
    }
    const std::size_t at = slot(spare_endpoints, endpoints);
    Endpoint& endpoint = endpoints[at];
    for (std::size_t i = 0; i < kCallResults; ++i) {
        const std::string result(i == 0 ? std::string_view("ok") : holdfast::name(static_cast<FailureKind>(i)));
        endpoint.calls[i] = &calls.Add({{"upstream", upstream}, {"endpoint", url}, {"result", result}});
    }
    endpoint.took =
        Tally(call_took.Add({{"upstream", upstream}, {"endpoint", url}}, kRequestBuckets), kRequestBuckets);
    endpoint_index.emplace(url, at);
    return at;
}

std::size_t Metrics::Series::add_rule(const std::string& label) {
    if (const auto it = rule_index.find(label); it != rule_index.end()) return it->second;
    if (rule_index.size() >= kSeriesMax) {
        capped->Increment();
        return 0;
    }
    const std::size_t at = slot(spare_rules, rules);
    rules[at] = &denied.Add({{"rule", label}});
    rule_index.emplace(label, at);
    return at;
}

void Metrics::Series::hand_over() {
    for (Scene& scene : scenes)
        for (Tally& took : scene.took) took.hand_over();
    for (Endpoint& endpoint : endpoints) endpoint.took.hand_over();
    loop_lag.hand_over();
}

prometheus::Counter& Metrics::Series::plain_counter(const char* label, const char* help) {
    return BuildCounter().Name(label).Help(help).Register(registry).Add({});
}
prometheus::Gauge& Metrics::Series::plain_gauge(const char* label, const char* help) {
    return BuildGauge().Name(label).Help(help).Register(registry).Add({});
}
prometheus::Histogram& Metrics::Series::plain_histogram(const char* label, const char* help,
                                                        const prometheus::Histogram::BucketBoundaries& buckets) {
    return BuildHistogram().Name(label).Help(help).Register(registry).Add({}, buckets);
}

}  // namespace holdfast
