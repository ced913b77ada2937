// What single arguments of holdfastctl must be, as checks for the parser: empty when one is well, else what it must be.
// The parser's own checks of numbers name a bound of 300 digits, and let "-1" through as a large one.
#pragma once

#include <string>

namespace holdfast::ctl {

std::string not_empty(const std::string& value);      // an empty scene would be all of them, no subject is empty
std::string whole_number(const std::string& value);   // 0 or more
std::string is_generation(const std::string& value);  // of a configuration: 1 or more

}  // namespace holdfast::ctl
