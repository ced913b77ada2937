// A centre that goes down and comes back with a part of what it could, growing: one queue, served in order at the rate
// of that moment. Whoever waits longer than its callers' patience is served all the same, for nobody; a long queue
// costs rate (the centre is busy with being busy), and nothing grows while it is full (caches do not warm, instances
// are found unwell and begin anew). So a load above its rate makes it useless, and retries keep it so.
#pragma once

#include "edge/base/rng.h"
#include "edge/base/time.h"

namespace holdfast::recovery {

struct CentrePlan {
    MonoTime down_at{}, back_at{};
    Nanos growth = 60s;        // from `at_return` to all of it
    double full = 650;         // calls a second
    double at_return = 0.15;   // of `full`
    double queue = 650;        // calls that may wait; more are answered 503 at once
    double thrash = 0.4;       // so much of the rate is lost when the queue is full
    Nanos latency_min = 30ms, latency_max = 60ms;  // without waiting
};

class SlowCentre {
  public:
    struct Reply {
        bool connected = true;
        bool good = true;  // if it comes in time
        Nanos after{0};
    };
    SlowCentre(const CentrePlan& plan, std::uint64_t seed) : plan_(plan), rng_(seed) {}
    Reply ask(MonoTime now);
    // Calls a second when there is no queue, of a centre that was never overloaded.
    double rate_at_best(MonoTime t) const;

  private:
    double rate(Nanos grown) const;
    double waiting(MonoTime now, double rate) const;  // calls
    void grow(MonoTime now);
    CentrePlan plan_;
    Rng rng_;
    MonoTime busy_until_{};
    MonoTime grown_at_{};
    Nanos grown_{0};  // of plan_.growth
};

}  // namespace holdfast::recovery
