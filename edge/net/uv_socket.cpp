// The handle of a TCP or Unix socket, before it is a stream and after.
#include <uv.h>

#include <utility>

#include "edge/base/check.h"
#include "edge/net/uv_stream.h"

namespace holdfast {

UvSocket UvSocket::tcp(UvLoop& loop) {
    auto* tcp = new uv_tcp_t;
    HF_CHECK(uv_tcp_init(loop.raw(), tcp) == 0);
    tcp->data = nullptr;
    return UvSocket(reinterpret_cast<uv_stream_t*>(tcp));
}

UvSocket UvSocket::unix_domain(UvLoop& loop) {
    auto* pipe = new uv_pipe_t;
    HF_CHECK(uv_pipe_init(loop.raw(), pipe, 0) == 0);
    pipe->data = nullptr;
    return UvSocket(reinterpret_cast<uv_stream_t*>(pipe));
}

UvSocket::UvSocket(UvSocket&& other) noexcept : stream_(std::exchange(other.stream_, nullptr)) {}

UvSocket& UvSocket::operator=(UvSocket&& other) noexcept {
    std::swap(stream_, other.stream_);
    return *this;
}

UvSocket::~UvSocket() {
    if (stream_ == nullptr) return;
    stream_->data = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(stream_), [](uv_handle_t* h) {
        if (h->type == UV_TCP)
            delete reinterpret_cast<uv_tcp_t*>(h);
        else
            delete reinterpret_cast<uv_pipe_t*>(h);
    });
}

}  // namespace holdfast
