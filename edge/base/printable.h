// Text from a file or a peer, made safe for a terminal. For lines of the log there is log::escape, which is stricter.
// Nothing is lost but what cannot be seen.
#pragma once

#include <string>
#include <string_view>

namespace holdfast {

// Without control characters, C0 and C1: they could move a terminal's cursor or change its title. Newlines and tabs
// become blanks, other controls '?', and so does each byte beyond ASCII of what is not UTF-8.
std::string printable(std::string_view text);

}  // namespace holdfast
