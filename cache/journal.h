// The audit journal: append-only segments of JSON lines, each line holding the hash of the one before it, so that an
// edited, removed or reordered entry shows. Entries are written in groups off the loop and fdatasynced before `done`.
// The caller puts no subject in clear and no secret into it. Reading and verifying are journal_reader.h.
//
// A line: {"seq":7,"time":"2026-01-02T03:04:05.678Z","kind":"override","fields":{…},"prev":"<hex>","hash":"<hex>"}
// where hash is SHA-256 over the line's bytes before `,"hash"`, and prev is the hash of the line before (first: zeros).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cache/durable.h"
#include "edge/base/crypto.h"
#include "edge/net/loop.h"
#include "edge/net/offload.h"

namespace holdfast {

inline constexpr std::uint64_t kJournalSegmentBytes = 64ull << 20;
inline constexpr std::size_t kJournalQueueMax = 8192;       // entries waiting
inline constexpr std::size_t kJournalReserve = 1024;        // more of them, for those without `done`
inline constexpr std::size_t kJournalFieldsMax = 16u << 10; // bytes of one entry's fields
// A choice, of how long people wait for an entry: a commit takes milliseconds, and holdfastctl waits for 5 s.
inline constexpr Nanos kJournalWaitMax = 3s;
inline constexpr std::string_view kJournalZeroHash = "0000000000000000000000000000000000000000000000000000000000000000";

struct JournalHead {
    std::uint64_t seq = 0; // of the last durable entry; 0: none yet
    std::string hash = std::string(kJournalZeroHash);
};

struct JournalOptions {
    std::string dir; // made when missing, 0700
    JournalHead remembered;  // an entry that is known to be of this journal; number 0: none is
    std::uint64_t segment_bytes = kJournalSegmentBytes;
    // Tests: called before each group is written, before it is synced, and before what a failed one left, or a damaged
    // tail, is cut; not 0 is the errno to fail with.
    std::function<int()> fault;
};

// What opening found; each sentence belongs into the log and as an entry into the journal.
struct JournalOpened {
    std::uint64_t cut_bytes = 0; // of a damaged tail
    bool foreign = false;        // of it, a segment that does not continue the one before it
    std::string cut_file;        // where they are kept; empty: nothing was cut
    bool has_remembered = true;  // false: not the entry that is remembered
};

// Entries that have happened and are not on disk.
struct JournalUnwritten {
    std::uint64_t entries = 0;  // that wait, for the first try or another, or are lost
    std::uint64_t lost = 0;     // of them
    std::uint64_t others = 0;  // that are written before the last of those that wait, and given up where they cannot be
    std::string kinds;          // of those that wait: "2 config, 1 drain"
};

class Journal {
  public:
    // What becomes of an entry that cannot be written: it is not in the journal and never will be, or it is retried
    // like one that nobody waits for, since what it tells of stands.
    enum class Unwritten : std::uint8_t { given_up, retried };

    // `on_head` after each group that was written, `on_failure` after each that was not. Neither may destroy this.
    static Result<std::unique_ptr<Journal>> open(JournalOptions options, Loop& loop, Offload& offload,
                                                 std::function<void(const JournalHead&)> on_head = {},
                                                 std::function<void()> on_failure = {});
    // One that could not be opened, because of `why`. It is ill, what is appended waits, and each try to write it
    // begins with opening it, off the loop. `on_open` when that has worked, before anything is written: what is
    // appended there comes before all that waits. It may not destroy this.
    static std::unique_ptr<Journal> open_later(JournalOptions options, const Error& why, Loop& loop, Offload& offload,
                                               std::function<void(const JournalHead&)> on_head,
                                               std::function<void()> on_failure, std::function<void()> on_open);
    ~Journal();
    // Queues an entry; `fields_json` is one JSON object. `done` (may be empty) is told when it is on disk, or that it
    // is not: then it is not in the journal and the caller must not act as if it were. Entries without `done` are
    // retried until they are written; one that even the reserve has no room for, or that is too large, is lost: the
    // journal is then not healthy until an entry "journal-lost" with their count is on disk.
    // With Unwritten::retried `done` is told at the first try, and the entry goes on as one without.
    // `at_most`, where it is not 0, is how long `done` waits for a disk that does not answer: then it is told
    // Code::unavailable, an entry that is given up and has not had its turn is dropped, and what is being written may
    // be in the journal yet. The journal is not healthy then until it has written something.
    void append(std::string_view kind, std::string_view fields_json, WallTime time, Durable done = {},
                Unwritten unwritten = Unwritten::given_up, Nanos at_most = Nanos(0));
    // `done` when all that is queued now is on disk, or cannot be.
    void drain(Durable done);
    // Nothing is written any more: what comes is refused as by a full queue. Requires: nothing waits or is under way.
    void stop();
    bool is_open() const;
    const JournalHead& head() const;      // not open yet: the entry that is remembered
    const JournalOpened& opened() const;  // nothing before it is open
    PartHealth health() const;
    JournalUnwritten unwritten() const;
    const std::string& dir() const;

  private:
    struct State;
    explicit Journal(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace holdfast
