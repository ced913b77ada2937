// Which notifications found no order here of late. The centre is asked to repeat them, so each is journalled once and
// not at every copy, however often somebody sends it again.
#pragma once

#include <deque>
#include <string>
#include <unordered_set>

#include "edge/base/log.h"

namespace holdfast {

class UnknownNotices {
  public:
    static constexpr std::size_t kIdsMax = 4096;  // remembered; the oldest leaves, and its next copy counts as new

    // Whether it is new here. Requires: `id` is of a verified notification.
    bool note(const std::string& id) {
        if (!seen_.insert(id).second) return false;
        order_.push_back(id);
        if (order_.size() > kIdsMax) {
            seen_.erase(order_.front());
            order_.pop_front();
        }
        return true;
    }
    std::size_t size() const { return order_.size(); }

    log::LogLimit lines;  // about them

  private:
    std::deque<std::string> order_;  // the oldest first; the same ones as in seen_
    std::unordered_set<std::string> seen_;
};

}  // namespace holdfast
