// Tells when something in a folder is made, written, renamed or removed, by the name of the entry. A hint, not a log:
// who is told looks for himself.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "edge/net/stream.h"
#include "edge/net/uv_loop.h"

namespace holdfast {

// `changed` is called on the loop until the handle is destroyed; its argument is empty when the kernel does not say the
// name. Null when the folder cannot be watched. Does not keep run() going by itself.
[[nodiscard]] std::unique_ptr<Pending> watch_folder(UvLoop& loop, const std::string& folder,
                                                    std::function<void(const std::string& name)> changed);

}  // namespace holdfast
