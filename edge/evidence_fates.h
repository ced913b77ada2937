// What the journal says of evidence that an earlier run left behind: whether its answer was given, and whether that is
// over. Reads files: for an Offload job. A journal that is damaged may have lost an entry: what it does not say proves
// nothing then, and where its chain is broken nothing that it says is acted on.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cache/journal.h"
#include "edge/base/result.h"

namespace holdfast {

struct FatesAsked {
    std::string dir;                          // the journal's
    JournalHead upto;                         // its last entry of before this run
    WallTime from;                            // no entry that matters is older
    std::set<std::string, std::less<>> kept;  // ids in the vault
    bool sound = true;                        // false: entries may have been lost without a trace in the journal itself
};

struct EvidenceFates {
    // In the vault, to be erased without asking the centre: why, as the entry of its erasure says.
    std::map<std::string, std::string_view, std::less<>> over;
    struct Gone {
        std::string id;
        std::string_view why;
    };
    // Not in the vault, and no entry tells of an erasure. `missing`: nor of an end.
    std::vector<Gone> gone;
    bool whole = false;  // false: the chain is broken, or has not the entry `upto`
};

inline constexpr std::string_view kErasedReconciled = "reconciled", kErasedRetain = "retain",
                                  kErasedWithheld = "withheld", kErasedMissing = "missing";

Result<EvidenceFates> read_evidence_fates(const FatesAsked& asked);

}  // namespace holdfast
