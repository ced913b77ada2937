#include "edge/ui_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace holdfast::ui {
namespace {

using json::Value;

constexpr std::array<std::string_view, Pulse::kKinds> kKindNames{"refused", "live", "cache", "feature", "policy"};
static_assert(Pulse::kBeats * Pulse::kBeatEvery == 5min, "the charts say so");
constexpr std::array<std::size_t, Pulse::kKinds> kStack{1, 2, 3, 4, 0};  // from the bottom up

std::string text_of(Value value) {
    if (!value) return "-";
    if (const auto text = value.text()) return std::string(*text);
    if (const auto yes = value.boolean()) return *yes ? "yes" : "no";
    if (const auto whole = value.integer()) return std::to_string(*whole);
    if (const auto number = value.number()) return fmt::format("{:.4g}", *number);
    return "-";
}

std::string span_text(double seconds) {
    if (seconds <= 0) return "0s";
    if (seconds < 0.001) return "<1ms";  // the loop reads its clock once a turn
    if (seconds < 1) return fmt::format("{:.0f}ms", seconds * 1000);
    const auto whole = static_cast<std::int64_t>(std::min(seconds, 1e11));
    if (whole < 60) return fmt::format("{}s", whole);
    if (whole < 3600) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
    return whole < 86400 ? fmt::format("{}h {:02}m", whole / 3600, whole % 3600 / 60)
                         : fmt::format("{}d {:02}h", whole / 86400, whole % 86400 / 3600);
}
std::string span_text(Value value) {
    return value.number() ? span_text(*value.number()) : "-";
}
std::string bytes_text(Value value) {
    return value.number() ? fmt::format("{:.1f} MiB", *value.number() / 1048576) : "-";
}

Tile tile_of(Value c) {
    Tile out{"circuit " + text_of(c["upstream"]), text_of(c["state"]), {}};
    out.lines.push_back("for " + span_text(c["sinceSeconds"]) + ": " + text_of(c["reason"]));
    if (c["retryInSeconds"]) out.lines.push_back("tries again in " + span_text(c["retryInSeconds"]));
    if (c["forced"]) out.lines.push_back("forced " + text_of(c["forced"]));
    if (const Value votes = c["votes"])
        out.lines.push_back(fmt::format("votes for open: {} of {} needed, {} live nodes", text_of(votes["open"]),
                                        text_of(votes["needed"]), text_of(votes["live"])));
    if (c["why"]) out.lines.push_back(text_of(c["mode"]) + ": " + text_of(c["why"]));
    if (c["alarm"]) out.lines.push_back("alarm: " + text_of(c["alarm"]));
    const Value window = c["window"];
    out.lines.push_back(fmt::format("{} calls, {} failed, {} slow, {} subjects", text_of(window["calls"]),
                                    text_of(window["failures"]), text_of(window["slow"]), text_of(window["subjects"])));
    if (c["ramp"]) out.lines.push_back(text_of(c["ramp"]["percent"]) + " % of the calls go to the centre");
    return out;
}

std::string point(std::size_t beat, double share) {
    return fmt::format("{:.0f},{:.1f}", double(beat) * kChartWidth / double(Pulse::kBeats - 1),
                       kChartHeight * (1 - std::clamp(share, 0.0, 1.0)));
}

using Beats = std::array<Pulse::Beat, Pulse::kBeats>;  // the oldest first

// The newest whole five seconds: the beat that is under way would always look too small.
const Pulse::Beat& newest(const Beats& beats) {
    return beats[Pulse::kBeats - 1];
}

Chart answers_chart(const Beats& beats) {
    constexpr double kPer = in_seconds(Pulse::kBeatEvery);
    double top = 1;
    for (const Pulse::Beat& beat : beats) top = std::max(top, double(beat.total()));
    Chart out{"answers", "Answers per source, last 5 min", fmt::format("{:.4g}/s", top / kPer), {}};
    std::array<double, Pulse::kBeats> below{};
    for (const std::size_t kind : kStack) {
        std::string line, back;
        for (std::size_t i = 0; i < Pulse::kBeats; ++i) {
            back.insert(0, "L" + point(i, below[i] / top));
            below[i] += beats[i].answers[kind];
            line += (i == 0 ? "M" : "L") + point(i, below[i] / top);
        }
        const std::string name(kKindNames[kind]);
        out.paths.push_back(
            {name, name, fmt::format("{:.4g}/s", newest(beats).answers[kind] / kPer), line + back + "Z", true});
    }
    return out;
}

Chart latency_chart(const Beats& beats) {
    double top = 0.001;
    for (const Pulse::Beat& beat : beats) top = std::max(top, in_seconds(beat.quantile(0.99)));
    Chart out{"latency", "Time of an answer, last 5 min", span_text(top), {}};
    for (const auto& [id, q] : {std::pair{"p50", 0.5}, {"p99", 0.99}}) {
        std::string line;
        bool pen_down = false;
        for (std::size_t i = 0; i < Pulse::kBeats; ++i) {
            const bool any = beats[i].total() > 0;
            if (any) line += (pen_down ? "L" : "M") + point(i, in_seconds(beats[i].quantile(q)) / top);
            pen_down = any;
        }
        out.paths.push_back({id, id, span_text(in_seconds(newest(beats).quantile(q))), line, false});
    }
    return out;
}

std::vector<Fact> facts_of(Value status, const Beats& beats) {
    const Value node = status["node"], cache = status["cache"], load = status["load"], config = status["config"];
    Seconds oldest{0};
    for (const Pulse::Beat& beat : beats) oldest = std::max(oldest, beat.oldest);
    const auto part = [&status](const char* name) {
        const Value p = status[name];
        return p["healthy"].boolean().value_or(false) ? std::string("healthy") : "not healthy: " + text_of(p["detail"]);
    };
    return {
        {"mode", "mode", text_of(status["mode"]["node"])},
        {"requests", "requests",
         fmt::format("{}/s, {} of them refused, {} since the start", text_of(load["perSecond"]),
                     text_of(load["refusedPerSecond"]), text_of(load["requests"]))},
        {"degraded", "degraded answers", text_of(load["degradedPerSecond"]) + "/s"},
        {"in-flight", "in flight", text_of(load["inFlight"]) + ", queued " + text_of(load["queued"])},
        {"connections", "connections", text_of(load["connections"])},
        {"cache", "cache",
         fmt::format("{}, {} records, {} of {}", part("cache"), text_of(cache["entries"]), bytes_text(cache["bytes"]),
                     bytes_text(cache["sizeBytes"]))},
        {"cache-age", "oldest cached answer given", oldest.count() == 0 ? "none" : span_text(double(oldest.count()))},
        {"state", "state", part("state")},
        {"journal", "journal", part("journal") + ", " + text_of(status["journal"]["entries"]) + " entries"},
        {"reconcile", "provisional answers",
         fmt::format("{} to be put to the centre, {} reversed", text_of(status["reconcile"]["pending"]),
                     text_of(status["reconcile"]["reversed"]))},
        {"lease", "lease",
         text_of(status["lease"]["state"]) + (status["lease"]["remainingSeconds"]
                                                  ? ", " + span_text(status["lease"]["remainingSeconds"]) + " left"
                                                  : std::string())},
        {"clock", "clock",
         status["clock"]["synchronised"].boolean().value_or(false) ? "synchronised" : "not synchronised"},
        {"config", "configuration",
         fmt::format("generation {} ({}) from {}{}", text_of(config["generation"]), text_of(config["hash"]),
                     text_of(config["source"]),
                     config["lastReloadSuccessful"].boolean().value_or(true) ? "" : ", the last reload failed")},
        {"version", "version", text_of(node["version"]) + ", up " + span_text(node["uptimeSeconds"])},
    };
}

Table table_of(Value list, std::string id, std::string title, std::vector<std::string> columns,
               const std::vector<std::string_view>& members, std::string when_empty) {
    Table out{std::move(id), std::move(title), std::move(columns), {}, std::move(when_empty)};
    for (Value one = list.first(); one; one = one.next()) {
        std::vector<std::string>& row = out.rows.emplace_back();
        for (const std::string_view member : members)
            row.push_back(member.ends_with("Seconds") ? span_text(one[member]) : text_of(one[member]));
    }
    return out;
}

}  // namespace

