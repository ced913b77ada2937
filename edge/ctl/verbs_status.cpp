// status and explain: what an operator looks at first.
#include <fmt/format.h>

#include "edge/base/bytes.h"
#include "edge/ctl/session.h"

namespace holdfast::ctl {
namespace {

using json::Value;

Paint paint_of(std::string_view verdict) {
    if (verdict == "ok") return Paint::good;
    return verdict == "impaired" ? Paint::bad : Paint::warn;
}

std::string part_text(Value part) {
    const bool healthy = part["healthy"].boolean().value_or(false);
    return healthy ? "healthy" : fmt::format("NOT healthy: {}", text_of(part["detail"]));
}

std::string lease_text(Value lease) {
    std::string out = text_of(lease["state"]);
    if (lease["remainingSeconds"]) out += fmt::format(", {} left", seconds_text(lease["remainingSeconds"]));
    if (lease["live"]) out += fmt::format(", {} live nodes, epoch {}", text_of(lease["live"]), text_of(lease["epoch"]));
    if (lease["alarm"])
        out += fmt::format(", ALARM: {}; {}", text_of(lease["alarm"]), text_of(lease["remedy"]));
    else if (lease["why"])
        out += fmt::format(": {}", text_of(lease["why"]));
    return out;
}

// An operator's weight is marked: `upstream list` tells whose.
std::string weight_text(Value endpoint) {
    const std::string weight = text_of(endpoint["weight"]), configured = text_of(endpoint["configuredWeight"]);
    return configured.empty() || configured == "-" || weight == configured ? weight : weight + " (live)";
}

std::string circuit_text(Value circuit) {
    std::string out = fmt::format("{} for {}", text_of(circuit["state"]), seconds_text(circuit["sinceSeconds"]));
    if (const auto reason = circuit["reason"].text(); reason && !reason->empty()) out += fmt::format(" ({})", *reason);
    if (circuit["retryInSeconds"]) out += fmt::format(", retry in {}", seconds_text(circuit["retryInSeconds"]));
    if (circuit["forced"]) out += fmt::format(", forced {}", text_of(circuit["forced"]));
    if (circuit["forcedReason"])
        out += fmt::format(" by {}: {}", text_of(circuit["forcedBy"]), text_of(circuit["forcedReason"]));
    if (circuit["outageSeconds"]) out += fmt::format("; not closed for {}", seconds_text(circuit["outageSeconds"]));
    return out;
}

std::string registration_text(Value registration) {
    std::string out =
        fmt::format("{}in {} as {} at {}", registration["registered"].boolean().value_or(false) ? "" : "NOT ",
                    text_of(registration["kind"]), text_of(registration["service"]), text_of(registration["address"]));
    if (registration["problem"]) out += ": " + text_of(registration["problem"]);
    return out;
}

void show_overview(Console& console, Value root) {
    std::vector<std::vector<std::string>> rows;
    const Value node = root["node"];
    rows.push_back(
        {"node", fmt::format("{} ({}), version {}, pid {}, up {}", text_of(node["name"]), text_of(node["region"]),
                             text_of(node["version"]), text_of(node["pid"]), seconds_text(node["uptimeSeconds"]))});
    rows.push_back({"mode", text_of(root["mode"]["node"])});
    for (Value c = root["circuits"].first(); c; c = c.next())
        rows.push_back({fmt::format("circuit {}", text_of(c["upstream"])), circuit_text(c)});
    rows.push_back({"lease", lease_text(root["lease"])});
    const Value cache = root["cache"];
    rows.push_back({"cache", fmt::format("{}, {} records, {} of {}", part_text(cache), text_of(cache["entries"]),
                                         bytes_text(cache["bytes"]), bytes_text(cache["sizeBytes"]))});
    rows.push_back({"state", part_text(root["state"])});
    rows.push_back(
        {"journal", fmt::format("{}, {} entries", part_text(root["journal"]), text_of(root["journal"]["entries"]))});
    if (const Value kept = root["evidence"]; kept && !kept["healthy"].boolean().value_or(true))
        rows.push_back({"evidence", part_text(kept) + ": no provisional answers"});
    const Value clock = root["clock"];
    rows.push_back(
        {"clock",
         fmt::format("{}, {}", clock["synchronised"].boolean().value_or(false) ? "synchronised" : "not synchronised",
                     clock["trusted"].boolean().value_or(false) ? "trusted" : "not trusted: no cached pass")});
    if (const auto by = clock["jumpSeconds"].number())
        rows.push_back({"", fmt::format("jumped by {:+.1f} s lately", *by)});
    const Value load = root["load"];
    rows.push_back(
        {"load",
         fmt::format("{} requests/s, {} refused/s, {} degraded/s, {} in flight, {} queued, {} connections",
                     text_of(load["perSecond"]), text_of(load["refusedPerSecond"]), text_of(load["degradedPerSecond"]),
                     text_of(load["inFlight"]), text_of(load["queued"]), text_of(load["connections"]))});
    for (Value b = root["budgets"].first(); b; b = b.next())
        rows.push_back({fmt::format("budget {}", text_of(b["scene"])), budget_text(b)});
    rows.push_back(
        {"reconcile", fmt::format("{} pending, {} confirmed, {} reversed, {} unknown",
                                  text_of(root["reconcile"]["pending"]), text_of(root["reconcile"]["confirmed"]),
                                  text_of(root["reconcile"]["reversed"]), text_of(root["reconcile"]["unknown"]))});
    const Value config = root["config"];
    rows.push_back(
        {"config",
         fmt::format("generation {} ({}) from {}{}", text_of(config["generation"]), text_of(config["hash"]),
                     text_of(config["source"]),
                     config["lastReloadSuccessful"].boolean().value_or(true) ? "" : ", the last reload FAILED")});
    if (config["failure"])
        rows.push_back({"", fmt::format("refused at {} ({}): {}", text_of(config["failedAt"]),
                                        text_of(config["failedBy"]), text_of(config["failure"]))});
    if (const Value held = config["held"])
        rows.push_back({"", fmt::format("a rollback holds generation {} since {} by {}: the file does not count{}",
                                        text_of(held["generation"]), text_of(held["since"]), text_of(held["by"]),
                                        held["newerWaits"].boolean().value_or(false) ? ", and has changed" : "")});
    if (config["remoteProblem"])
        rows.push_back({"", "the remote text is not in force: " + text_of(config["remoteProblem"])});
    if (const Value remote = config["remote"]; remote && !remote["reachable"].boolean().value_or(true))
        rows.push_back({"", fmt::format("{} is away: {}", text_of(remote["kind"]), text_of(remote["problem"]))});
    for (Value k = config["restartNeeded"].first(); k; k = k.next())
        rows.push_back({"", "needs a restart: " + text_of(k)});
    if (const auto ends = root["listener"]["certificateEnds"].text())
        rows.push_back({"certificate", fmt::format("ends {}", *ends)});
    if (const std::string two = list_text(root["credentials"]["twoSecrets"]); !two.empty())
        rows.push_back({"secrets", fmt::format("two are active for {} credentials: {}",
                                               text_of(root["credentials"]["rotating"]), two)});
    if (root["registration"]) rows.push_back({"registered", registration_text(root["registration"])});
    console.table({"WHAT", "NOW"}, rows);
}

void show_lists(Console& console, Value root) {
    std::vector<std::vector<std::string>> rows;
    for (Value o = root["mode"]["overrides"].first(); o; o = o.next())
        rows.push_back({o["scene"] ? text_of(o["scene"]) : text_of(o["scope"]), text_of(o["mode"]),
                        seconds_text(o["remainingSeconds"]), text_of(o["by"]), text_of(o["reason"])});
    if (!rows.empty()) {
        console.line("");
        console.table({"OVERRIDE", "MODE", "LEFT", "BY", "REASON"}, rows);
    }
    rows.clear();
    for (Value u = root["upstreams"].first(); u; u = u.next())
        rows.push_back({text_of(u["endpoint"]), weight_text(u), text_of(u["state"]), text_of(u["inFlight"]),
                        text_of(u["connections"]), seconds_text(u["p99Seconds"])});
    if (!rows.empty()) {
        console.line("");
        console.table({"ENDPOINT", "WEIGHT", "STATE", "IN FLIGHT", "CONNECTIONS", "P99"}, rows);
    }
    rows.clear();
    for (Value e = root["events"].first(); e; e = e.next())
        rows.push_back({text_of(e["time"]), text_of(e["kind"]), text_of(e["text"])});
    if (!rows.empty()) {
        console.line("");
        console.table({"LAST EVENTS", "KIND", "WHAT"}, rows);
    }
}

void show_attempts(Console& console, Value root) {
    std::vector<std::vector<std::string>> rows;
    for (Value a = root["attempts"].first(); a; a = a.next())
        rows.push_back({text_of(a["endpoint"]), text_of(a["startedMs"]), text_of(a["durationMs"]), text_of(a["result"]),
                        text_of(a["upstreamCode"]), text_of(a["upstreamTraceId"])});
    if (!rows.empty()) {
        console.line("");
        console.table({"ATTEMPT", "AT MS", "TOOK MS", "RESULT", "CODE", "TRACE"}, rows);
    }
}

// Why it was not authenticated: who it claims to be of, and how far its clock is off.
std::string auth_text(Value root) {
    std::string out = text_of(root["auth"]);
    if (root["claimed"]) out += fmt::format(", claimed by {}", text_of(root["claimed"]));
    if (const auto skew = root["skewSeconds"].integer())
        out += fmt::format(", its timestamp is {} this node's clock", apart_text(Seconds(*skew)));
    return out;
}

std::string rung_text(Value root) {
    std::string out = text_of(root["rung"]);
    if (const auto reason = root["reason"].text(); reason && !reason->empty()) out += fmt::format(" ({})", *reason);
    const std::string bar = text_of(root["ladder"]);
    return root["ladder"] && bar != "none" ? fmt::format("{}, the ladder was not climbed: {}", out, bar) : out;
}

}  // namespace

int run_status(Session& s) {
    const auto show = [&s](Value root) {
        if (s.command.watch) s.console.clear();
        const std::string verdict = text_of(root["verdict"]);
        s.console.painted(paint_of(verdict), fmt::format("{}: {}", verdict, text_of(root["summary"])));
        s.console.line("");
        show_overview(s.console, root);
        show_lists(s.console, root);
    };
    for (;;) {
        const int code = s.get(admin::kStatus, show);
        if (!s.console.flush() || !s.command.watch || code != kDone) return code;
        if (!s.console.wait(1s)) return kRefused;
    }
}

int run_explain(Session& s) {
    std::string target(admin::kExplain);
    append_percent_encoded(target, s.command.request_id);
    return s.get(target, [&s](Value root) {
        std::vector<std::vector<std::string>> rows;
        const auto add = [&rows](const char* what, std::string text) { rows.push_back({what, std::move(text)}); };
        const auto of = [&root](const char* key) { return text_of(root[key]); };
        add("request", fmt::format("{} at {}", of("requestId"), of("began")));
        if (const auto trace = root["traceId"].text(); trace && !trace->empty()) add("trace", std::string(*trace));
        add("caller", fmt::format("{}, scene {}, order {}", of("credential"), of("scene"), of("orderNo")));
        add("auth", auth_text(root));
        add("precheck", of("precheck"));
        add("circuit", fmt::format("{}, mode {}", of("circuit"), of("mode")));
        add("rung", rung_text(root));
        for (Value r = root["rungs"].first(); r; r = r.next())
            rows.push_back({"  " + text_of(r["rung"]), text_of(r["why"])});
        add("answer", fmt::format("{} {} {} {}{}", of("status"), of("outcome"), of("source"), of("code"),
                                  root["repeated"].boolean().value_or(false) ? ", as recorded of the order" : ""));
        add("took", fmt::format("{:.1f} ms", root["durationUs"].number().value_or(0) / 1000));
        s.console.table({"WHAT", "HOW"}, rows);
        show_attempts(s.console, root);
    });
}

}  // namespace holdfast::ctl
