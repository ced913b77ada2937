// One value of the file as the option table wants it: kind, literal, bounds. What values mean together is
// config_check.h.
#pragma once

#include <toml++/toml.h>

#include <optional>
#include <string>

#include "edge/config_problems.h"
#include "edge/option_table.h"

namespace holdfast {

TextPlace place_of(const toml::node& node);
// Nothing, and an error at the value, when it does not fit. `key` is how messages call it.
std::optional<OptionValue> read_value(const Option& option, const std::string& key, const toml::node& node,
                                      ConfigProblems& problems);

}  // namespace holdfast
