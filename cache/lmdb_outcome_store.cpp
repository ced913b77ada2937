#include "cache/lmdb_outcome_store.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "cache/wire.h"
#include "edge/base/check.h"

namespace holdfast {
namespace {

constexpr std::string_view kClockKey = "clock";
constexpr std::size_t kErasePerRevocation = 4096;

std::uint32_t drop_after(WallTime decided, Nanos keep) {
    const std::int64_t at = unix_seconds(decided + std::clamp<Nanos>(keep, Nanos(0), kOutcomeKeepMax)) + 1;
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(at, 0, UINT32_MAX - 1));
}

bool same_answer(const OutcomeRecord& known, const OutcomeRecord& next) {
    const CentreOutcome &a = known.outcome, &b = next.outcome;
    return a.verdict == b.verdict && a.max_age == b.max_age && a.feature_model == b.feature_model &&
           a.feature == b.feature && (!next.by_number || a.verification_id == b.verification_id);
}

}  // namespace

LmdbOutcomeStore::LmdbOutcomeStore(CacheEnv& env, Revocations& revocations) : env_(env), revocations_(revocations) {
    random_bytes(print_key_);
    if (!env_.open()) return;
    if (auto txn = env_.env().read()) {
        stats_.entries = txn->entries(kOutcomes);
        const auto value = txn->get(kCacheMeta, kClockKey);
        if (const auto plain = value ? env_.open_value(kCacheMeta, kClockKey, *value) : std::nullopt) {
            wire::Reader r(*plain);
            wall_high_ = WallTime(Nanos(r.i64()));
        }
    }
    env_.batch().on_close([this] {
        if (!std::exchange(wall_changed_, false)) return;
        std::string plain;
        wire::Writer(plain).i64(wall_high_.time_since_epoch().count());
        WriteOp op;
        op.db = kCacheMeta;
        op.key = kClockKey;
        op.value = env_.seal_value(kCacheMeta, kClockKey, plain);
        wall_changed_ = !env_.batch().add(std::move(op));
    });
    env_.batch().on_commit([this](const Result<void>& result) {
        if (!result) return forget_recent();
        erase_lost();
        release_doubt();
        if (auto txn = env_.env().read()) stats_.entries = txn->entries(kOutcomes);
    });
    if (env_.guarded().behind()) forget_disk();
}

// A pass that is lost is asked again. Whatever else is lost leaves an older pass on disk: until that one is erased, or
// where there are too many of them until nothing could answer it any more, a start is to forget what it finds.
void LmdbOutcomeStore::note_lost(const OutcomeKey& key, const CentreOutcome& outcome, Nanos keep, Now now) {
    const bool forbidden = outcome.max_age && *outcome.max_age <= Seconds(0);
    if (outcome.verdict == Verdict::pass && !forbidden) return;
    if (lost_.size() < kLostKeysMax || lost_.contains(key))
        lost_[key] = 0;
    else
        lost_until_ = std::max(lost_until_, now.mono + keep);
    holding_ = true;
    env_.guarded().hold_doubt(true);
    env_.guarded().hangs(); // at once: the commit under way may be one that does
}

void LmdbOutcomeStore::erase_lost() {
    for (auto lost = lost_.begin(); lost != lost_.end(); ++lost) {
        if (lost->second != 0) continue;
        WriteOp op;
        op.kind = WriteOp::Kind::erase;
        op.db = kOutcomes;
        op.key = view_of(lost->first);
        if (!add_lost(lost, std::move(op))) return;  // the next commit makes room
    }
}

bool LmdbOutcomeStore::add_lost(std::map<OutcomeKey, std::uint64_t>::iterator lost, WriteOp op) {
    op.written = [this, key = lost->first, write = lost_writes_ + 1] {
        const auto at = lost_.find(key);
        if (at == lost_.end() || at->second != write) return;  // refused again since
        lost_.erase(at);
        release_doubt();
    };
    if (!env_.batch().add(std::move(op))) return false;
    lost->second = ++lost_writes_;
    return true;
}

// One more commit takes the doubt out of the guard.
void LmdbOutcomeStore::release_doubt() {
    if (!holding_ || !lost_.empty() || env_.loop().now().mono < lost_until_) return;
    holding_ = false;
    env_.guarded().hold_doubt(false);
    wall_changed_ = true;
    env_.batch().wake();
}

// Before whatever else is written.
void LmdbOutcomeStore::forget_disk() {
    behind_ = true;
    WriteOp op;
    op.kind = WriteOp::Kind::clear;
    op.db = kOutcomes;
    op.written = [this] { behind_ = false; };
    HF_CHECK(env_.batch().add(std::move(op)));  // at a start there is room
}

