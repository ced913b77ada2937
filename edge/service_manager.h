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
    // Reads what was given, once; LISTEN_* are gone from the environment afterwards. `metrics_port`: of admin.listen,
    // by which a descriptor without one of our names is told from the clients' one.
    static std::vector<Doors::Door> descriptors(int metrics_port);

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

// The name of an inherited descriptor: the given one when it is one of ours, else what its address says: a Unix socket
// is the admin's, a port that equals `metrics_port` that of the metrics, everything else the clients'.
std::string door_name(std::string_view given, std::string_view address, int metrics_port);

}  // namespace holdfast
