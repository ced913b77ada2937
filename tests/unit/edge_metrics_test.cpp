#include "edge/metrics.h"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <set>
#include <sstream>

#include "tests/support/promtool.h"
#include "upstream/central_codec.h"
#include "upstream/circuit.h"

using namespace holdfast;

namespace {

MetricLabels labels() {
    return {"central", {"LOGIN", "PAYMENT"}, {"https://a:8443", "https://b:8443"}, {"residency"}};
}

// The value of one line of the exposition, or -1 when there is no such series.
double value(const Metrics& metrics, const std::string& series) {
    std::istringstream in(metrics.expose());
    for (std::string line; std::getline(in, line);)
        if (line.rfind(series + " ", 0) == 0) return std::stod(line.substr(series.size() + 1));
    return -1;
}

std::set<std::string> names(const std::string& text) {
    std::set<std::string> out;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
        if (line.rfind("# TYPE ", 0) == 0) out.insert(line.substr(7, line.find(' ', 7) - 7));
    return out;
}

std::size_t count(const std::string& text, const std::string& begin) {
    std::size_t n = 0;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) n += line.rfind(begin, 0) == 0 ? 1 : 0;
    return n;
}

}  // namespace

TEST_CASE("metrics: every promised name is there on a fresh node") {
    const Metrics metrics(labels());
    const auto all = names(metrics.expose());
    for (const char* name : {"holdfast_requests_total",
                             "holdfast_request_duration_seconds",
                             "holdfast_precheck_denied_total",
                             "holdfast_auth_failures_total",
                             "holdfast_upstream_calls_total",
                             "holdfast_upstream_duration_seconds",
                             "holdfast_upstream_retries_total",
                             "holdfast_circuit_state",
                             "holdfast_circuit_transitions_total",
                             "holdfast_lease_valid",
                             "holdfast_lease_remaining_seconds",
                             "holdfast_mode",
                             "holdfast_override_remaining_seconds",
                             "holdfast_outage_seconds",
                             "holdfast_provisional_remaining",
                             "holdfast_provisional_remaining_seconds",
                             "holdfast_cache_entries",
                             "holdfast_cache_bytes",
                             "holdfast_cache_hits_total",
                             "holdfast_cache_misses_total",
                             "holdfast_cache_evictions_total",
                             "holdfast_commit_duration_seconds",
                             "holdfast_journal_entries_total",
                             "holdfast_notifications_total",
                             "holdfast_reconcile_pending",
                             "holdfast_reconciled_total",
                             "holdfast_connections",
                             "holdfast_loop_lag_seconds",
                             "holdfast_config_last_reload_successful",
                             "holdfast_config_info",
                             "holdfast_build_info",
                             "holdfast_http_rejects_total",
                             "holdfast_tls_reload_failures_total"}) {
        INFO(name);
        CHECK(all.count(name) == 1);
    }
}

TEST_CASE("metrics: foreseen series are zero before anything happens") {
    const Metrics metrics(labels());
    for (const char* series :
         {R"(holdfast_requests_total{code="OK",outcome="pass",scene="LOGIN",source="cache"})",
          R"(holdfast_requests_total{code="OK",outcome="provisional",scene="PAYMENT",source="policy"})",
          R"(holdfast_requests_total{code="OK",outcome="none",scene="LOGIN",source="live"})",
          R"(holdfast_requests_total{code="VerificationUnavailable",outcome="none",scene="LOGIN",source="none"})",
          R"(holdfast_requests_total{code="InvalidSignature",outcome="none",scene="other",source="none"})",
          R"(holdfast_upstream_calls_total{endpoint="https://b:8443",result="timeout",upstream="central"})",
          R"(holdfast_upstream_calls_total{endpoint="https://a:8443",result="ok",upstream="central"})",
          R"(holdfast_circuit_transitions_total{to="half-open",upstream="central"})",
          R"(holdfast_http_rejects_total{reason="framing"})", R"(holdfast_precheck_denied_total{rule="residency"})",
          R"(holdfast_auth_failures_total{code="NonceReplayed"})", R"(holdfast_cache_evictions_total{cause="expired"})",
          R"(holdfast_journal_entries_total{kind="provisional"})", R"(holdfast_connections{state="idle"})",
          R"(holdfast_notifications_total{result="unknown"})"}) {
        INFO(series);
        CHECK(value(metrics, series) == 0);
    }
}

