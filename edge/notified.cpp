#include "edge/notified.h"

#include <algorithm>
#include <array>
#include <memory>

#include "edge/base/log.h"
#include "edge/exchanges.h"
#include "edge/notice_entry.h"
#include "edge/recorded_answer.h"
#include "edge/rivals.h"
#include "edge/standing_word.h"
#include "edge/unplaced.h"

namespace holdfast {
namespace {

std::optional<FoundOrder> find_recorded(Parts& parts, const std::string& credential, std::string_view order_no,
                                        Now now) {
    const auto order = parts.storage.orders().find_known(credential, order_no, now);
    auto recorded = order ? decode_order(order->answer) : std::nullopt;
    if (!recorded || recorded->subject.empty()) return std::nullopt;
    LiveRecord record{credential, recorded->subject, recorded->scene, recorded->device,
                      order_no,   order->body,       order->epoch};
    record.other_app = recorded->other_app;
    record.past = order->past;
    // Where a write is lost, what the centre has said of the subject since may be lost too.
    record.remember_pass = !order->replaced && !recorded->alone;
    FoundOrder out{KeptLiveRecord(record), std::nullopt, std::move(recorded->verification_id)};
    // A degraded answer from memory has the number of the verification that it remembers.
    if (recorded->answer && recorded->answer->source != Source::live)
        out.verification_id = std::move(recorded->pending_id);
    if (!order->final) return out;
    out.final_answer = std::move(recorded->answer);
    out.raw = std::move(recorded->raw);
    return out;
}

// Whether this may be the order that the notification is about. The centre's own number tells verifications apart: a
// pass must have it where several may have an order of that number, or where the order has one.
bool may_be_of(const FoundOrder& found, const Notification& n, bool several_owners) {
    if (found.verification_id == n.verification_id && !n.verification_id.empty()) return true;
    if (n.outcome->verdict == Verdict::pass && several_owners) return false;
    if (found.verification_id.empty() || n.verification_id.empty()) return true;
    return !n.credential.empty() && n.outcome->verdict != Verdict::pass;
}

// The orders that it is about, by their number: recorded, or under way. `numbered`: how many have it. Where it does not
// say whose it is (Alipay's), several callers' are one order there: what lets through less reaches them all, and a pass
// none of several.
std::vector<FoundOrder> find_orders(Parts& parts, Exchanges& exchanges, const Notification& n, std::size_t& numbered) {
    const Now now = parts.loop.now();
    std::vector<FoundOrder> out;
    if (n.order_no.empty()) return out;
    const auto look = [&](const std::string& credential) {
        auto found = find_recorded(parts, credential, n.order_no, now);
        const auto record = found ? std::optional(found->record.view()) : std::nullopt;
        const bool stands = record && !record->past && !hidden(parts, *record, record->asked_epoch);
        const Exchange* leader = stands ? nullptr : exchanges.find(credential + '\n' + n.order_no);
        const auto asked = leader != nullptr ? leader->asked() : std::nullopt;
        // A number that is used again is the new order's, unless the centre's own says that it means the old one.
        const bool means_past = record && record->past && asked && record->body != asked->body &&
                                !n.verification_id.empty() && n.verification_id == found->verification_id;
        if (asked && !means_past)
            out.push_back({KeptLiveRecord(*asked), std::nullopt, {}});
        else if (found)
            out.push_back(std::move(*found));
    };
    const auto owners = possible_owners(parts, n);
    for (const std::string& id : owners) look(id);
    std::erase_if(out, [](const FoundOrder& found) { return found.record.view().other_app; });
    numbered = out.size();
    std::erase_if(out, [&n, several_owners = owners.size() > 1](const FoundOrder& found) {
        return !may_be_of(found, n, several_owners);
    });
    if (n.outcome->verdict == Verdict::pass)
        std::erase_if(
            out, [&](const FoundOrder& found) { return has_rival(parts, &exchanges, n, found.record.view(), now); });
    return out;
}

// What the node has already of what a word is about.
struct Recalled {
    std::optional<FoundOrder> order;
    std::optional<OutcomeRecord> memory;  // of the subject
};
Recalled recalled(Parts& parts, const LiveRecord& record, Now now) {
    return {find_recorded(parts, std::string(record.credential), record.order_no, now),
            parts.storage.outcomes().find(memory_key(record), now)};
}

// Whether the order has just this answer of the centre already.
bool confirms(const FoundOrder& order, const NotifyEntry& word) {
    return order.record.view().body == word.body && order.final_answer && order.final_answer->source == Source::live &&
           order.final_answer->outcome == to_outcome(word.verdict);
}

// A pass does not undo a less permissive live answer that came after it, also one that came while it was being written.
bool outdone(const Recalled& known, const NotifyEntry& word) {
    const auto& found = known.order;
    if (word.verdict == Verdict::fail) return false;
    if (!found || !found->final_answer || found->final_answer->source != Source::live) return false;
    const Answer& live = *found->final_answer;
    return permits(static_cast<Verdict>(live.outcome)) < permits(word.verdict) && live.decided_at >= word.received;
}

// Whether the memory holds something of the subject that the centre has said after this word came.
bool outlived(const OutcomeRecord& memory, const NotifyEntry& word) {
    return memory.evidence != word.body && memory.decided.wall > word.received;
}

// As of the call that the word is about: the order may have been asked again since, after a revocation. Where it
// confirms what the centre has said of this verification before, what it does not say again holds on.
Recorded write_down(Parts& parts, const Snapshot& snapshot, LiveRecord record, const NotifyEntry& word,
                    const Recalled& known, Now now) {
    const auto& [order, memory] = known;
    record.asked_epoch = word.epoch;
    CentreOutcome outcome;
    outcome.verdict = word.verdict;
    outcome.verification_id = word.verification_id;
    outcome.score = word.score;
    outcome.max_age = word.max_age;
    if (order && confirms(*order, word)) {
        if (!outcome.score) outcome.score = order->final_answer->score;
        if (outcome.verification_id.empty()) outcome.verification_id = order->verification_id;
        if (!order->raw.body.empty()) record.raw = &order->raw;
    }
    record.remember = !memory || !outlived(*memory, word);
    if (memory && memory->evidence == word.body && memory->outcome.verdict == word.verdict) {
        if (!outcome.max_age) outcome.max_age = memory->outcome.max_age;
        outcome.feature = memory->outcome.feature;
        outcome.feature_model = memory->outcome.feature_model;
    }
    const Nanos age = std::max(Nanos(0), Nanos(now.wall - word.sent));
    return record_decided(parts, snapshot, record, std::move(outcome), {now.mono - age, word.sent}, now);
}

// Whether everything that the word changes is as it says.
bool applied(const Parts& parts, const LiveRecord& record, const NotifyEntry& word, const Recalled& known, Now now) {
    const auto& [order, memory] = known;
    if (!order || !confirms(*order, word)) return false;
    if (word.score && word.score != order->final_answer->score) return false;
    if (memory && outlived(*memory, word)) return true;
    const SceneRuntime* scene = parts.snapshot->scene(record.scene);
    if (!memory && (scene == nullptr || now.wall - word.sent > scene->max_age)) return true;  // no rung would answer it
    const bool same = memory && memory->evidence == word.body && memory->outcome.verdict == word.verdict;
    if (word.verdict != Verdict::pass) return same;
    if (!word.max_age) return true;
    return same && memory->outcome.max_age && *memory->outcome.max_age <= *word.max_age;
}

void apply(Parts& parts, const LiveRecord& record, const NotifyEntry& word, Now now) {
    if (hidden(parts, record, word.epoch)) return;
    const Recalled known = recalled(parts, record, now);
    if (outdone(known, word) || applied(parts, record, word, known, now)) return;
    write_down(parts, *parts.snapshot, record, word, known, now);
}

// What was taken, or was `again`, is entered, then confirmed.
void enter(Parts& parts, const Notification& n, const std::string& credential, bool again,
           const std::function<void(Noticed)>& done) {
    if (again) return journal_copy(parts, n, credential, [done] { done(Noticed::duplicate); });
    journal_notice(parts, n, credential, Noticed::taken, [done] { done(Noticed::taken); });
}

// Confirms what was heard before. It is written again, since the first write may still be under way.
void confirm(Parts& parts, const std::string& credential, const Notification& n, const NotifyEntry& word,
             const std::function<void(Noticed)>& done) {
    parts.notify.put(credential, n.order_no, word, [&parts, n, credential, done](const Result<void>& written) {
        written ? enter(parts, n, credential, true, done) : done(Noticed::failed);
    });
}

// A copy of what was taken may come when the order's own record has left: it is one all the same.
bool confirm_again(Parts& parts, const Notification& n, const std::function<void(Noticed)>& done) {
    for (const std::string& credential : possible_owners(parts, n)) {
        const auto before = parts.notify.find(credential, n.order_no);
        if (!before || !before->knows(n.id)) continue;
        confirm(parts, credential, n, *before, done);
        return true;
    }
    return false;
}

// Makes it the word about one of the orders that it is about.
void give(Parts& parts, const Notification& n, const FoundOrder& found, std::function<void(Noticed)> done) {
    const LiveRecord record = found.record.view();
    // With what was kept of the same verification, whose number it may be the first to tell: it goes by its time too.
    const std::string& number = found.verification_id.empty() ? n.verification_id : found.verification_id;
    const auto before = place(parts, *parts.snapshot, record, number, parts.loop.now(),
                              found.final_answer ? &*found.final_answer : nullptr);
    const bool again = before && before->knows(n.id);
    // It was about an order that had the number before: this one is not its affair.
    if (again && before->body != record.body) return confirm(parts, std::string(record.credential), n, *before, done);
    // A copy is written like the first, which may not be on disk yet: what is confirmed is there.
    const bool revoked = before && hidden(parts, record, before->epoch);
    NotifyEntry word = again ? *before : standing_after(before, revoked, found, n, parts.loop.now().wall);
    // From now on, not from when it is on disk.
    if (word.verdict != Verdict::pass && !hidden(parts, record, word.epoch))
        parts.refusals.note(memory_key(record), parts.loop.now().mono);
    // What follows the disk gets values only.
    parts.notify.put(record.credential, record.order_no, word,
                     [&parts, n, kept = found.record, word, again, done = std::move(done)](Result<void> written) {
                         if (!written) {
                             log::error("notification: not durable: {}", written.error().detail);
                             return done(Noticed::failed);
                         }
                         apply(parts, kept.view(), word, parts.loop.now());
                         enter(parts, n, std::string(kept.view().credential), again, done);
                     });
}

// What became of a word about several orders: it failed where it failed for one, else it is new where it is for one.
struct AllOf {
    std::size_t left;
    Noticed what;
    std::function<void(Noticed)> done;
    void sum(Noticed one) {
        if (one == Noticed::failed || (one == Noticed::taken && what != Noticed::failed)) what = one;
    }
};

}  // namespace

std::string_view name(Noticed noticed) {
    constexpr std::array<std::string_view, 5> kNames{"taken", "duplicate", "undecided", "unknown", "failed"};
    return kNames[static_cast<std::size_t>(noticed)];
}

void take_notification(Parts& parts, Exchanges& exchanges, const Notification& n, std::function<void(Noticed)> done) {
    if (!n.outcome) return keep_unplaced(parts, n, Noticed::undecided, 0, std::move(done));
    std::size_t numbered = 0;
    const auto found = find_orders(parts, exchanges, n, numbered);
    if (found.empty()) {
        if (confirm_again(parts, n, done)) return;
        return keep_unplaced(parts, n, Noticed::unknown, numbered, std::move(done));
    }
    // Owners: what waits for the disk, one for each order.
    const auto all = std::make_shared<AllOf>(AllOf{found.size(), Noticed::duplicate, std::move(done)});
    for (const FoundOrder& order : found)
        give(parts, n, order, [&parts, n, all](Noticed what) {
            all->sum(what);
            if (--all->left > 0) return;
            if (all->what != Noticed::failed) drop_unplaced(parts, n);
            all->done(all->what);
        });
}

std::optional<Recorded> notified_before(Parts& parts, const Snapshot& snapshot, const LiveRecord& record,
                                        std::string_view number, Now now) {
    const auto word = place(parts, snapshot, record, number, now);
    if (!word || word->body != record.body || now.wall - word->received >= snapshot.config.orders.retain)
        return std::nullopt;
    if (hidden(parts, record, word->epoch)) return std::nullopt;
    return write_down(parts, snapshot, record, *word, recalled(parts, record, now), now);
}

void hear_numbered(Parts& parts, const std::string& credential, std::string_view order_no, Now now) {
    if (parts.unplaced.size() == 0) return;
    const auto found = find_recorded(parts, credential, order_no, now);
    if (!found || parts.unplaced.of({}, found->verification_id).empty()) return;
    const LiveRecord record = found->record.view();
    if (hidden(parts, record, record.asked_epoch)) return;
    const auto word = place(parts, *parts.snapshot, record, found->verification_id, now,
                            found->final_answer ? &*found->final_answer : nullptr);
    if (word && word->body == record.body) apply(parts, record, *word, now);
}

void restore_notified(Parts& parts, Now now) {
    const WallTime since = now.wall - parts.snapshot->config.orders.retain;
    parts.notify.each_since(since, [&parts, now](const NotifyLedger::Known& known) {
        const NotifyEntry& word = known.entry;
        const auto found = find_recorded(parts, known.credential, known.order_no, now);
        if (found && found->record.view().body == word.body) return apply(parts, found->record.view(), word, now);
        if (found || word.subject.empty()) return;
        // The order's own record had not reached the disk, or is lost. A pass answers it, and nobody else from memory:
        // what the centre has said of the subject since may be lost too.
        LiveRecord record{known.credential, word.subject, word.scene, word.device, known.order_no, word.body};
        record.asked_epoch = word.epoch;
        record.remember_pass = false;
        apply(parts, record, word, now);
    });
}

}  // namespace holdfast
