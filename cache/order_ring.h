// The ring of databases that the log of orders lies in: one is written, the others hold earlier stretches of time. It
// turns when its stretch is over, the database has its share of the space or its index is full, and clears the oldest
// before writing into it: that is how orders leave, expired or, when space is short, before. An index in memory for
// each database says where an order lies; a start reads it off the log. What is not on disk yet is order_log's.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "cache/durable.h"
#include "cache/order_index.h"
#include "cache/order_log.h"
#include "cache/store_env.h"

namespace holdfast {

inline constexpr Nanos kOrderLoadMax = 30s;  // a start reads the log for so long, the newest first

class OrderRing {
  public:
    OrderRing(CacheEnv& env, OrderLog& log, Nanos retain, Nanos load_max = kOrderLoadMax, Nanos ahead = Nanos(0));
    void keep_for(Nanos retain);
    // The database `back` steps before the one that is written.
    std::size_t newest(std::size_t back) const { return (current_ + kOrderParts - back) % kOrderParts; }
    static lmdb::Db db_of(std::size_t part) { return kOrders + static_cast<lmdb::Db>(part); }
    void advance(Now now);  // turns when it is time
    bool writable() const;  // false when it should have turned and could not: the queue is full
    void added(std::size_t part, const OrderKey& key, const OrderLog::Added& added);
    void prefetch(const OrderKey& key) const;
    struct Place {
        std::uint64_t sequence = 0;
        std::uint32_t slot = 0;
    };
    std::optional<Place> find(std::size_t part, const OrderKey& key) const;
    // Queues the clearing of databases whose every order is over.
    void sweep(Now now);
    // What frees space now: the clearing of the oldest database that holds something, at last of the current one.
    std::vector<WriteOp> make_room();
    std::uint64_t entries() const;
    std::uint64_t damaged() const { return damaged_; }            // blocks that did not open when the log was read
    const std::string& load_failure() const { return failure_; }  // why not all of it was; empty: it was

  private:
    struct Part {
        std::uint64_t serial = 0;        // 0: never used
        WallTime opened;                 // by the wall clock, for after a restart
        std::optional<MonoTime> closed;  // when writing moved on; nothing for the current one
        std::uint64_t first = 0;         // number of its first block: what lies there below it was left by a clearing
                                         // that failed
        std::uint64_t orders = 0;        // on disk and waiting
        std::uint64_t bytes = 0;         // of the file, about, since it was opened
        bool used = false;               // something may lie in the database
        OrderIndex index;
    };
    void load(Now now);
    void load_heads(const lmdb::Txn& txn, Now now);
    std::uint64_t load_blocks(const lmdb::Txn& txn, std::size_t part, MonoTime until);
    void turn(Now now);
    WriteOp clearing(std::size_t part, Eviction cause);
    bool write_head(std::size_t part);

    CacheEnv& env_;
    OrderLog& log_;
    Nanos retain_, span_, load_max_;
    std::uint64_t bytes_max_ = UINT64_MAX;  // of one database
    std::vector<Part> parts_;
    std::size_t current_ = 0;
    MonoTime opened_{};
    std::uint64_t damaged_ = 0;
    std::string failure_;
};

}  // namespace holdfast
