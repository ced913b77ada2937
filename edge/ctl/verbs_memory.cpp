// cache, policy test and reconcile: what a node remembers, what it would answer, and what it owes the centre.
#include <fmt/format.h>

#include "edge/ctl/session.h"

namespace holdfast::ctl {
namespace {

using json::Value;

std::string yes_or_no(Value value) {
    return value.boolean().value_or(false) ? "yes" : "no";
}

// The file is the request as a whole, or only the body of a verification. Who asks need not be said where the node has
// one credential.
std::optional<std::string> policy_request(Session& s, const std::string& text, int& code) {
    json::Document document;
    const auto root = document.parse(text);
    if (!root || !root->is(json::Kind::object)) {
        s.console.complain(
            fmt::format("holdfastctl: {}: {}", s.command.file, root ? "not a JSON object" : root.error().detail));
        code = kWrongUsage;
        return std::nullopt;
    }
    const bool whole = static_cast<bool>((*root)["request"]);
    const bool flags = !s.command.credential.empty() || !s.command.client.empty();
    if (whole && !flags) return text;
    if (whole) {
        s.console.complain("holdfastctl policy test: the file names who asks; leave out --credential and --client");
        code = kWrongUsage;
        return std::nullopt;
    }
    std::string body;
    json::Writer w(body);
    w.begin_object();
    if (!s.command.credential.empty()) w.member("credential", s.command.credential);
    if (!s.command.client.empty()) w.member("client", s.command.client);
    w.key("request").raw(text).end_object();
    return body;
}

void show_policy(Console& console, Value root) {
    if (root["allowed"].boolean().value_or(false))
        console.painted(Paint::good, "allowed");
    else
        console.painted(Paint::bad, fmt::format("refused: {} {}", text_of(root["code"]), text_of(root["message"])));
    std::vector<std::vector<std::string>> rows;
    for (Value p = root["prechecks"].first(); p; p = p.next())
        rows.push_back({text_of(p["name"]), text_of(p["result"]), text_of(p["detail"])});
    console.line("");
    console.table({"PRECHECK", "RESULT", "DETAIL"}, rows);
    console.line("");
    if (!root["allowed"].boolean().value_or(false))
        return console.line(
            fmt::format("centre: would not be asked, nor the ladder ({})", text_of(root["live"]["why"])));
    console.line(fmt::format(
        "centre: {} ({})", root["live"]["admitted"].boolean().value_or(false) ? "would be asked" : "would not be asked",
        text_of(root["live"]["why"])));
    console.line(
        fmt::format("degraded: {} ({})", text_of(root["degraded"]["answer"]), text_of(root["degraded"]["why"])));
    rows.clear();
    for (Value r = root["degraded"]["rungs"].first(); r; r = r.next())
        rows.push_back({text_of(r["rung"]), yes_or_no(r["answers"]), text_of(r["why"])});
    if (!rows.empty()) console.table({"RUNG", "ANSWERS", "WHY"}, rows);
}

void show_reconcile(Console& console, Value root) {
    std::string state = text_of(root["state"]);
    if (root["why"]) state += fmt::format(": {}", text_of(root["why"]));
    std::vector<std::vector<std::string>> rows{
        {"state", state},
        {"pending", text_of(root["pending"])},
        {"oldest", seconds_text(root["oldestSeconds"])},
        {"confirmed", text_of(root["confirmed"])},
        {"reversed", text_of(root["reversed"])},
        {"unknown", text_of(root["unknown"])},
    };
    if (root["undecided"])
        rows.push_back({"asked in vain",
                        fmt::format("{}, the last one: {}", text_of(root["undecided"]), text_of(root["lastFailure"]))});
    console.table({"RECONCILIATION", ""}, rows);
}

}  // namespace

int run_cache_stats(Session& s) {
    return s.get(admin::kCacheStats, [&s](Value root) {
        std::vector<std::vector<std::string>> rows{
            {"records", text_of(root["entries"])},
            {"orders", text_of(root["orders"])},
            {"bytes", fmt::format("{} of {}", bytes_text(root["bytes"]), bytes_text(root["sizeBytes"]))},
            {"hits", text_of(root["hits"])},
            {"misses", text_of(root["misses"])},
        };
        for (Value e = root["evictions"].first(); e; e = e.next())
            rows.push_back({fmt::format("evicted: {}", e.key()), text_of(e)});
        rows.push_back({"healthy", root["healthy"].boolean().value_or(false)
                                       ? "yes"
                                       : fmt::format("NO: {}", text_of(root["detail"]))});
        s.console.table({"CACHE", "NOW"}, rows);
    });
}

int run_cache_get(Session& s) {
    const auto& c = s.command;
    std::string body;
    json::Writer w(body);
    w.begin_object().member("credential", c.credential).member("subject", c.subject).member("scene", c.scene);
    if (!c.device.empty()) w.member("device", c.device);
    w.end_object();
    return s.post(admin::kCacheGet, body, [&s](Value root) {
        s.console.table(
            {"RECORD", "VALUE"},
            {
                {"outcome", text_of(root["outcome"])},
                {"score", text_of(root["score"])},
                {"decided", fmt::format("{}, {} ago", text_of(root["decidedAt"]), seconds_text(root["ageSeconds"]))},
                {"centre's grant", seconds_text(root["maxAgeSeconds"])},
                {"verification", text_of(root["verificationId"])},
                {"feature", yes_or_no(root["feature"])},
                {"revoked", yes_or_no(root["revoked"])},
                {"would answer", fmt::format("{}: {}", yes_or_no(root["usable"]), text_of(root["why"]))},
            });
    });
}

int run_cache_purge(Session& s) {
    std::string body;
    json::Writer w(body);
    w.begin_object();
    if (!s.command.scene.empty()) w.member("scene", s.command.scene);
    w.end_object();
    return s.post(admin::kCachePurge, body, [&s](Value root) {
        if (root["scene"])
            s.console.line(
                fmt::format("purged: no outcome of {} of before {} answers any more; the records go in steps",
                            text_of(root["scene"]), text_of(root["purgedAt"])));
        else
            s.console.line(fmt::format("{} records forgotten, and the answers of up to {} orders",
                                       text_of(root["purged"]), text_of(root["orders"])));
        s.console.line("GET of an order of before is 404 now; `cache stats` counts records until they are erased");
    });
}

int run_cache_revoke(Session& s) {
    std::string body;
    json::Writer(body).begin_object().member("subject", s.command.subject).end_object();
    return s.post(admin::kCacheRevoke, body, [&s](Value root) {
        s.console.line(
            fmt::format("revoked: nothing decided before {} answers for this subject", text_of(root["revokedAt"])));
        if (const std::string scenes = list_text(root["provisionalScenes"]); !scenes.empty())
            s.console.line(
                fmt::format("in an outage {} may still let it through provisionally; against that: a precheck "
                            "of kind \"subject\" that denies it, or a scene whose `degrade` has no \"provisional\"",
                            scenes));
    });
}

int run_reconcile_status(Session& s) {
    return s.get(admin::kReconcile, [&s](Value root) { show_reconcile(s.console, root); });
}

int run_reconcile_run(Session& s) {
    return s.post(admin::kReconcile, "{}", [&s](Value root) { show_reconcile(s.console, root); });
}

int run_policy_test(Session& s) {
    int code = kDone;
    const auto text = s.read_file(s.command.file, admin::kRequestBytesMax, code);
    if (!text) return code;
    const auto body = policy_request(s, *text, code);
    if (!body) return code;
    return s.post(admin::kPolicyTest, *body, [&s](Value root) { show_policy(s.console, root); });
}

}  // namespace holdfast::ctl
