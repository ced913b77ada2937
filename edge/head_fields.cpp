#include "edge/head_fields.h"

#include <algorithm>

#include "edge/base/bytes.h"

namespace holdfast {
namespace {

void note(HeaderSeen& seen, std::string_view value) {
    if (++seen.count == 1) seen.value = value;
}

// What stands before the parameters, which begin with a semicolon; the space before that is of neither.
bool is_type(std::string_view content_type, std::string_view wanted) {
    const std::string_view type = content_type.substr(0, content_type.find(';'));
    return equal_ignoring_case(type.substr(0, type.find_last_not_of(" \t") + 1), wanted);
}

}  // namespace

HeadFields fields_of(const HeaderList& headers) {
    HeadFields out;
    const auto take = [](HeaderList::Field field, std::string_view name, HeaderSeen& seen) {
        if (equal_ignoring_case(field.name, name)) note(seen, field.value);
    };
    for (std::size_t i = 0; i < headers.size(); ++i) {
        const HeaderList::Field field = headers[i];
        switch (field.name.size()) {
            case 7:
                take(field, "X-Nonce", out.nonce);
                break;
            case 11:
                take(field, "X-Timestamp", out.timestamp);
                take(field, "traceparent", out.traceparent);
                break;
            case 12:
                take(field, "Content-Type", out.content_type);
                break;
            case 13:
                take(field, "Authorization", out.authorization);
                break;
            case 16:
                take(field, "X-Content-SHA256", out.content_sha256);
                take(field, "Content-Encoding", out.content_encoding);
                break;
            default:
                break;
        }
    }
    return out;
}

bool is_json(const HeaderSeen& content_type) {
    if (content_type.count == 0) return true;
    if (!is_type(content_type.value, "application/json")) return false;
    std::string_view rest =
        content_type.value.substr(std::min(content_type.value.find(';'), content_type.value.size()));
    while (!rest.empty() && (rest.front() == ';' || rest.front() == ' ' || rest.front() == '\t')) rest.remove_prefix(1);
    return rest.empty() || equal_ignoring_case(rest, "charset=utf-8") || equal_ignoring_case(rest, "charset=\"utf-8\"");
}

bool is_form(const HeaderSeen& content_type) {
    return is_type(content_type.value, "application/x-www-form-urlencoded");
}

bool is_coded(const HeaderSeen& content_encoding) {
    if (content_encoding.count != 1) return content_encoding.count > 1;
    return !equal_ignoring_case(content_encoding.value, "identity");
}

}  // namespace holdfast
