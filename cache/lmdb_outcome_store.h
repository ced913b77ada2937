// The OutcomeStore over cache/: see outcome_store.h for what it promises. Also the walk by which outcomes leave. Not
// the place that knows what is revoked: that is revocations.h.
//
// A run that could not write takes with it that somebody has failed since; the pass before it is still on disk. So a
// start after one forgets what is there: nothing of it is found, and it is erased with the first commit. That needs
// no state/ and, for the hiding, no disk that is well. Until that commit the guard's doubt stays for the next start.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "cache/outcome_store.h"
#include "cache/recent_answers.h"
#include "cache/revocations.h"
#include "cache/store_env.h"

namespace holdfast {

// After a crash and a reboot with a wall clock that stands too early a record can seem younger by so much at most:
// little against a max_age of minutes, and one small commit.
inline constexpr Nanos kClockEvery = 30s;
inline constexpr std::size_t kLostKeysMax = 1024;  // refused outcomes that are known one by one

class LmdbOutcomeStore final : public OutcomeStore {
  public:
    LmdbOutcomeStore(CacheEnv& env, Revocations& revocations);

    std::uint64_t epoch() const override { return revocations_.epoch(); }
    OutcomeLook look(const SubjectKey& key, Now now) override;
    PutOutcome put(const SubjectKey& key, OutcomeRecord record, Nanos fresh, Nanos keep, Now now) override;
    void purge(std::string_view scene, Now now, Durable done) override;
    void revoke(std::string_view subject, Now now, Durable done) override;
    bool hidden(std::string_view subject, std::string_view scene, std::uint64_t at_epoch) const override;
    OutcomeStats stats() const override;

    // To be called when records have left for any other reason than their age.
    void forget_recent() { recent_.forget_all(); }
    // Records the wall time when it is the newest by kClockEvery, so that it is known after an outage too, in which no
    // outcome comes.
    void note_clock(WallTime now);
    // The newest wall time that any start of this store has recorded: see record_age().
    WallTime wall_high() const { return wall_high_; }

  private:
    enum class Found { none, record, hidden, damaged };
    Found read(const OutcomeKey& key, std::uint32_t scene_tag, Now now, OutcomeRecord& out);
    std::uint32_t tag_of(std::string_view scene) const;
    bool unchanged(const OutcomeKey& key, std::uint32_t scene_tag, const OutcomeRecord& record, std::uint64_t print,
                   Nanos fresh, Now now);
    void note(const OutcomeKey& key, const OutcomeRecord& record, std::uint64_t print);
    std::uint64_t print_of(const OutcomeRecord& record) const;
    void erase_revoked(const SubjectHash& subject, std::uint64_t epoch);
    void forget_disk();
    void note_lost(const OutcomeKey& key, const CentreOutcome& outcome, Nanos keep, Now now);
    void erase_lost();
    bool add_lost(std::map<OutcomeKey, std::uint64_t>::iterator lost, WriteOp op);
    void release_doubt();

    CacheEnv& env_;
    Revocations& revocations_;
    OutcomeStats stats_;
    OutcomeRecord scratch_;  // of put's comparison: keeps its buffers
    RecentAnswers recent_;
    SipKey print_key_;       // of this process
    WallTime wall_high_{};
    bool wall_changed_ = false;
    bool behind_ = false;  // what is on disk is of before a loss, and not erased yet
    // Whose newest outcome was refused: what is on disk is to be erased. The number of the write under way that does it
    // or takes its place, or 0.
    std::map<OutcomeKey, std::uint64_t> lost_;
    std::uint64_t lost_writes_ = 0;
    MonoTime lost_until_{};  // so long it matters that a write was refused for which lost_ had no room
    bool holding_ = false;   // the guard's doubt
};

// Erases what the header alone condemns: expired, or hidden by a purge. Walks from `from` over at most `visit`
// outcomes; what it did is in the report, for the loop to read when the commit is done. For a batch's task.
struct WalkReport {
    std::string next;  // where the next walk begins; empty: at the start
    std::uint64_t expired = 0, purged = 0, spaced = 0, visited = 0;
};
struct WalkRequest {
    std::string from;
    std::size_t visit = 0, erase = 0;
    std::int64_t now_seconds = 0;
    PurgeView purges;
    bool everything = false;  // erases whatever it visits: the last resort of a full map
};
int walk_outcomes(lmdb::Txn& txn, const WalkRequest& request, WalkReport& report);

}  // namespace holdfast
