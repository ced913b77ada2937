// When a credential was last served well, of whatever window of tries is kept beside it: a fast caller can push the
// others out of a window, not out of time. Two entries are exact, since only "another than this one" is asked for.
#pragma once

#include <cstdint>
#include <optional>

#include "edge/base/time.h"

namespace holdfast {

class RecentSuccesses {
  public:
    // Long enough to see who calls a few times a minute, or now and then in a step of the ramp; and so much later at
    // the most an outage opens the circuit in which only one caller's calls are seen.
    static constexpr Nanos kLately = 10s;

    void add(std::uint64_t credential, MonoTime now) {
        if (newest_ && newest_->credential != credential) before_ = newest_;
        newest_ = {credential, now};
    }
    // Until when another credential than this one counts as served; nothing when it does not.
    std::optional<MonoTime> another_until(std::uint64_t credential, MonoTime now) const {
        const auto& other = newest_ && newest_->credential == credential ? before_ : newest_;
        return other && now < other->at + kLately ? std::optional(other->at + kLately) : std::nullopt;
    }

  private:
    struct One {
        std::uint64_t credential;
        MonoTime at;
    };
    std::optional<One> newest_, before_;  // of two credentials; nobody else was served after `before_`
};

}  // namespace holdfast
