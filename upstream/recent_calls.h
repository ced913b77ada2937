// How the tries of the last ten seconds ended: a node's own proof that its road to the centre is healthy. Unlike the
// window it forgets by time alone and is never cleared. It judges nothing: circuit.h does.
#pragma once

#include <cstdint>

#include "upstream/outcome_window.h"
#include "upstream/second_buckets.h"

namespace holdfast {

class RecentCalls {
  public:
    static constexpr std::size_t kSpan = 10;  // buckets of one second

    void add(const WindowEntry& entry, MonoTime now) {
        current(now).add(entry);
        sum_.add(entry);
    }
    const WindowCounts& counts(MonoTime now) {
        current(now);
        return sum_;
    }

  private:
    WindowCounts& current(MonoTime now) {
        return buckets_.current(now, [this](WindowCounts& bucket) {
            sum_.successes -= bucket.successes;
            sum_.failures -= bucket.failures;
            sum_.throttled -= bucket.throttled;
            sum_.slow -= bucket.slow;
            bucket = {};
        });
    }
    SecondBuckets<WindowCounts, kSpan> buckets_;
    WindowCounts sum_;
};

}  // namespace holdfast
