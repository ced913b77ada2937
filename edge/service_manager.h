// What the process tells its service manager (systemd, or whoever set NOTIFY_SOCKET) and what it is given by it:
// readiness, status, the watchdog, listening descriptors. Without a service manager everything here does nothing.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/net/doors.h"
#include "edge/net/loop.h"

namespace holdfast {

class ServiceManager {
  public:
    struct Given {
        std::string name;  // as the service manager says: that of a unit, or one of ours
        int fd = -1;
    };
    // Reads what was given, once; LISTEN_* are gone from the environment afterwards.
    static std::vector<Given> descriptors();

    // Speaks from now on. A process that was started by its predecessor keeps silent until then: only one may speak.
    void speak() { speaks_ = true; }
    void ready(const std::string& status);
    void status(const std::string& status);  // sent when it differs from the last one
    void reloading();                        // until the next ready()
    void stopping(const std::string& status);
    // The service is another process from now on; returns when that has been heard.
    void hand_over(pid_t successor);
    // Pings at half of WATCHDOG_USEC from the loop's own timer, so that a loop that is stuck is noticed.
    void keep_watch(Loop& loop);
    // Before the loop goes.
    void end_watch() { pinger_.reset(); }

  private:
    void send(const std::string& state);
    bool speaks_ = false;
    std::string status_;
    std::unique_ptr<Timer> pinger_;
};

// Where the configuration wants its listeners; empty: there is none.
struct DoorAddresses {
    std::string clients, admin, metrics;
    const std::string& of(std::string_view door) const;
};
bool is_door(std::string_view name);
// Which listener a socket at `address` is. A Unix socket is the admin's. Of the others the whole address counts: the
// one that is the same, else the one of that port where either side listens on all addresses. Nothing: it is none.
std::optional<std::string> door_of(std::string_view address, const DoorAddresses& wanted);
// What is said of such a socket.
std::string unknown_door(std::string_view given, std::string_view address, const DoorAddresses& wanted);

}  // namespace holdfast
