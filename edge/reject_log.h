// One line for each message that was refused by its form, its head or its signature: its reason, of a closed set, the
// client's address, the length of its body, who it claims to be of and how far its time is off; no other byte of the
// message. A flood of one reason is a few lines and a count.
#pragma once

#include <map>
#include <optional>
#include <string_view>

#include "edge/base/log.h"
#include "policy/signature.h"

namespace holdfast {

class RejectLog {
  public:
    // Requires: `reason` is a literal.
    void note(std::string_view reason, std::string_view client, MonoTime now,
              std::optional<std::uint64_t> bytes = std::nullopt, const Claimed& said = {}) {
        log::LogLimit& limit = limits_[reason];
        if (!limit.allow(now)) {
            ++suppressed_;
            return;
        }
        std::string line = fmt::format("refused: {} from {}", reason, log::escape(client));
        if (bytes) line += fmt::format(", {} bytes", *bytes);
        if (!said.secret_id.empty()) line += fmt::format(", claimed by {}", said.secret_id);
        if (said.skew) line += fmt::format(", its timestamp is {} this node's clock", apart_text(*said.skew));
        const std::uint64_t held_back = limit.take_suppressed();
        if (held_back > 0) line += fmt::format(" (suppressed {})", held_back);
        log::warn("{}", line);
    }

    // Of a flood that is over no further refusal would tell how many there were. Call it now and then.
    void tell_held_back(MonoTime now) {
        for (auto& [reason, limit] : limits_) {
            const std::uint64_t held_back = limit.over(now) ? limit.take_suppressed() : 0;
            if (held_back > 0) log::warn("refused: {} (suppressed {})", reason, held_back);
        }
    }

    std::uint64_t suppressed() const { return suppressed_; }  // lines, since start

  private:
    std::uint64_t suppressed_ = 0;
    std::map<std::string_view, log::LogLimit> limits_;
};

}  // namespace holdfast
