// The nonces of the last window on disk, so that a restart does not let a request in twice. The set that is asked lives
// in memory (policy/nonce_window); this is its log: every commit appends one value with all nonces of its batch.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "cache/durable.h"
#include "edge/base/time.h"

namespace holdfast {

// Sixteen bytes that stand for (secret id, nonce): a keyed or plain hash chosen by the caller.
using NonceFingerprint = std::array<std::uint8_t, 16>;

class StateEnv;

class NonceLog {
  public:
    // `window`: auth.window. What was logged under another one comes back as it ends under this one.
    NonceLog(StateEnv& env, Seconds window);
    ~NonceLog();
    // Queues it for the next commit (within 100 ms). `expires`: timestamp + window. When the queue is full or the disk
    // refuses, the nonce is kept for a retry or counted as lost; the caller serves on either way.
    void append(const NonceFingerprint& nonce, WallTime expires);
    // At start: every nonce on disk that had not expired at `now`, oldest first.
    void replay(WallTime now, const std::function<void(const NonceFingerprint&, WallTime expires)>& each) const;
    // Set when this start cannot trust the log to be whole (damaged or new in place of a damaged one, nonces that could
    // not be made durable, or a crash of the machine): timestamps before it are to be refused (401 RequestExpired). Set
    // as well when that was an earlier start, to that one's time: what it and those after it were asked is in the log.
    // By the clock as it is now: the time of that start moves on when a clock that was slow then is set right.
    std::optional<WallTime> replay_floor() const;
    // The newest expiry of what has left the log, also by a clock that was ahead for a while: what ends then or before
    // cannot be told from a replay.
    std::optional<WallTime> forgotten() const;
    // What the caller knows and the log cannot: that its history is gone. From then on replay_floor() is set.
    void distrust();
    // False while nonces of the current window are not durable beyond the ordinary delay.
    bool durable() const;
    std::uint64_t lost() const; // nonces never written since start

  private:
    friend class Sweeper;
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace holdfast
