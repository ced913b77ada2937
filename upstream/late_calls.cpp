#include "upstream/late_calls.h"

#include <utility>

namespace holdfast {

bool LateCalls::keep(std::unique_ptr<Attempt> attempt, LateRecorder on_late) {
    const std::size_t bytes = attempt->all_left() ? 0 : attempt->body_bytes();
    if (late_.size() >= kLateCallsMax || bytes_ + bytes > kLateBytesMax) {
        ++dropped_;
        return false;
    }
    const auto at = late_.insert(late_.end(), Late{std::move(attempt), nullptr, std::move(on_late), bytes});
    bytes_ += bytes;
    at->attempt->become_late([this, at](AttemptResult result) {
        const auto record = std::move(at->on_late);
        drop(at); // with it this callback's Attempt, which touches nothing any more
        if (!result.outcome && result.failure != FailureKind::pending) {
            ++dropped_;
            return;
        }
        ++recorded_;
        record(result);
    });
    at->timer = loop_.after(limit_, [this, at] {
        ++dropped_;
        drop(at);
    });
    return true;
}

void LateCalls::drop(std::list<Late>::iterator at) {
    bytes_ -= at->bytes;
    late_.erase(at);
}

} // namespace holdfast
