// The page of /ui over answers of a node that are as hostile as they can be.
#include <catch2/catch.hpp>

#include "edge/embedded.h"
#include "edge/ui_model.h"

using namespace holdfast;
using namespace holdfast::ui;

namespace {

const std::string kEvil = R"(</td><script>alert(1)</script>" onload='x' {{tables}} &amp;)";

std::string quoted(const std::string& text) {
    std::string out;
    json::append_quoted(out, text);
    return out;
}

// Answers of a node in which every text that somebody may have chosen is a given one.
constexpr const char* kStatus = R"({"verdict":@,"summary":@,
  "node":{"name":@,"region":"r","version":"1","uptimeSeconds":61},
  "mode":{"node":"auto","overrides":[{"scope":"node","reason":@,"by":@,"mode":"degraded","remainingSeconds":90}]},
  "upstreams":[{"endpoint":@,"p99Seconds":0.25}],"cache":{"healthy":true,"entries":3,"bytes":1048576},
  "load":{"perSecond":12,"refusedPerSecond":4,"requests":99},
  "events":[{"kind":"a","text":"first"},{"kind":@,"text":@}]})";
constexpr const char* kCircuits = R"({"circuits":[{"upstream":@,"state":@,"sinceSeconds":5,"retryInSeconds":7,
  "votes":{"open":1,"needed":2,"live":3},"window":{"calls":9}}]})";

std::string filled(std::string text, const std::string& word) {
    const std::string q = quoted(word);
    for (auto at = text.find('@'); at != std::string::npos; at = text.find('@', at + q.size())) text.replace(at, 1, q);
    return text;
}

constexpr const char* kPeers = R"({"kind":"etcd","peers":[{"name":@,"region":@,"own":"open","vote":true},
  {"name":"self","self":true}]})";

struct Answers {
    json::Document status, circuits, peers;
    Model model(const std::string& text, const Pulse& pulse = {}, MonoTime now = MonoTime{1000s}) {
        const auto s = status.parse(filled(kStatus, text));
        const auto c = circuits.parse(filled(kCircuits, text));
        REQUIRE(s);
        REQUIRE(c);
        const auto p = peers.parse(filled(kPeers, text));
        REQUIRE(p);
        return make_model(*s, *c, *p, pulse, now);
    }
};

}  // namespace

TEST_CASE("ui: nothing that somebody chose becomes markup, nor a mark of the skeleton") {
    Answers answers;
    const std::string html = to_html(answers.model(kEvil), {kEvil, kEvil});
    CHECK(html.find("<script>alert") == std::string::npos);
    CHECK(html.find("onload='x'") == std::string::npos);
    CHECK(html.find("&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&#39;x&#39; {{tables}} &amp;amp;") !=
          std::string::npos);
    std::size_t scripts = 0;
    for (auto at = html.find("<script"); at != std::string::npos; at = html.find("<script", at + 1)) ++scripts;
    CHECK(scripts == 1);
    CHECK(html.find("style=") == std::string::npos);  // what the policy of the page would refuse
    for (auto at = html.find("src="); at != std::string::npos; at = html.find("src=", at + 1))
        CHECK(html.substr(at, 9) == "src=\"/ui/");
}

TEST_CASE("ui: it says which peer it is itself, how far back the charts go, and what was refused") {
    Answers answers;
    const std::string html = to_html(answers.model("word"), {});
    for (const char* part :
         {"<td>self (this node)</td>", "<td>word</td>", "Answers per source, last 5 min",
          "Time of an answer, last 5 min", "12/s, 4 of them refused, 99 since the start", "healthy, 3 records"}) {
        INFO(part);
        CHECK(html.find(part) != std::string::npos);
    }
}

TEST_CASE("ui: the page and the JSON say the same, in the same places") {
    Answers answers;
    Pulse pulse;
    pulse.answered(2, 8ms, 90s, MonoTime{995s});
    const Model model = answers.model("word", pulse);
    const std::string html = to_html(model, {});
    json::Document document;
    const auto json = document.parse(to_json(model));
    REQUIRE(json);
    for (const Fact& fact : model.facts) {
        CHECK(html.find("id=\"fact-" + fact.id + "\">" + escaped(fact.value) + "<") != std::string::npos);
        CHECK(to_json(model).find(quoted(fact.value)) != std::string::npos);
    }
    for (const Table& table : model.tables) CHECK(html.find("id=\"table-" + table.id + "\"") != std::string::npos);
    for (const Chart& chart : model.charts) CHECK(html.find("id=\"chart-" + chart.id + "\"") != std::string::npos);
    CHECK(html.find("oldest cached answer given</dt><dd id=\"fact-cache-age\">1m 30s<") != std::string::npos);
    CHECK(html.find("<b>0.2/s</b>") != std::string::npos);
    CHECK(html.find("tries again in 7s") != std::string::npos);
    CHECK(html.find("votes for open: 1 of 2 needed, 3 live nodes") != std::string::npos);
    for (const Chart& chart : model.charts)
        CHECK(html.find("role=\"img\" aria-label=\"" + escaped(chart.title) + "\"") != std::string::npos);
    CHECK(html.find("data-empty=\"this node stands alone\"") != std::string::npos);
    CHECK(html.find("<td>word</td><td>word</td><td>open</td><td>yes</td>") != std::string::npos);
    CHECK(html.find("http-equiv=\"refresh\"") != std::string::npos);
    CHECK(to_html(model, {"req-1", "why"}).find("http-equiv=\"refresh\"") == std::string::npos);
    CHECK(model.tables.back().rows.front().back() == "word");  // the newest event first
}

TEST_CASE("ui: a chart is drawn from an empty pulse and from a full one within its frame") {
    Answers answers;
    Pulse pulse;
    for (int second = 0; second < 400; ++second)
        for (std::size_t kind = 0; kind < Pulse::kKinds; ++kind)
            pulse.answered(kind, std::chrono::milliseconds(second), Seconds(0), MonoTime{Seconds(600 + second)});
    for (const Pulse& one : {Pulse(), pulse}) {
        const Model model = answers.model("x", one);
        REQUIRE(model.charts.size() == 2);
        CHECK(model.charts[0].paths.size() == Pulse::kKinds);
        for (const Chart& chart : model.charts)
            for (const Path& path : chart.paths) {
                CHECK(path.d.find("nan") == std::string::npos);
                CHECK(path.d.find('-') == std::string::npos);
                CHECK(path.d.size() < 4000);
            }
    }
}
