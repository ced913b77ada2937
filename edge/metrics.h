// Every number that /metrics shows (SPEC: metrics), over a prometheus-cpp registry. All series that can be foreseen
// exist from the start; the request path goes through arrays of handles and never looks a label up. Labels come from
// the configuration and from closed sets only: what a caller chooses freely is never one. Loop thread only.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/api_error.h"
#include "edge/base/time.h"
#include "policy/verification.h"

namespace holdfast {

enum class CircuitState : std::uint8_t;  // upstream/circuit.h
enum class FailureKind : std::uint8_t;   // upstream/central_codec.h

enum class EvictionCause : std::uint8_t { expired, full, revoked, purged, damaged, count_ };
enum class ConnectionState : std::uint8_t { handshake, idle, active, admin, count_ };
enum class StoreName : std::uint8_t { cache, state, journal, evidence, count_ };

// What the labels may be: taken from the configuration at start and again after each reload.
struct MetricLabels {
    std::string upstream = "central";    // the kind
    std::vector<std::string> scenes;     // configured scenes
    std::vector<std::string> endpoints;  // "https://host:port", as in the configuration
    std::vector<std::string> rules;      // names of prechecks, those built in included
};

// Index of a scene; kSceneOther stands for requests whose scene is not known or not configured.
using SceneIndex = std::uint16_t;
inline constexpr SceneIndex kSceneOther = 0;

class Metrics {
  public:
    static constexpr std::size_t kSeriesMax = 1000;  // of one metric; beyond it values are counted under "other"

    explicit Metrics(const MetricLabels& labels);
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    // After a reload: adds what is new and takes away the series of names that left. Their indices stay valid: what
    // still ends under an older configuration is counted under "other". A scene's index serves another scene only
    // kIndexRest reloads later.
    static constexpr std::uint64_t kIndexRest = 16;
    void adopt(const MetricLabels& labels);

    // Look these up when a configuration is adopted, not per request. An unknown name is the index of "other".
    SceneIndex scene(std::string_view name) const;
    std::size_t endpoint(std::string_view url) const;
    std::size_t rule(std::string_view name) const;

    // One answered verification, and a request that was refused (source and outcome "none").
    void answered(SceneIndex scene, Source source, Outcome outcome, Nanos took);
    void refused(SceneIndex scene, ApiCode code, Nanos took);
    // The same of a message that was never read as a request: it took no time that would say anything of the node.
    void refused_unread(ApiCode code);
    // One whose outcome comes later (202): source "live", outcome "none".
    void pending(SceneIndex scene, Nanos took);
    // One look at an order that was answered, which gives no outcome anew: scene "other", source and outcome "none".
    void looked_up(Nanos took);

    void precheck_denied(std::size_t rule);
    void auth_failed(ApiCode code);
    // A refused message or a closed connection; `reason` is one of kRejectLabels, else it counts as "other".
    void http_rejected(std::string_view reason);
    // One try; `none` is a definite answer (result "ok").
    void upstream_call(std::size_t endpoint, FailureKind result, Nanos took);
    void upstream_retried();
    void loop_lag(Nanos late);  // how late a timer of the loop was
    void circuit_state(CircuitState state);
    void circuit_transition(CircuitState to);
    void mode(SceneIndex scene, int mode);  // 0 auto, 1 degraded, 2 live; kSceneOther: the node as a whole, "*"
    // Provisional answers that are left, and for how long. Nothing for kSceneOther.
    void provisional_left(SceneIndex scene, std::uint32_t left, Nanos ends_in);
    void evicted(EvictionCause cause, std::uint64_t n = 1);
    void journalled(std::string_view kind);  // one of kJournalKinds, else "other"
    void notified(std::string_view result);  // one of kNoticeResults
    void reconciled(std::string_view result);  // one of kReconciledResults
    void connections(ConnectionState state, double n);
    void store_up(StoreName store, bool up);
    void config_info(std::string_view hash, std::uint64_t generation, std::string_view source);

    // The rest have no labels; seconds where the name says so.
    prometheus::Gauge& lease_valid() { return *lease_valid_; }
    prometheus::Gauge& coordination_shared() { return *coordination_shared_; }
    prometheus::Gauge& lease_remaining_seconds() { return *lease_remaining_seconds_; }
    prometheus::Gauge& override_remaining_seconds() { return *override_remaining_seconds_; }
    prometheus::Gauge& outage_seconds() { return *outage_seconds_; }  // of the node; 0: there is none
    prometheus::Gauge& cache_entries() { return *cache_entries_; }
    prometheus::Gauge& cache_bytes() { return *cache_bytes_; }
    prometheus::Counter& cache_hits() { return *cache_hits_; }
    prometheus::Counter& cache_misses() { return *cache_misses_; }
    prometheus::Histogram& commit_duration() { return *commit_duration_; }
    prometheus::Gauge& reconcile_pending() { return *reconcile_pending_; }
    prometheus::Gauge& config_last_reload_successful() { return *config_last_reload_successful_; }
    prometheus::Gauge& config_held() { return *config_held_; }            // 1: a rollback holds, not the file
    prometheus::Gauge& config_source_up() { return *config_source_up_; }    // 1 also without a remote source
    prometheus::Gauge& registered() { return *registered_; }              // 1 also without a registry
    prometheus::Counter& tls_reload_failures() { return *tls_reload_failures_; }
    prometheus::Gauge& tls_certificate_expiry_seconds() { return *tls_certificate_expiry_seconds_; }  // Unix time
    prometheus::Counter& log_lines_suppressed() { return *log_lines_suppressed_; }
    prometheus::Counter& spans_sent() { return *spans_sent_; }
    prometheus::Counter& spans_dropped() { return *spans_dropped_; }
    prometheus::Counter& access_lines_dropped() { return *access_lines_dropped_; }
    prometheus::Counter& series_capped() { return *series_capped_; }  // labels folded into "other"
    prometheus::Gauge& requests_in_flight() { return *requests_in_flight_; }
    prometheus::Gauge& upstream_in_flight() { return *upstream_in_flight_; }
    prometheus::Gauge& upstream_queued() { return *upstream_queued_; }
    prometheus::Gauge& nonces() { return *nonces_; }
    prometheus::Gauge& clock_synchronised() { return *clock_synchronised_; }
    prometheus::Gauge& draining() { return *draining_; }

