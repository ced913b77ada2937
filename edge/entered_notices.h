// Which notifications have an entry in the journal that this process has seen reach the disk: a copy of such a one
// needs none. Of what was heard before its start nothing is known.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast {

class EnteredNotices {
  public:
    // Four times what is taken at once (kNoticesMax), at some hundred bytes each. The oldest leaves; a copy of it has
    // an entry, too.
    static constexpr std::size_t kMax = 1024;

    void add(std::string name) {
        if (names_.size() < kMax) return names_.push_back(std::move(name));
        names_[oldest_] = std::move(name);
        oldest_ = (oldest_ + 1) % kMax;
    }
    bool has(std::string_view name) const { return std::find(names_.begin(), names_.end(), name) != names_.end(); }

  private:
    std::vector<std::string> names_;
    std::size_t oldest_ = 0;
};

}  // namespace holdfast
