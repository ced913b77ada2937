#include "edge/look_limit.h"

#include <algorithm>

namespace holdfast {

LookLimit::Verdict LookLimit::look(std::string_view request_id, std::string_view address, MonoTime now) {
    std::erase_if(entered_, [now](const Entered& one) { return now - one.at >= kSame; });
    for (const Entered& one : entered_)
        if (one.request_id == request_id && one.address == address) return Verdict::covered;
    const MonoTime full_at = std::max(full_at_, now) + kRefill;
    if (full_at - now > kBurst * kRefill) return Verdict::refuse;
    full_at_ = full_at;
    entered_.push_back({std::string(request_id), std::string(address), now});
    return Verdict::enter;
}

}  // namespace holdfast
