// upstream list, weight, eject, restore: who gets the calls.
#include <fmt/format.h>

#include "edge/ctl/session.h"

namespace holdfast::ctl {
namespace {

using json::Value;

std::string weight_and_configured(Value e) {
    const std::string weight = text_of(e["weight"]), configured = text_of(e["configuredWeight"]);
    return e["live"]["weight"] ? fmt::format("{} (live; configured {})", weight, configured) : weight;
}

std::string state_text(Value e) {
    std::string out = text_of(e["state"]);
    if (e["why"]) out += fmt::format(" by {}", text_of(e["why"]));
    if (e["backInSeconds"]) out += fmt::format(", back in {}", seconds_text(e["backInSeconds"]));
    if (e["probe"]) out += fmt::format(", probe {}", text_of(e["probe"]));
    return out;
}

std::string share_text(Value e) {
    return fmt::format("{:.1f}%", e["sharePercent"].number().value_or(0));
}

void show(Console& console, Value root) {
    std::vector<std::vector<std::string>> rows;
    for (Value e = root["endpoints"].first(); e; e = e.next()) {
        const bool stale = e["addressesStale"].boolean().value_or(false);
        rows.push_back({text_of(e["endpoint"]), weight_and_configured(e), share_text(e), state_text(e),
                        text_of(e["inFlight"]), text_of(e["queued"]),
                        fmt::format("{}{}", text_of(e["addresses"]), stale ? " (stale)" : "")});
    }
    console.table({"ENDPOINT", "WEIGHT", "SHARE", "STATE", "IN FLIGHT", "QUEUED", "ADDRESSES"}, rows);
    bool live = false;
    for (Value e = root["endpoints"].first(); e; e = e.next()) {
        for (const char* what : {"weight", "eject"}) {
            const Value change = e["live"][what];
            if (!change) continue;
            live = true;
            console.line(fmt::format("{}: {} by {} at {}: {}", text_of(e["endpoint"]), what, text_of(change["by"]),
                                     text_of(change["at"]), text_of(change["reason"])));
        }
        if (e["detail"]) console.line(fmt::format("{}: {}", text_of(e["endpoint"]), text_of(e["detail"])));
    }
    if (live) console.line("live changes last until a restart, `upstream restore`, or a reload of that weight");
    if (const Value m = root["mirror"]; m)
        console.line(fmt::format("mirror {}: share {}, {} under way, {} answered, {} failed, {} timed out, {} dropped",
                                 text_of(m["url"]), text_of(m["share"]), text_of(m["underWay"]), text_of(m["answered"]),
                                 text_of(m["failed"]), text_of(m["timeout"]), text_of(m["dropped"])));
}

}  // namespace

int run_upstream_list(Session& s) {
    return s.get(admin::kUpstream, [&s](Value root) { show(s.console, root); });
}

int run_upstream_set(Session& s) {
    const auto& c = s.command;
    std::string body;
    json::Writer w(body);
    w.begin_object().member("action", c.action).member("endpoint", c.endpoint).member("reason", c.reason);
    if (c.action == "weight") w.member("weight", c.weight);
    if (c.lasts) w.member("forSeconds", std::int64_t(std::chrono::duration_cast<Seconds>(*c.lasts).count()));
    w.end_object();
    return s.post(admin::kUpstream, body, [&s](Value root) { show(s.console, root); });
}

}  // namespace holdfast::ctl
