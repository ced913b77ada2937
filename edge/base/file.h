// Files that operators name, read whole: bounded, and nobody is waited for. What the stores wrote themselves is read by
// cache/files.h.
#pragma once

#include <cstddef>
#include <string>

#include "edge/base/result.h"

namespace holdfast {

// All bytes of a regular file, also of one that states no size or grows meanwhile. Takes as long as its disk does.
// Code::not_found, denied or io as open(2) and read(2) fail; invalid: no regular file (of a pipe the end may never
// come); too_large: more than `bytes_max`, of which no more than one byte above it was read. The detail is the reason
// alone, to stand behind what the caller calls the file.
Result<std::string> read_regular_file(const std::string& path, std::size_t bytes_max);

}  // namespace holdfast
