// Reading and verifying the journal's files: synchronous, for an Offload job or a tool; never on the loop. Safe beside
// a running Journal: a line that is being written is taken as the end.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/journal.h"
#include "edge/base/result.h"

namespace holdfast {

struct JournalLine {
    std::uint64_t seq = 0;
    std::string_view text; // the whole line without its newline
    std::string_view time, kind;  // RFC 3339; of a kind that needs no escapes; else empty
    std::string_view prev, hash;
};

// The parts of one line whose own hash is right; nothing otherwise.
std::optional<JournalLine> parse_journal_line(std::string_view line);
// The place of a line behind the one at `before`, never below that: its number; the next one, when it does not verify.
std::uint64_t journal_place(const std::optional<JournalLine>& line, std::uint64_t before);

struct JournalVerdict {
    bool intact = false;
    std::uint64_t entries = 0; // that verified
    JournalHead head;          // of the last entry that verified
    std::string problem;       // what, in which file, at which line; empty while intact
    // What the chain that stands is silent about: entries that tell of damage, of the journal or another part; files
    // beside it with what was cut off or set aside; bytes of a last line that is being written, or never was finished.
    std::uint64_t damage = 0, set_aside = 0, unfinished = 0;
    std::uint64_t since = 0;  // the first entry that tells of damage of the journal itself; 0: none does
    // A chain that verifies is not the whole journal when something was cut off it, removed or changed before: that is
    // told by an entry of it, or by the files beside it.
    bool whole() const { return intact && since == 0 && set_aside == 0; }
};
// "ok" is intact:
// {"ok","whole","entries","lastSeq","lastHash","damage","damagedSince","setAside","unfinishedBytes","problem"?}
std::string to_json(const JournalVerdict& verdict);

// Of a storage's notes, which the entries `damage` hold: whether it tells of the journal itself.
bool is_journal_note(std::string_view note);

// Files beside the segments of what was cut off them or set aside.
std::size_t journal_set_aside(const std::string& dir);

// Segment files, oldest first.
Result<std::vector<std::string>> journal_segments(const std::string& dir);
// Walks everything. With `expected`, an entry count below expected.seq or another hash there is a problem too.
Result<JournalVerdict> journal_verify(const std::string& dir, const std::optional<JournalHead>& expected = {});
// From where on entries of `from` and later may be, as segments begin: that segment's first has the number after
// `before`. A clock that was set back by a day is allowed for.
struct JournalSince {
    std::uint64_t before = 0;
    bool whole = false;  // false: older segments are gone, which may have had some
};
Result<JournalSince> journal_since(const std::string& dir, WallTime from);
// The last n entries (n at most kJournalTailMax), oldest first.
inline constexpr std::size_t kJournalTailMax = 10'000;
Result<std::vector<std::string>> journal_tail(const std::string& dir, std::size_t n);
// Every line with a place above `after`, one that does not verify too, in order, until `each` returns false.
Result<void> journal_export(const std::string& dir, std::uint64_t after,
                            const std::function<bool(std::string_view line)>& each);

} // namespace holdfast
