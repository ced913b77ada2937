// The entry of a notification in the journal. What is confirmed has one on disk, so that a kill takes none that the
// centre does not send again. A journal that is ill or does not answer holds nobody up for longer than kJournalWaitMax:
// then the notification is confirmed without, and its entry is retried until the journal takes it.
#pragma once

#include <functional>

#include "edge/notified.h"

namespace holdfast {

// `then` (may be empty) is called once it may be confirmed.
void journal_notice(Parts& parts, const Notification& n, std::string_view credential, Noticed what,
                    std::function<void()> then = {});
// Of one that was heard before: an entry of its own, unless one of the first is known to be on disk.
void journal_copy(Parts& parts, const Notification& n, std::string_view credential, std::function<void()> then);

}  // namespace holdfast
