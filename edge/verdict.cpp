#include "edge/verdict.h"

#include <vector>

#include "edge/config_reloader.h"
#include "edge/fleet_views.h"
#include "edge/node.h"

namespace holdfast {
namespace {

constexpr std::size_t kScenesNamed = 8;  // in the verdict's line; the others are in the list of overrides
constexpr Nanos kFullSaid = 10s;         // after a caller was refused for want of room for nonces
constexpr Nanos kCertificateSaid = 7 * 24h;  // before its end
// Of the last minute, and a tenth of those that asked. A choice: one request and its retries stay below it.
constexpr std::uint32_t kUnansweredMin = 5;
// Of the last minute, and more than half of those that asked. A choice: somebody who tries a wrong key by hand on a
// quiet node stays below it, and one app that signs wrongly reaches it with one request in three seconds.
constexpr std::uint32_t kRefusedMin = 20;

constexpr std::string_view kRatesFull =
    "a rate rule counts as many subjects or addresses as it can: new ones get 503 (the log names the rule: lower the "
    "rate of the credential that floods it, or raise the rule's, so that it forgets sooner)";

std::string span_text(Nanos span) {
    const auto whole = std::chrono::duration_cast<Seconds>(span + 500ms).count();
    if (whole < 60) return fmt::format("{}s", whole);
    if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
    return fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
}

// The orders of operators that say how requests are answered; empty: none.
std::string standing_orders(Node& node, Now now) {
    std::string scenes;
    std::size_t n = 0;
    for (const Override& one : node.parts().overrides.all(now)) {
        if (one.scope.kind != Scope::Kind::scene || one.mode == Mode::automatic || ++n > kScenesNamed) continue;
        scenes += fmt::format("{}{} ({})", scenes.empty() ? "" : ", ", one.scope.scene, name(one.mode));
    }
    if (n > kScenesNamed) scenes += fmt::format(" and {} more", n - kScenesNamed);
    const Override* whole = node.parts().overrides.mode_order("", now);
    if (whole == nullptr && n == 0) return {};
    std::string out = "an operator's order stands";
    if (whole != nullptr) out += fmt::format(": {}", name(whole->mode));
    if (n > 0) out += fmt::format("{} for {} {}", whole != nullptr ? ";" : "", n > 1 ? "scenes" : "scene", scenes);
    return out;
}

// The order that holds the circuit, of this node or of its fleet; empty: none.
std::string circuit_order(Node& node, Now now) {
    if (const Override* order = node.parts().overrides.force_order(now))
        return fmt::format("an operator's order holds the circuit {} for {} more", name(order->force),
                           span_text(order->remaining(now)));
    if (node.membership() == nullptr) return {};
    const FleetStatus fleet = node.membership()->status();
    if (fleet.order != FleetOrder::open && fleet.order != FleetOrder::closed) return {};
    return fmt::format("an order to the fleet holds the circuit {} for {} more", name(fleet.order),
                       span_text(fleet.order_left));
}

// What the circuit means for callers, and who holds it. An order of how to answer decides before it does.
std::string circuit_text(Node& node, Now now) {
    const CircuitView view = node.parts().upstream.circuit().view(now);
    std::string out = circuit_order(node, now);
    if (node.parts().overrides.mode_order("", now) != nullptr) return out;
    std::string effect;
    if (view.state == CircuitState::open) effect = "circuit open: answers come from the ladder";
    if (view.state == CircuitState::half_open) effect = "circuit half-open: probing the centre";
    if (view.state == CircuitState::closed && !out.empty() && view.window.failures > 0)
        effect = fmt::format("{} of the last {} calls failed", view.window.failures, view.window.calls());
    return out + (out.empty() || effect.empty() ? "" : "; ") + effect;
}

std::string_view remedy(ApiCode code) {
    switch (code) {
        case ApiCode::request_expired:
            return "compare the clocks, theirs and ours (`chronyc tracking`)";
        case ApiCode::missing_credential:
        case ApiCode::invalid_signature:
            return "the log names who they claim to be, `holdfastctl keys verify FILE` what differs";
        case ApiCode::nonce_replayed:
            return "a client that repeats its nonce, or an attack";
        case ApiCode::scene_forbidden:
        case ApiCode::precheck_denied:
            return "`holdfastctl policy test FILE` names the rule";
        case ApiCode::rate_limited:
            return "a flood, or the rate of a credential or of a rule is too low";
        default:
            return "`holdfastctl explain REQUEST_ID` of one says why";
    }
}

std::string clock_text(const Node& node, Now now) {
    const ClockWatch& clock = node.clock_watch();
    const Nanos by = clock.recent(now.mono);
    if (by == Nanos(0)) return {};
    return fmt::format(
        "the wall clock jumped by {:+.0f} s {} ago: timestamps of callers may be refused "
        "(`chronyc tracking`)",
        in_seconds(by), span_text(now.mono - clock.at()));
}

// Of the listener; nothing without TLS.
std::optional<Nanos> certificate_left(const Parts& parts, Now now) {
    const double ends = parts.metrics.tls_certificate_expiry_seconds().Value();
    return ends > 0 ? std::optional<Nanos>(from_unix_seconds(std::int64_t(ends)) - now.wall) : std::nullopt;
}

std::string certificate_ended(const Parts& parts, Now now) {
    const auto left = certificate_left(parts, now);
    if (!left || *left > Nanos(0)) return {};
    return fmt::format("the listener's certificate ended {} ago: nobody connects", span_text(-*left));
}

std::string certificate_ends(const Parts& parts, Now now) {
    const auto left = certificate_left(parts, now);
    if (!left || *left <= Nanos(0) || *left >= kCertificateSaid) return {};
    return fmt::format("the listener's certificate ends in {}: renew it, then `holdfastctl config reload`",
                       span_text(*left));
}

// That callers are turned away, which is no fault of any part of the node; empty: they are not.
std::string refusals_text(const Parts& parts, Now now) {
    const Pulse::Refusals seen = parts.pulse.refusals(now.mono);
    const auto& [count, most, by_most] = seen.refused;
    if (count < kRefusedMin || count * 2 <= seen.asked) return {};
    std::string out = fmt::format("{} of the {} requests of the last minute were refused, {} as {}", count, seen.asked,
                                  by_most, text_of(most).code);
    if (most == ApiCode::request_expired && parts.last_skew)
        out += fmt::format(" (the last timestamp was {} this node's clock)", apart_text(*parts.last_skew));
    return fmt::format("{}: {}", out, remedy(most));
}

// That good requests get no outcome though nothing is in force that would explain it. Where few ask, no circuit opens
// for it, and nothing else would say so.
std::string unanswered_text(Node& node, Now now) {
    const Parts& parts = node.parts();
    const CircuitView view = parts.upstream.circuit().view(now);
    if (view.state != CircuitState::closed || !parts.overrides.all(now).empty()) return {};
    // What is left in that minute of an outage that is over. One that never opened is closed since the start, which
    // makes it within a second.
    const bool closed_again = view.since.mono - node.started().mono > 1s;
    if (closed_again && now.mono - view.since.mono < 1min) return {};
    const Pulse::Refusals seen = parts.pulse.refusals(now.mono);
    const auto& [count, most, by_most] = seen.unanswered;
    if (count < kUnansweredMin || count * 10 < seen.asked) return {};
    const bool own = most == ApiCode::overloaded || most == ApiCode::internal_error;
    return fmt::format("{} of the {} requests of the last minute got no outcome, {} as {}: {}", count, seen.asked,
                       by_most, text_of(most).code,
                       own ? "`holdfastctl explain REQUEST_ID` of one says which limit, or what broke"
                           : "`holdfastctl upstream list` and `holdfastctl circuit show` say what the centre does");
}

// What is ours, and keeps the node from asking somebody; empty: nothing does.
std::string endpoints_text(const Parts& parts) {
    const UpstreamStatus upstream = parts.upstream.status();
    std::string out;
    for (const EndpointStatus& one : upstream.endpoints) {
        if (!one.certificate_problem.empty())
            out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", one.url, one.certificate_problem);
        if (one.dns_problem.empty()) continue;
        out += fmt::format("{}{} does not resolve ({}), {}", out.empty() ? "" : "; ", one.url, one.dns_problem,
                           one.addresses > 0 ? "its last good addresses serve" : "it is not asked");
    }
    return out;
}

// What should not be so, whatever operators have ordered and whatever the centre does.
std::vector<std::string> troubles(Node& node, Now now) {
    std::vector<std::string> out;
    const Parts& parts = node.parts();
    const StorageHealth health = parts.storage.health();
    if (!health.sound)
        out.push_back("state/ is not sound (" + health.unsound_reason + "): no cached pass, no provisional");
    for (const PartHealth* part : {&health.cache, &health.state, &health.journal, &health.evidence})
        if (!part->ok) out.push_back("storage: " + part->reason);
    if (!health.journal_damage.empty())
        out.push_back("the audit journal is damaged (" + health.journal_damage + "): runbook, HoldfastDamageFound");
    const std::optional<MonoTime> full = parts.nonces.full_at();
    if (parts.nonces.size() >= parts.nonces.capacity() || (full && now.mono - *full < kFullSaid))
        out.emplace_back("auth.nonces is full: callers get 503");
    if (const std::optional<MonoTime> none = parts.rates.full_at(); none && now.mono - *none < kFullSaid)
        out.emplace_back(kRatesFull);
    if (!parts.clock_trusted) out.emplace_back("the clock is not synchronised: no cached pass");
    if (std::string text = clock_text(node, now); !text.empty()) out.push_back(std::move(text));
    for (std::string text : {certificate_ended(parts, now), unanswered_text(node, now), endpoints_text(parts)})
        if (!text.empty()) out.push_back(std::move(text));
    if (node.reloader != nullptr) {
        const ConfigReloader::Status& reload = node.reloader->status();
        if (!reload.last_ok)
            out.push_back(fmt::format("the last reload failed: generation {} stays", node.config().generation));
        if (reload.other_key) out.emplace_back(kOtherKey);
        if (!reload.remote_problem.empty()) out.emplace_back("the remote configuration is not in force");
    }
    return out;
}

std::string held_text(const Node& node) {
    if (node.reloader == nullptr || !node.reloader->status().hold) return {};
    return "a rollback stands: no change of the configuration counts until `holdfastctl config reload`";
}

}  // namespace

NodeVerdict verdict_of(Node& node) {
    const Now now = node.loop().now();
    std::vector<std::string> all = troubles(node, now);
    if (node.draining()) {
        all.insert(all.begin(), node.parts().refusing ? "no new requests"
                                                      : "requests are still served, until the lame duck is over");
        return {"draining", fmt::format("{}", fmt::join(all, "; "))};
    }
    std::string_view word = all.empty() ? "ok" : "impaired";
    for (std::string text : {standing_orders(node, now), circuit_text(node, now)}) {
        if (text.empty()) continue;
        if (word == "ok") word = "degraded";
        all.push_back(std::move(text));
    }
    if (all.empty()) all.emplace_back("live");
    // What the node does well and somebody should still look at: how it is does not change with it.
    for (std::string text : {certificate_ends(node.parts(), now), refusals_text(node.parts(), now), held_text(node)})
        if (!text.empty()) all.push_back(std::move(text));
    // A node that has lost its fleet serves on its own; somebody should look, and it is never said without the reason.
    if (std::string alone = autonomy(node); !alone.empty()) {
        if (word == "ok") word = "impaired";
        all.push_back(std::move(alone));
    }
    return {word, fmt::format("{}", fmt::join(all, "; "))};
}

}  // namespace holdfast
