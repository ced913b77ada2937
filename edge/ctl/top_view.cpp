#include "edge/ctl/top_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "edge/base/bytes.h"
#include "edge/ctl/session.h"

namespace holdfast::ctl {
namespace {

using json::Value;

// Cut at `width` characters of UTF-8.
std::string cut(std::string text, std::size_t width) {
    std::size_t seen = 0;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (begins_character(text[i]) && seen++ == width) return text.substr(0, i);
    return text;
}

std::string column(Value value, std::size_t width) {
    return fmt::format("{:<{}}", cut(printable(text_of(value)), width), width);
}

Paint paint_of_state(std::string_view state) {
    if (state == "closed" || state == "healthy" || state == "ok") return Paint::good;
    constexpr std::string_view kBad[] = {"open", "down", "failing", "impaired"};
    return std::find(std::begin(kBad), std::end(kBad), state) != std::end(kBad) ? Paint::bad : Paint::warn;
}

struct Page {
    std::vector<TopLine> lines;
    std::size_t width;
    void add(std::string text, Paint paint = Paint::plain, bool head = false) {
        std::string one = cut(printable(text), width);
        if (head) one.resize(std::max(one.size(), width), ' ');
        lines.push_back({std::move(one), paint, head});
    }
};

void add_circuits(Page& page, Value circuits) {
    page.add(fmt::format("{:<12}{:<11}{:>9}{:>9}{:>9}{:>7}{:>7}  {}", "CIRCUIT", "STATE", "SINCE", "RETRY", "CALLS",
                         "FAIL%", "SLOW%", "WHY"),
             Paint::plain, true);
    for (Value c = circuits.first(); c; c = c.next()) {
        const Value window = c["window"];
        std::string why = text_of(c["reason"]);
        if (c["forced"]) why += ", forced " + text_of(c["forced"]);
        if (c["votes"]) why += fmt::format(", votes {}/{}", text_of(c["votes"]["open"]), text_of(c["votes"]["needed"]));
        page.add(
            fmt::format("{}{}{:>9}{:>9}{:>9}{:>7.1f}{:>7.1f}  {}", column(c["upstream"], 12), column(c["state"], 11),
                        seconds_text(c["sinceSeconds"]), seconds_text(c["retryInSeconds"]), text_of(window["calls"]),
                        window["failureRate"].number().value_or(0), window["slowRate"].number().value_or(0), why),
            paint_of_state(text_of(c["state"])));
    }
}

void add_endpoints(Page& page, Value endpoints) {
    page.add(fmt::format("{:<40}{:>7} {:<11}{:>7}{:>6}{:>9}", "ENDPOINT", "WEIGHT", "STATE", "FLIGHT", "CONN", "P99"),
             Paint::plain, true);
    for (Value e = endpoints.first(); e; e = e.next())
        page.add(fmt::format("{}{:>7} {}{:>7}{:>6}{:>9}", column(e["endpoint"], 40), text_of(e["weight"]),
                             column(e["state"], 11), text_of(e["inFlight"]), text_of(e["connections"]),
                             seconds_text(e["p99Seconds"])),
                 paint_of_state(text_of(e["state"])));
}

void add_events(Page& page, Value events) {
    constexpr std::size_t kShown = 8;
    page.add(fmt::format("{:<26}{:<12}{}", "LAST EVENTS", "KIND", "WHAT"), Paint::plain, true);
    std::vector<Value> all;
    for (Value e = events.first(); e; e = e.next()) all.push_back(e);
    for (std::size_t i = all.size(); i > 0 && all.size() - i < kShown; --i)
        page.add(fmt::format("{}{}{}", column(all[i - 1]["time"], 26), column(all[i - 1]["kind"], 12),
                             text_of(all[i - 1]["text"])));
}

}  // namespace

void TopHistory::add(Value status) {
    loads_.push_back(std::max(0.0, status["load"]["perSecond"].number().value_or(0)));
    if (loads_.size() > kTopLoadsMax) loads_.erase(loads_.begin());
}

std::string TopHistory::bars() const {
    static constexpr std::string_view kSteps = " .:-=+*#%@";
    const double top = loads_.empty() ? 0 : *std::max_element(loads_.begin(), loads_.end());
    std::string out;
    for (const double load : loads_)
        out += top <= 0 ? ' ' : kSteps[static_cast<std::size_t>(load / top * double(kSteps.size() - 1) + 0.5)];
    return out;
}

std::string TopHistory::peak() const {
    return loads_.empty() ? "-" : fmt::format("{:.6g}", *std::max_element(loads_.begin(), loads_.end()));
}

std::vector<TopLine> top_lines(Value status, Value circuits, const TopHistory& history, std::size_t width) {
    Page page{{}, width};
    const Value node = status["node"], load = status["load"], cache = status["cache"];
    page.add(fmt::format("holdfast {} ({})  up {}  {}", text_of(node["name"]), text_of(node["region"]),
                         seconds_text(node["uptimeSeconds"]), text_of(node["version"])));
    const std::string verdict = text_of(status["verdict"]);
    page.add(fmt::format("{}: {}", verdict, text_of(status["summary"])), paint_of_state(verdict));
    page.add(fmt::format("mode {}   lease {}   reconcile {}   config generation {}", text_of(status["mode"]["node"]),
                         text_of(status["lease"]["state"]), text_of(status["reconcile"]["pending"]),
                         text_of(status["config"]["generation"])));
    page.add(fmt::format("{} requests/s   {} refused/s   {} degraded/s   {} in flight   {} queued   {} connections",
                         text_of(load["perSecond"]), text_of(load["refusedPerSecond"]),
                         text_of(load["degradedPerSecond"]), text_of(load["inFlight"]), text_of(load["queued"]),
                         text_of(load["connections"])));
    page.add(fmt::format("load [{}] peak {}/s", history.bars(), history.peak()));
    page.add(fmt::format("cache {} records, {} of {}", text_of(cache["entries"]), bytes_text(cache["bytes"]),
                         bytes_text(cache["sizeBytes"])),
             cache["healthy"].boolean().value_or(false) ? Paint::plain : Paint::bad);
    page.add("");
    add_circuits(page, circuits["circuits"]);
    page.add("");
    add_endpoints(page, status["upstreams"]);
    page.add("");
    add_events(page, status["events"]);
    return std::move(page.lines);
}

}  // namespace holdfast::ctl
