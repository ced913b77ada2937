#include "tests/support/e2e_script.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <stdexcept>

namespace holdfast::e2e {

namespace {

constexpr int kPollMillis = 20;

std::size_t declared_length(const std::string& head) {
    std::size_t length = 0;
    const auto at = head.find("Content-Length: ");
    if (at != std::string::npos) std::from_chars(head.data() + at + 16, head.data() + head.size(), length);
    return length;
}

}  // namespace

Link::~Link() {
    if (fd_ >= 0) ::close(fd_);
}

bool Link::wait_readable() {
    while (!owner_.over_) {
        pollfd one{fd_, POLLIN, 0};
        if (::poll(&one, 1, kPollMillis) > 0) return true;
    }
    return false;
}

bool Link::read_request() {
    for (;;) {
        const auto end = input_.find("\r\n\r\n");
        if (end != std::string::npos) {
            const std::size_t whole = end + 4 + declared_length(input_.substr(0, end + 2));
            if (input_.size() >= whole) {
                request_ = input_.substr(0, whole);
                input_.erase(0, whole);
                ++owner_.requests_;
                return true;
            }
        }
        char buffer[16'384];
        if (!wait_readable()) return false;
        const auto n = ::recv(fd_, buffer, sizeof buffer, 0);
        if (n <= 0) return false;
        input_.append(buffer, static_cast<std::size_t>(n));
    }
}

void Link::send(std::string_view bytes) {
    while (!bytes.empty() && !owner_.over_) {
        const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

void Link::drip(std::string_view bytes, Nanos between) {
    for (std::size_t i = 0; i < bytes.size() && !owner_.over_; ++i) {
        if (::send(fd_, bytes.data() + i, 1, MSG_NOSIGNAL) != 1) return;
        std::this_thread::sleep_for(between);
    }
}

void Link::reset() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(fd_);
    fd_ = -1;
}

void Link::hold() {
    char buffer[4096];
    while (wait_readable())
        if (::recv(fd_, buffer, sizeof buffer, 0) <= 0) return;
}

ScriptedCentre::ScriptedCentre(Script script) : script_(std::move(script)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd_, generic, size) != 0 || ::listen(fd_, 64) != 0 || ::getsockname(fd_, generic, &size) != 0)
        throw std::runtime_error("the scripted centre cannot listen");
    port_ = ntohs(address.sin_port);
    accepting_ = std::thread([this] { accept_all(); });
}

ScriptedCentre::~ScriptedCentre() {
    over_ = true;
    accepting_.join();
    for (std::thread& thread : threads_) thread.join();
    ::close(fd_);
}

void ScriptedCentre::set(Script script) {
    const std::lock_guard lock(mutex_);
    script_ = std::move(script);
}

void ScriptedCentre::accept_all() {
    while (!over_) {
        pollfd one{fd_, POLLIN, 0};
        if (::poll(&one, 1, kPollMillis) <= 0) continue;
        const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) continue;
        const int on = 1;  // what a script sends is with the node at once
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        ++connections_;
        threads_.emplace_back([this, fd] {
            Link link(*this, fd);
            Script script;
            {
                const std::lock_guard lock(mutex_);
                script = script_;
            }
            if (script) script(link);
        });
    }
}

std::string good_answer() {
    return fmt::format("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                       kGoodBody.size(), kGoodBody);
}

}  // namespace holdfast::e2e
