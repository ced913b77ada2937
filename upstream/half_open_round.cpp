#include "upstream/half_open_round.h"

#include <algorithm>

#include "edge/base/check.h"

namespace holdfast {
namespace {

bool holds(const std::vector<std::uint64_t>& all, std::uint64_t one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

} // namespace

void HalfOpenRound::begin(std::uint32_t calls) {
    const bool go_on = clean() && calls == calls_ && done_ < calls;
    calls_ = calls;
    held_.clear();
    if (go_on) return;
    done_ = 0;
    barred_.clear();
    keys_.clear();
    counts_ = {};
}

void HalfOpenRound::forget() {
    held_.clear();
    calls_ = 0;
}

bool HalfOpenRound::may_take(Caller caller) const {
    return done_ + held_.size() < calls_ && !holds(held_, caller.subject) && !holds(barred_, caller.subject);
}

void HalfOpenRound::take(Caller caller) {
    HF_CHECK(may_take(caller));
    held_.push_back(caller.subject);
}

void HalfOpenRound::give_back(Caller caller) {
    const auto found = std::find(held_.begin(), held_.end(), caller.subject);
    HF_CHECK(found != held_.end());
    held_.erase(found);
}

void HalfOpenRound::done(const WindowEntry& entry) {
    give_back(entry.caller);
    ++done_;
    counts_.add(entry);
    keys_.add(entry.caller.credential, {true, entry.failed, entry.failed || entry.throttled, entry.slow});
    if (entry.failed || entry.throttled || entry.slow) barred_.push_back(entry.caller.subject);
}

} // namespace holdfast
