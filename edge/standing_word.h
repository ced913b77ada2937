// Whose order a notification may be about, and which word of the centre stands after it: the newest, and between two of
// the same time the less permissive one. For `notified` and `unplaced`.
#pragma once

#include <string>
#include <vector>

#include "edge/live_record.h"
#include "edge/parts.h"
#include "upstream/notification.h"

namespace holdfast {

// Whose order it is, and how it stands now.
struct FoundOrder {
    KeptLiveRecord record;
    std::optional<Answer> final_answer;  // of the centre, recorded
    std::string verification_id;
    RawAnswer raw{};  // the centre's own words; empty: none
};

// The greater, the more it lets through.
int permits(Verdict v);
// Whether a revocation has come since the epoch.
bool hidden(const Parts& parts, const LiveRecord& record, std::uint64_t epoch);
// Whose order it may be: the one that it names, else anybody's. Of these it is none that was asked under another app
// than the node's own (LiveRecord::other_app): such an order's result comes to its caller.
std::vector<std::string> possible_owners(const Parts& parts, const Notification& n);
// The word that stands after this notification, which has come at `now`, the ids heard with it.
// `revoked`: what was heard before is hidden, and only its ids count.
NotifyEntry standing_after(const std::optional<NotifyEntry>& before, bool revoked, const FoundOrder& found,
                           const Notification& n, WallTime now);

}  // namespace holdfast
