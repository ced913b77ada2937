#include "edge/base/printable.h"

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

}  // namespace holdfast
