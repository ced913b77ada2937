// Active probing of one endpoint: GET a path every so often over a connection of its own, which serves no longer than
// those of calls, so that it goes where they go; any 2xx is healthy. Off unless configured. It feeds the ejection and
// never the circuit.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "edge/net/loop.h"
#include "upstream/pool.h"

namespace holdfast {

struct HealthOptions {
    std::string path; // empty: off
    Nanos interval = 5s;
    Nanos timeout = 2s;
};

class HealthProbe {
  public:
    // Requires: loop and pool outlive it; `verdict` must not destroy it.
    HealthProbe(Loop& loop, Pool& pool, HealthOptions options, std::function<void(bool healthy)> verdict);

  private:
    void woken();
    void ask();
    void answered(bool healthy);
    void rest();

    Loop& loop_;
    Pool& pool_;
    HealthOptions options_;
    std::function<void(bool)> verdict_;
    std::string head_;
    bool probing_ = false;
    bool stalled_ = false; // the limit was found late, and the loop has had its turn since
    MonoTime limit_{};     // of the probe
    PooledConnection connection_;
    std::unique_ptr<Pending> connecting_;
    std::unique_ptr<Timer> timer_; // the probe's limit, or the time of the next one
};

} // namespace holdfast
