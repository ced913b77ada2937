#include "cache/journal_memory.h"

#include <cstdlib>
#include <string>

#include "cache/journal_reader.h"

namespace holdfast {
namespace {

constexpr std::string_view kHeadName = "journal.head";    // seq, space, hash
constexpr std::string_view kExactName =
    "journal.exact";  // the same seq; a version that does not know it leaves it behind

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

bool has_entry(const Journal& journal, const JournalHead& head) {
    std::string found;
    const auto each = [&](std::string_view line) {
        if (const auto entry = parse_journal_line(line)) found = entry->seq == head.seq ? entry->hash : "";
        return false;
    };
    return journal_export(journal.dir(), head.seq - 1, each).has_value() && found == head.hash;
}

}  // namespace holdfast
