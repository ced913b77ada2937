// What must no longer be answered: revoked subjects and purged scenes. Every revocation and purge raises one epoch; a
// record is stamped with the epoch at which its call began, and is hidden when a later one applies to it. Clocks have
// no say in that. Held in memory whole, durable in state/.
//
// The stamp is the newest epoch that is on disk. One that a crash takes back is counted to again by the next start, and
// what had been stamped with it would then read as asked after the revocation that has it. So what is asked between a
// revocation and its commit counts as asked before it: that hides a little more than was revoked, never less.
//
// Bounded: the oldest entries give way to `floor`, below which every record is hidden. That hides more than was
// revoked, never less; with the ordinary retention nothing is that old.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "cache/durable.h"
#include "cache/record.h"
#include "cache/store_env.h"

namespace holdfast {

inline constexpr std::size_t kRevocationsMax = 100'000;
inline constexpr std::size_t kPurgesMax = 256; // scenes

// What the sweeper takes along: values only.
struct PurgeView {
    std::uint64_t floor = 0;
    std::vector<std::pair<std::uint32_t, std::uint64_t>> scenes; // tag, epoch
};

class Revocations {
  public:
    explicit Revocations(StateEnv& env);

    // To stamp a record with: every start after this one knows of it.
    std::uint64_t epoch() const { return durable_; }
    // Hides at once and for as long as the process lives; on an error `done` is told, and writing goes on being tried.
    // Returns its epoch: all records of the subject with a lower one are hidden.
    std::uint64_t revoke(const SubjectHash& subject, Now now, Durable done);
    void purge(std::optional<std::uint32_t> scene_tag, Now now, Durable done); // nothing: all scenes
    // state/ is of an earlier time: hides every record, those too whose epochs it has not counted to yet.
    void hide_all(Now now);
    bool hidden(std::string_view subject_hash, std::uint32_t scene_tag, std::uint64_t asked_epoch) const;
    PurgeView purges() const;
    std::uint64_t purged() const; // the epoch of the newest purge; rises with each
    std::size_t size() const { return subjects_.size(); }
    // What the queue had no room for is handed to it again, and entries older than kOutcomeKeepMax give way; at most
    // kDropPerSweep of either a call.
    static constexpr std::size_t kDropPerSweep = 256;
    void sweep(WallTime now);
    // state/ could not be opened or read whole: every record of before is hidden while this process lives.
    bool blind() const { return blind_; }

  private:
    struct Entry {
        std::uint64_t epoch = 0;
        WallTime at;
    };
    struct Hash {
        std::size_t operator()(const SubjectHash& h) const;
    };
    bool load(std::string_view key, std::string_view plain);
    void write(std::string key, std::uint64_t epoch, WallTime at, Durable done);
    std::optional<Entry> entry(std::string_view key) const; // as it is now
    void write_again(const std::string& key);
    void drop_oldest();

    StateEnv& env_;
    std::unordered_map<SubjectHash, Entry, Hash> subjects_;
    std::map<std::uint64_t, SubjectHash> by_epoch_; // of subjects_, oldest first
    std::map<std::uint32_t, Entry> scenes_;
    std::set<std::string> unwritten_; // keys that the queue had no room for
    std::uint64_t epoch_ = 1;   // counted to
    std::uint64_t durable_ = 1; // on disk; without a disk all are
    std::uint64_t floor_ = 0;
    bool blind_ = false;
};

} // namespace holdfast