std::uint32_t LmdbOutcomeStore::tag_of(std::string_view scene) const {
    return env_.codec().scene_tag(scene);
}

LmdbOutcomeStore::Found LmdbOutcomeStore::read(const OutcomeKey& key, std::uint32_t scene_tag, Now now,
                                               OutcomeRecord& out) {
    const auto decode = [&](std::string_view value) {
        if (!env_.codec().open_outcome(key, value, out)) return Found::damaged;
        if (revocations_.hidden(view_of(key).substr(0, 16), scene_tag, out.asked_epoch)) return Found::hidden;
        auto age = record_age(out.decided, out.boot, now, wall_high_);
        if (!age && out.outcome.verdict != Verdict::pass) age = age_within_boot(out.decided, out.boot, now);
        if (!age) return Found::hidden;
        out.age = *age;
        return Found::record;
    };
    if (const WriteOp* op = env_.batch().pending(kOutcomes, view_of(key)))
        return op->kind == WriteOp::Kind::put ? decode(op->value) : Found::none;
    if (behind_) return Found::none;
    auto txn = env_.env().read();
    if (!txn) return Found::none;
    const auto value = txn->get(kOutcomes, view_of(key));
    return value ? decode(*value) : Found::none;
}

OutcomeLook LmdbOutcomeStore::look(const SubjectKey& key, Now now) {
    if (!env_.open()) return {};
    const OutcomeKey stored = env_.codec().outcome_key(key);
    OutcomeLook out{OutcomeRecord{}};
    const Found found = read(stored, tag_of(key.scene), now, *out.record);
    // Bound by the key already; a difference would be a broken codec, and nothing to answer from.
    const bool own = out.record->scene == key.scene && out.record->has_device == names_device(key.device);
    if (found == Found::record && own) return out;
    if (found == Found::hidden)
        ++stats_.hidden;
    else if (found != Found::none)
        ++stats_.damaged;
    if (found == Found::none || found == Found::damaged) recent_.forget(stored);  // the next equal answer is written
    return {std::nullopt, found == Found::hidden};
}

PutOutcome LmdbOutcomeStore::put(const SubjectKey& key, OutcomeRecord record, Nanos fresh, Nanos keep, Now now) {
    if (!env_.open() || key.scene.size() > kRecordTextMax || record.outcome.verification_id.size() > kRecordTextMax ||
        record.outcome.feature_model.size() > kRecordTextMax || record.outcome.feature.size() > kRecordFeatureMax)
        return PutOutcome::refused;
    record.scene = key.scene;
    record.has_device = names_device(key.device);
    if (record.boot == 0) record.boot = boot_id();
    const OutcomeKey stored = env_.codec().outcome_key(key);
    const std::uint32_t scene_tag = tag_of(key.scene);
    if (revocations_.hidden(view_of(stored).substr(0, 16), scene_tag, record.asked_epoch)) return PutOutcome::hidden;
    const std::uint64_t print = print_of(record);
    if (fresh > Nanos(0) && unchanged(stored, scene_tag, record, print, fresh, now)) return PutOutcome::unchanged;
    recent_.forget(stored);
    WriteOp op;
    op.db = kOutcomes;
    op.key = view_of(stored);
    env_.codec().seal_outcome(stored, record, drop_after(record.decided.wall, keep), op.value);
    const auto lost = lost_.find(stored);
    if (!(lost == lost_.end() ? env_.batch().add(std::move(op)) : add_lost(lost, std::move(op)))) {
        note_lost(stored, record.outcome, keep, now);
        return PutOutcome::refused;
    }
    note(stored, record, print);
    if (now.wall > wall_high_) {
        wall_high_ = now.wall;
        wall_changed_ = true;
    }
    return PutOutcome::queued;
}

void LmdbOutcomeStore::note_clock(WallTime now) {
    if (!env_.open() || now - wall_high_ < kClockEvery) return;
    wall_high_ = now;
    wall_changed_ = true;
    env_.batch().wake();
}

// What same_answer() compares, in one number.
std::uint64_t LmdbOutcomeStore::print_of(const OutcomeRecord& record) const {
    const CentreOutcome& o = record.outcome;
    const std::int64_t said[2] = {static_cast<std::int64_t>(o.verdict), o.max_age ? o.max_age->count() : -1};
    const auto bytes = [](const auto* at, std::size_t size) {
        return std::string_view(reinterpret_cast<const char*>(at), size);
    };
    return siphash64(print_key_, {bytes(said, sizeof said), o.feature_model,
                                  bytes(o.feature.data(), o.feature.size() * sizeof(float)),
                                  record.by_number ? std::string_view(o.verification_id) : std::string_view()});
}

