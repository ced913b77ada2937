// What is wrong with one member of an order to a double (the centre, the gateway, a notice): its name, and what was
// expected of it.
#pragma once

#include <fmt/format.h>

#include <string_view>

#include "edge/base/result.h"

namespace holdfast {

inline tl::unexpected<Error> bad_member(std::string_view member, std::string_view expected) {
    return fail(Code::invalid, Origin::client, fmt::format("{}: expected {}", member, expected));
}

}  // namespace holdfast
