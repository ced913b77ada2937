// What state/ remembers of the journal: its last entry. So entries that were removed are missed, and a state/ of before
// that was put back shows beside a journal that has gone on. Not the journal itself.
#pragma once

#include <optional>
#include <string>

#include "cache/journal.h"
#include "cache/state_store.h"

namespace holdfast {

struct JournalMemory {
    JournalHead head;  // number 0: none
    // Every end that left no guard has written the journal's last entry here. It is not so where the journal was ill at
    // the end, or an earlier version ran.
    bool exact = false;
};

JournalMemory recall_journal(const StateStore& values);
void remember_head(StateStore& values, const JournalHead& head);
void remember_exact(StateStore& values, bool exact);
// Entries that have happened and that the journal has not taken; none of them: no word. `before`: of former ends, which
// no entry tells of yet.
void remember_unwritten(StateStore& values, const JournalHead& head, const JournalUnwritten& now, std::uint64_t before);
// Those that the journal, which ends with `head`, was not given afterwards either: they are lost. `told`: one sentence.
// `noted`: what state/ says of it. Without a head: all of them may be.
struct JournalLost {
    std::uint64_t entries = 0;
    std::string told;
};
std::optional<std::string> noted_unwritten(const StateStore& values);
JournalLost recall_unwritten(const std::optional<std::string>& noted, const JournalHead& head);
// What opening it has cut off it, for the log and as an entry; empty: nothing.
std::string told_cut(const JournalOpened& opened);
// What is missing of it, for whoever looks at the node: `missing`, an entry that state/ remembers, 0: none; files of
// what was cut off. Empty: nothing.
std::string told_damage(std::uint64_t missing, std::size_t set_aside);

}  // namespace holdfast
