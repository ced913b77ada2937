// What the admin socket shows of a node, as JSON.
#include <unistd.h>

#include "edge/admin_service.h"
#include "edge/config_reloader.h"
#include "edge/fleet_views.h"
#include "edge/verdict.h"

namespace holdfast {
namespace {

// Ids in status; how many there are is told besides. Two secrets are for the days of a rotation, of one caller or a
// few; a thousand of them, at 64 bytes each, would make every status that somebody watches 64 kB longer.
constexpr std::size_t kRotatingShown = 32;

void write_overrides(json::Writer& w, Node& node, Now now) {
    w.key("mode").begin_object();
    const Override* order = node.parts().overrides.mode_order("", now);
    w.member("node", name(order == nullptr ? Mode::automatic : order->mode));
    w.key("overrides").begin_array();
    for (const Override& one : node.parts().overrides.all(now)) {
        w.begin_object().member("scope", one.force != CircuitForce::none ? "circuit" : name(one.scope.kind));
        if (!one.scope.scene.empty()) w.member("scene", one.scope.scene);
        w.member("mode", one.force != CircuitForce::none ? name(one.force) : name(one.mode))
            .member("reason", one.reason)
            .member("by", one.author)
            .member("since", rfc3339(one.set.wall))
            .member("expiresAt", rfc3339(one.ends_wall(now)))
            .member("remainingSeconds", in_seconds(one.remaining(now)))
            .end_object();
    }
    write_fleet_override(w, node, now);
    w.end_array().end_object();
}

void write_circuit(json::Writer& w, Node& node, Now now, bool full) {
    const CircuitView view = node.parts().upstream.circuit().view(now);
    w.begin_object()
        .member("upstream", node.config().upstream.kind)
        .member("state", name(view.state))
        .member("since", rfc3339(view.since.wall))
        .member("sinceSeconds", in_seconds(std::max(Nanos{0}, Nanos(now.mono - view.since.mono))))
        .member("reason", name(view.cause));
    if (view.outage_since)
        w.member("outageSince", rfc3339(view.outage_since->wall))
            .member("outageSeconds", in_seconds(std::max(Nanos{0}, Nanos(now.mono - view.outage_since->mono))));
    if (view.forced != Forced::none) w.member("forced", view.forced == Forced::open ? "open" : "close");
    if (view.forced_for) w.member("forcedRemainingSeconds", in_seconds(*view.forced_for));
    if (const Override* order = node.parts().overrides.force_order(now))
        w.member("forcedBy", order->author).member("forcedReason", order->reason);
    if (view.retry_in) w.member("retryInSeconds", in_seconds(*view.retry_in));
    if (full) {
        const WindowCounts& counts = view.state == CircuitState::closed ? view.window : view.why;
        const double judged = std::max<double>(1, double(counts.judged()));
        w.key("window").begin_object();
        w.member("calls", std::uint64_t(counts.calls()))
            .member("failures", std::uint64_t(counts.failures))
            .member("slow", std::uint64_t(counts.slow))
            .member("failureRate", 100.0 * double(counts.failures) / judged)
            .member("slowRate", 100.0 * double(counts.slow) / judged)
            .member("subjects", view.state == CircuitState::closed ? view.failing_subjects : view.why_subjects)
            .member("credentials", view.failing_credentials)
            .member("connectFailures", view.connect_failures)
            .end_object();
        if (view.one_caller) w.member("notOpened", "one_credential");
        w.key("throttle")
            .begin_object()
            .member("active", view.throttle < 1)
            .member("probability", view.throttle)
            .end_object();
        if (view.state == CircuitState::half_open)
            w.key("halfOpen")
                .begin_object()
                .member("permitted", view.probes_in_flight)
                .member("done", view.probes_done)
                .member("failed", view.probes_failed)
                .end_object();
        if (view.ramp) w.key("ramp").begin_object().member("percent", *view.ramp).end_object();
        write_fleet_circuit(w, node);
    }
    w.end_object();
}

void write_upstreams(json::Writer& w, Node& node) {
    const UpstreamStatus status = node.parts().upstream.status();
    w.key("upstreams").begin_array();
    for (const EndpointStatus& e : status.endpoints) {
        w.begin_object()
            .member("upstream", node.config().upstream.kind)
            .member("endpoint", e.url)
            .member("weight", e.weight)
            .member("configuredWeight", e.configured_weight)
            .member("state", state_of(e))
            .member("inFlight", e.busy)
            .member("connections", std::uint64_t(e.busy + e.idle));
        if (status.p99) w.member("p99Seconds", in_seconds(*status.p99));
        if (const std::string& why = problem_of(e); !why.empty()) w.member("detail", why);
        w.end_object();
    }
    w.end_array();
}

void write_part(json::Writer& w, std::string_view key, const PartHealth& part, bool also_ok = true,
                std::string_view why = {}) {
    w.key(key).begin_object().member("healthy", part.ok && also_ok);
    if (!part.ok || !also_ok) w.member("detail", part.ok ? why : std::string_view(part.reason));
}

void write_storage(json::Writer& w, Node& node) {
    Storage& storage = node.parts().storage;
    const StorageHealth health = storage.health();
    const OutcomeStats stats = storage.outcomes().stats();
    write_part(w, "cache", health.cache);
    w.member("entries", stats.entries)
        .member("bytes", storage.cache_bytes_used())
        .member("sizeBytes", node.config().cache.size);
    w.end_object();
    write_part(w, "state", health.state, health.sound, health.unsound_reason);
    w.end_object();
    write_part(w, "journal", health.journal);
    w.member("entries", storage.journal()->head().seq).end_object();
    const EvidenceVault* vault = storage.evidence();
    write_part(w, "evidence", health.evidence);
    w.member("entries", vault == nullptr ? std::uint64_t(0) : std::uint64_t(vault->count())).end_object();
}

// What is spent of the provisional answers that this node may give: of the fleet's budget it has a share.
void write_budgets(json::Writer& w, Node& node, Now now) {
    Parts& parts = node.parts();
    w.key("budgets").begin_array();
    for (const SceneConfig& scene : node.config().scenes) {
        if (!scene.policy.ladder.has(Rung::provisional)) continue;
        const ProvisionalLeft left = provisional_left(parts, scene, now);
        w.begin_object()
            .member("scene", scene.name)
            .member("used", parts.budget.spent_last_minute(scene.name, now))
            .member("left", left.budget)
            .member("perMinute", provisional_limits(parts, scene.policy).per_minute)
            .member("configuredPerMinute", scene.policy.provisional.budget_per_minute);
        if (left.outage)
            w.member("outageSeconds", in_seconds(*left.outage))
                .member("beginsInSeconds", in_seconds(left.begins_in))
                .member("endsInSeconds", in_seconds(left.ends_in));
        w.end_object();
    }
    w.end_array();
}

// What of the configuration's files does not stay as it is: the listener's certificate ends, secrets are rotated.
void write_files(json::Writer& w, Node& node) {
    const double ends = node.metrics().tls_certificate_expiry_seconds().Value();
    w.key("listener").begin_object();
    if (ends > 0) w.member("certificateEnds", rfc3339(from_unix_seconds(std::int64_t(ends))));
    w.end_object();
    const CredentialSet& credentials = node.parts().snapshot->credentials;
    const std::vector<std::string> rotating = credentials.rotating();
    w.key("credentials").begin_object();
    w.member("count", std::uint64_t(credentials.size())).member("rotating", std::uint64_t(rotating.size()));
    w.key("twoSecrets").begin_array();
    for (std::size_t i = 0; i < std::min(rotating.size(), kRotatingShown); ++i) w.string(rotating[i]);
    w.end_array().end_object();
}

}  // namespace

std::string status_json(Node& node) {
    const Now now = node.loop().now();
    const Config& config = node.config();
    const NodeVerdict verdict = verdict_of(node);
    std::string out;
    json::Writer w(out);
    w.begin_object().member("verdict", verdict.word).member("summary", verdict.summary);
    w.key("node").begin_object();
    w.member("name", config.node.name)
        .member("region", config.node.region)
        .member("version", HOLDFAST_VERSION)
        .member("pid", std::int64_t(::getpid()))
        .member("startedAt", rfc3339(node.started().wall))
        .member("uptimeSeconds", in_seconds(now.mono - node.started().mono))
        .end_object();
    write_overrides(w, node, now);
    w.key("circuits").begin_array();
    write_circuit(w, node, now, false);
    w.end_array();
    w.key("lease");
    write_lease(w, node);
    write_storage(w, node);
    w.key("clock").begin_object();
    w.member("synchronised", node.clock_synchronised()).member("trusted", node.parts().clock_trusted);
    if (const Nanos by = node.clock_watch().recent(now.mono); by != Nanos(0)) w.member("jumpSeconds", in_seconds(by));
    w.end_object();
    write_upstreams(w, node);
    w.key("load").begin_object();
    w.member("connections", std::uint64_t(node.server().size()))
        .member("inFlight", std::uint64_t(node.exchanges().size()))
        .member("queued", std::uint64_t(node.parts().upstream.queued()))
        .member("requests", node.requests())
        .member("perSecond", node.rates().requests)
        .member("refusedPerSecond", node.rates().refused)
        .member("degradedPerSecond", node.rates().degraded)
        .end_object();
    write_budgets(w, node, now);
    write_files(w, node);
    node.reconciler().write(w.key("reconcile"));
    w.key("config").begin_object();
    if (node.reloader != nullptr)
        node.reloader->write_status(w);
    else
        w.member("hash", config.hash).member("generation", config.generation).member("source", config.source);
    w.end_object();
    if (node.write_registration) node.write_registration(w.key("registration"));
    w.key("events");
    node.events().write(w);
    w.end_object();
    return out;
}

std::string reconcile_json(Node& node) {
    std::string out;
    json::Writer w(out);
    node.reconciler().write(w);
    return out;
}

std::string circuit_json(Node& node) {
    std::string out;
    json::Writer w(out);
    w.begin_object().key("circuits").begin_array();
    write_circuit(w, node, node.loop().now(), true);
    w.end_array();
    write_budgets(w, node, node.loop().now());
    w.end_object();
    return out;
}

std::string cache_stats_json(Node& node) {
    Storage& storage = node.parts().storage;
    const OutcomeStats stats = storage.outcomes().stats();
    const PartHealth health = storage.health().cache;
    std::string out;
    json::Writer w(out);
    w.begin_object()
        .member("entries", stats.entries)
        .member("bytes", storage.cache_bytes_used())
        .member("sizeBytes", node.config().cache.size)
        .member("orders", storage.orders().entries())
        .member("hits", std::uint64_t(node.metrics().cache_hits().Value()))
        .member("misses", std::uint64_t(node.metrics().cache_misses().Value()))
        .member("hidden", stats.hidden)
        .member("damaged", stats.damaged)
        .member("healthy", health.ok);
    w.key("evictions").begin_object();
    for (const auto& [cause, n] : node.evictions()) w.member(name(cause), n);
    w.end_object();
    if (!health.ok) w.member("detail", health.reason);
    w.end_object();
    return out;
}

std::string config_json(Node& node) {
    const Config& config = node.config();
    std::string out;
    json::Writer(out)
        .begin_object()
        .member("hash", config.hash)
        .member("generation", config.generation)
        .member("source", config.source)
        .member("loadedAt", rfc3339(node.reloader != nullptr ? node.reloader->status().loaded : node.started().wall))
        .member("toml", dump_config(config))
        .end_object();
    return out;
}

std::string drain_json(const Node& node) {
    std::string out;
    json::Writer(out)
        .begin_object()
        .member("draining", node.draining())
        .member("inFlight", std::uint64_t(node.exchanges().size()))
        .member("connections", std::uint64_t(node.connections()))
        .member("done", node.drained())
        .end_object();
    return out;
}

}  // namespace holdfast
