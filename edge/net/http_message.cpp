#include "edge/net/http_message.h"

#include "edge/base/bytes.h"
#include "edge/base/check.h"

namespace holdfast {
namespace {
constexpr std::size_t kUsualFields = 16;  // taken at once, rather than grown field by field
}

std::size_t HeaderList::count(std::string_view name) const {
    std::size_t n = 0;
    for (const Span& s : spans_)
        if (s.name_size == name.size() && equal_ignoring_case(text_.substr(s.name_at, s.name_size), name)) ++n;
    return n;
}

std::optional<std::string_view> HeaderList::find(std::string_view name) const {
    for (const Span& s : spans_)
        if (s.name_size == name.size() && equal_ignoring_case(text_.substr(s.name_at, s.name_size), name))
            return text_.substr(s.value_at, s.value_size);
    return std::nullopt;
}

bool HeaderList::has_token(std::string_view name, std::string_view token) const {
    for (std::size_t i = 0; i < spans_.size(); ++i) {
        const Field field = (*this)[i];
        if (field.name.size() == name.size() && equal_ignoring_case(field.name, name) &&
            list_has_token(field.value, token))
            return true;
    }
    return false;
}

void HeaderList::add_offsets(std::uint32_t name_at, std::uint32_t name_size, std::uint32_t value_at,
                             std::uint32_t value_size) {
    if (spans_.capacity() == 0) spans_.reserve(kUsualFields);
    spans_.push_back({name_at, name_size, value_at, value_size});
}

void HeaderList::release() {
    std::vector<Span>().swap(spans_);
    text_ = {};
}

std::string_view trim_ows(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

bool list_has_token(std::string_view list, std::string_view token) {
    while (!list.empty()) {
        const std::size_t comma = list.find(',');
        if (equal_ignoring_case(trim_ows(list.substr(0, comma)), token)) return true;
        if (comma == std::string_view::npos) break;
        list.remove_prefix(comma + 1);
    }
    return false;
}

}  // namespace holdfast