Model make_model(Value status, Value circuits, Value peers, const Pulse& pulse, MonoTime now) {
    Beats beats;
    for (std::size_t i = 0; i < Pulse::kBeats; ++i) beats[i] = pulse.beat(Pulse::kBeats - i, now);
    Model out;
    out.name = text_of(status["node"]["name"]) + " (" + text_of(status["node"]["region"]) + ")";
    out.verdict = text_of(status["verdict"]);
    out.summary = text_of(status["summary"]);
    for (Value c = circuits["circuits"].first(); c; c = c.next()) out.tiles.push_back(tile_of(c));
    out.charts = {answers_chart(beats), latency_chart(beats)};
    out.facts = facts_of(status, beats);
    out.tables.push_back(table_of(status["mode"]["overrides"], "orders", "Operators' orders",
                                  {"of", "scene", "mode", "left", "by", "reason"},
                                  {"scope", "scene", "mode", "remainingSeconds", "by", "reason"}, "no order stands"));
    out.tables.push_back(table_of(status["upstreams"], "endpoints", "Endpoints of the centre",
                                  {"endpoint", "weight", "state", "in flight", "connections", "p99"},
                                  {"endpoint", "weight", "state", "inFlight", "connections", "p99Seconds"}, "none"));
    out.tables.push_back(table_of(peers["peers"], "peers", "Peers",
                                  {"node", "region", "own circuit", "votes for open", "probes", "disagrees"},
                                  {"name", "region", "own", "vote", "probing", "disagrees"}, "this node stands alone"));
    std::size_t row = 0;
    for (Value peer = peers["peers"].first(); peer; peer = peer.next(), ++row)
        if (peer["self"].boolean().value_or(false)) out.tables.back().rows[row][0] += " (this node)";
    Table events = table_of(status["events"], "events", "Last events", {"time", "kind", "what"},
                            {"time", "kind", "text"}, "nothing happened yet");
    std::reverse(events.rows.begin(), events.rows.end());
    out.tables.push_back(std::move(events));
    return out;
}

