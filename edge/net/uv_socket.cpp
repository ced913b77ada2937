// The handle of a TCP or Unix socket, before it is a stream and after.
#include <sys/socket.h>
#include <uv.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "edge/base/check.h"
#include "edge/net/uv_stream.h"

namespace holdfast {

namespace {

// ::ffff:192.0.2.1 is 192.0.2.1: each such client is in the network of its own.
void unmap(sockaddr_storage& address) {
    const sockaddr_in6 mapped = reinterpret_cast<const sockaddr_in6&>(address);
    if (mapped.sin6_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&mapped.sin6_addr)) return;
    auto& plain = reinterpret_cast<sockaddr_in&>(address);
    plain = {};
    plain.sin_family = AF_INET;
    plain.sin_port = mapped.sin6_port;
    std::memcpy(&plain.sin_addr, mapped.sin6_addr.s6_addr + 12, sizeof plain.sin_addr);
}

}  // namespace

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

PeerInfo peer_of(uv_stream_t* stream) {
    PeerInfo peer;
    if (stream->type == UV_TCP) {
        sockaddr_storage address{};
        int size = sizeof address;
        char text[INET6_ADDRSTRLEN] = {};
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        if (uv_tcp_getpeername(reinterpret_cast<uv_tcp_t*>(stream), generic, &size) != 0) return peer;
        unmap(address);
        if (uv_ip_name(generic, text, sizeof text) != 0) return peer;
        peer.address = text;
        // Both families keep the port in the same place.
        peer.port = ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
        return peer;
    }
    peer.address = "unix";
    uv_os_fd_t fd = -1;
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (uv_fileno(reinterpret_cast<uv_handle_t*>(stream), &fd) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0)
        peer.uid = credentials.uid;
    return peer;
}

int send_at_once(uv_stream_t* stream, std::string_view bytes) {
    uv_os_fd_t fd = -1;
    if (const int error = uv_fileno(reinterpret_cast<uv_handle_t*>(stream), &fd); error != 0) return error;
    ssize_t sent = -1;
    do sent = ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) return static_cast<int>(sent);
    return errno == ENOBUFS ? UV_EAGAIN : uv_translate_sys_error(errno);
}

std::string uv_error_text(int error) {
    return std::string(uv_strerror(error)) + " (" + uv_err_name(error) + ")";
}

}  // namespace holdfast
