// Opens an environment so that damage costs the file and never the process: a lock against a second process, a guard
// file that tells whether the last run ended cleanly, a look at the head, a walk in a child process, and, when any of
// them says so, moving the whole folder aside and beginning a new one. Nothing is ever deleted but the oldest of
// several folders moved aside before.
//
// Beside the folder D lie D.lock (held while open) and D.guard (there while open; what it says is in its one line;
// after a clean end it is D.guard.new, so that a start on a full disk needs no new block).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cache/env_scan.h"
#include "cache/files.h"
#include "cache/lmdb.h"
#include "cache/write_job.h"
#include "edge/base/result.h"

namespace holdfast {

inline constexpr std::size_t kBadKept = 3; // folders moved aside that are kept, the newest

struct GuardOptions {
    std::string dir;
    std::uint64_t map_bytes = 0;
    std::vector<std::string> dbs;
    std::array<std::uint8_t, 32> key{};
    Nanos scan_limit = 60s;
    // The identity that the environment must have, and gets when it is begun anew: another one is moved aside. 0: its
    // own.
    std::uint64_t generation = 0;
    std::uint32_t version = kFormatVersion; // of what is in it: another one is moved aside
    bool always_full = false; // walk everything at each start, not only after a crash
    std::function<bool(std::uint64_t generation, std::size_t db, std::string_view key, std::string_view value)> verify;
    std::function<int()> fault, read_fault; // see lmdb::EnvOptions
};

class GuardedEnv final : public CommitWatch {
  public:
    // exists: another process has it. Other errors: the folder cannot be made or moved.
    static Result<std::unique_ptr<GuardedEnv>> open(GuardOptions options, WallTime now);
    // The guard stays unless mark_clean() came before.
    ~GuardedEnv() override;

    const std::shared_ptr<lmdb::Env>& env() const { return env_; }
    std::uint64_t generation() const { return generation_; }
    bool fresh() const { return fresh_; }             // begun anew, for whichever reason
    bool moved_aside() const { return moved_aside_; } // because what was there is no good
    bool crashed() const { return crashed_; }         // the last run left its guard
    bool rebooted() const { return rebooted_; }       // ... and the machine has been started since
    bool doubted() const { return doubted_; }         // ... and it had set doubt()
    // Since the last clean end no run has written it, or called prove(): it should be as that end left it.
    bool unproved() const { return !proved_; }
    // What is in it may have been replaced by writes that are lost with the last run.
    bool behind() const { return doubted_ && !fresh_; }
    const std::string& note() const { return note_; } // one sentence for the log when something was done; else empty

    // After a commit that failed, and while one hangs, the guard says, rewritten in place (which works on a full disk),
    // that writes may be missing; after one that worked, while nothing holds the doubt, that none are. The loop waits
    // for no write of it: hangs() has a thread for that, whose word outlives the process and is synced by the next
    // commit's.
    void begins() override { running_ = ++commits_; }
    void hangs() override;
    void ends(bool ok) override;
    // Holds the doubt although commits work again: something is lost for good. In the file from the next commit's end,
    // or from hangs(), which also says that it is held.
    void hold_doubt(bool hold) { held_ = hold; }
    // The process ends over a commit that hangs: says so, and waits a moment for that.
    void abandon();
    // It is as the last clean end left it. On disk when this returns: before anything else is written that it would not
    // know of. A commit that worked says so too.
    void prove();
    // Everything is synced and nothing will be written: the next start need not scan.
    Result<void> mark_clean();

  private:
    GuardedEnv() = default;
    Result<void> prepare(GuardOptions& options, WallTime now);
    Result<void> inspect(const GuardOptions& options, WallTime now);
    Result<void> move_aside(const GuardOptions& options, const std::string& why, WallTime now);
    Result<void> open_env(const GuardOptions& options);
    Result<void> write_guard();
    void put_flags(bool doubt, bool proving);  // under mutex_
    void sync_flags();

    std::shared_ptr<lmdb::Env> env_; // owners: this, the batch that writes it, and a commit under way
    files::Fd lock_, guard_;
    std::string guard_path_;
    std::uint64_t generation_ = 0;
    bool fresh_ = false, moved_aside_ = false, crashed_ = false, rebooted_ = false, doubted_ = false, proved_ = false;
    std::string note_, why_aside_;
    std::atomic<bool> held_ = false;
    std::uint64_t commits_ = 0;              // begun
    std::atomic<std::uint64_t> running_ = 0; // which of them; 0: none. One that has ended meanwhile hangs no more
    std::mutex mutex_; // of what follows: the loop never takes it while anything is written; never held over a sync
    std::atomic<bool> doubting_ = false; // what the guard says
    bool proving_ = false;               // ... that nothing has been proved or written
    bool synced_ = true;    // ... and whether a crash of the machine leaves it
    std::thread speaker_;   // writes it while a commit hangs
    std::atomic<bool> spoken_ = true;
};

} // namespace holdfast
