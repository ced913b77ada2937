#include "edge/net/doors.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace holdfast {
namespace {

Result<int> bind_tcp(const std::string& text) {
    const std::optional<IpPort> where = parse_ip_port(text);
    if (!where) return fail(Code::invalid, Origin::local, "'" + text + "' is not \"IP:port\" or \"[IPv6]:port\"");
    sockaddr_storage address{};
    socklen_t size = sizeof(sockaddr_in);
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
    if (::inet_pton(AF_INET, where->ip.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(static_cast<std::uint16_t>(where->port));
    } else {
        auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
        address = {};
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(static_cast<std::uint16_t>(where->port));
        if (::inet_pton(AF_INET6, where->ip.c_str(), &v6->sin6_addr) != 1)
            return fail(Code::invalid, Origin::local, "'" + text + "' is not \"IP:port\" or \"[IPv6]:port\"");
        size = sizeof(sockaddr_in6);
    }
    const int fd = ::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    if (fd >= 0) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd >= 0 && address.ss_family == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0) return fd;
    const std::string why = uv_error_text(-errno);
    if (fd >= 0) ::close(fd);
    return fail(Code::io, Origin::local, "cannot bind " + text + ": " + why);
}

}  // namespace

std::string socket_address(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    char text[INET6_ADDRSTRLEN] = {};
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
    if (address.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
        ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
        return std::string(text) + ":" + std::to_string(ntohs(v4.sin_port));
    }
    if (address.ss_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
        ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
        return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6.sin6_port));
    }
    if (address.ss_family != AF_UNIX || size <= offsetof(sockaddr_un, sun_path)) return {};
    return reinterpret_cast<const sockaddr_un&>(address).sun_path;
}

Doors::~Doors() {
    for (const Door& door : doors_) close(door);
}

void Doors::close(const Door& door) const {
    const std::string path = socket_address(door.fd);
    if (door.file && !left_ && socket_file(path) == door.file) ::unlink(path.c_str());
    ::close(door.fd);
}

void Doors::close(std::string_view name) {
    const Door* door = find(name);
    if (door == nullptr) return;
    close(*door);
    doors_.erase(doors_.begin() + (door - doors_.data()));
}

const Doors::Door* Doors::find(std::string_view name) const {
    const auto at = std::find_if(doors_.begin(), doors_.end(), [name](const Door& d) { return d.name == name; });
    return at == doors_.end() ? nullptr : &*at;
}

bool Doors::inherit(Door door) {
    if (find(door.name) != nullptr) {
        ::close(door.fd);
        return false;
    }
    ::fcntl(door.fd, F_SETFD, FD_CLOEXEC);
    if (door.own_file) door.file = socket_file(socket_address(door.fd));
    doors_.push_back(std::move(door));
    return true;
}

std::optional<std::string> Doors::address(std::string_view name) const {
    const Door* door = find(name);
    return door == nullptr ? std::nullopt : std::optional(socket_address(door->fd));
}

Result<std::unique_ptr<Listener>> Doors::open(const Door& door, Accept accept) {
    const int copy = ::fcntl(door.fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return fail(Code::io, Origin::local, "no descriptor left for " + door.name + ": " + uv_error_text(-errno));
    auto listener = network_.listen_fd(copy, std::move(accept));
    if (!listener && listener.error().code == Code::invalid) ::close(copy);
    return listener;
}

Result<std::unique_ptr<Listener>> Doors::tcp(std::string_view name, const std::string& address, Accept accept) {
    if (const Door* door = find(name)) return open(*door, std::move(accept));
    const auto bound = bind_tcp(address);
    if (!bound) return tl::unexpected(bound.error());
    auto listener = open({std::string(name), *bound, false}, std::move(accept));
    if (listener) {
        doors_.push_back({std::string(name), *bound, false});
        return listener;
    }
    ::close(*bound);
    return fail(listener.error().code, Origin::local, "cannot listen on " + address + ": " + listener.error().detail);
}

Result<std::unique_ptr<Listener>> Doors::unix_socket(std::string_view name, const std::string& path, unsigned mode,
                                                     Accept accept) {
    if (const Door* door = find(name)) return open(*door, std::move(accept));
    const auto bound = bind_unix(path, mode);
    if (!bound) return tl::unexpected(bound.error());
    doors_.push_back({std::string(name), *bound, true, socket_file(path)});
    return open(doors_.back(), std::move(accept));
}

}  // namespace holdfast