// Whether an equal outcome, younger than a tenth of `fresh`, is there: by what was seen lately, else by looking.
bool LmdbOutcomeStore::unchanged(const OutcomeKey& key, std::uint32_t scene_tag, const OutcomeRecord& record,
                                 std::uint64_t print, Nanos fresh, Now now) {
    if (const RecentAnswers::Seen* seen = recent_.find(key)) {
        const Nanos by_mono = now.mono - seen->decided.mono, by_wall = now.wall - seen->decided.wall;
        const bool young = by_mono >= Nanos(0) && by_wall >= Nanos(0) && std::max(by_mono, by_wall) < fresh / 10;
        if (young && seen->print == print &&
            !revocations_.hidden(view_of(key).substr(0, 16), scene_tag, seen->asked_epoch))
            return true;
    }
    const bool found = read(key, scene_tag, now, scratch_) == Found::record;
    if (!found || scratch_.age >= fresh / 10 || !same_answer(scratch_, record)) return false;
    note(key, scratch_, print);
    return true;
}

// By this boot's clock only: of another boot's record the monotonic time means nothing.
void LmdbOutcomeStore::note(const OutcomeKey& key, const OutcomeRecord& record, std::uint64_t print) {
    if (record.boot == boot_id()) recent_.note(key, {record.decided, record.asked_epoch, print});
}

void LmdbOutcomeStore::purge(std::string_view scene, Now now, Durable done) {
    revocations_.purge(scene.empty() ? std::nullopt : std::optional(tag_of(scene)), now, std::move(done));
}

void LmdbOutcomeStore::revoke(std::string_view subject, Now now, Durable done) {
    const SubjectHash hash = env_.codec().subject_hash(subject);
    forget_recent();
    const std::uint64_t epoch = revocations_.revoke(hash, now, std::move(done));
    if (env_.open()) erase_revoked(hash, epoch);
}

void LmdbOutcomeStore::erase_revoked(const SubjectHash& subject, std::uint64_t epoch) {
    WriteOp op;
    op.kind = WriteOp::Kind::task;
    const auto count = std::make_shared<std::uint64_t>(0);  // owners: the work, then its callback
    op.task = [subject, epoch, count](lmdb::Txn& txn) {
        *count = 0;
        const std::string_view prefix = view_of(subject);
        lmdb::Cursor c = txn.cursor(kOutcomes);
        std::size_t seen = 0;
        for (bool at = c.seek(prefix); at && seen < kErasePerRevocation; at = c.next(), ++seen) {
            if (c.key().substr(0, prefix.size()) != prefix) break;
            const auto header = read_header(c.value());
            if (header && header->epoch >= epoch) continue;
            if (const int rc = c.erase(); rc != 0) return rc;
            ++*count;
        }
        return c.error();
    };
    op.done = [this, count](const Result<void>& result) {
        if (result && *count > 0 && env_.observer().evicted) env_.observer().evicted(Eviction::revoked, *count);
    };
    // The index hides them anyway; what is not erased now expires.
    if (!env_.batch().add(std::move(op))) return;
}

bool LmdbOutcomeStore::hidden(std::string_view subject, std::string_view scene, std::uint64_t at_epoch) const {
    return revocations_.hidden(view_of(env_.codec().subject_hash(subject)), tag_of(scene), at_epoch);
}

OutcomeStats LmdbOutcomeStore::stats() const {
    OutcomeStats out = stats_;
    out.bytes = env_.open() ? env_.batch().bytes_used() : 0;
    return out;
}

int walk_outcomes(lmdb::Txn& txn, const WalkRequest& q, WalkReport& report) {
    report = {};
    std::size_t erased = 0;
    lmdb::Cursor c = txn.cursor(kOutcomes);
    bool at = q.from.empty() ? c.first() : c.seek(q.from);
    for (; at && report.visited < q.visit && erased < q.erase; at = c.next(), ++report.visited) {
        const auto header = read_header(c.value());
        bool purged = header && header->epoch < q.purges.floor;
        for (const auto& [tag, epoch] : q.purges.scenes)
            purged = purged || (header && header->scene_tag == tag && header->epoch < epoch);
        const bool expired = !header || header->drop_after < q.now_seconds;
        if (!purged && !expired && !q.everything) continue;
        if (const int rc = c.erase(); rc != 0) return rc;
        ++erased;
        ++(purged ? report.purged : expired ? report.expired : report.spaced);
    }
    if (at) report.next = c.key();
    return c.error();
}

}  // namespace holdfast
