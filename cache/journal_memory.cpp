#include "cache/journal_memory.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>

namespace holdfast {
namespace {

constexpr std::string_view kHeadName = "journal.head";    // seq, space, hash
constexpr std::string_view kExactName =
    "journal.exact";  // the same seq; a version that does not know it leaves it behind
// The number of the last entry before those that wait, or of one between them; how many wait; how many are lost; kinds.
constexpr std::string_view kUnwrittenName = "journal.unwritten";

}  // namespace

JournalMemory recall_journal(const StateStore& values) {
    JournalMemory out;
    const auto exact = values.get(kExactName);
    const auto text = values.get(kHeadName);
    if (!text || text->size() < 66 || (*text)[text->size() - 65] != ' ') return out;
    out.head.seq = std::strtoull(text->c_str(), nullptr, 10);
    out.head.hash = text->substr(text->size() - 64);
    out.exact = exact == std::to_string(out.head.seq);
    return out;
}

void remember_head(StateStore& values, const JournalHead& head) {
    values.put_soon(kHeadName, std::to_string(head.seq) + " " + head.hash);
    if (values.get(kExactName)) values.put_soon(kExactName, std::to_string(head.seq));
}

void remember_exact(StateStore& values, bool exact) {
    const JournalMemory now = recall_journal(values);
    if (exact && !now.exact) values.put_soon(kExactName, std::to_string(now.head.seq));
    if (!exact && values.get(kExactName)) values.erase_soon(kExactName);
}

void remember_unwritten(StateStore& values, const JournalHead& head, const JournalUnwritten& now,
                        std::uint64_t before) {
    if (now.entries + before > 0)
        values.put_soon(kUnwrittenName, fmt::format("{} {} {} {}", head.seq + now.others, now.entries - now.lost,
                                                    before + now.lost, now.kinds));
    else if (values.get(kUnwrittenName))
        values.erase_soon(kUnwrittenName);
}

std::optional<std::string> noted_unwritten(const StateStore& values) {
    return values.get(kUnwrittenName);
}

// What the journal has taken since is first of all what was to be written before them, then these. Where the two were
// mixed, more may be said to be lost than is, never less.
JournalLost recall_unwritten(const std::optional<std::string>& noted, const JournalHead& head) {
    if (!noted) return {};
    const char* at = noted->c_str();
    std::uint64_t numbers[3];  // as they stand
    for (std::uint64_t& number : numbers) {
        char* end = nullptr;
        number = std::strtoull(at, &end, 10);
        at = *end == ' ' ? end + 1 : end;
    }
    const auto [seq, count, before] = numbers;
    const std::uint64_t since = head.seq > seq ? head.seq - seq : 0;
    JournalLost out{before + (count > since ? count - since : 0), {}};
    if (out.entries > 0)
        out.told = fmt::format("journal/: {} entries could not be written before the end and are lost{}{}", out.entries,
                               *at == '\0' ? "" : ", of ", at);
    return out;
}

std::string told_cut(const JournalOpened& opened) {
    if (opened.cut_bytes == 0) return {};
    return fmt::format("journal/: {} {} bytes was cut and kept in {}",
                       opened.foreign ? "a segment that does not continue the one before it, of" : "a damaged tail of",
                       opened.cut_bytes, opened.cut_file);
}

std::string told_damage(std::uint64_t missing, std::size_t set_aside) {
    std::string out;
    if (missing > 0)
        out = fmt::format("entry {}, which state/ remembers, is missing or another: entries were removed or changed",
                          missing);
    if (set_aside > 0)
        out +=
            fmt::format("{}what was cut off or set aside is in {} files *.cut-*", out.empty() ? "" : "; ", set_aside);
    return out;
}

}  // namespace holdfast
