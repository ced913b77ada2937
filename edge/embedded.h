// Documents that are part of the program, so that a node shows the version of them that it was built with. The files
// are turned into sources by packaging/cmake/Embed.cmake.
#pragma once

#include <string_view>

namespace holdfast {

extern const std::string_view kOpenApiJson;  // edge/docs/openapi.json
extern const std::string_view kUiPage, kUiStyle, kUiScript;  // edge/ui/

}  // namespace holdfast
