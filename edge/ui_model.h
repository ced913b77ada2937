// What /ui shows, as values: made from the same JSON that the admin socket answers, written as a page that needs no
// script, and as JSON that a script puts into that page. Everything here is text; whoever writes markup escapes it.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/json.h"
#include "edge/pulse.h"

namespace holdfast::ui {

struct Fact {
    std::string id, label, value;
};
struct Tile {
    std::string title, state;  // state: closed, half-open, open; also its class
    std::vector<std::string> lines;
};
struct Table {
    std::string id, title;
    std::vector<std::string> columns;
    std::vector<std::vector<std::string>> rows;
    std::string when_empty;
};
struct Path {
    std::string id, label, value;  // value: of now
    std::string d;                 // SVG path data
    bool area = false;
};
struct Chart {
    std::string id, title, top;  // top: what the upper edge stands for
    std::vector<Path> paths;
};
struct Model {
    std::string name, verdict, summary;
    std::vector<Tile> tiles;
    std::vector<Chart> charts;
    std::vector<Fact> facts;
    std::vector<Table> tables;
};

inline constexpr int kChartWidth = 600, kChartHeight = 120;

// `status`, `circuits`, `peers`: the answers of /v1/status, /v1/circuit and /v1/peers.
Model make_model(json::Value status, json::Value circuits, json::Value peers, const Pulse& pulse, MonoTime now);
std::string to_json(const Model& model);

// An explanation of one request, shown below the form: its JSON as lines of text. Empty: none was asked for.
struct Explained {
    std::string request_id, text;
};
std::string to_html(const Model& model, const Explained& explained);
std::string escaped(std::string_view text);  // & < > " ' as entities

}  // namespace holdfast::ui