std::string to_json(const Model& model) {
    std::string out;
    json::Writer w(out);
    w.begin_object().member("name", model.name).member("verdict", model.verdict).member("summary", model.summary);
    w.key("tiles").begin_array();
    for (const Tile& tile : model.tiles) {
        w.begin_object().member("title", tile.title).member("state", tile.state).key("lines").begin_array();
        for (const std::string& line : tile.lines) w.string(line);
        w.end_array().end_object();
    }
    w.end_array().key("charts").begin_array();
    for (const Chart& chart : model.charts) {
        w.begin_object().member("id", chart.id).member("top", chart.top).key("paths").begin_array();
        for (const Path& path : chart.paths)
            w.begin_object().member("id", path.id).member("value", path.value).member("d", path.d).end_object();
        w.end_array().end_object();
    }
    w.end_array().key("facts").begin_array();
    for (const Fact& fact : model.facts)
        w.begin_object().member("id", fact.id).member("value", fact.value).end_object();
    w.end_array().key("tables").begin_array();
    for (const Table& table : model.tables) {
        w.begin_object().member("id", table.id).key("rows").begin_array();
        for (const auto& row : table.rows) {
            w.begin_array();
            for (const std::string& cell : row) w.string(cell);
            w.end_array();
        }
        w.end_array().end_object();
    }
    w.end_array().end_object();
    return out;
}

}  // namespace holdfast::ui
