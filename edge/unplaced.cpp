#include "edge/unplaced.h"

#include <algorithm>

#include "edge/base/log.h"
#include "edge/notice_entry.h"
#include "edge/rivals.h"
#include "edge/standing_word.h"

namespace holdfast {
namespace {

UnplacedNotice notice_of(const Notification& n) {
    UnplacedNotice out;
    out.id = n.id;
    out.order_no = n.order_no;
    out.verification_id = n.verification_id;
    out.credential = n.credential;
    out.sent = n.sent;
    if (!n.outcome) return out;
    out.verdict = n.outcome->verdict;
    out.score = n.outcome->score;
    out.max_age = n.outcome->max_age;
    return out;
}

// Requires: it decides something.
Notification notification_of(const UnplacedNotice& kept) {
    Notification out;
    out.id = kept.id;
    out.order_no = kept.order_no;
    out.credential = kept.credential;
    out.verification_id = kept.verification_id;
    out.sent = kept.sent;
    out.outcome.emplace();
    out.outcome->verdict = *kept.verdict;
    out.outcome->score = kept.score;
    out.outcome->max_age = kept.max_age;
    return out;
}

bool counts(const Parts& parts, const UnplacedNotice& kept, const LiveRecord& record, std::string_view number) {
    if (!kept.verdict || record.other_app || hidden(parts, record, kept.epoch)) return false;
    const auto owners = possible_owners(parts, notification_of(kept));
    if (std::find(owners.begin(), owners.end(), record.credential) == owners.end()) return false;
    if (!number.empty() && !kept.verification_id.empty()) return number == kept.verification_id;
    return !kept.order_no.empty() && *kept.verdict != Verdict::pass;
}

// Whether it is a pass, and somebody else's order may be the one that it means.
bool is_contested(const Parts& parts, const UnplacedNotice& kept, const LiveRecord& record, Now now) {
    return *kept.verdict == Verdict::pass && has_rival(parts, parts.exchanges, notification_of(kept), record, now);
}

// Whether other orders than the one that has just heard it may be meant too, so that it stays: a refusal that does not
// say whose it is reaches all that may be.
bool may_mean_more(const Parts& parts, const Notification& n) {
    return n.outcome && n.outcome->verdict != Verdict::pass && possible_owners(parts, n).size() > 1;
}

void tell(Parts& parts, const Notification& n, Noticed what, std::size_t orders) {
    if (!parts.unplaced_lines.allow(parts.loop.now().mono)) return;
    const std::size_t held_back = parts.unplaced_lines.take_suppressed();
    if (what == Noticed::undecided)
        log::warn("notification {}: it decides nothing; kept ({} more such lines held back)", log::escape(n.id),
                  held_back);
    else
        log::warn(
            "notification {}: {} orders here have its number, and none is shown to be its own; kept for one that "
            "the centre gives the same number of its own ({} more such lines held back)",
            log::escape(n.id), orders, held_back);
}

void tell_not_durable(Parts& parts, const Result<void>& written) {
    if (written || !parts.unplaced_lines.allow(parts.loop.now().mono)) return;
    log::error("notification: not durable, kept as it was: {} ({} more such lines held back)", written.error().detail,
               parts.unplaced_lines.take_suppressed());
}

// One that an order has been given, or had heard.
struct Placed {
    UnplacedNotice notice;
    bool heard;  // before
    bool stays;  // for the orders of others
    bool shown;  // the order's number shows that it is its own, and that is not written down yet
};

// The order's word is on disk. Journalled where it is dropped: after a kill in between it is said once more, never not
// at all.
void settle(Parts& parts, const Placed& one, const std::string& credential) {
    if (!parts.unplaced.find(one.notice)) return;  // another put of it has said so
    if (!one.heard || !one.stays) journal_notice(parts, notification_of(one.notice), credential, Noticed::taken);
    if (!one.stays) return parts.unplaced.drop(one.notice);
    // Where that cannot be written it goes on to count against the memory too, until it is met again.
    if (one.shown)
        parts.unplaced.hear(one.notice, credential,
                            [&parts](const Result<void>& written) { tell_not_durable(parts, written); });
}

// When the centre has decided it; from the future: when it came.
WallTime time_of(const UnplacedNotice& kept) {
    return kept.sent != WallTime{} && kept.sent <= kept.received ? kept.sent : kept.received;
}

// The newest word that lets through less than the verification that is remembered, which it names by its number;
// between two of the same time the less permissive one. None that the order of this verification has heard: what stands
// after it is in the memory.
std::optional<UnplacedNotice> word_against(Parts& parts, const SubjectKey& key, const CentreOutcome& remembered) {
    if (remembered.verification_id.empty()) return std::nullopt;
    const LiveRecord record{key.credential, key.subject, key.scene, key.device, {}};
    auto kept = parts.unplaced.of({}, remembered.verification_id);
    std::erase_if(kept, [&](const UnplacedNotice& one) {
        return !counts(parts, one, record, remembered.verification_id) || one.was_heard_by(key.credential) ||
               permits(*one.verdict) >= permits(remembered.verdict);
    });
    const auto order = [](const UnplacedNotice& one) { return std::pair(time_of(one), -permits(*one.verdict)); };
    const auto newest =
        std::max_element(kept.begin(), kept.end(), [&](const auto& a, const auto& b) { return order(a) < order(b); });
    return newest == kept.end() ? std::nullopt : std::optional(*newest);
}

// Makes the word what is remembered.
void overrule(OutcomeRecord& memory, const UnplacedNotice& word, Now now) {
    memory.outcome.verdict = *word.verdict;
    memory.outcome.score = word.score;
    memory.outcome.max_age = word.max_age;
    memory.outcome.feature.clear();
    memory.outcome.feature_model.clear();
    memory.age = std::max(Nanos(0), Nanos(now.wall - time_of(word)));
    memory.decided = {now.mono - memory.age, time_of(word)};
}

// The refusal that could not be written down.
std::optional<OutcomeRecord> unwritten(Parts& parts, const SubjectKey& key, Now now) {
    const auto refusal = parts.distrust.refusal(key);
    if (!refusal || parts.storage.outcomes().hidden(key.subject, key.scene, refusal->epoch)) return std::nullopt;
    OutcomeRecord out;
    out.outcome.verdict = refusal->verdict;
    out.outcome.max_age = refusal->max_age;
    out.decided = refusal->decided;
    out.asked_epoch = refusal->epoch;
    out.scene = key.scene;
    out.has_device = names_device(key.device);
    out.age = now.mono - refusal->decided.mono;
    return out;
}

}  // namespace

void keep_unplaced(Parts& parts, const Notification& n, Noticed what, std::size_t orders,
                   std::function<void(Noticed)> done) {
    UnplacedNotice notice = notice_of(n);
    // A copy is written like the first, which may not be on disk yet: what is confirmed is there.
    const auto before = parts.unplaced.find(notice);
    if (before) {
        notice = *before;
    } else {
        notice.epoch = parts.storage.outcomes().epoch();
        notice.received = parts.loop.now().wall;
        if (notice.verdict && *notice.verdict != Verdict::pass && !notice.verification_id.empty())
            parts.refusals.note_number(notice.verification_id, parts.loop.now().mono);
    }
    parts.unplaced.put(notice, [&parts, n, what, orders, again = before.has_value(),
                                done = std::move(done)](const Result<void>& written) {
        if (!written) {
            if (parts.unplaced_lines.allow(parts.loop.now().mono))
                log::error("notification: not durable: {} ({} more such lines held back)", written.error().detail,
                           parts.unplaced_lines.take_suppressed());
            return done(Noticed::failed);
        }
        if (again) return journal_copy(parts, n, {}, [done] { done(Noticed::duplicate); });
        journal_notice(parts, n, {}, what, [done, what] { done(what); });
        tell(parts, n, what, orders);
    });
}

std::optional<NotifyEntry> place(Parts& parts, const Snapshot& snapshot, const LiveRecord& record,
                                 std::string_view number, Now now, const Answer* answered) {
    auto word = parts.notify.find(record.credential, record.order_no);
    if (parts.unplaced.size() == 0) return word;
    std::vector<Placed> placed;
    for (UnplacedNotice& kept : parts.unplaced.of(record.order_no, number)) {
        if (now.wall - kept.received >= snapshot.config.orders.retain) continue;
        if (!counts(parts, kept, record, number) || is_contested(parts, kept, record, now)) continue;
        const bool heard = word && word->knows(kept.id);
        if (!heard) {
            // Of an order that has been asked it is no newer than its call: a revocation since then hides both.
            LiveRecord of_then = record;
            of_then.asked_epoch = number.empty() ? kept.epoch : std::min(kept.epoch, record.asked_epoch);
            const FoundOrder found{KeptLiveRecord(of_then),
                                   answered != nullptr ? std::optional(*answered) : std::nullopt,
                                   {}};
            const bool revoked = word && hidden(parts, record, word->epoch);
            word = standing_after(word, revoked, found, notification_of(kept), kept.received);
        }
        const bool stays = may_mean_more(parts, notification_of(kept));
        const bool shown = !number.empty() && kept.verification_id == number && !kept.was_heard_by(record.credential) &&
                           kept.heard_by.size() < UnplacedLedger::kHeardByMax;
        if (!heard || !stays || shown) placed.push_back({std::move(kept), heard, stays, shown});
    }
    if (placed.empty()) return word;
    for (const Placed& one : placed)
        if (*one.notice.verdict == Verdict::pass) parts.unplaced.give(one.notice);
    parts.notify.put(
        record.credential, record.order_no, *word,
        [&parts, placed = std::move(placed), credential = std::string(record.credential)](const Result<void>& written) {
            if (!written)
                for (const Placed& one : placed) parts.unplaced.take_back(one.notice);
            if (!written) return tell_not_durable(parts, written);
            for (const Placed& one : placed) settle(parts, one, credential);
        });
    return word;  // it stands, also where it could not be put
}

Remembered remembered_of(Parts& parts, const SubjectKey& key, Now now) {
    OutcomeLook met = parts.storage.outcomes().look(key, now);
    Remembered out{std::move(met.record), false, met.hidden};
    if (!out.outcome || parts.unplaced.size() == 0) return out;
    if (const auto word = word_against(parts, key, out.outcome->outcome)) {
        out.overruled = true;
        overrule(*out.outcome, *word, now);
    }
    return out;
}

Believed believed_of(Parts& parts, const SubjectKey& key, Now now) {
    Remembered met = remembered_of(parts, key, now);
    Believed out{std::move(met.outcome), met.hidden ? RungSays::revoked : RungSays::absent};
    if (met.overruled) out.absent = RungSays::disbelieved;
    if (parts.distrust.holds(key, now.mono)) {
        out.absent = RungSays::disbelieved;
        if (auto refused = unwritten(parts, key, now)) out.outcome = std::move(refused);
        // Only a pass is not believed.
        if (out.outcome && out.outcome->outcome.verdict == Verdict::pass) out.outcome.reset();
    }
    return out;
}

CachedFacts facts_of(const OutcomeRecord& known) {
    return {true, known.outcome.verdict, known.age, known.has_device, known.outcome.max_age, false};
}

Facts facts_now(const Parts& parts, const Terms& terms) {
    Facts facts;
    facts.terms = terms;
    facts.state_sound = parts.storage.state().sound();
    facts.clock_trusted = parts.clock_trusted;
    return facts;
}

void note_known(Facts& facts, const OutcomeRecord& known, bool comparable) {
    facts.cached = facts_of(known);
    facts.feature = {!known.outcome.feature.empty(), known.outcome.verdict, known.age, comparable};
}

void drop_unplaced(Parts& parts, const Notification& n) {
    if (!may_mean_more(parts, n)) parts.unplaced.drop(notice_of(n));
}

}  // namespace holdfast
