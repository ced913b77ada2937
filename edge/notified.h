// What a verified notification changes: the order's answer and the memory of outcomes. The newest word of the centre
// stands; between two of the same time, and against an answer that was under way meanwhile, the less permissive one.
#pragma once

#include "edge/live_record.h"
#include "edge/parts.h"
#include "upstream/notification.h"

namespace holdfast {

class Exchanges;

enum class Noticed : std::uint8_t {
    taken,      // and it is on disk
    duplicate,  // heard before
    undecided,  // it decides nothing: kept
    unknown,    // no order here has this number, or a pass may be of several: kept, see `unplaced`
    failed,     // it could not be made durable: the centre must send it again
};
std::string_view name(Noticed noticed);

// `done` is called once, at once or when the disk has answered, for the journal too; never when `exchanges` or the node
// ends before.
void take_notification(Parts& parts, Exchanges& exchanges, const Notification& notification,
                       std::function<void(Noticed)> done);
// What the centre has said of an order before it came, or whose record is gone (a kill shortly after it came, a lost
// cache): the word is written down as the order's answer. `number`: the centre's own, of an order that it has taken.
// Nothing where no word stands, or a revocation came after it.
std::optional<Recorded> notified_before(Parts& parts, const Snapshot& snapshot, const LiveRecord& record,
                                        std::string_view number, Now now);
// A notification that names no order may have come for the verification of this one, which is recorded: before it is
// answered again.
void hear_numbered(Parts& parts, const std::string& credential, std::string_view order_no, Now now);
// What a crash may have left undone: notifications that were confirmed before it, of orders.retain.
void restore_notified(Parts& parts, Now now);

}  // namespace holdfast