    // The text format (version 0.0.4) of all of it.
    std::string expose() const;
    prometheus::Registry& registry();  // for series that are brought up to date before a scrape only

  private:
    struct Series;
    void make_plain();
    std::unique_ptr<Series> series_;

    prometheus::Gauge* lease_valid_ = nullptr;
    prometheus::Gauge* coordination_shared_ = nullptr;
    prometheus::Gauge* lease_remaining_seconds_ = nullptr;
    prometheus::Gauge* override_remaining_seconds_ = nullptr;
    prometheus::Gauge* outage_seconds_ = nullptr;
    prometheus::Gauge* cache_entries_ = nullptr;
    prometheus::Gauge* cache_bytes_ = nullptr;
    prometheus::Counter* cache_hits_ = nullptr;
    prometheus::Counter* cache_misses_ = nullptr;
    prometheus::Histogram* commit_duration_ = nullptr;
    prometheus::Gauge* reconcile_pending_ = nullptr;
    prometheus::Gauge* config_last_reload_successful_ = nullptr;
    prometheus::Gauge* config_held_ = nullptr;
    prometheus::Gauge* config_source_up_ = nullptr;
    prometheus::Gauge* registered_ = nullptr;
    prometheus::Counter* tls_reload_failures_ = nullptr;
    prometheus::Gauge* tls_certificate_expiry_seconds_ = nullptr;
    prometheus::Counter* log_lines_suppressed_ = nullptr;
    prometheus::Counter* spans_sent_ = nullptr;
    prometheus::Counter* spans_dropped_ = nullptr;
    prometheus::Counter* access_lines_dropped_ = nullptr;
    prometheus::Counter* series_capped_ = nullptr;
    prometheus::Gauge* requests_in_flight_ = nullptr;
    prometheus::Gauge* upstream_in_flight_ = nullptr;
    prometheus::Gauge* upstream_queued_ = nullptr;
    prometheus::Gauge* nonces_ = nullptr;
    prometheus::Gauge* clock_synchronised_ = nullptr;
    prometheus::Gauge* draining_ = nullptr;
};

// The closed set of holdfast_http_rejects_total{reason}: the parser's reasons and what else ends a connection.
inline constexpr std::array<std::string_view, 30> kRejectLabels{"framing",
                                                                "syntax",
                                                                "request_line",
                                                                "target",
                                                                "host",
                                                                "version",
                                                                "headers_too_large",
                                                                "body_too_large",
                                                                "uri_too_long",
                                                                "expect",
                                                                "upgrade",
                                                                "method",
                                                                "content_type",
                                                                "json",
                                                                "tls",
                                                                "handshakes",
                                                                "timeout_handshake",
                                                                "timeout_header",
                                                                "timeout_body",
                                                                "timeout_write",
                                                                "timeout_idle",
                                                                "connections",
                                                                "prefix",
                                                                "memory",
                                                                "in_flight",
                                                                "shedding",
                                                                "not_found",
                                                                "gateway",
                                                                "draining",
                                                                "other"};

inline bool is_reject_label(std::string_view reason) {
    return std::find(kRejectLabels.begin(), kRejectLabels.end(), reason) != kRejectLabels.end();
}

// The closed set of holdfast_journal_entries_total{kind}.
inline constexpr std::array<std::string_view, 20> kJournalKinds{
    "start",       "stop",   "provisional", "provisional_withdrawn",
    "reconciled",  "erased", "override",    "circuit",
    "revocation",  "purge",  "config",      "drain",
    "state_reset", "damage", "looked",      "fleet",
    "upgrade",     "upstream", "notification", "other"};

// The closed set of holdfast_notifications_total{result}: name(Noticed), or not to be believed.
inline constexpr std::array<std::string_view, 6> kNoticeResults{"taken",   "duplicate", "undecided",
                                                                "unknown", "failed",    "refused"};

// The closed set of holdfast_reconciled_total{result}: name(Reconciled).
inline constexpr std::array<std::string_view, 3> kReconciledResults{"confirmed", "reversed", "unknown"};

}  // namespace holdfast
