// One round of probes while a circuit is half-open: who holds a probe, what came back. No clock and no verdict of its
// own.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "upstream/outcome_window.h"

namespace holdfast {

class HalfOpenRound {
  public:
    // Begins a round of so many probes; when the one before ended unjudged with nothing but successes, goes on with it,
    // so that sparse calls suffice in the end.
    void begin(std::uint32_t calls);
    void forget(); // the next begin() is a new round
    // A caller has asked, whatever it got; until opened().
    void asked(std::uint64_t credential);
    void opened() { asker_.reset(), several_ask_ = false; }
    // Whether a probe may be given to this caller: a slot is left, its subject holds none and has had no bad one, and
    // where several credentials asked since it opened, its credential's bad and outstanding ones are under half.
    bool may_take(Caller caller) const;
    void take(Caller caller);
    void give_back(Caller caller);       // Requires: taken. As if it had never been given.
    void give_back_all() { held_.clear(); }
    void done(const WindowEntry& entry); // Requires: taken
    // Nothing bad so far: no failed, throttled, slow or outstanding probe.
    bool clean() const { return barred_.empty() && held_.empty(); }
    bool complete() const { return done_ == calls_; }
    std::uint32_t in_flight() const { return static_cast<std::uint32_t>(held_.size()); }
    std::uint32_t reported() const { return done_; }
    const WindowCounts& counts() const { return counts_; }
    // Whether failed (slow) probes are more than one credential's affair, where more than one took part.
    bool failures_shared() const { return keys_.distinct(Trait::active) < 2 || keys_.distinct(Trait::failed) > 1; }
    bool slow_shared() const { return keys_.distinct(Trait::active) < 2 || keys_.distinct(Trait::slow) > 1; }

  private:
    std::uint32_t calls_ = 0;
    std::uint32_t done_ = 0;
    std::vector<Caller> held_;    // with a probe in flight; at most calls_
    std::vector<Caller> barred_;  // whose probe failed, was throttled or slow; at most calls_
    DistinctKeys keys_;           // credentials of the probes that came back
    WindowCounts counts_;
    std::optional<std::uint64_t> asker_;  // the first credential that asked since it opened
    bool several_ask_ = false;
};

} // namespace holdfast
