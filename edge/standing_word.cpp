#include "edge/standing_word.h"

#include <algorithm>

namespace holdfast {
int permits(Verdict v) {
    return v == Verdict::pass ? 2 : v == Verdict::review ? 1 : 0;
}

bool hidden(const Parts& parts, const LiveRecord& record, std::uint64_t epoch) {
    return parts.storage.outcomes().hidden(record.subject, record.scene, epoch);
}

std::vector<std::string> possible_owners(const Parts& parts, const Notification& n) {
    if (!n.credential.empty()) return {n.credential};
    return parts.snapshot->credentials.ids();
}

NotifyEntry standing_after(const std::optional<NotifyEntry>& before, bool revoked, const FoundOrder& found,
                           const Notification& n, WallTime now) {
    const LiveRecord record = found.record.view();
    NotifyEntry next;
    next.body = record.body;
    next.epoch = record.asked_epoch;
    next.subject = record.subject;
    next.scene = record.scene;
    next.device = record.device;
    next.verdict = n.outcome->verdict;
    next.score = n.outcome->score;
    next.max_age = n.outcome->max_age;
    // Without a time of its own it is of this second, which is as far as others tell it; one from the future is not
    // believed to be newer than now.
    const bool timed = n.sent != WallTime{} && n.sent <= now;
    next.sent = timed ? n.sent : from_unix_seconds(unix_seconds(now));
    next.stamp = n.sent;
    next.received = now;
    next.verification_id = n.verification_id;
    // Of two that the centre's clock puts in another order than ours does, the less permissive one.
    const auto outlives = [&next, timed](Verdict verdict, WallTime when, WallTime stamp) {
        const bool lets_more = permits(next.verdict) > permits(verdict);
        const auto precedes = [lets_more](WallTime a, WallTime b) { return a < b || (a == b && lets_more); };
        const bool ours = precedes(next.sent, timed ? when : from_unix_seconds(unix_seconds(when)));
        if (next.stamp == WallTime{} || stamp == WallTime{}) return ours;
        return precedes(next.stamp, stamp) == ours ? ours : lets_more;
    };
    // The ids also of an order that had the number before: what was heard of that one is not heard of this one.
    if (before) next.ids = before->ids;
    if (before && before->body == next.body) {
        next.received = std::max(now, before->received);
        if (!revoked && outlives(before->verdict, before->sent, before->stamp)) {
            next.verdict = before->verdict;
            next.sent = before->sent;
            next.stamp = before->stamp;
            next.score = before->score;
            next.max_age = before->max_age;
        } else if (!revoked && before->verdict == next.verdict && !next.max_age) {
            next.max_age = before->max_age;  // it confirms, and takes nothing back
        }
    }
    if (found.final_answer && found.final_answer->source == Source::live) {
        // What is not younger than a less permissive live answer does not undo it.
        const auto verdict = static_cast<Verdict>(found.final_answer->outcome);
        const WallTime when = found.final_answer->decided_at;
        if (permits(verdict) < permits(next.verdict) && outlives(verdict, when, {})) {
            next.verdict = verdict;
            next.sent = when;
            next.stamp = {};
            next.score = found.final_answer->score;
            next.max_age.reset();
        }
    }
    next.ids.push_back(n.id);
    return next;
}

}  // namespace holdfast
