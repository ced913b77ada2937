// The other end of a connection on a socket of its own, plain or with OpenSSL bare: for what our streams would never
// say, and at a moment when the loop does not look. For tests only.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace holdfast::testing {

inline sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

// A listening socket whose connections wait in the kernel until they are taken.
class RawListener {
  public:
    RawListener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        sockaddr_in address = loopback(0);
        socklen_t size = sizeof address;
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(::bind(fd_, generic, size) == 0);
        REQUIRE(::listen(fd_, 16) == 0);
        REQUIRE(::getsockname(fd_, generic, &size) == 0);
        port_ = ntohs(address.sin_port);
    }
    ~RawListener() { ::close(fd_); }
    RawListener(const RawListener&) = delete;
    RawListener& operator=(const RawListener&) = delete;
    int port() const { return port_; }
    int take() const { return ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK); }  // negative: none

  private:
    int fd_ = -1, port_ = 0;
};

// One connection; `context` null: plain. It never waits: what it does is repeated until it has happened.
class RawPeer {
  public:
    RawPeer() = default;
    RawPeer(int fd, SSL_CTX* context, bool server) : fd_(fd) {
        const int on = 1;  // what is sent is with the other side at once
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (context == nullptr) return;
        ssl = SSL_new(context);
        SSL_set_fd(ssl, fd);
        if (server)
            SSL_set_accept_state(ssl);
        else
            SSL_set_connect_state(ssl);
    }
    static RawPeer dial(int port, SSL_CTX* context) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const sockaddr_in address = loopback(port);
        REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        const timeval soon{0, 1};
        ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
        return RawPeer(fd, context, false);
    }
    RawPeer(RawPeer&& other) noexcept { *this = std::move(other); }
    RawPeer& operator=(RawPeer&& other) noexcept {
        std::swap(ssl, other.ssl);
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~RawPeer() {
        SSL_free(ssl);
        if (fd_ >= 0) ::close(fd_);
        ERR_clear_error();
    }
    explicit operator bool() const { return fd_ >= 0; }

    bool shake() {
        if (ssl == nullptr) return true;
        ERR_clear_error();
        return SSL_do_handshake(ssl) == 1;
    }
    // Hands all of it to the kernel, or what of it there is room for; false when the other side is gone.
    bool send(std::string_view bytes) {
        ERR_clear_error();
        if (ssl != nullptr) return SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size())) > 0;
        return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
    }
    // Adds what has come to `received`; false when the other side has ended.
    bool read() {
        char bytes[16'384];
        for (;;) {
            ERR_clear_error();
            const auto n = ssl != nullptr ? SSL_read(ssl, bytes, sizeof bytes) : ::recv(fd_, bytes, sizeof bytes, 0);
            if (n <= 0 && ssl != nullptr) return SSL_get_error(ssl, static_cast<int>(n)) == SSL_ERROR_WANT_READ;
            if (n <= 0) return n < 0 && errno == EAGAIN;
            received.append(bytes, static_cast<std::size_t>(n));
        }
    }
    void end() { ::shutdown(fd_, SHUT_WR); }
    int fd() const { return fd_; }

    SSL* ssl = nullptr;
    std::string received;

  private:
    int fd_ = -1;
};

}  // namespace holdfast::testing
