// Bytes of request bodies counted against limits.memory for as long as somebody holds them: the connection while they
// come in, then the exchange, which may outlive its client.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace holdfast {

// The count that all charges of a server share; a shared_ptr because the last of them may outlive the server.
using MemoryCount = std::shared_ptr<std::size_t>;

class MemoryCharge {
  public:
    MemoryCharge() = default;
    explicit MemoryCharge(MemoryCount count) : count_(std::move(count)) {}
    MemoryCharge(MemoryCharge&& other) noexcept
        : count_(std::move(other.count_)), bytes_(std::exchange(other.bytes_, 0)) {}
    MemoryCharge& operator=(MemoryCharge&& other) noexcept {
        if (this != &other) {
            give_back();
            count_ = std::move(other.count_);
            bytes_ = std::exchange(other.bytes_, 0);
        }
        return *this;
    }
    ~MemoryCharge() { give_back(); }

    // False, and nothing added, when the sum would pass `max`. Requires: made with a count.
    [[nodiscard]] bool add(std::size_t bytes, std::size_t max) {
        if (*count_ + bytes > max) return false;
        *count_ += bytes;
        bytes_ += bytes;
        return true;
    }
    MemoryCharge another() const { return MemoryCharge(count_); }  // of the same count, and of nothing yet
    std::size_t bytes() const { return bytes_; }
    void give_back() {
        if (count_ != nullptr) *count_ -= bytes_;
        bytes_ = 0;
    }

  private:
    MemoryCount count_;
    std::size_t bytes_ = 0;
};

}  // namespace holdfast
