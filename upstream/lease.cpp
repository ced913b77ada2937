#include "upstream/lease.h"

#include <algorithm>

#include "upstream/mutant.h"

namespace holdfast {

MonoTime believed_until(MonoTime sent, Nanos ttl) {
    if (HF_MUTANT(believed_too_long)) return sent + 2 * ttl;
    const auto drift = Nanos(static_cast<std::int64_t>(static_cast<double>(ttl.count()) * 2 * kClockDrift));
    return sent + std::max(Nanos{0}, ttl - drift - kLeaseMargin);
}

void Lease::granted(LeaseId id, MonoTime sent, Nanos asked, Nanos granted) {
    lost();
    if (id == 0 || granted <= Nanos{0}) return;
    id_ = id;
    asked_ = asked;
    duration_ = std::min(asked, granted);
    sent_ = sent;
    until_ = believed_until(sent, duration_);
}

void Lease::kept(MonoTime sent, Nanos ttl) {
    if (!held() || sent < sent_) return;
    if (ttl <= Nanos{0}) return lost();
    duration_ = std::min(asked_, ttl);
    sent_ = sent;
    until_ = believed_until(sent, duration_);
}

}  // namespace holdfast
