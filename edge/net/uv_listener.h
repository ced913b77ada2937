// The listening side of UvNetwork: hands each accepted socket on as a Stream, and removes its socket file in the end.
// Binding is UvNetwork's affair.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "edge/net/stream.h"
#include "edge/net/uv_loop.h"
#include "edge/net/uv_stream.h"

namespace holdfast {

// Requires: `socket` is bound. `where` names it in errors; `unlink_path` is removed when the listener goes, if it still
// is the file that was made.
Result<std::unique_ptr<Listener>> make_uv_listener(UvLoop& loop, UvSocket socket, const std::string& where,
                                                   Network::Accept accept, const std::string& unlink_path = {});

// A bound Unix socket that does not listen yet, by the rules of UvNetwork::listen_unix. The caller closes it.
Result<int> bind_unix(const std::string& path, unsigned mode);

// Which file stands at the path, if it is a socket's.
using SocketFile = std::pair<dev_t, ino_t>;
std::optional<SocketFile> socket_file(const std::string& path);

}  // namespace holdfast
