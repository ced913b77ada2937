// A Stream over a connected TCP or Unix socket of libuv: gathers what is written in a turn in a buffer of the loop,
// sends it at the end of the turn, queues what the kernel does not take, reads into the loop's shared buffer.
// Destroying it sends what the kernel takes at once. Made by UvNetwork only.
#pragma once

#include <memory>

#include "edge/net/stream.h"
#include "edge/net/uv_loop.h"

struct uv_stream_s;

namespace holdfast {

// A socket handle on the heap, which its close callback frees. `stream()` is a uv_tcp_t or a uv_pipe_t.
class UvSocket {
  public:
    UvSocket() = default;
    static UvSocket tcp(UvLoop& loop);
    static UvSocket unix_domain(UvLoop& loop);
    ~UvSocket();
    UvSocket(UvSocket&& other) noexcept;
    UvSocket& operator=(UvSocket&& other) noexcept;
    uv_stream_s* stream() const { return stream_; }
    explicit operator bool() const { return stream_ != nullptr; }

  private:
    explicit UvSocket(uv_stream_s* stream) : stream_(stream) {}
    uv_stream_s* stream_ = nullptr;
};

// Requires: `socket` is connected. Sets TCP_NODELAY and reads who the peer is.
std::unique_ptr<Stream> make_uv_stream(UvLoop& loop, UvSocket socket);

// Who is on the other end. An IPv4 client of a socket that takes both families is told as that IPv4 client.
PeerInfo peer_of(uv_stream_s* stream);

// As uv_try_write, by send(2), which passes fewer layers of the kernel than write(2). Requires: nothing waits in libuv.
int send_at_once(uv_stream_s* stream, std::string_view bytes);

// "connection refused (ECONNREFUSED)" for a libuv error number.
std::string uv_error_text(int error);

}  // namespace holdfast
