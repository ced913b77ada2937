// The listening side of UvNetwork: hands each accepted socket on as a Stream, and removes its socket file in the end.
// Binding is UvNetwork's affair.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "edge/net/stream.h"
#include "edge/net/uv_loop.h"
#include "edge/net/uv_stream.h"

namespace holdfast {

// Requires: `socket` is bound. `where` names it in errors; `unlink_path` is removed when the listener goes, if it still
// is the file that was made.
Result<std::unique_ptr<Listener>> make_uv_listener(UvLoop& loop, UvSocket socket, const std::string& where,
                                                   Network::Accept accept, const std::string& unlink_path = {});

}  // namespace holdfast
