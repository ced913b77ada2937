// The page of /ui: the skeleton edge/ui/page.html with its marks filled in. Each text passes escaped() on its way.
#include <fmt/format.h>

#include "edge/embedded.h"
#include "edge/ui_model.h"

namespace holdfast::ui {
namespace {

std::string tiles_html(const Model& model) {
    std::string out;
    for (const Tile& tile : model.tiles) {
        out += fmt::format("<div class=\"tile {0}\"><h3>{1}</h3><p class=\"state\">{0}</p>", escaped(tile.state),
                           escaped(tile.title));
        for (const std::string& line : tile.lines) out += "<p>" + escaped(line) + "</p>";
        out += "</div>";
    }
    return out;
}

std::string charts_html(const Model& model) {
    std::string out;
    for (const Chart& chart : model.charts) {
        out += fmt::format(
            "<figure id=\"chart-{0}\"><figcaption>{1} <span class=\"top\">{2}</span></figcaption>"
            "<svg viewBox=\"0 0 {3} {4}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{1}\">",
            escaped(chart.id), escaped(chart.title), escaped(chart.top), kChartWidth, kChartHeight);
        for (const Path& path : chart.paths)
            out += fmt::format("<path class=\"{} {}\" d=\"{}\"></path>", path.area ? "area" : "line", escaped(path.id),
                               escaped(path.d));
        out += "</svg><ul>";
        for (const Path& path : chart.paths)
            out += fmt::format("<li class=\"{}\">{} <b>{}</b></li>", escaped(path.id), escaped(path.label),
                               escaped(path.value));
        out += "</ul></figure>";
    }
    return out;
}

std::string facts_html(const Model& model) {
    std::string out;
    for (const Fact& fact : model.facts)
        out += fmt::format("<div><dt>{}</dt><dd id=\"fact-{}\">{}</dd></div>", escaped(fact.label), escaped(fact.id),
                           escaped(fact.value));
    return out;
}

std::string tables_html(const Model& model) {
    std::string out;
    for (const Table& table : model.tables) {
        out += fmt::format("<section class=\"table\"><h2>{}</h2><table id=\"table-{}\"><thead><tr>",
                           escaped(table.title), escaped(table.id));
        for (const std::string& column : table.columns) out += "<th>" + escaped(column) + "</th>";
        out += fmt::format("</tr></thead><tbody data-empty=\"{}\">", escaped(table.when_empty));
        if (table.rows.empty())
            out += fmt::format("<tr><td colspan=\"{}\">{}</td></tr>", table.columns.size(), escaped(table.when_empty));
        for (const auto& row : table.rows) {
            out += "<tr>";
            for (const std::string& cell : row) out += "<td>" + escaped(cell) + "</td>";
            out += "</tr>";
        }
        out += "</tbody></table></section>";
    }
    return out;
}

std::string explained_html(const Explained& explained) {
    return explained.text.empty() ? std::string() : "<pre id=\"explained\">" + escaped(explained.text) + "</pre>";
}

}  // namespace

std::string escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::string to_html(const Model& model, const Explained& explained) {
    std::string out;
    std::string_view rest = kUiPage;
    for (auto at = rest.find("{{"); at != std::string_view::npos; at = rest.find("{{")) {
        out += rest.substr(0, at);
        rest.remove_prefix(at + 2);
        const std::string_view mark = rest.substr(0, rest.find("}}"));
        rest.remove_prefix(std::min(rest.size(), mark.size() + 2));
        if (mark == "name") out += escaped(model.name);
        if (mark == "verdict") out += escaped(model.verdict);
        if (mark == "summary") out += escaped(model.summary);
        if (mark == "tiles") out += tiles_html(model);
        if (mark == "charts") out += charts_html(model);
        if (mark == "facts") out += facts_html(model);
        if (mark == "tables") out += tables_html(model);
        if (mark == "request") out += escaped(explained.request_id);
        if (mark == "explained") out += explained_html(explained);
        // Without a script the page loads itself anew; not under the eyes of one who reads an explanation.
        if (mark == "refresh" && explained.text.empty())
            out += "<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>";
    }
    return out.append(rest);
}

}  // namespace holdfast::ui
