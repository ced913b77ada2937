// The lines of a configuration as its errors show them: what may be a secret is "...", wherever in its line it stands,
// and nothing in them steers a terminal. The text may be broken in every way, so this does not parse it: it looks for
// keys and for where their values end, and hides the rest of a line where it does not understand it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

class ConfigExcerpts {
  public:
    static constexpr std::size_t kShownMax = 160;  // bytes of a line

    // Requires: the text outlives it.
    explicit ConfigExcerpts(std::string_view text);

    // `line` and `column`, of what is to be pointed at, from 1; empty for a line that is not there.
    std::string at(unsigned line, unsigned column) const;

    // What a line begins within.
    struct Carry {
        std::string_view delimiter{};    // of a text that goes on until it; empty: none
        std::uint32_t hidden_depth = 0;  // of brackets of a value that is hidden
        std::uint32_t depth = 0;         // of brackets of others
    };

  private:
    struct Line {
        std::string_view text;
        Carry carry;
        std::size_t section = 0;  // the place of its table in sections_
    };
    std::vector<Line> lines_;
    std::vector<std::string> sections_{""};  // "upstream.alipay"
};

}  // namespace holdfast
