#include "upstream/late_calls.h"

#include <utility>

namespace holdfast {

bool LateCalls::keep(std::unique_ptr<Attempt> attempt, std::function<void(const CentreOutcome&)> on_late) {
    if (late_.size() >= kLateCallsMax) {
        ++dropped_;
        return false;
    }
    const auto at = late_.insert(late_.end(), Late{std::move(attempt), nullptr, std::move(on_late)});
    at->attempt->become_late([this, at](AttemptResult result) {
        const auto record = std::move(at->on_late);
        late_.erase(at); // with it this callback's Attempt, which touches nothing any more
        if (!result.outcome) {
            ++dropped_;
            return;
        }
        ++recorded_;
        record(*result.outcome);
    });
    at->timer = loop_.after(limit_, [this, at] {
        ++dropped_;
        late_.erase(at);
    });
    return true;
}

} // namespace holdfast
