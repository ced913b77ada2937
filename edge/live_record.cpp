#include "edge/live_record.h"

#include <algorithm>

#include "edge/base/log.h"
#include "edge/recorded_answer.h"
#include "edge/standing_word.h"
#include "edge/unplaced.h"
#include "policy/decision.h"

namespace holdfast {

namespace {

// The centre has just said less than the word that stands, which must not come back when the order's record is lost.
void outdo(Parts& parts, const LiveRecord& record, NotifyEntry word, const CentreOutcome& said, Now now) {
    word.verdict = said.verdict;
    word.score = said.score;
    word.max_age = said.max_age;
    word.verification_id = said.verification_id;
    word.sent = word.received = now.wall;
    word.stamp = {};
    parts.notify.put(record.credential, record.order_no, word, [&parts](const Result<void>& written) {
        if (!written && parts.unplaced_lines.allow(parts.loop.now().mono))
            log::error("notification: an older word could not be replaced: {}", written.error().detail);
    });
}

// The shortest time for which some rung would answer a pass: of what is younger than a tenth of that, none says
// otherwise than of what has just come.
Nanos shortest_age(const CentreOutcome& outcome, const ScenePolicy& policy) {
    Nanos out = Nanos::max();
    const auto limit = [&out](Nanos age) {
        if (age > Nanos(0)) out = std::min(out, age);
    };
    if (policy.ladder.has(Rung::cache)) limit(policy.cache.max_age);
    if (policy.ladder.has(Rung::feature) && !outcome.feature.empty()) limit(policy.feature.max_age);
    if (outcome.max_age) limit(std::min(*outcome.max_age, std::chrono::duration_cast<Seconds>(kOutcomeKeepMax)));
    return out == Nanos::max() ? Nanos(0) : out;
}

OrderKey key_of(Parts& parts, const LiveRecord& record) {
    return record.key ? *record.key : parts.storage.orders().key(record.credential, record.order_no);
}

// Whether a call that nobody waits for has nothing more to say of the order: its number has been used again since, or
// it was asked before a revocation that the order's newer record is younger than.
bool is_outdated(const Parts& parts, const LiveRecord& record, const OrderRecord& order) {
    if (order.body != record.body) return true;
    return order.epoch > record.asked_epoch && hidden(parts, record, record.asked_epoch);
}

// Whether a pass has no place in the memory: what speaks against the subject has come here since it was asked, or what
// is known was decided later.
bool has_newer(Parts& parts, const LiveRecord& record, const SubjectKey& key, Now decided, Now now) {
    if (record.asked && parts.refusals.since(key, *record.asked)) return true;
    const bool of_before = decided.mono < now.mono;
    const bool word_since = record.asked && parts.refusals.any_number_since(*record.asked);
    if (!of_before && !word_since) return false;  // nothing to look for
    const Remembered known = remembered_of(parts, key, now);
    if (of_before) {
        if (known.outcome && known.outcome->decided.wall >= decided.wall) return true;
        const auto lost = parts.distrust.refusal(key);
        if (lost && lost->decided.wall >= decided.wall && !hidden(parts, record, lost->epoch)) return true;
    }
    return word_since && known.overruled &&
           parts.refusals.number_since(known.outcome->outcome.verification_id, *record.asked);
}

// A refusal of before, where there is a later one: of the two what lets through less, as young as the later one, so
// that no pass from between them takes their place.
void join_later(Parts& parts, const SubjectKey& key, OutcomeRecord& refusal, Now now) {
    if (refusal.decided.mono >= now.mono) return;
    auto known = parts.storage.outcomes().find(key, now);
    if (!known || known->outcome.verdict == Verdict::pass || known->decided.wall <= refusal.decided.wall) return;
    const Now later{now.mono - known->age, known->decided.wall};  // also of another boot
    if (permits(known->outcome.verdict) < permits(refusal.outcome.verdict)) refusal = std::move(*known);
    refusal.decided = later;
    refusal.boot = 0;  // this one
}

bool over(const Parts& parts, const Snapshot& snapshot, const LiveRecord& record, const NotifyEntry& word, Now now) {
    if (now.wall - word.received >= snapshot.config.orders.retain) return true;
    return word.epoch < record.asked_epoch && hidden(parts, record, word.epoch);
}

}  // namespace

bool has_final(const Parts& parts, const LiveRecord& record, const OrderRecord& order) {
    return order.final && order.body == record.body && !hidden(parts, record, order.epoch);
}

Recorded record_live(Parts& parts, const Snapshot& snapshot, LiveRecord record, CentreOutcome outcome, Now now) {
    auto word = place(parts, snapshot, record, outcome.verification_id, now);
    if (word && (word->body != record.body || over(parts, snapshot, record, *word, now))) word.reset();
    if (word && permits(outcome.verdict) < permits(word->verdict)) outdo(parts, record, *word, outcome, now);
    if (word && word->verdict != Verdict::pass && outcome.verdict == Verdict::pass) {
        outcome = CentreOutcome{};
        outcome.verdict = word->verdict;
        outcome.verification_id = word->verification_id;
        outcome.score = word->score;
        outcome.max_age = word->max_age;
        record.raw = nullptr;  // it is not what stands
    }
    return record_decided(parts, snapshot, record, std::move(outcome), now, now);
}

std::optional<Answer> record_aside(Parts& parts, const Snapshot& snapshot, const LiveRecord& record,
                                   CentreOutcome outcome, Now now) {
    const auto order = parts.storage.orders().find(record.credential, record.order_no, now);
    if (order && is_outdated(parts, record, *order)) return std::nullopt;
    if (order && has_final(parts, record, *order)) {
        auto said = decode_recorded(order->answer);
        if (said && permits(outcome.verdict) >= permits(static_cast<Verdict>(said->answer.outcome)))
            return std::move(said->answer);
    }
    ++parts.words_aside;
    return record_live(parts, snapshot, record, std::move(outcome), now).answer;
}

std::string pending_number(const Parts& parts, const LiveRecord& record, const OrderRecord& order) {
    if (order.body != record.body || order.replaced || hidden(parts, record, order.epoch)) return {};
    auto known = decode_order(order.answer);
    if (!known) return {};
    return known->pending ? std::move(known->verification_id) : std::move(known->pending_id);
}

std::string record_pending(Parts& parts, const LiveRecord& record, std::string_view id, Now now) {
    const auto found = parts.storage.orders().find(record.credential, record.order_no, now);
    if (found && (found->body != record.body || has_final(parts, record, *found))) return std::string(id);
    OrderRecord order;
    order.body = record.body;
    order.epoch = record.asked_epoch;
    order.decided = now;
    std::string number = id.empty() && found ? pending_number(parts, record, *found) : std::string(id);
    order.answer = encode_unanswered({std::nullopt,
                                      true,
                                      std::string(record.scene),
                                      std::string(record.subject),
                                      std::string(record.device),
                                      number,
                                      {},
                                      record.other_app,
                                      {},
                                      !record.remember_pass});
    parts.storage.orders().put(key_of(parts, record), std::move(order), now);
    return number;
}

void record_pending_aside(Parts& parts, const Snapshot& snapshot, const LiveRecord& record, std::string_view id,
                          Now now) {
    auto order = parts.storage.orders().find(record.credential, record.order_no, now);
    if (order && (is_outdated(parts, record, *order) || has_final(parts, record, *order))) return;
    if (!id.empty() && notified_before(parts, snapshot, record, id, now)) return;
    const bool stands = order && !order->replaced && !hidden(parts, record, order->epoch);
    const auto known = stands ? decode_recorded(order->answer) : std::nullopt;
    if (!known || !known->answer.degraded()) {
        record_pending(parts, record, id, now);
        return;
    }
    if (id.empty()) return;
    order->answer = encode(known->answer, record.scene, record.subject, record.device, nullptr,
                           OrderNotes{record.other_app, id, !record.remember_pass});
    parts.storage.orders().put(key_of(parts, record), std::move(*order), now);
}

Recorded record_decided(Parts& parts, const Snapshot& snapshot, const LiveRecord& record, CentreOutcome outcome,
                        Now decided, Now now) {
    static const ScenePolicy kNoPolicy;
    const SceneRuntime* scene = snapshot.scene(record.scene);
    const ScenePolicy& policy = scene == nullptr ? kNoPolicy : scene->config->policy;
    Recorded out;
    Answer& answer = out.answer;
    answer.outcome = to_outcome(outcome.verdict);
    answer.source = Source::live;
    answer.score = outcome.score;
    answer.decided_at = decided.wall;
    const Nanos age = now.mono - decided.mono;
    const CachedFacts facts{true, outcome.verdict, age, names_device(record.device), outcome.max_age, false};
    answer.expires_at = now.wall + cache_ttl(facts, policy, Terms{});
    answer.verification_id = outcome.verification_id;
    if (!record.past) {
        OrderRecord order;
        order.body = record.body;
        order.final = true;
        order.epoch = record.asked_epoch;
        order.decided = now;
        order.answer = encode(answer, record.scene, record.subject, record.device, record.raw,
                              OrderNotes{record.other_app, {}, !record.remember_pass});
        parts.storage.orders().put(key_of(parts, record), std::move(order), now);
    }
    const SubjectKey key = memory_key(record);
    const bool pass = outcome.verdict == Verdict::pass;
    if (!record.remember || (pass && !record.remember_pass)) return out;
    if (!pass && !hidden(parts, record, record.asked_epoch)) parts.refusals.note(key, now.mono);
    // Where nothing is answered from memory, a pass of before must not be found again when that changes back.
    const bool kept = scene != nullptr && scene->max_age > Nanos(0);
    if (!kept && (pass || !parts.storage.outcomes().find(key, now))) return out;
    const Nanos max_age = kept ? scene->max_age : kOutcomeKeepMax;
    // An answer that must not be remembered still takes the place of the one before it, as a record that no rung
    // answers: else an older pass would outlive it.
    const bool forbidden = outcome.max_age && *outcome.max_age <= Seconds(0);
    const bool may_fall_back = !forbidden && pass;
    OutcomeRecord memory;
    memory.outcome = std::move(outcome);
    if (forbidden) memory.outcome.feature.clear();
    memory.decided = decided;
    memory.asked_epoch = record.asked_epoch;
    memory.evidence = record.body;
    memory.by_number = snapshot.config.upstream.kind == "alipay";
    if (pass && has_newer(parts, record, key, decided, now)) return out;
    std::optional<Distrust::Refusal> refusal;
    if (!pass) {
        join_later(parts, key, memory, now);
        refusal = {memory.decided, memory.outcome.verdict, memory.outcome.max_age, memory.asked_epoch};
    }
    // A refusal is always written: one that is there already is older, and a pass may be from between the two.
    const Nanos fresh = !pass ? Nanos(0) : kept ? shortest_age(memory.outcome, policy) : max_age;
    const PutOutcome put = parts.storage.outcomes().put(key, std::move(memory), fresh, max_age, now);
    // Not at the price of everybody's memory, which a full one is, where this scene answers nothing from it now.
    if (put == PutOutcome::refused && !may_fall_back && (kept || parts.distrust.has_room(key)))
        parts.distrust.add(key, now.mono + max_age, now.mono, refusal);
    if (put == PutOutcome::queued || put == PutOutcome::unchanged) parts.distrust.forget_refusal(key);
    out.stored = !forbidden && (put == PutOutcome::queued || put == PutOutcome::unchanged);
    return out;
}

}  // namespace holdfast
