// What of a node's answers may leave in a support bundle: numbers, yes and no, and texts of members whose words the
// program or the operator's own naming chooses, from a closed list. A member that is not on it, a new one too, is told
// by its length alone: reasons that people typed, settings that list subjects, what was wrong with a refused text.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::ctl {

// What stands for a text that is not shown: "(12 bytes)".
std::string length_of(std::string_view text);

// An answer of the admin API. "not JSON\n" when it is none.
std::string redacted(std::string_view body);

// The lines of /v1/config?origin=1. A line that is no JSON is left out.
std::string redacted_settings(std::string_view lines);

}  // namespace holdfast::ctl
