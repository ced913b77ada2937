// Whether a notification that does not say whose it is (Alipay's) may mean another caller's order than a given one. The
// centre knows one order of a number where several callers here may have one each: of these a pass is nobody's.
#pragma once

#include "edge/live_record.h"
#include "edge/parts.h"
#include "upstream/notification.h"

namespace holdfast {

class Exchanges;

// Whether somebody else has an order of the notification's number, or of this one's, that may be the one meant: it is
// under way (in `exchanges`; nullptr: none is), the centre has given it no number of its own that tells it from this
// verification, or it has heard this very notification. The centre's own number is looked for under these two alone.
bool has_rival(const Parts& parts, const Exchanges* exchanges, const Notification& n, const LiveRecord& record,
               Now now);

}  // namespace holdfast
