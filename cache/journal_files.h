// The segments of the journal as files: naming, the chain's bytes, writing a group, repairing a tail. Synchronous, for
// the journal's start and its Offload jobs. Not for others.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/files.h"
#include "cache/journal.h"

namespace holdfast {

// Bytes of one segment that are read: it may exceed its size by the last group, and a foreign file must not fill the
// memory.
inline constexpr std::size_t kSegmentReadMax = 512u << 20;
// More than a line can have, which is an entry's fields with a number, a time, a kind and two hashes around them.
inline constexpr std::size_t kJournalLineMax = 64u << 10;
static_assert(kJournalLineMax >= kJournalFieldsMax + 1024);

// "journal-<first seq, 20 digits>.jsonl": names sort as their entries do.
std::string segment_name(std::uint64_t first_seq);
bool is_segment_name(std::string_view name);
// "<segment>.cut-<milliseconds, 14 digits>": what was cut off it.
inline constexpr std::string_view kCutMark = ".cut-";

// The kind of the entry that tells how many others are lost.
inline constexpr std::string_view kJournalLost = "journal-lost";
// Of one that only finds out whether the journal is well again.
inline constexpr std::string_view kJournalRecovered = "journal-recovered";

struct JournalEntry {
    std::string kind, fields;
    WallTime time;
    Durable done;
    bool kept = false;  // when it cannot be written it waits for another try, whoever has been told
    MonoTime told_by = MonoTime::max();  // `done` waits no longer
};

// `lost`: how many are, besides.
JournalUnwritten count_unwritten(const std::vector<JournalEntry>& under_way, const std::vector<JournalEntry>& waiting,
                                 std::uint64_t lost);

// Appends the line of one entry after `head`, newline included, and moves `head` on to it.
void append_line(std::string& out, const JournalEntry& entry, JournalHead& head);

// The segment that is written to. One job at a time uses it.
class SegmentWriter {
  public:
    SegmentWriter(std::string dir, std::uint64_t segment_bytes, std::function<int()> fault)
        : dir_(std::move(dir)), segment_bytes_(segment_bytes), fault_(std::move(fault)) {}
    // Opens the newest segment, cutting a damaged tail off it into a file beside it; the whole of it when it does not
    // continue the one before it and has not the entry that is remembered either: it is another journal's.
    Result<JournalOpened> open(const JournalHead& remembered, JournalHead& head);
    // Lines of one group, the first having `first_seq`. On disk when it returns well; else the file is as it was. A
    // segment that is no longer the file of its name takes none until it is put back, or the journal is opened again.
    Result<void> write(std::string_view lines, std::uint64_t first_seq);

  private:
    Result<JournalOpened> open_newest(const JournalHead& remembered, JournalHead& head);
    Result<void> begin_segment(std::uint64_t first_seq);
    Result<void> cut(const std::string& path, std::uint64_t keep, JournalOpened& opened);
    Result<void> check_named() const;
    Result<void> fault(std::string_view what) const;
    Result<void> write_at_end(std::string_view lines);
    Result<void> cut_rest();  // what lies beyond the good bytes

    std::string dir_;
    std::uint64_t segment_bytes_;
    std::function<int()> fault_;
    files::Fd fd_;
    std::string path_;
    std::uint64_t bytes_ = 0; // of the segment that are good; what lies beyond is cut before the next write
    bool dirty_ = false;      // a write failed: something may lie beyond
};

// What one job does: it opens the journal, or writes entries together.
struct JournalGroup {
    std::shared_ptr<SegmentWriter> writer;  // owners: the journal and the job
    std::optional<JournalHead> to_open;     // with what is remembered; nothing: it is open
    JournalOpened opened;
    std::vector<JournalEntry> entries;
    JournalHead head;  // before; of the last entry afterwards
    Result<void> result;
};
void work_on(JournalGroup& g);
// Whether the journal in this folder has this very entry. Reads files.
bool has_entry(const std::string& dir, const JournalHead& head);

} // namespace holdfast
