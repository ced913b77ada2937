// What messages whose sender is not known yet take of a line: in all, and by network, so that no network fills the
// line alone. Both are bounded in number and in bytes; but a line that is empty takes one of any size, and so does a
// network's share, where the line has room for it. Pure; it holds no message.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

namespace holdfast {

class StrangerShare {
  public:
    struct Part {
        std::size_t count = 0, bytes = 0;
        bool takes(std::size_t more, const Part& most) const {
            return count == 0 || (count < most.count && bytes + more <= most.bytes);
        }
    };
    struct Bounds {
        Part line, network;
    };
    explicit StrangerShare(const Bounds& most) : most_(most) {}

    bool takes(const std::string& network, std::size_t bytes) const {
        const auto at = of_network_.find(network);
        return all_.takes(bytes, most_.line) && (at == of_network_.end() || at->second.takes(bytes, most_.network));
    }
    void enter(const std::string& network, std::size_t bytes) {
        Part& part = of_network_[network];
        for (Part* one : {&all_, &part}) {
            ++one->count;
            one->bytes += bytes;
        }
    }
    // Requires: it has entered with as many bytes.
    void leave(const std::string& network, std::size_t bytes) {
        const auto at = of_network_.find(network);
        for (Part* one : {&all_, &at->second}) {
            --one->count;
            one->bytes -= bytes;
        }
        if (at->second.count == 0) of_network_.erase(at);
    }

  private:
    Bounds most_;
    Part all_;
    std::unordered_map<std::string, Part> of_network_;
};

}  // namespace holdfast
