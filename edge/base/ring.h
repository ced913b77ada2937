// A queue of at most `capacity` items over one allocation, oldest first out.
// Full is an answer, never a growth: who pushes decides what to do about it.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "edge/base/check.h"

namespace holdfast {

template <typename T>
class Ring {
  public:
    explicit Ring(std::size_t capacity) : slots_(capacity) { HF_CHECK(capacity > 0); }

    std::size_t size() const { return size_; }
    std::size_t capacity() const { return slots_.size(); }
    bool empty() const { return size_ == 0; }
    bool full() const { return size_ == slots_.size(); }

    // False, and the item untouched, when full.
    [[nodiscard]] bool push(T item) {
        if (full()) return false;
        slots_[(head_ + size_) % slots_.size()] = std::move(item);
        ++size_;
        return true;
    }
    std::optional<T> pop() {
        if (empty()) return std::nullopt;
        T out = std::move(slots_[head_]);
        slots_[head_] = T{};
        head_ = (head_ + 1) % slots_.size();
        --size_;
        return out;
    }
    // Requires: i < size(). 0 is the oldest.
    const T& at(std::size_t i) const {
        HF_CHECK(i < size_);
        return slots_[(head_ + i) % slots_.size()];
    }

  private:
    std::vector<T> slots_;
    std::size_t head_ = 0;  // the oldest item
    std::size_t size_ = 0;
};

}  // namespace holdfast
