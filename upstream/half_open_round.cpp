#include "upstream/half_open_round.h"

#include <algorithm>

#include "edge/base/check.h"

namespace holdfast {
namespace {

auto find_subject(const std::vector<Caller>& all, std::uint64_t subject) {
    return std::find_if(all.begin(), all.end(), [subject](const Caller& c) { return c.subject == subject; });
}

bool holds(const std::vector<Caller>& all, const Caller& one) {
    return find_subject(all, one.subject) != all.end();
}

std::size_t of_credential(const std::vector<Caller>& all, std::uint64_t credential) {
    const auto same = [credential](const Caller& c) { return c.credential == credential; };
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), same));
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

void HalfOpenRound::asked(std::uint64_t credential) {
    if (!asker_) asker_ = credential;
    if (*asker_ != credential) several_ask_ = true;
}

bool HalfOpenRound::may_take(Caller caller) const {
    if (done_ + held_.size() >= calls_ || holds(held_, caller) || holds(barred_, caller)) return false;
    if (!several_ask_) return true;
    return (of_credential(held_, caller.credential) + of_credential(barred_, caller.credential)) * 2 < calls_;
}

void HalfOpenRound::take(Caller caller) {
    HF_CHECK(may_take(caller));
    held_.push_back(caller);
}

void HalfOpenRound::give_back(Caller caller) {
    const auto found = find_subject(held_, caller.subject);
    HF_CHECK(found != held_.end());
    held_.erase(found);
}

void HalfOpenRound::done(const WindowEntry& entry) {
    give_back(entry.caller);
    ++done_;
    counts_.add(entry);
    keys_.add(entry.caller.credential, {true, entry.failed, entry.failed || entry.throttled, entry.slow});
    if (entry.failed || entry.throttled || entry.slow) barred_.push_back(entry.caller);
}

} // namespace holdfast
