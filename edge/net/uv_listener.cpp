#include "edge/net/uv_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <optional>
#include <utility>

#include "edge/net/uv_network.h"

namespace holdfast {
namespace {

class UvListener : public Listener {
  public:
    UvListener(UvLoop& loop, UvSocket socket, Network::Accept accept, const std::string& unlink_path)
        : loop_(loop), socket_(std::move(socket)), accept_(std::move(accept)), unlink_path_(unlink_path) {
        socket_.stream()->data = this;
        if (!unlink_path_.empty()) file_ = socket_file(unlink_path_);
    }
    ~UvListener() override {
        // libuv removes a pipe's file by itself on close, whoever owns it by then; that is why it is bound by hand.
        if (file_ && socket_file(unlink_path_) == file_) unlink(unlink_path_.c_str());
    }
    int port() const override {
        sockaddr_storage address{};
        int size = sizeof address;
        if (socket_.stream()->type != UV_TCP) return 0;
        uv_tcp_getsockname(reinterpret_cast<uv_tcp_t*>(socket_.stream()), reinterpret_cast<sockaddr*>(&address), &size);
        return ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);  // both families keep it in the same place
    }
    static void on_connection(uv_stream_t* server, int status) {
        auto* self = static_cast<UvListener*>(server->data);
        if (self == nullptr || status != 0) return;  // the client was gone before it was accepted, or no descriptors
        self->loop_.enter();
        try {
            UvSocket client = server->type == UV_TCP ? UvSocket::tcp(self->loop_) : UvSocket::unix_domain(self->loop_);
            if (uv_accept(server, client.stream()) != 0) return;
            self->accept_(make_uv_stream(self->loop_, std::move(client)));
        } catch (const std::bad_alloc&) {
            // libuv has accepted it already, and accepts nobody else before it is taken.
            if (server->accepted_fd >= 0) close(std::exchange(server->accepted_fd, -1));
        }
    }

  private:
    UvLoop& loop_;
    UvSocket socket_;
    Network::Accept accept_;
    std::string unlink_path_;
    std::optional<SocketFile> file_;
};

std::string system_error() {
    return std::strerror(errno);
}

// Whether somebody accepts connections at `path`.
bool answers(const sockaddr_un& address) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return true;
    const int error = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
    close(fd);
    return error != ECONNREFUSED && error != ENOENT;  // EAGAIN: its backlog is full, so it lives
}

}  // namespace

Result<std::unique_ptr<Listener>> make_uv_listener(UvLoop& loop, UvSocket socket, const std::string& where,
                                                   Network::Accept accept, const std::string& unlink_path) {
    uv_stream_t* stream = socket.stream();
    auto listener = std::make_unique<UvListener>(loop, std::move(socket), std::move(accept), unlink_path);
    const int error = uv_listen(stream, UvNetwork::kBacklog, &UvListener::on_connection);
    if (error != 0) return fail(Code::io, Origin::local, "cannot listen on " + where + ": " + uv_error_text(error));
    return listener;
}

std::optional<SocketFile> socket_file(const std::string& path) {
    struct stat found {};
    if (lstat(path.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) return std::nullopt;
    return SocketFile{found.st_dev, found.st_ino};
}

Result<int> bind_unix(const std::string& path, unsigned mode) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return fail(Code::invalid, Origin::local, "'" + path + "' is empty or too long for a socket path");
    std::memcpy(address.sun_path, path.c_str(), path.size());
    struct stat found {};
    if (lstat(path.c_str(), &found) == 0) {
        if (!S_ISSOCK(found.st_mode)) return fail(Code::exists, Origin::local, path + " exists and is not a socket");
        if (answers(address)) return fail(Code::exists, Origin::local, "another process listens on " + path);
        if (unlink(path.c_str()) != 0)
            return fail(Code::io, Origin::local, "cannot remove the stale " + path + ": " + system_error());
    }
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return fail(Code::io, Origin::local, "cannot make a socket for " + path + ": " + system_error());
    // Nobody can connect before listen(), so the mode is set in time.
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && chmod(path.c_str(), mode) == 0)
        return fd;
    const std::string why = system_error();
    close(fd);
    return fail(Code::io, Origin::local, "cannot bind " + path + ": " + why);
}

Result<std::unique_ptr<Listener>> UvNetwork::listen_unix(const std::string& path, unsigned mode, Accept accept) {
    const auto fd = bind_unix(path, mode);
    if (!fd) return tl::unexpected(fd.error());
    UvSocket socket = UvSocket::unix_domain(loop_);
    if (const int error = uv_pipe_open(reinterpret_cast<uv_pipe_t*>(socket.stream()), *fd); error != 0) {
        close(*fd);
        return fail(Code::io, Origin::local, "cannot bind " + path + ": " + uv_error_text(error));
    }
    return make_uv_listener(loop_, std::move(socket), path, std::move(accept), path);
}

Result<std::unique_ptr<Stream>> UvNetwork::stream_fd(int fd) {
    UvSocket socket = UvSocket::unix_domain(loop_);
    if (const int error = uv_pipe_open(reinterpret_cast<uv_pipe_t*>(socket.stream()), fd); error != 0)
        return fail(Code::invalid, Origin::local, "descriptor " + std::to_string(fd) + ": " + uv_error_text(error));
    return make_uv_stream(loop_, std::move(socket));
}

Result<std::unique_ptr<Listener>> UvNetwork::listen_fd(int fd, Accept accept) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    const std::string where = "inherited descriptor " + std::to_string(fd);
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        return fail(Code::invalid, Origin::local, where + " is not a socket: " + system_error());
    const bool unix_domain = address.ss_family == AF_UNIX;
    UvSocket socket = unix_domain ? UvSocket::unix_domain(loop_) : UvSocket::tcp(loop_);
    const int error = unix_domain ? uv_pipe_open(reinterpret_cast<uv_pipe_t*>(socket.stream()), fd)
                                  : uv_tcp_open(reinterpret_cast<uv_tcp_t*>(socket.stream()), fd);
    if (error != 0) return fail(Code::invalid, Origin::local, where + ": " + uv_error_text(error));
    return make_uv_listener(loop_, std::move(socket), where, std::move(accept));
}

}  // namespace holdfast
