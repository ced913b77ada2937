// The end of the log of orders that is not on disk yet: blocks that are filled on the loop, in batches that a commit
// seals and appends off the loop. What is here is found without reading the disk. A commit that fails gives a batch
// back, and it goes with a later one, for as long as the disk is ill; the memory for that is bounded, and full refuses.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cache/order_block.h"
#include "cache/store_env.h"

namespace holdfast {

inline constexpr std::size_t kOrdersWaitingMax = 32u << 20;  // bytes of blocks that are not on disk
inline constexpr std::size_t kBlocksPerBatch = 512;          // of one write of a commit
inline constexpr std::size_t kBatchesPerCommit = 8;

class OrderLog {
  public:
    explicit OrderLog(CacheEnv& env);
    OrderLog(const OrderLog&) = delete;

    // The number of the next block that is begun.
    std::uint64_t next() const { return next_; }
    void start_at(std::uint64_t sequence) { next_ = sequence; }
    struct Added {
        std::uint64_t sequence = 0;
        std::uint32_t slot = 0;
        std::size_t bytes = 0;  // of the file, about
    };
    // Nothing when kOrdersWaitingMax bytes wait. Orders of another database than the last one's begin a block.
    std::optional<Added> add(lmdb::Db db, const OrderKey& key, const OrderRecord& record);
    // `done` when what was added last is on disk, or at the first commit that fails, also one that it waits behind; it
    // goes with a later one then. Requires: waits().
    void tell(Durable done) { batches_.back()->told.push_back(std::move(done)); }
    bool waits() const { return !batches_.empty(); }  // something that was added is not on disk
    // The block of this number while it is not on disk. Valid until control returns to the loop.
    const OrderBlock* pending(std::uint64_t sequence) const;

  private:
    struct Batch {
        std::vector<OrderBlock> blocks;  // numbered one after another; never empty
        bool closed = false;             // no longer added to: the work may read it
        bool queued = false;             // in the write batch
        std::vector<Durable> told;       // who waits for it
    };
    OrderBlock& block_for(lmdb::Db db, std::size_t answer_bytes);
    void close();
    void give_up_telling(const Result<void>& failed);
    bool queue(const std::shared_ptr<Batch>& batch);
    void finished(const std::shared_ptr<Batch>& batch, const Result<void>& written);

    CacheEnv& env_;
    std::shared_ptr<Codec> sealer_;               // owners: this, and the writes, of which one runs at a time
    std::deque<std::shared_ptr<Batch>> batches_;  // oldest first; owners: this, and the write of each
    std::uint64_t next_ = 1;
    std::size_t waiting_ = 0;  // bytes
};

}  // namespace holdfast
