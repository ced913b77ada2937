// What a node may believe because of a lease: until when, by its own CLOCK_BOOTTIME, counted from the moment before the
// request left. The time of receipt is never used, nor what is left of it at the store. The same rule serves any proof
// of freshness. Pure: the clock comes in as a value, read right before each request and each use.
#pragma once

#include <optional>

#include "edge/base/time.h"
#include "upstream/store_types.h"

namespace holdfast {

inline constexpr double kClockDrift = 0.001;  // of any two nodes' clocks, at most this share of the time
inline constexpr Nanos kLeaseMargin = 50ms;

// What a request sent at `sent` and granted for `ttl` proves: belief ends before this. Never before `sent`.
MonoTime believed_until(MonoTime sent, Nanos ttl);

class Lease {
  public:
    // `granted`: what the store said; D is never more than asked. An answer without time left is no lease.
    void granted(LeaseId id, MonoTime sent, Nanos asked, Nanos granted);
    // The answer to a renewal sent at `sent`; of an older one than the last it changes nothing. 0: the store knows the
    // lease no more.
    void kept(MonoTime sent, Nanos ttl);
    void lost() { *this = {}; }

    bool held() const { return id_ != 0; }
    LeaseId id() const { return id_; }
    bool usable(MonoTime t) const { return held() && t < until_; }
    MonoTime until() const { return until_; }  // Requires: held()
    MonoTime renew_at() const { return sent_ + duration_ / 3; }
    Nanos duration() const { return duration_; }  // D
    Nanos remaining(MonoTime t) const { return usable(t) ? Nanos(until_ - t) : Nanos{0}; }

  private:
    LeaseId id_ = 0;
    Nanos asked_{0};
    Nanos duration_{0};
    MonoTime sent_{};
    MonoTime until_{};
};

}  // namespace holdfast
