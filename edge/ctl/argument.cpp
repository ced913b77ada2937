#include "edge/ctl/argument.h"

#include <charconv>
#include <cstdint>
#include <optional>

namespace holdfast::ctl {
namespace {

// Within what a signed number holds, as some of them are.
std::optional<std::int64_t> number_in(const std::string& value) {
    std::int64_t out = 0;
    const char* end = value.data() + value.size();
    const auto [at, error] = std::from_chars(value.data(), end, out);
    if (error != std::errc() || at != end || out < 0) return std::nullopt;
    return out;
}

}  // namespace

std::string not_empty(const std::string& value) {
    return value.empty() ? "must not be empty" : "";
}

std::string whole_number(const std::string& value) {
    return number_in(value) ? "" : "must be a whole number, 0 or more";
}

std::string is_generation(const std::string& value) {
    return number_in(value).value_or(0) > 0 ? "" : "must be a generation from `config history`";
}

}  // namespace holdfast::ctl
