#include "edge/ctl/admin_client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "edge/net/http_parser.h"

namespace holdfast::ctl {
namespace {

constexpr std::size_t kReadBytes = 64u << 10;

// A connection that closes itself, and the moment at which it is given up.
class Connection {
  public:
    explicit Connection(Nanos limit) : deadline_(MonoClock::read() + limit), limit_(limit) {}
    ~Connection() {
        if (fd_ >= 0) ::close(fd_);
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    Result<void> connect(const std::string& path) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        if (path.empty() || path.size() >= sizeof address.sun_path)
            return fail(Code::refused, Origin::local, fmt::format("{} cannot be the path of a socket", path));
        std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
        fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd_ < 0) return fail(Code::io, Origin::local, fmt::format("no socket: {}", std::strerror(errno)));
        for (;;) {
            if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return {};
            const int why = errno;
            if (why == EACCES || why == EPERM)
                return fail(Code::denied, Origin::local, fmt::format("{}: no permission", path));
            // A Unix socket whose backlog is full says EAGAIN at once; there is nothing to poll for.
            if (why != EAGAIN && why != EINTR)
                return fail(Code::refused, Origin::local, fmt::format("{}: {}", path, std::strerror(why)));
            if (MonoClock::read() >= deadline_) return too_late();
            ::poll(nullptr, 0, 10);
        }
    }

    Result<void> send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n > 0) {
                bytes.remove_prefix(static_cast<std::size_t>(n));
            } else if (errno == EAGAIN || errno == EINTR) {
                if (auto ready = wait(POLLOUT); !ready) return ready;
            } else {
                // The node may have answered and closed without reading all of it: the answer counts.
                return {};
            }
        }
        return {};
    }

    // Zero at the end.
    Result<std::size_t> read(char* to, std::size_t bytes_max) {
        for (;;) {
            const ssize_t n = ::recv(fd_, to, bytes_max, 0);
            if (n >= 0) return static_cast<std::size_t>(n);
            if (errno == ECONNRESET) return std::size_t{0};
            if (errno != EAGAIN && errno != EINTR) return fail(Code::closed, Origin::local, std::strerror(errno));
            if (auto ready = wait(POLLIN); !ready) return tl::unexpected(ready.error());
        }
    }

  private:
    tl::unexpected<Error> too_late() const {
        return fail(Code::timeout, Origin::local, fmt::format("no answer within {}", format_duration(limit_)));
    }
    Result<void> wait(short events) {
        const auto left = std::chrono::ceil<Millis>(deadline_ - MonoClock::read()).count();
        if (left <= 0) return too_late();
        pollfd one{fd_, events, 0};
        if (::poll(&one, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000))) < 0 && errno != EINTR)
            return fail(Code::io, Origin::local, std::strerror(errno));
        return {};
    }

    int fd_ = -1;
    MonoTime deadline_;
    Nanos limit_;
};

Result<AdminAnswer> receive(Connection& connection) {
    ResponseLimits limits;
    limits.body_bytes = admin::kAnswerBytesMax;
    ResponseParser parser(limits);
    parser.expect(false);
    AdminAnswer out;
    std::string buffer(kReadBytes, '\0');
    for (;;) {
        const auto n = connection.read(buffer.data(), buffer.size());
        if (!n) return tl::unexpected(n.error());
        std::string_view input(buffer.data(), *n);
        for (bool more = true; more;) {
            const HttpEvent event = *n == 0 ? parser.finish() : parser.next(input);
            switch (event.kind) {
                case HttpEvent::Kind::need_more:
                    more = false;
                    break;
                case HttpEvent::Kind::head:
                    out.status = parser.head().status;
                    break;
                case HttpEvent::Kind::body:
                    out.body += event.body;
                    break;
                case HttpEvent::Kind::complete:
                    return out;
                case HttpEvent::Kind::error: {
                    const auto reason = parser.reject().reason;
                    if (reason == RejectReason::body_too_large)
                        return fail(Code::too_large, Origin::local, "the answer is too large");
                    if (reason == RejectReason::truncated || *n == 0)
                        return fail(Code::closed, Origin::local, "the connection was closed before the answer ended");
                    return fail(Code::invalid, Origin::local,
                                fmt::format("not an HTTP answer: {}", parser.reject().detail));
                }
            }
        }
        if (*n == 0) return fail(Code::closed, Origin::local, "the connection was closed before the answer ended");
    }
}

}  // namespace

Result<AdminAnswer> AdminClient::ask(std::string_view method, std::string_view target, std::string_view body) {
    Connection connection(limit_);
    if (auto connected = connection.connect(socket_path_); !connected) return tl::unexpected(connected.error());
    std::string request = fmt::format("{} {} HTTP/1.1\r\nHost: holdfast\r\nConnection: close\r\n", method, target);
    if (method == "POST")
        request += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
    request += "\r\n";
    request += body;
    if (auto sent = connection.send(request); !sent) return tl::unexpected(sent.error());
    return receive(connection);
}

}  // namespace holdfast::ctl
