// What `holdfastctl top` shows, as lines: made from the answers of /v1/status and /v1/circuit, and from the status of a
// moment before. Pure; who draws them is screen.h, or nobody (-b).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "edge/base/json.h"
#include "edge/ctl/console.h"

namespace holdfast::ctl {

struct TopLine {
    std::string text;  // clean, at most as wide as asked for
    Paint paint = Paint::plain;
    bool head = false;  // a heading: drawn reversed
};

inline constexpr std::size_t kTopLoadsMax = 60;  // of the little history of requests a second

// The load of the last refreshes, for the bar line.
class TopHistory {
  public:
    void add(json::Value status);
    std::string bars() const;  // one character a refresh, the newest last
    std::string peak() const;

  private:
    std::vector<double> loads_;
};

std::vector<TopLine> top_lines(json::Value status, json::Value circuits, const TopHistory& history, std::size_t width);

}  // namespace holdfast::ctl
