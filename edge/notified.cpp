#include "edge/notified.h"

#include <algorithm>

#include "edge/base/log.h"
#include "edge/exchanges.h"
#include "edge/recorded_answer.h"
#include "edge/standing_word.h"
#include "edge/unplaced.h"

namespace holdfast {
namespace {

constexpr Nanos kRestoreWithin = 1h;

std::optional<FoundOrder> find_recorded(Parts& parts, const std::string& credential, std::string_view order_no,
                                        Now now) {
    const auto order = parts.storage.orders().find(credential, order_no, now);
    auto recorded = order ? decode_order(order->answer) : std::nullopt;
    if (!recorded || recorded->subject.empty()) return std::nullopt;
    const LiveRecord record{credential, recorded->subject, recorded->scene, recorded->device,
                            order_no,   order->body,       order->epoch};
    FoundOrder out{KeptLiveRecord(record), std::nullopt, std::move(recorded->verification_id)};
    // A degraded answer from memory has the number of the verification that it remembers.
    if (recorded->answer && !order->final) out.verification_id.clear();
    if (order->final) out.final_answer = std::move(recorded->answer);
    return out;
}

// The order by its number: recorded, or under way. Several credentials may have the same number; the centre's own
// number of the verification then tells them apart.
std::vector<FoundOrder> find_orders(Parts& parts, Exchanges& exchanges, const Notification& n) {
    const Now now = parts.loop.now();
    std::vector<FoundOrder> out;
    if (n.order_no.empty()) return out;
    const auto look = [&](const std::string& credential) {
        auto found = find_recorded(parts, credential, n.order_no, now);
        const bool stands = found && !hidden(parts, found->record.view(), found->record.view().asked_epoch);
        const Exchange* leader = stands ? nullptr : exchanges.find(credential + '\n' + n.order_no);
        if (const auto asked = leader != nullptr ? leader->asked() : std::nullopt)
            out.push_back({KeptLiveRecord(*asked), std::nullopt, {}});
        else if (found)
            out.push_back(std::move(*found));
    };
    for (const std::string& id : possible_owners(parts, n)) look(id);
    if (!n.credential.empty()) return out;
    // Another number of the centre is another verification; where there are several, one without a number is none.
    if (!n.verification_id.empty())
        std::erase_if(out, [&n, several = out.size() > 1](const FoundOrder& f) {
            return f.verification_id != n.verification_id && (several || !f.verification_id.empty());
        });
    return out;
}

// A pass does not undo a less permissive live answer that came after it, also one that came while it was being written.
bool outdone(Parts& parts, const LiveRecord& record, const NotifyEntry& word, Now now) {
    if (word.verdict == Verdict::fail) return false;
    const auto found = find_recorded(parts, std::string(record.credential), record.order_no, now);
    if (!found || !found->final_answer || found->final_answer->source != Source::live) return false;
    const Answer& live = *found->final_answer;
    return permits(static_cast<Verdict>(live.outcome)) < permits(word.verdict) && live.decided_at >= word.received;
}

// As of the call that the word is about: the order may have been asked again since, after a revocation.
Recorded write_down(Parts& parts, const Snapshot& snapshot, LiveRecord record, const NotifyEntry& word, Now now) {
    record.asked_epoch = word.epoch;
    CentreOutcome outcome;
    outcome.verdict = word.verdict;
    outcome.verification_id = word.verification_id;
    const Nanos age = std::max(Nanos(0), Nanos(now.wall - word.sent));
    return record_decided(parts, snapshot, record, std::move(outcome), {now.mono - age, word.sent}, now);
}

void apply(Parts& parts, const LiveRecord& record, const NotifyEntry& word, Now now) {
    if (hidden(parts, record, word.epoch) || outdone(parts, record, word, now)) return;
    write_down(parts, *parts.snapshot, record, word, now);
}

// A copy of what was taken may come when the order's own record has left: it is one all the same. Its word is written
// again, since the first write may still be under way.
bool confirm_again(Parts& parts, const Notification& n, const std::function<void(Noticed)>& done) {
    for (const std::string& credential : possible_owners(parts, n)) {
        const auto before = parts.notify.find(credential, n.order_no);
        if (!before || !before->knows(n.id)) continue;
        parts.notify.put(credential, n.order_no, *before, [done](const Result<void>& written) {
            done(written ? Noticed::duplicate : Noticed::failed);
        });
        return true;
    }
    return false;
}

}  // namespace

std::string_view name(Noticed noticed) {
    switch (noticed) {
        case Noticed::taken:
            return "taken";
        case Noticed::duplicate:
            return "duplicate";
        case Noticed::undecided:
            return "undecided";
        case Noticed::unknown:
            return "unknown";
        case Noticed::failed:
            return "failed";
    }
    return "failed";
}

void journal_notice(Parts& parts, const Notification& n, std::string_view credential, Noticed what) {
    if (parts.storage.journal() == nullptr) return;
    std::string fields;
    json::Writer w(fields);
    w.begin_object().member("notification", n.id).member("orderNo", n.order_no).member("result", name(what));
    if (!credential.empty()) w.member("credential", credential);
    if (n.outcome) w.member("outcome", name(n.outcome->verdict));
    w.end_object();
    parts.metrics.journalled("notification");
    parts.storage.journal()->append("notification", fields, parts.loop.now().wall);
}

void take_notification(Parts& parts, Exchanges& exchanges, const Notification& n, std::function<void(Noticed)> done) {
    if (!n.outcome) return keep_unplaced(parts, n, Noticed::undecided, 0, std::move(done));
    const Now now = parts.loop.now();
    auto found = find_orders(parts, exchanges, n);
    if (found.size() != 1) {
        if (confirm_again(parts, n, done)) return;
        return keep_unplaced(parts, n, Noticed::unknown, found.size(), std::move(done));
    }
    const LiveRecord record = found[0].record.view();
    const auto before = parts.notify.find(record.credential, record.order_no);
    // A copy is written like the first, which may not be on disk yet: what is confirmed is there.
    const bool again = before && before->body == record.body && before->knows(n.id);
    const bool revoked = before && hidden(parts, record, before->epoch);
    NotifyEntry word = again ? *before : standing_after(before, revoked, found[0], n, now.wall);
    const Noticed what = again ? Noticed::duplicate : Noticed::taken;
    if (!again) journal_notice(parts, n, record.credential, what);
    // What follows the disk gets values only.
    parts.notify.put(record.credential, record.order_no, word,
                     [&parts, n, kept = found[0].record, word, what, done = std::move(done)](Result<void> written) {
                         if (!written) {
                             log::error("notification: not durable: {}", written.error().detail);
                             return done(Noticed::failed);
                         }
                         drop_unplaced(parts, n);
                         apply(parts, kept.view(), word, parts.loop.now());
                         done(what);
                     });
}

std::optional<Recorded> notified_before(Parts& parts, const Snapshot& snapshot, const LiveRecord& record,
                                        std::string_view number, Now now) {
    const auto word = place(parts, snapshot, record, number, now);
    if (!word || word->body != record.body || now.wall - word->received >= snapshot.config.orders.retain)
        return std::nullopt;
    if (hidden(parts, record, word->epoch)) return std::nullopt;
    return write_down(parts, snapshot, record, *word, now);
}

void restore_notified(Parts& parts, Now now) {
    for (const NotifyLedger::Known& known : parts.notify.since(now.wall - kRestoreWithin)) {
        const auto found = find_recorded(parts, known.credential, known.order_no, now);
        if (found && found->record.view().body == known.entry.body)
            apply(parts, found->record.view(), known.entry, now);
    }
}

}  // namespace holdfast
