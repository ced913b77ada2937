// TCP and Unix sockets over libuv: listen, dial, resolve. Plain bytes only; TlsDialer and TlsServerContext put TLS on
// top. On EMFILE libuv closes the whole backlog without a word, so the owner keeps its connections below RLIMIT_NOFILE.
#pragma once

#include <memory>
#include <string>

#include "edge/net/stream.h"
#include "edge/net/uv_loop.h"

namespace holdfast {

class UvNetwork : public Network {
  public:
    static constexpr int kBacklog = 4096;

    explicit UvNetwork(UvLoop& loop) : loop_(loop) {}

    // Errors are one line that names the address. IPv6 listeners take IPv6 only.
    [[nodiscard]] Result<std::unique_ptr<Listener>> listen(const std::string& address, Accept accept) override;
    // A socket file at `path` with these permission bits. A stale file is replaced only when nobody listens on it
    // (Code::exists otherwise), and only a socket is. The file is removed when the Listener is destroyed, if it is
    // still the same file.
    [[nodiscard]] Result<std::unique_ptr<Listener>> listen_unix(const std::string& path, unsigned mode, Accept accept);
    // A bound, listening descriptor inherited from the service manager (TCP or Unix); taken over, closed in the end.
    [[nodiscard]] Result<std::unique_ptr<Listener>> listen_fd(int fd, Accept accept);
    // A connected Unix socket that this process has, as a Stream; taken over.
    [[nodiscard]] Result<std::unique_ptr<Stream>> stream_fd(int fd);

    // Requires: !target.tls (TlsDialer does that). Failures are Code::refused, Origin::upstream (unreachable, refused,
    // reset) or Origin::local (this address is closed to us, or no ports are left), or Code::full, Origin::local
    // (descriptors, memory).
    [[nodiscard]] std::unique_ptr<Pending> dial(const Target& target, Done done) override;
    [[nodiscard]] std::unique_ptr<Pending> dial_unix(const std::string& path, Done done);
    // In libuv's threads; at most kAddressesMax, IPv4 and IPv6, in the system's order. Origin::local on failure.
    static constexpr std::size_t kAddressesMax = 64;
    [[nodiscard]] std::unique_ptr<Pending> resolve(const std::string& host, Resolved done) override;

  private:
    UvLoop& loop_;
};

// "IP:port" or "[v6]:port" split; nothing for any other text.
struct IpPort {
    std::string ip;
    int port = 0;
};
std::optional<IpPort> parse_ip_port(std::string_view text);

}  // namespace holdfast
