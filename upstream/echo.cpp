#include "upstream/echo.h"

#include <functional>

namespace holdfast {
namespace {

std::uint64_t digest(std::string_view value) {
    return std::hash<std::string_view>{}(value);
}

// The key is a structured string where a centre goes by the draft of the field: in quotes.
std::string_view unquoted(std::string_view value) {
    const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
    return quoted ? value.substr(1, value.size() - 2) : value;
}

// Whether the answer names what was sent; nothing: it names none, or none was sent.
std::optional<bool> names(const std::optional<std::uint64_t>& sent, const HeaderList& answer, std::string_view field) {
    if (!sent) return std::nullopt;
    const auto named = answer.find(field);
    if (!named) return std::nullopt;
    return digest(unquoted(*named)) == *sent;
}

} // namespace

Echo echo_of(std::string_view request_id, std::string_view idempotency_key) {
    return {digest(request_id), digest(idempotency_key)};
}

Echoed echoed(const Echo& sent, const HeaderList& answer) {
    if (const auto own = names(sent.idempotency_key, answer, "idempotency-key"))
        return *own ? Echoed::same : Echoed::other_key;
    return names(sent.request_id, answer, "x-request-id").value_or(true) ? Echoed::same : Echoed::other_id;
}

} // namespace holdfast
