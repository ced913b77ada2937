// How many retries all calls together may make, so that a slow centre is not buried: a share of the calls of the last
// ten seconds, and always `floor` in any second.
#pragma once

#include <cstdint>

#include "edge/base/ring.h"
#include "edge/base/time.h"
#include "upstream/second_buckets.h"

namespace holdfast {

class RetryBudget {
  public:
    static constexpr std::size_t kSpan = 10; // buckets of one second
    static constexpr std::uint32_t kFloorMax = 1000;

    // `share`: 0 to 1 of the calls; `floor`: retries a second that are always allowed, 0 to kFloorMax.
    explicit RetryBudget(double share = 0.1, std::uint32_t floor = 3);
    void call(MonoTime now);               // a call begins (its first try)
    [[nodiscard]] bool take(MonoTime now); // whether one retry may be made; spends it
    void reconfigure(double share, std::uint32_t floor); // calls and retries of the last seconds stay counted
    double left(MonoTime now);             // of the share, for operators; may be below zero after a quiet time

  private:
    struct Bucket {
        std::uint32_t calls = 0, retries = 0;
    };
    Bucket& current(MonoTime now);
    double share_;
    std::uint32_t floor_;
    SecondBuckets<Bucket, kSpan> buckets_;
    std::uint64_t calls_ = 0, retries_ = 0; // of all buckets
    Ring<MonoTime> recent_;                 // the last `floor` retries
};

} // namespace holdfast