TEST_CASE("metrics: an answer counts for its scene, source and outcome") {
    Metrics metrics(labels());
    metrics.answered(metrics.scene("LOGIN"), Source::cache, Outcome::pass, 3ms);
    metrics.refused(metrics.scene("PAYMENT"), ApiCode::verification_unavailable, 1ms);
    metrics.refused(metrics.scene("PAYMENT"), ApiCode::invalid_signature, 1ms);
    metrics.refused(metrics.scene("NEVER-HEARD-OF"), ApiCode::scene_forbidden, 1ms);
    CHECK(value(metrics, R"(holdfast_requests_total{code="OK",outcome="pass",scene="LOGIN",source="cache"})") == 1);
    CHECK(value(metrics, R"(holdfast_request_duration_seconds_bucket{scene="LOGIN",source="cache",le="0.0025"})") == 0);
    CHECK(value(metrics, R"(holdfast_request_duration_seconds_bucket{scene="LOGIN",source="cache",le="0.005"})") == 1);
    const auto refused = [&metrics](const std::string& code, const std::string& scene) {
        return value(metrics, "holdfast_requests_total{code=\"" + code + "\",outcome=\"none\",scene=\"" + scene +
                                  "\",source=\"none\"}");
    };
    CHECK(refused("VerificationUnavailable", "PAYMENT") == 1);
    // A code that no request of a known scene should get is counted without its scene.
    CHECK(refused("InvalidSignature", "other") == 1);
    CHECK(refused("SceneForbidden", "other") == 1);
}

TEST_CASE("metrics: what a caller sends never becomes a label") {
    Metrics metrics(labels());
    const auto before = metrics.expose();
    CHECK(metrics.scene("<script>") == kSceneOther);
    metrics.http_rejected("made up");
    metrics.journalled("made up");
    metrics.journalled("notification");
    metrics.precheck_denied(metrics.rule("made up"));
    metrics.upstream_call(metrics.endpoint("https://elsewhere"), FailureKind::timeout, 1s);
    CHECK(value(metrics, R"(holdfast_http_rejects_total{reason="other"})") == 1);
    CHECK(value(metrics, R"(holdfast_journal_entries_total{kind="other"})") == 1);
    CHECK(value(metrics, R"(holdfast_journal_entries_total{kind="notification"})") == 1);
    CHECK(value(metrics, R"(holdfast_precheck_denied_total{rule="other"})") == 1);
    const std::string timed_out =
        R"(holdfast_upstream_calls_total{endpoint="other",result="timeout",upstream="central"})";
    CHECK(value(metrics, timed_out) == 1);
    CHECK(count(before, "holdfast_") == count(metrics.expose(), "holdfast_"));
}

TEST_CASE("metrics: no metric has more than a thousand series") {
    MetricLabels many = labels();
    for (int i = 0; i < 256; ++i) many.scenes.push_back("SCENE-" + std::to_string(i));
    for (int i = 0; i < 1200; ++i) many.endpoints.push_back("https://host-" + std::to_string(i));
    for (int i = 0; i < 1200; ++i) many.rules.push_back("rule-" + std::to_string(i));
    Metrics metrics(many);
    const auto text = metrics.expose();
    CHECK(count(text, "holdfast_requests_total{") <= Metrics::kSeriesMax);
    CHECK(count(text, "holdfast_upstream_calls_total{") <= Metrics::kSeriesMax);
    CHECK(count(text, "holdfast_precheck_denied_total{") == Metrics::kSeriesMax);
    CHECK(metrics.scene("LOGIN") != kSceneOther);
    CHECK(metrics.scene("SCENE-255") == kSceneOther);
    CHECK(metrics.series_capped().Value() > 0);
    metrics.answered(metrics.scene("SCENE-255"), Source::live, Outcome::pass, 1ms);
    CHECK(value(metrics, R"(holdfast_requests_total{code="OK",outcome="pass",scene="other",source="live"})") == 1);
    for (const std::string& scene : many.scenes) metrics.pending(metrics.scene(scene), 1ms);
    CHECK(count(metrics.expose(), "holdfast_requests_total{") <= Metrics::kSeriesMax);
    CHECK(count(metrics.expose(), "holdfast_") == count(text, "holdfast_"));
}

TEST_CASE("metrics: a duration counts under the first bound that is not below it, once") {
    Metrics metrics(labels());
    const auto took = [&metrics](std::string_view part, std::string_view endpoint) {
        return value(metrics, fmt::format("holdfast_upstream_duration_seconds{}", part) +
                                  fmt::format("{{endpoint=\"{}\",upstream=\"central\"", endpoint) +
                                  (part == "_bucket" ? ",le=\"0.005\"}" : "}"));
    };
    const std::size_t a = metrics.endpoint("https://a:8443"), b = metrics.endpoint("https://b:8443");
    for (const Nanos one : {Nanos(1ms), Nanos(5ms), Nanos(5ms) + Nanos(1), Nanos(1min)})
        metrics.upstream_call(a, FailureKind::none, one);
    metrics.upstream_call(b, FailureKind::none, 1ms);
    CHECK(took("_bucket", "https://a:8443") == 2);
    CHECK(took("_count", "https://a:8443") == 4);
    CHECK(took("_sum", "https://a:8443") == Approx(60.011));
    CHECK(took("_count", "https://b:8443") == 1);
    // What is not yet shown when an endpoint leaves belongs to it, and what stays keeps its own.
    metrics.upstream_call(metrics.endpoint("elsewhere"), FailureKind::none, 1ms);
    metrics.upstream_call(b, FailureKind::none, 1ms);
    auto next = labels();
    next.endpoints = {"https://a:8443"};
    metrics.adopt(next);
    metrics.upstream_call(b, FailureKind::none, 1ms);  // one that ends under the older configuration
    CHECK(took("_count", "other") == 2);
    CHECK(took("_count", "https://a:8443") == 4);
    // The same of a scene.
    metrics.answered(metrics.scene("PAYMENT"), Source::live, Outcome::pass, 1ms);
    next.scenes = {"LOGIN"};
    metrics.adopt(next);
    CHECK(value(metrics, R"(holdfast_request_duration_seconds_count{scene="other",source="live"})") == 0);
    CHECK(value(metrics, R"(holdfast_request_duration_seconds_count{scene="LOGIN",source="live"})") == 0);
    metrics.loop_lag(2ms);
    CHECK(value(metrics, "holdfast_loop_lag_seconds_bucket{le=\"0.002\"}") == 1);
    CHECK(value(metrics, "holdfast_loop_lag_seconds_bucket{le=\"0.001\"}") == 0);
}

