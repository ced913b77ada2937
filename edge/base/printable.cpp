#include "edge/base/printable.h"

#include <algorithm>

#include "edge/base/bytes.h"

namespace holdfast {

std::string printable(std::string_view text) {
    const bool utf8 = is_utf8(text);
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        // U+0080 to U+009F are controls of eight-bit terminals.
        const bool c1 = utf8 && byte == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (c1) ++i;
        if (byte == '\n' || byte == '\t')
            out += ' ';
        else
            out += byte < 0x20 || byte == 0x7f || c1 || (!utf8 && byte >= 0x80) ? '?' : text[i];
    }
    return out;
}

std::vector<TextRange> url_secrets(std::string_view text) {
    const auto scheme = text.find("://");
    if (scheme == std::string_view::npos) return {};
    const std::size_t begin = scheme + 3;
    std::vector<TextRange> out;
    const auto at = text.rfind('@');
    const bool user = at != std::string_view::npos && at > begin;
    if (user) out.push_back({begin, at});
    const auto query = text.find('?', user ? at : begin);
    if (query == std::string_view::npos) return out;
    const std::size_t end = std::min(text.find_first_of("\"'", query), text.size());
    if (end > query + 1) out.push_back({query + 1, end});
    return out;
}

std::string shown_url(std::string_view url) {
    std::string out;
    std::size_t done = 0;
    for (const TextRange& one : url_secrets(url)) {
        out.append(url.substr(done, one.begin - done)).append("...");
        done = one.end;
    }
    return out.append(url.substr(done));
}

}  // namespace holdfast
