#include "edge/ctl/redaction.h"

#include <fmt/format.h>

#include <algorithm>

#include "edge/base/json.h"

namespace holdfast::ctl {
namespace {

using json::Value;

// Paths of texts that are shown; the elements of an array have the path of the array.
constexpr std::string_view kShown[] = {"budgets.scene",
                                       "cache.detail",
                                       "circuits.alarm",
                                       "circuits.disagree",
                                       "circuits.fleet.by",
                                       "circuits.fleet.cause",
                                       "circuits.fleet.name",
                                       "circuits.fleet.override.order",
                                       "circuits.fleet.prober",
                                       "circuits.fleet.state",
                                       "circuits.fleet.votes.cause",
                                       "circuits.fleet.votes.node",
                                       "circuits.fleet.votes.window",
                                       "circuits.forced",
                                       "circuits.mode",
                                       "circuits.outageSince",
                                       "circuits.own",
                                       "circuits.reason",
                                       "circuits.remedy",
                                       "circuits.since",
                                       "circuits.state",
                                       "circuits.upstream",
                                       "circuits.why",
                                       "config.failedAt",
                                       "config.hash",
                                       "config.held.since",
                                       "config.kind",
                                       "config.loadedAt",
                                       "config.remote.kind",
                                       "config.remote.problem",
                                       "config.restartNeeded",
                                       "config.source",
                                       "credentials.twoSecrets",
                                       "detail",
                                       "evidence.detail",
                                       "events.kind",
                                       "events.time",
                                       "hash",
                                       "journal.detail",
                                       "lastHash",
                                       "lease.alarm",
                                       "lease.kind",
                                       "lease.remedy",
                                       "lease.state",
                                       "lease.store",
                                       "lease.why",
                                       "listener.certificateEnds",
                                       "loadedAt",
                                       "mode.node",
                                       "mode.overrides.expiresAt",
                                       "mode.overrides.mode",
                                       "mode.overrides.scene",
                                       "mode.overrides.scope",
                                       "mode.overrides.since",
                                       "node.name",
                                       "node.region",
                                       "node.startedAt",
                                       "node.version",
                                       "registration.kind",
                                       "registration.problem",
                                       "source",
                                       "state.detail",
                                       "summary",
                                       "upstreams.detail",
                                       "upstreams.endpoint",
                                       "upstreams.state",
                                       "upstreams.upstream",
                                       "verdict"};

// Kinds of events whose texts the program alone words, without a reason of an operator or a line of a configuration.
constexpr std::string_view kShownEvents[] = {"circuit", "clock", "drain", "registration", "storage", "tls", "upstream"};

// Tables of the configuration that are shown whole.
constexpr std::string_view kShownTables[] = {
    "admin",  "auth", "cache", "clock",  "config_source", "coordination", "credential", "drain",   "gateway", "limits",
    "listen", "log",  "node",  "orders", "reconcile",     "registration", "scene",      "tracing", "upstream"};

// Of a precheck: its lists hold values of callers, subjects and devices among them.
constexpr std::string_view kShownOfPrecheck[] = {"name",     "kind", "scenes",          "attribute", "attributes",
                                                 "optional", "by",   "rate.per_second", "rate.burst"};

template <std::size_t N>
bool among(const std::string_view (&names)[N], std::string_view name) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool shown(const std::string& path, Value object, std::string_view text) {
    if (path != "events.text") return among(kShown, path);
    const std::string_view kind = object["kind"].text().value_or("");
    // A node of an older version has what an operator ordered for an endpoint among the events of its upstreams.
    if (kind == "upstream" && text.find(" by ") != std::string_view::npos) return false;
    return among(kShownEvents, kind) || (kind == "fleet" && text.starts_with("central circuit "));
}

// `object`: the nearest one around `value`.
void copy_redacted(json::Writer& w, Value value, const std::string& path, Value object) {
    if (value.is(json::Kind::object)) {
        w.begin_object();
        for (Value member = value.first(); member; member = member.next()) {
            const std::string name(member.key());
            copy_redacted(w.key(name), member, path.empty() ? name : path + "." + name, value);
        }
        w.end_object();
    } else if (value.is(json::Kind::array)) {
        w.begin_array();
        for (Value one = value.first(); one; one = one.next()) copy_redacted(w, one, path, object);
        w.end_array();
    } else if (const auto text = value.text(); text && !shown(path, object, *text)) {
        w.string(length_of(*text));
    } else {
        json::copy(w, value);
    }
}

bool setting_shown(std::string_view key) {
    const std::string_view table = key.substr(0, key.find_first_of(".["));
    if (table != "precheck") return among(kShownTables, table);
    return among(kShownOfPrecheck, key.substr(std::min(key.find('.'), key.size() - 1) + 1));
}

}  // namespace

std::string length_of(std::string_view text) {
    return fmt::format("({} bytes)", text.size());
}

std::string redacted(std::string_view body) {
    json::Document document{json::kOwnNodesMax};
    const auto root = document.parse(body);
    if (!root) return "not JSON\n";
    std::string out;
    json::Writer w(out);
    copy_redacted(w, *root, {}, *root);
    return out + "\n";
}

std::string redacted_settings(std::string_view lines) {
    std::string out;
    json::Document document;
    while (!lines.empty()) {
        const auto end = std::min(lines.find('\n'), lines.size());
        if (const auto line = document.parse(lines.substr(0, end))) {
            const std::string_view key = (*line)["key"].text().value_or("");
            const std::string_view value = (*line)["value"].text().value_or("");
            json::Writer(out)
                .begin_object()
                .member("key", key)
                .member("value", setting_shown(key) ? std::string(value) : length_of(value))
                .member("origin", (*line)["origin"].text().value_or(""))
                .member("reload", (*line)["reload"].text().value_or(""))
                .end_object();
            out += '\n';
        }
        lines.remove_prefix(std::min(end + 1, lines.size()));
    }
    return out;
}

}  // namespace holdfast::ctl
