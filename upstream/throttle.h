// Client-side adaptive throttling between closed and open: over the last 60 s, how many calls were asked for, were
// sent, and were accepted by the centre; and with what probability the next one is let through. Whether it applies at
// all is the circuit's judgement (success under throttle_below, diversity floor).
#pragma once

#include <cstdint>

#include "edge/base/time.h"
#include "upstream/second_buckets.h"

namespace holdfast {

class Throttle {
  public:
    static constexpr double kK = 1.05;
    static constexpr std::size_t kSpan = 60; // buckets of one second

    void answered(bool accepted, MonoTime now); // a try that was sent has ended
    void held_back(MonoTime now);               // a call that was not let through
    // min(1, K·accepted/requested), requested being sent + held back; never less than one call per `requested`, so that
    // a recovered centre is noticed.
    double probability(MonoTime now);
    std::uint64_t sent(MonoTime now); // in the span
    void clear();

  private:
    struct Bucket {
        std::uint32_t sent = 0, accepted = 0, held = 0;
    };
    Bucket& current(MonoTime now);
    SecondBuckets<Bucket, kSpan> buckets_;
    std::uint64_t sent_ = 0, accepted_ = 0, held_ = 0; // of all buckets
};

} // namespace holdfast
