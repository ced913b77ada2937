// One line for each message that was refused below the level of requests: its reason, of a closed set, and the client's
// address; never a byte of the message. A flood of one reason is a few lines and a count.
#pragma once

#include <map>
#include <string_view>

#include "edge/base/log.h"

namespace holdfast {

class RejectLog {
  public:
    // Requires: `reason` is a literal.
    void note(std::string_view reason, std::string_view client, MonoTime now) {
        log::LogLimit& limit = limits_[reason];
        if (!limit.allow(now)) {
            ++suppressed_;
            return;
        }
        const std::uint64_t held_back = limit.take_suppressed();
        if (held_back > 0)
            log::warn("refused: {} from {} (suppressed {})", reason, log::escape(client), held_back);
        else
            log::warn("refused: {} from {}", reason, log::escape(client));
    }

    std::uint64_t suppressed() const { return suppressed_; }  // lines, since start

  private:
    std::uint64_t suppressed_ = 0;
    std::map<std::string_view, log::LogLimit> limits_;
};

}  // namespace holdfast
