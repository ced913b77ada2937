// What ties a storage to its journal: what state/ remembers of it, and the end, at which each has the other's last
// word.
#include "cache/files.h"
#include "cache/journal_memory.h"
#include "cache/journal_reader.h"
#include "cache/storage_state.h"
#include "edge/base/log.h"

namespace holdfast {

void Storage::State::open_journal() {
    const JournalMemory remembered = recall_journal(values);
    const auto noted = noted_unwritten(values);
    const auto on_head = [this](const JournalHead& head) {
        remember_head(values, head);
        unwritten_before = 0;  // the note about them is among the first that it takes
        note_unwritten();
    };
    JournalOptions of_journal{options.data_dir + "/journal", remembered.head};
    of_journal.fault = options.journal_fault;
    const auto on_failure = [this] { note_unwritten(); };
    auto opened = Journal::open(of_journal, loop, offload, on_head, on_failure);
    remember_exact(values, opened.has_value());
    if (opened) {
        journal = std::move(*opened);
        return journal_opened(remembered, recall_unwritten(noted, journal->head()));
    }
    log::error("journal/ could not be opened, which is tried again: {}", files::told(opened.error()));
    evidence_missing = {false, "evidence cannot be kept without a journal"};
    unwritten_before = recall_unwritten(noted, {}).entries;
    const auto on_open = [this, remembered, noted] {
        const auto before = static_cast<std::ptrdiff_t>(notes.size());
        remember_exact(values, true);
        journal_opened(remembered, recall_unwritten(noted, journal->head()));
        if (observer.journal_opened) observer.journal_opened({notes.begin() + before, notes.end()});
    };
    journal = Journal::open_later(std::move(of_journal), opened.error(), loop, offload, on_head, on_failure, on_open);
}

void Storage::State::journal_opened(const JournalMemory& remembered, JournalLost lost) {
    if (std::string cut = told_cut(journal->opened()); !cut.empty()) notes.push_back(std::move(cut));
    set_aside = journal_set_aside(journal->dir());
    check_journal_head(remembered);
    unwritten_before = lost.entries;
    if (lost.entries > 0) notes.push_back(std::move(lost.told));
    open_evidence();
}

void Storage::State::open_evidence() {
    EvidenceOptions vault;
    vault.dir = journal->dir() + "/evidence";
    vault.bytes_max = options.reconcile_bytes;
    vault.retain = options.reconcile_retain;
    vault.ahead = clock.ahead(loop.now());
    vault.key = derive_key(options.key, "evidence vault");
    auto kept = EvidenceVault::open(std::move(vault), loop, offload);
    if (kept) {
        evidence = std::move(*kept);
        return;
    }
    evidence_missing = {false, kept.error().detail};
    log::error("journal/evidence/ could not be opened, there is no provisional answer: {}", kept.error().detail);
}

// So that an end of any kind leaves word of what the journal has not taken.
void Storage::State::note_unwritten() {
    JournalUnwritten left = journal->unwritten();
    // How far a journal has come that is not open nobody knows: what is counted from there would be too little.
    if (!journal->is_open()) left.lost = left.entries;
    remember_unwritten(values, journal->head(), left, unwritten_before);
}

void Storage::State::tell_unwritten(bool noted) {
    if (journal_whole) return;
    const JournalUnwritten left = journal->unwritten();
    if (left.entries == 0) return;
    log::error("journal/ could not be written: {} entries are lost{}{}{}", left.entries,
               left.kinds.empty() ? "" : ", of ", left.kinds, noted ? "" : "; the next start will not know of them");
    untold = !noted;
}

void Storage::State::lost_state(const std::string& what) {
    values.declare_unsound(what);
    nonces.distrust();
    notes.push_back(what);
}

void Storage::State::check_journal_head(const JournalMemory& remembered) {
    const JournalHead &known = remembered.head, &is = journal->head();
    if (!journal->opened().has_remembered) {
        missing = known.seq;
        notes.push_back("journal/: " + told_damage(missing, 0));
    }
    if (!state_env.open()) return;
    GuardedEnv& guarded = state_env.guarded();
    // A first start has no journal: what was in state/ was taken away. A start that died may have begun it anew.
    const bool anew = guarded.fresh() ? !guarded.moved_aside()
                                      : guarded.crashed() && guarded.unproved() && known.seq == 0 && values.sound();
    if (anew && is.seq > 0) return lost_state("state/ is missing although the journal has entries");
    // After a crash state/ may be behind by what the last moments wrote.
    if (!remembered.exact || !guarded.unproved() || is.seq <= known.seq) return guarded.prove();
    revocations.hide_all(loop.now());
    lost_state("state/ is an older one that was put back, or a run could not open it: it ends with entry " +
               std::to_string(known.seq) + " of the journal, which has " + std::to_string(is.seq));
}

// Whether state/ has on disk how the journal ends, and what the journal has taken meanwhile too.
bool Storage::State::journal_told() {
    const JournalMemory now = recall_journal(values);
    if (!journal_whole) return !now.exact;
    const bool waits = journal->health().queued > 0 || state_env.batch().owes();
    return !waits && now.exact && now.head.seq == journal->head().seq;
}

// The journal first, then its head with all else in state/.
void Storage::State::drain_journal(int drains_left, std::function<void(Result<void>)> done) {
    journal->drain([this, drains_left, done = std::move(done)](const Result<void>& written) {
        // A write that failed may have left whole entries in the file.
        journal_whole = written && journal->health().ok;
        if (journal_whole) {
            if (drains_left == 0) journal->stop();
            remember_head(values, journal->head());
        }
        note_unwritten();
        remember_exact(values, journal_whole);
        drain_envs(drains_left, done);
    });
}

void Storage::State::drain_envs(int drains_left, std::function<void(Result<void>)> done) {
    if (!state_env.open()) return close(tl::unexpected(state_env.error()), std::move(done));
    state_env.batch().drain([this, drains_left, done = std::move(done)](const Result<void>& first) {
        if (!cache_env.open()) return close(first, done);
        cache_env.batch().drain([this, drains_left, first, done](const Result<void>& second) {
            if (!first || !second) return close(first ? second : first, done);
            if (!journal_told() && drains_left > 0) return drain_journal(drains_left - 1, done);
            if (journal_whole) journal->stop();
            close({}, done);
        });
    });
}

void Storage::State::close(const Result<void>& drained, std::function<void(Result<void>)> done) {
    if (state_env.open()) state_env.batch().stop();
    if (cache_env.open()) cache_env.batch().stop();
    tell_unwritten(state_env.open() && !state_env.batch().owes());
    if (!drained) return done(drained);
    const auto result = std::make_shared<Result<void>>();  // owners: the work, then its callback
    std::vector<std::shared_ptr<lmdb::Env>> envs;
    if (state_env.open()) envs.push_back(state_env.guarded().env());
    if (cache_env.open()) envs.push_back(cache_env.guarded().env());
    closing = offload.run(
        [envs, result] {
            for (const auto& env : envs)
                if (auto synced = env->sync(); !synced) *result = synced;
        },
        [this, result, done = std::move(done)] {
            for (StoreEnv* env : {static_cast<StoreEnv*>(&state_env), static_cast<StoreEnv*>(&cache_env)})
                if (*result && env->open())
                    if (auto marked = env->guarded().mark_clean(); !marked) *result = marked;
            done(*result);
        });
}

}  // namespace holdfast
