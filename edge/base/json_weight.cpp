#include "edge/base/json_weight.h"

namespace holdfast::json {
namespace {

// Behind the string that begins at `at`, with its quote; the end of the text where it does not end.
std::size_t behind_string(std::string_view text, std::size_t at) {
    for (std::size_t from = at + 1;;) {
        const std::size_t quote = text.find('"', from);
        if (quote == std::string_view::npos) return text.size();
        std::size_t first = quote;  // of the backslashes before it
        while (first > from && text[first - 1] == '\\') --first;
        if ((quote - first) % 2 == 0) return quote + 1;
        from = quote + 1;
    }
}

bool is_between(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ':' || c == '[' || c == ']' || c == '{' || c == '}';
}

}  // namespace

Weight weigh(std::string_view text) {
    Weight out;
    out.values = 1;
    std::size_t length = 0;  // of the number that is being looked at
    bool power = false;
    const auto end_number = [&] {
        out.bytes += length;
        if (power && length > kLongNumber) ++out.long_powers;
        length = 0;
        power = false;
    };
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (c == '"') {
            end_number();
            at = behind_string(text, at);
            continue;
        }
        if (c == ',' || is_between(c)) {
            end_number();
            if (c == ',') ++out.values;
        } else {
            ++length;
            if (c == 'e' || c == 'E') power = true;
        }
        ++at;
    }
    end_number();
    return out;
}

}  // namespace holdfast::json
