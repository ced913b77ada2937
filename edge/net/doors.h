// The listening sockets of a process by name, kept open while the process lives: those that a service manager or a
// predecessor handed in are used as they are, the others are bound here, and none is ever bound again. A room that
// listens gets a Listener over a copy of the descriptor and may come and go; connections made meanwhile wait in the
// kernel. What a successor inherits is the descriptors themselves. Doors is the Network of the node: it dials and
// resolves by the UvNetwork that it is given.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "edge/net/stream.h"
#include "edge/net/uv_listener.h"
#include "edge/net/uv_network.h"

namespace holdfast {

inline constexpr std::string_view kDoorClients = "https", kDoorAdmin = "admin", kDoorMetrics = "metrics";

class Doors : public Network {
  public:
    struct Door {
        std::string name;
        int fd = -1;
        bool own_file = false;  // a socket file that goes with the last process that serves it; false: somebody else's
        std::optional<SocketFile> file{};  // which one that is
    };

    explicit Doors(UvNetwork& network) : network_(network) {}
    ~Doors() override;  // closes; removes the socket files that are its own
    Doors(const Doors&) = delete;
    Doors& operator=(const Doors&) = delete;

    // A descriptor that listens already, taken over. Another one of the same name is closed and told by false.
    bool inherit(Door door);
    // "127.0.0.1:8443", or the path of a Unix socket; nothing when the door is not open.
    std::optional<std::string> address(std::string_view name) const;
    const std::vector<Door>& all() const { return doors_; }
    void leave() { left_ = true; }  // a successor serves: the files stay

    // As UvNetwork's, but for a door that is open already neither address nor path is looked at.
    [[nodiscard]] Result<std::unique_ptr<Listener>> tcp(std::string_view name, const std::string& address,
                                                        Accept accept);
    [[nodiscard]] Result<std::unique_ptr<Listener>> unix_socket(std::string_view name, const std::string& path,
                                                                unsigned mode, Accept accept);
    // Of the client listener.
    [[nodiscard]] Result<std::unique_ptr<Listener>> listen(const std::string& address, Accept accept) override {
        return tcp(kDoorClients, address, std::move(accept));
    }
    void stop_listening() override { close(kDoorClients); }  // a service manager that holds the socket too keeps it
    [[nodiscard]] std::unique_ptr<Pending> dial(const Target& target, Done done) override {
        return network_.dial(target, std::move(done));
    }
    [[nodiscard]] std::unique_ptr<Pending> resolve(const std::string& host, Resolved done) override {
        return network_.resolve(host, std::move(done));
    }

  private:
    const Door* find(std::string_view name) const;
    void close(std::string_view name);
    void close(const Door& door) const;
    Result<std::unique_ptr<Listener>> open(const Door& door, Accept accept);

    UvNetwork& network_;
    std::vector<Door> doors_;
    bool left_ = false;
};

// "127.0.0.1:8443", "[::1]:8443", a path, or "" for anything that is no bound socket.
std::string socket_address(int fd);

}  // namespace holdfast
