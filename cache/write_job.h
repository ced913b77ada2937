// One commit as it runs off the loop: the writes sorted, put into one transaction and committed. Which writes, when,
// and what a failure means is write_batch's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cache/durable.h"
#include "cache/lmdb.h"

namespace holdfast {

struct WriteOp {
    enum class Kind { put, append, erase, clear, task };
    Kind kind = Kind::put;
    lmdb::Db db = 0;
    std::string key;
    std::string value;
    // Runs inside the write transaction, after the puts queued before it, and again when the commit is tried again:
    // values only, off the loop. 0 or an error code.
    std::function<int(lmdb::Txn&)> task;
    bool writes = false;  // of a task: that it always does, so that its commit counts
    Durable done;
    std::function<void()> written;  // on the loop when it is on disk, before `done`; unlike that one nobody waits
};

// A clear or a task keeps its place among the writes, and has no key by which it could be found.
inline bool keeps_place(const WriteOp& op) {
    return op.kind == WriteOp::Kind::clear || op.kind == WriteOp::Kind::task;
}

// What a batch tells of its commits to whoever keeps the word on what may be missing. begins() and hangs() on the loop,
// ends() on the thread that made the commit.
class CommitWatch {
  public:
    virtual ~CommitWatch() = default;
    virtual void begins() = 0;
    virtual void hangs() = 0;  // so, for longer than kHangsAfter, or given up as too large: waits for no disk
    virtual void ends(bool ok) = 0;
};

struct WriteJob {
    using Ops = std::vector<std::unique_ptr<WriteOp>>;
    std::shared_ptr<lmdb::Env> env;
    Ops ops;
    Ops spent;  // of the commit before: destroyed here, where it keeps nobody waiting
    std::uint64_t bytes_max = 0;
    std::shared_ptr<CommitWatch> watch;  // owners: whose it is, the batch, and this; nothing: it is not watched
    bool room = false;  // frees space for a batch that did not fit: its own limit does not apply
    Result<void> result;
    std::uint64_t pages = 0;
    Nanos took{0};

    void run();
    bool writes() const;  // and not only looks for something to erase
};

}  // namespace holdfast
