// The verbs of holdfastctl and what may follow them. Typos in verbs are found here, before the parser sees them,
// because its own message names no neighbour.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdfast::ctl {

// What is wrong with the verb, or with what stands before it, with "did you mean"; empty: all is well.
std::string wrong_verb(const std::vector<std::string>& args);
// What the parser complains of (`what`; empty: of what is left alone), with the options among what it left unread. One
// that is near to a `known` option is all that is said: what is missing is there, mistyped.
std::string left_over(std::string_view path, std::string_view what, const std::vector<std::string>& left,
                      const std::vector<std::string>& known);

}  // namespace holdfast::ctl