TEST_CASE("metrics: a reload adds what is new and keeps what was counted") {
    Metrics metrics(labels());
    const auto login = metrics.scene("LOGIN");
    metrics.answered(login, Source::live, Outcome::pass, 1ms);
    auto next = labels();
    next.scenes = {"REFUND", "LOGIN"};
    metrics.adopt(next);
    CHECK(metrics.scene("LOGIN") == login);
    CHECK(metrics.scene("REFUND") != kSceneOther);
    CHECK(value(metrics, R"(holdfast_requests_total{code="OK",outcome="pass",scene="LOGIN",source="live"})") == 1);
    CHECK(value(metrics, R"(holdfast_requests_total{code="OK",outcome="pass",scene="REFUND",source="live"})") == 0);
}

TEST_CASE("metrics: what a reload takes away is gone, and what still ends under it counts as other") {
    Metrics metrics(labels());
    const SceneIndex payment = metrics.scene("PAYMENT");
    metrics.answered(payment, Source::live, Outcome::pass, 1ms);
    auto next = labels();
    next.scenes = {"LOGIN"};
    next.endpoints = {"https://b:8443"};
    next.rules = {"coupons"};
    metrics.adopt(next);
    const std::string text = metrics.expose();
    for (const char* gone : {"scene=\"PAYMENT\"", "https://a:8443", "residency"})
        CHECK(text.find(gone) == std::string::npos);
    CHECK(value(metrics, R"(holdfast_precheck_denied_total{rule="coupons"})") == 0);
    CHECK(metrics.endpoint("https://a:8443") == metrics.endpoint("another"));
    metrics.answered(payment, Source::live, Outcome::pass, 1ms);
    metrics.refused(payment, ApiCode::uri_too_long, 1ms);
    CHECK(value(metrics, R"(holdfast_requests_total{code="OK",outcome="pass",scene="other",source="live"})") == 1);
    // Back again it begins at zero, at a place of its own.
    metrics.adopt(labels());
    CHECK(metrics.scene("PAYMENT") != payment);
    CHECK(value(metrics, R"(holdfast_requests_total{code="OK",outcome="pass",scene="PAYMENT",source="live"})") == 0);
}

TEST_CASE("metrics: scenes that come and go use a bounded number of places") {
    Metrics metrics(labels());
    SceneIndex highest = 0;
    for (int i = 0; i < 500; ++i) {
        auto next = labels();
        next.scenes.push_back("SCENE-" + std::to_string(i));
        metrics.adopt(next);
        highest = std::max(highest, metrics.scene(next.scenes.back()));
    }
    CHECK(highest != kSceneOther);
    CHECK(highest <= 3 + Metrics::kIndexRest);
}

TEST_CASE("metrics: there is one configuration in force") {
    Metrics metrics(labels());
    metrics.config_info("00ff", 1, "file");
    metrics.config_info("11ee", 2, "file");
    CHECK(count(metrics.expose(), "holdfast_config_info{") == 1);
    CHECK(value(metrics, R"(holdfast_config_info{generation="2",hash="11ee",source="file"})") == 1);
}

TEST_CASE("metrics: states are numbers as promised") {
    Metrics metrics(labels());
    metrics.circuit_state(CircuitState::open);
    metrics.circuit_transition(CircuitState::open);
    metrics.mode(metrics.scene("PAYMENT"), 1);
    metrics.mode(kSceneOther, 2);
    CHECK(value(metrics, R"(holdfast_circuit_state{upstream="central"})") == 2);
    CHECK(value(metrics, R"(holdfast_circuit_transitions_total{to="open",upstream="central"})") == 1);
    CHECK(value(metrics, R"(holdfast_mode{scene="PAYMENT"})") == 1);
    CHECK(value(metrics, R"(holdfast_mode{scene="*"})") == 2);
}

TEST_CASE("metrics: promtool finds nothing to say") {
    Metrics metrics(labels());
    metrics.config_info("00ff", 1, "file");
    metrics.answered(metrics.scene("LOGIN"), Source::live, Outcome::pass, 1ms);
    const auto verdict = support::promtool_check(metrics.expose());
    if (!verdict) {
        WARN("promtool is not installed");
        return;
    }
    CHECK(verdict->said == "");
    CHECK(verdict->status == 0);
}
