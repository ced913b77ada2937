#include "edge/metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <sstream>

#include "edge/base/check.h"
#include "edge/metrics_series.h"

namespace holdfast {
namespace {

std::size_t found(const LabelIndex& in, std::string_view label, std::size_t otherwise) {
    const auto it = in.find(label);
    return it == in.end() ? otherwise : it->second;
}

}  // namespace

Metrics::Metrics(const MetricLabels& labels) : series_(std::make_unique<Series>(labels.upstream)) {
    make_plain();
    adopt(labels);
}

Metrics::~Metrics() = default;

void Metrics::make_plain() {
    Series& s = *series_;
    series_capped_ = s.capped;
    lease_valid_ = &s.plain_gauge("holdfast_lease_valid", "1 while this node trusts the central circuit.");
    coordination_shared_ =
        &s.plain_gauge("holdfast_coordination_shared", "1 where the circuit is shared by configuration.");
    lease_remaining_seconds_ = &s.plain_gauge("holdfast_lease_remaining_seconds", "For how long it still does.");
    override_remaining_seconds_ = &s.plain_gauge("holdfast_override_remaining_seconds",
                                                 "Of the operator's override that ends last; 0 without one.");
    outage_seconds_ =
        &s.plain_gauge("holdfast_outage_seconds", "How long the outage under way has lasted; 0 without one.");
    cache_entries_ = &s.plain_gauge("holdfast_cache_entries", "Outcomes in the cache.");
    cache_bytes_ = &s.plain_gauge("holdfast_cache_bytes", "Bytes of the cache in use.");
    cache_hits_ = &s.plain_counter("holdfast_cache_hits_total", "Look-ups that found a record.");
    cache_misses_ = &s.plain_counter("holdfast_cache_misses_total", "Look-ups that found none.");
    commit_duration_ = &s.plain_histogram("holdfast_commit_duration_seconds", "Of a commit to disk, off the loop.",
                                          {0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.1, 0.2, 0.5, 1});
    const prometheus::Histogram::BucketBoundaries lags{0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005,
                                                       0.01,   0.02,    0.05,   0.1,   0.5,   1};
    s.loop_lag = Tally(s.plain_histogram("holdfast_loop_lag_seconds", "How late a timer of the loop was.", lags), lags);
    reconcile_pending_ = &s.plain_gauge("holdfast_reconcile_pending", "Provisional answers not yet reconciled.");
    config_held_ = &s.plain_gauge("holdfast_config_held", "1 while a rollback stands and the file does not count.");
    config_source_up_ = &s.plain_gauge("holdfast_config_source_up",
                                       "1 while the remote source of the configuration answers, or there is none.");
    config_source_up_->Set(1);
    registered_ = &s.plain_gauge("holdfast_registered",
                                 "1 while the registry holds this node, or there is no registry.");
    registered_->Set(1);
    config_last_reload_successful_ =
        &s.plain_gauge("holdfast_config_last_reload_successful", "1 when the last reload was adopted.");
    tls_reload_failures_ = &s.plain_counter("holdfast_tls_reload_failures_total", "Certificates not adopted.");
    tls_certificate_expiry_seconds_ =
        &s.plain_gauge("holdfast_tls_certificate_expiry_seconds", "End of the certificate, Unix time; 0 without TLS.");
    log_lines_suppressed_ =
        &s.plain_counter("holdfast_log_suppressed_total", "Lines of the log held back by its limit.");
    spans_sent_ = &s.plain_counter("holdfast_spans_sent_total", "Spans that the collector took.");
    spans_dropped_ = &s.plain_counter("holdfast_spans_dropped_total", "Spans lost: a full queue or no collector.");
    access_lines_dropped_ = &s.plain_counter("holdfast_access_log_dropped_total", "Lines of the access log lost.");
    requests_in_flight_ = &s.plain_gauge("holdfast_requests_in_flight", "Requests not yet answered.");
    upstream_in_flight_ = &s.plain_gauge("holdfast_upstream_in_flight", "Tries of the centre under way.");
    upstream_queued_ = &s.plain_gauge("holdfast_upstream_queued", "Calls that wait for a connection.");
    nonces_ = &s.plain_gauge("holdfast_nonces", "Nonces remembered.");
    clock_synchronised_ = &s.plain_gauge("holdfast_clock_synchronised", "1 when the kernel says so.");
    draining_ = &s.plain_gauge("holdfast_draining", "1 while the node drains.");
}

void Metrics::adopt(const MetricLabels& labels) {
    series_->take_away_all_but(labels);
    for (const auto& scene : labels.scenes) series_->add_scene(scene);
    for (const auto& endpoint : labels.endpoints) series_->add_endpoint(endpoint);
    for (const auto& rule : labels.rules) series_->add_rule(rule);
}

SceneIndex Metrics::scene(std::string_view name) const {
    return static_cast<SceneIndex>(found(series_->scene_index, name, kSceneOther));
}
std::size_t Metrics::endpoint(std::string_view url) const {
    return found(series_->endpoint_index, url, 0);
}
std::size_t Metrics::rule(std::string_view name) const {
    return found(series_->rule_index, name, 0);
}

void Metrics::answered(SceneIndex scene, Source source, Outcome outcome, Nanos took) {
    HF_CHECK(scene < series_->scenes.size() && index(source) < kSources && index(outcome) < kOutcomes);
    auto& series = series_->scenes[scene];
    series_->answered(series, source, outcome).Increment();
    series.took[index(source)].observe(took);
}

void Metrics::refused(SceneIndex scene, ApiCode code, Nanos took) {
    HF_CHECK(scene < series_->scenes.size() && code < ApiCode::count_);
    auto& series = series_->scenes[scene];
    auto* counter = series.refused[index(code)];
    (counter != nullptr ? counter : series_->scenes[kSceneOther].refused[index(code)])->Increment();
    series.took[0].observe(took);
}

void Metrics::refused_unread(ApiCode code) {
    HF_CHECK(code < ApiCode::count_);
    series_->scenes[kSceneOther].refused[index(code)]->Increment();
}

void Metrics::pending(SceneIndex scene, Nanos took) {
    HF_CHECK(scene < series_->scenes.size());
    auto& series = series_->scenes[scene];
    series_->answered(series, Source::live, kPending).Increment();
    series.took[index(Source::live)].observe(took);
}

void Metrics::looked_up(Nanos took) {
    series_->looked_up->Increment();
    series_->scenes[kSceneOther].took[0].observe(took);
}

void Metrics::precheck_denied(std::size_t rule) {
    HF_CHECK(rule < series_->rules.size());
    series_->rules[rule]->Increment();
}

void Metrics::auth_failed(ApiCode code) {
    HF_CHECK(code < ApiCode::count_);
    auto*& counter = series_->auth[index(code)];
    if (counter == nullptr) counter = &series_->auth_failures.Add({{"code", std::string(text_of(code).code)}});
    counter->Increment();
}

void Metrics::http_rejected(std::string_view reason) {
    series_->rejected[found(series_->reject_index, reason, kRejectLabels.size() - 1)]->Increment();
}

void Metrics::upstream_call(std::size_t endpoint, FailureKind result, Nanos took) {
    HF_CHECK(endpoint < series_->endpoints.size() && index(result) < kCallResults);
    series_->endpoints[endpoint].calls[index(result)]->Increment();
    series_->endpoints[endpoint].took.observe(took);
}

void Metrics::loop_lag(Nanos late) {
    series_->loop_lag.observe(late);
}

void Metrics::upstream_retried() {
    series_->retried->Increment();
}
void Metrics::circuit_state(CircuitState state) {
    series_->circuit_state->Set(static_cast<double>(state));
}
void Metrics::circuit_transition(CircuitState to) {
    HF_CHECK(index(to) < kCircuitStates);
    series_->to[index(to)]->Increment();
}

void Metrics::mode(SceneIndex scene, int mode) {
    HF_CHECK(scene < series_->scenes.size());
    series_->scenes[scene].mode->Set(mode);
}

void Metrics::provisional_left(SceneIndex scene, std::uint32_t left, Nanos ends_in) {
    HF_CHECK(scene < series_->scenes.size());
    const Series::Scene& series = series_->scenes[scene];
    if (series.provisional_left == nullptr) return;
    series.provisional_left->Set(left);
    series.provisional_seconds->Set(in_seconds(ends_in));
}

void Metrics::evicted(EvictionCause cause, std::uint64_t n) {
    HF_CHECK(cause < EvictionCause::count_);
    series_->evicted[index(cause)]->Increment(static_cast<double>(n));
}

void Metrics::journalled(std::string_view kind) {
    series_->journalled[found(series_->journal_index, kind, kJournalKinds.size() - 1)]->Increment();
}

void Metrics::notified(std::string_view result) {
    const auto at = std::find(kNoticeResults.begin(), kNoticeResults.end(), result);
    HF_CHECK(at != kNoticeResults.end());
    series_->notified[static_cast<std::size_t>(at - kNoticeResults.begin())]->Increment();
}

void Metrics::reconciled(std::string_view result) {
    const auto at = std::find(kReconciledResults.begin(), kReconciledResults.end(), result);
    HF_CHECK(at != kReconciledResults.end());
    series_->reconciled[static_cast<std::size_t>(at - kReconciledResults.begin())]->Increment();
}

void Metrics::connections(ConnectionState state, double n) {
    HF_CHECK(state < ConnectionState::count_);
    series_->connection[index(state)]->Set(n);
}

void Metrics::store_up(StoreName store, bool up) {
    HF_CHECK(store < StoreName::count_);
    series_->store[index(store)]->Set(up ? 1 : 0);
}

void Metrics::config_info(std::string_view hash, std::uint64_t generation, std::string_view source) {
    series_->config_info.Remove(series_->config);
    series_->config = &series_->config_info.Add(
        {{"hash", std::string(hash)}, {"generation", std::to_string(generation)}, {"source", std::string(source)}});
    series_->config->Set(1);
}

std::string Metrics::expose() const {
    series_->hand_over();
    // The registry keeps its families by kind; by name they are easier to read and to compare.
    auto families = series_->registry.Collect();
    std::sort(families.begin(), families.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families);
    return std::move(out).str();
}

}  // namespace holdfast
