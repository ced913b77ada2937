// The verbs of holdfastctl and what may follow them. Typos in verbs are found here, before the parser sees them,
// because its own message names no neighbour.
#pragma once

#include <string>
#include <vector>

namespace holdfast::ctl {

// What is wrong with the verb, with "did you mean"; empty: all is well.
std::string wrong_verb(const std::vector<std::string>& args);

}  // namespace holdfast::ctl
