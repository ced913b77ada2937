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
    next.received = now;
    next.verification_id = n.verification_id;
    const auto outlives = [&next, timed](Verdict verdict, WallTime when) {
        const WallTime other = timed ? when : from_unix_seconds(unix_seconds(when));
        return next.sent < other || (next.sent == other && permits(next.verdict) > permits(verdict));
    };
    // The ids also of an order that had the number before: what was heard of that one is not heard of this one.
    if (before) next.ids = before->ids;
    if (before && before->body == next.body) {
        next.received = std::max(now, before->received);
        if (!revoked && outlives(before->verdict, before->sent)) {
            next.verdict = before->verdict;
            next.sent = before->sent;
            next.score = before->score;
            next.max_age = before->max_age;
        } else if (!revoked && before->verdict == next.verdict && !next.max_age) {
            next.max_age = before->max_age;  // it confirms, and takes nothing back
        }
    }
    if (found.final_answer && found.final_answer->source == Source::live) {
        // What is older than a less permissive live answer does not undo it. The centre's clock has seconds.
        const auto verdict = static_cast<Verdict>(found.final_answer->outcome);
        const WallTime when = found.final_answer->decided_at;
        if (permits(verdict) < permits(next.verdict) && next.sent + 1s < when && outlives(verdict, when)) {
            next.verdict = verdict;
            next.sent = when;
            next.score = found.final_answer->score;
            next.max_age.reset();
        }
    }
    next.ids.push_back(n.id);
    return next;
}

}  // namespace holdfast
