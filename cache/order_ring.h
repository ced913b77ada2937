// The ring of databases that orders live in: one is written, the others hold earlier stretches of time. It turns when
// its stretch is over or the database has its share of the space, and clears the oldest before writing into it: that is
// how orders leave, expired or, when space is short, before. A filter in memory for each database keeps the look-up of
// a new order, which is in none of them, from asking all.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "cache/durable.h"
#include "cache/record.h"
#include "cache/store_env.h"

namespace holdfast {

// A Bloom filter over keys that are hashes already. Not filled since start: everything may be there.
class OrderFilter {
  public:
    explicit OrderFilter(std::size_t bits) : words_(bits / 64 + 1) {}
    void add(const OrderKey& key);
    bool may_hold(const OrderKey& key) const;
    void clear(); // empty, and known to be
    void distrust() { known_ = false; }

  private:
    static constexpr int kProbes = 4;
    std::vector<std::uint64_t> words_;
    bool known_ = true;
};

class OrderRing {
  public:
    OrderRing(CacheEnv& env, Nanos retain);
    // The database `back` steps before the one that is written.
    std::size_t newest(std::size_t back) const { return (current_ + kOrderParts - back) % kOrderParts; }
    void advance(Now now); // turns when it is time
    // Queues the clearing of databases whose every order is over.
    void sweep(Now now);
    // What frees space now: the clearing of the oldest database that holds something, at last of the current one.
    std::vector<WriteOp> make_room();
    void added(std::size_t part, const OrderKey& key, std::size_t bytes);
    bool may_hold(std::size_t part, const OrderKey& key) const { return filters_[part].may_hold(key); }
    std::uint64_t entries() const;

  private:
    struct Part {
        std::uint64_t serial = 0;       // 0: never used
        WallTime opened;                // by the wall clock, for after a restart
        std::optional<MonoTime> closed; // when writing moved on; nothing for the current one
        std::uint64_t entries = 0;      // on disk and queued
        std::uint64_t bytes = 0;        // of keys and values put since it was opened, about
    };
    void load(Now now);
    void turn(Now now);
    WriteOp clearing(std::size_t part, Eviction cause);
    bool write_part(std::size_t part);

    CacheEnv& env_;
    Nanos retain_, span_;
    std::uint64_t bytes_max_; // of one database
    std::array<Part, kOrderParts> parts_;
    std::vector<OrderFilter> filters_;
    std::size_t current_ = 0;
    MonoTime opened_{};
};

} // namespace holdfast
