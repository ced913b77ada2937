// Text from a file or a peer, made safe for a terminal. For lines of the log there is log::escape, which is stricter.
// Nothing is lost but what cannot be seen.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

// Without control characters, C0 and C1: they could move a terminal's cursor or change its title. Newlines and tabs
// become blanks, other controls '?', and so does each byte beyond ASCII of what is not UTF-8.
std::string printable(std::string_view text);

struct TextRange {
    std::size_t begin = 0, end = 0;  // in bytes, without the last
};
// What may be a secret in a text with URLs: what stands before an "@" (RFC 3986 section 3.2.1: user and password), and
// a query. A password may hold anything, so it is looked for up to the text's last "@"; rather too much than too
// little.
std::vector<TextRange> url_secrets(std::string_view text);
// A URL as it may be told and logged: "https://...@host".
std::string shown_url(std::string_view url);

}  // namespace holdfast
