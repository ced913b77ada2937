// From the bytes of a file to TOML. Syntax errors end a parse; what is broken is then left out and the rest is read
// again, so that one run shows them all, each with what was probably meant.
#pragma once

#include <toml++/toml.h>

#include <string>
#include <string_view>

#include "edge/config_problems.h"

namespace holdfast {

struct ParsedToml {
    toml::table table;
    bool whole = true;  // false: something was left out, so a missing key proves nothing
};
ParsedToml parse_toml(std::string_view text, ConfigProblems& problems);

// What was probably meant by a line that is no TOML, as a sentence; empty: nobody knows. `line` is as it is shown, so
// it holds no secret (ConfigExcerpts); `why` is what the parser said.
std::string slip_in(std::string_view line, std::string_view why);

}  // namespace holdfast
