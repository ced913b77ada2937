// Group commit: writes queued on the loop, committed together in an Offload job, one commit at a time. What is queued
// is seen by pending() until it is on disk. The queue is bounded: full refuses, nothing ever blocks.
//
// When a commit fails: a full map asks `make_room` and tries again; no space, an I/O error or a map that stays full
// marks the batch unhealthy, tells every write that has a `done` (it is then given up), and retries the others with a
// growing wait until the disk is well again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cache/durable.h"
#include "cache/lmdb.h"
#include "cache/write_job.h"
#include "edge/net/loop.h"
#include "edge/net/offload.h"

namespace holdfast {

inline constexpr std::size_t kBatchQueueMax = 65'536; // writes waiting
inline constexpr std::size_t kBatchCommitMax = 8'192; // writes in one commit
inline constexpr std::size_t kBatchFull = 1'024;      // closes a batch at once
// Else a batch is closed when its first write is so old. A write is on disk within max(linger, the commit before it) +
// its own commit: with this one there is room for a commit of 80 ms out of nothing within the 100 ms of SPEC §10, and
// where commits are slow it shrinks, so that one twice as slow as the slowest of late still fits.
inline constexpr Nanos kBatchLinger = 20ms, kLingerMin = 2ms;
inline constexpr Nanos kDurableWithin = 90ms; // with 10 ms for the loop's own turns
inline constexpr int kRoomTriesMax = 16;              // calls of make_room for one batch
// A commit that takes longer, ten times what a write may take: what waits for it may be lost with the process.
inline constexpr Nanos kHangsAfter = 1s;
inline constexpr Nanos kRetryFirst = 100ms, kRetryMax = 5s;

struct BatchOptions {
    std::uint64_t bytes_max = 0; // pages in use beyond this count as a full map, so that eviction itself has room
    std::string part;            // "cache" or "state", for health
    std::string dir;             // likewise
    std::string when_full;       // likewise: how large it is, and what to do
    Nanos linger = kBatchLinger;
    std::shared_ptr<CommitWatch> watch; // is told of each commit; may be nothing
};

class WriteBatch {
  public:
    WriteBatch(std::shared_ptr<lmdb::Env> env, Loop& loop, Offload& offload, BatchOptions options,
               const StorageObserver& observer);
    ~WriteBatch();

    // False when the queue is full or the batch is stopped; `op.done` is then not called. `urgent`: somebody waits, the
    // batch closes now, or at the end of the commit under way.
    [[nodiscard]] bool add(WriteOp op, bool urgent = false);
    // The queued write of this key that is not yet on disk, or nothing. Valid until control returns to the loop.
    const WriteOp* pending(lmdb::Db db, std::string_view key) const;
    // Something that would have been written was refused by whoever gathers it, for want of room: health() says so.
    void count_refused() { ++health_.refused; }
    // Calls `each` for every key of `db` that has a queued write.
    void each_pending(lmdb::Db db, const std::function<void(const WriteOp&)>& each) const;
    // Called when a batch closes: may add() writes that gather many small things into one.
    void on_close(std::function<void()> source);
    // A source has something: a batch closes within the linger.
    void wake();
    // Called after a commit that was too large for the map, at most kRoomTriesMax times for a batch; an op that frees
    // something, or nothing when all was tried.
    void on_full(std::function<std::vector<WriteOp>(int attempt)> make_room);
    // Called on the loop after each commit, whether it worked.
    void on_commit(std::function<void(const Result<void>&)> told);

    // `done` when all that is queued now is on disk; an error at the first failed commit.
    void drain(Durable done);
    // Refuses writes from now on.
    void stop();

    // Something that was handed over is not on disk yet.
    bool owes() const { return job_ != nullptr || !stalled_.empty() || first_.has_value(); }
    PartHealth health() const;
    std::uint64_t pages_used() const; // of the environment, after the last commit
    std::uint64_t bytes_used() const { return pages_used() * env_->page_bytes(); }
    const std::shared_ptr<lmdb::Env>& env() const { return env_; }

  private:
    using Ops = WriteJob::Ops;
    Nanos linger() const;
    void note_first();
    void close_batch();
    void start(Ops ops, bool room);
    void finished();
    void probe();
    bool retry_with_room();
    void succeeded();
    void failed(const Error& error);
    void show(const WriteOp& op);
    void forget(const WriteOp& op);
    void set_health(bool ok, std::string reason);
    void tell_drained(Result<void> result);

    std::shared_ptr<lmdb::Env> env_; // owners: this, the reading stores, and a commit under way
    Loop& loop_;
    Offload& offload_;
    BatchOptions options_;
    const StorageObserver& observer_;
    Ops queue_;
    std::vector<std::unordered_map<std::string_view, const WriteOp*>> pending_; // by database; keys live in the op
    std::shared_ptr<WriteJob> job_; // under way; owners: this and the work, which may outlive us
    MonoTime begun_{};              // when it was handed over
    Nanos slowest_{0};              // of the commits of late: forgets a sixteenth with each
    Ops written_;                   // what the last one wrote: the next one destroys it
    std::unique_ptr<OffloadHandle> handle_;
    std::unique_ptr<OffloadHandle> spent_; // of the last job: not destroyed inside its own callback
    Ops stalled_;                          // failed, to be committed again before the queue
    std::unique_ptr<Timer> timer_;
    std::unique_ptr<Timer> hang_timer_; // runs beside a job
    std::vector<std::function<void()>> sources_;
    std::function<std::vector<WriteOp>(int)> make_room_;
    std::vector<std::function<void(const Result<void>&)>> told_;
    std::vector<Durable> drains_;
    int room_tries_ = 0;
    Nanos wait_{0}; // of the retry; 0 while healthy
    bool stopped_ = false;
    bool urgent_ = false;           // in the queue
    std::optional<MonoTime> first_; // when the oldest of what waits for the next batch came, sources included
    PartHealth health_;
    std::uint64_t pages_used_ = 0;
};

} // namespace holdfast
