// Where in the log each order of one database of the ring is: an open hash table over keys that are keyed hashes
// already. Fixed in size, so that adding never moves it: full means that the ring turns. Its memory is taken with the
// first order and given back by clear(). Two orders that look alike here are told apart by the key in the block.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>

#include "cache/order_ledger.h"

namespace holdfast {

inline constexpr std::size_t kOrdersPerPartMax = 4u << 20;
inline constexpr std::uint64_t kBlocksPerPartMax = 1u << 23;

struct OrderPlace {
    std::uint32_t block = 0;  // counted from the first of the database, below kBlocksPerPartMax
    std::uint32_t slot = 0;   // below kOrdersPerBlockMax
};

class OrderIndex {
  public:
    explicit OrderIndex(std::size_t orders_max);
    // Adds, or replaces the place of the same order. Requires: !full().
    void put(const OrderKey& key, OrderPlace place);
    // Adds unless the order is there already: for walking the log backwards. Requires: !full().
    void put_older(const OrderKey& key, OrderPlace place);
    std::optional<OrderPlace> find(const OrderKey& key) const;
    // Asks the memory for what find() will look at.
    void prefetch(const OrderKey& key) const {
        if (size_ > 0) __builtin_prefetch(&words_[home(key)]);
    }
    bool full() const { return size_ >= orders_max_; }
    std::size_t size() const { return size_; }
    std::size_t bytes() const { return slots_ * sizeof(std::uint64_t); }  // once an order is in it
    void clear();

  private:
    struct Free {
        void operator()(std::uint64_t* p) const { std::free(p); }
    };
    std::size_t home(const OrderKey& key) const;
    std::size_t slot_of(const OrderKey& key) const;  // the one of `key`, or the empty one where it would be

    std::size_t orders_max_, slots_, size_ = 0;
    std::unique_ptr<std::uint64_t[], Free> words_;  // 36 bits of hash, never all zero, and 28 of place; 0: empty
};

}  // namespace holdfast
