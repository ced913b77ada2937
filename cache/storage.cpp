#include "cache/storage.h"

#include "cache/files.h"
#include "cache/journal_memory.h"
#include "cache/journal_reader.h"
#include "cache/lmdb_outcome_store.h"
#include "cache/revocations.h"
#include "cache/store_env.h"
#include "cache/sweeper.h"
#include "edge/base/log.h"

namespace holdfast {
namespace {

// Of the journal, and of state/ behind it, which remembers its head: an entry that comes while one is under way is the
// next one's. In the last the journal takes no more, so a drain ends whatever still comes.
constexpr int kDrainsMax = 4;

StoreEnvOptions env_options(const StorageOptions& o, std::string part, std::uint64_t bytes, std::uint64_t generation) {
    StoreEnvOptions out;
    if (part == "state") out.read_fault = o.state_read_fault;
    if (part == "cache") out.fault = o.cache_fault;
    out.dir = o.data_dir + "/" + part;
    out.part = std::move(part);
    out.bytes = bytes;
    out.key = o.key;
    out.scan_limit = o.scan_limit;
    out.generation = generation;
    return out;
}

} // namespace

struct Storage::State {
    State(StorageOptions o, Loop& l, Offload& off, StorageObserver ob)
        : options(std::move(o)),
          loop(l),
          offload(off),
          observer(std::move(ob)),
          state_env(env_options(options, "state", options.state_bytes, 0), l, off, observer),
          cache_env(env_options(options, "cache", options.cache_bytes,
                                state_env.open() ? state_env.guarded().generation() : 0),
                    l, off, observer),
          revocations(state_env),
          outcomes(cache_env, revocations),
          orders(cache_env, options.orders_retain, options.orders_known),
          values(state_env),
          nonces(state_env),
          sweeper(cache_env, state_env, outcomes, orders, nonces, revocations) {}

    StorageOptions options;
    Loop& loop;
    Offload& offload;
    StorageObserver observer;
    StateEnv state_env;
    CacheEnv cache_env; // bound to the identity of state/: without its revocations it must not be believed
    Revocations revocations;
    LmdbOutcomeStore outcomes;
    OrderLedger orders;
    StateStore values;
    NonceLog nonces;
    Sweeper sweeper;
    std::unique_ptr<Journal> journal;
    std::unique_ptr<EvidenceVault> evidence;
    PartHealth journal_missing, evidence_missing;
    std::uint64_t missing = 0;  // an entry that state/ remembers and the journal has not
    std::size_t set_aside = 0;  // files of what was cut off the journal, when last looked
    std::vector<std::string> notes;
    std::unique_ptr<OffloadHandle> closing;
    bool journal_whole = false;  // while draining: its files end with head()

    void watch_loading();
    void open_journal();
    void lost_state(const std::string& what);
    void check_journal_head(const JournalMemory& remembered);
    bool journal_told();
    void drain_journal(int drains_left, std::function<void(Result<void>)> done);
    void drain_envs(int drains_left, std::function<void(Result<void>)> done);
    void close(const Result<void>& drained, std::function<void(Result<void>)> done);
};

// What state/ could not read whole is lost for this run: the memory of it must not be answered from, nor its nonces.
void Storage::State::watch_loading() {
    const auto failed = [this](const std::string& what) {
        if (values.sound()) values.declare_unsound(what);
        nonces.distrust();
        notes.push_back(what);
    };
    if (revocations.blind() && state_env.open() && state_env.load_failure().empty())
        failed("a revocation in state/ is not one");
    if (!state_env.load_failure().empty()) failed(state_env.load_failure());
    state_env.on_load_failure(failed);
}

void Storage::State::open_journal() {
    const std::string dir = options.data_dir + "/journal";
    const JournalMemory remembered = recall_journal(values);
    auto opened = Journal::open({dir, remembered.head}, loop, offload,
                                [this](const JournalHead& head) { remember_head(values, head); });
    remember_exact(values, opened.has_value());
    if (!opened) {
        journal_missing = {false, opened.error().detail};
        evidence_missing = {false, "evidence cannot be kept without a journal"};
        log::error("journal/ could not be opened: {}", opened.error().detail);
        return;
    }
    journal = std::move(*opened);
    if (std::string cut = told_cut(journal->opened()); !cut.empty()) notes.push_back(std::move(cut));
    set_aside = journal_set_aside(dir);
    check_journal_head(remembered);
    EvidenceOptions vault;
    vault.dir = dir + "/evidence";
    vault.bytes_max = options.reconcile_bytes;
    vault.retain = options.reconcile_retain;
    vault.key = derive_key(options.key, "evidence vault");
    auto kept = EvidenceVault::open(std::move(vault), loop, offload);
    if (kept) {
        evidence = std::move(*kept);
        return;
    }
    evidence_missing = {false, kept.error().detail};
    log::error("journal/evidence/ could not be opened, there is no provisional answer: {}", kept.error().detail);
}

void Storage::State::lost_state(const std::string& what) {
    values.declare_unsound(what);
    nonces.distrust();
    notes.push_back(what);
}

void Storage::State::check_journal_head(const JournalMemory& remembered) {
    const JournalHead &known = remembered.head, &is = journal->head();
    if (known.seq > 0 && !has_entry(*journal, known)) {
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
    if (!journal) return drain_envs(0, std::move(done));
    journal->drain([this, drains_left, done = std::move(done)](const Result<void>& written) {
        // A write that failed may have left whole entries in the file.
        journal_whole = written && journal->health().ok;
        if (journal_whole) {
            if (drains_left == 0) journal->stop();
            remember_head(values, journal->head());
        }
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
    if (!drained) return done(drained);
    const auto result = std::make_shared<Result<void>>(); // owners: the work, then its callback
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

Result<std::unique_ptr<Storage>> Storage::open(StorageOptions options, Loop& loop, Offload& offload,
                                               StorageObserver observer) {
    if (auto made = files::make_dir(options.data_dir); !made) return tl::unexpected(made.error());
    auto s = std::make_unique<State>(std::move(options), loop, offload, std::move(observer));
    for (StoreEnv* env : {static_cast<StoreEnv*>(&s->state_env), static_cast<StoreEnv*>(&s->cache_env)}) {
        if (!env->open() && env->error().code == Code::exists) return tl::unexpected(env->error());
        if (!env->open()) s->notes.push_back(env->error().detail);
        if (env->open() && !env->guarded().note().empty()) s->notes.push_back(env->guarded().note());
    }
    if (s->cache_env.open() && s->cache_env.guarded().behind())
        s->notes.emplace_back("cache/: the last run could not write all that it decided: outcomes of before are "
                              "forgotten, orders of before are asked again");
    if (!s->orders.load_failure().empty())
        s->notes.push_back("the orders in cache/ were not all read: " + s->orders.load_failure());
    s->watch_loading();
    s->open_journal();
    return std::unique_ptr<Storage>(new Storage(std::move(s)));
}

Storage::Storage(std::unique_ptr<State> state) : state_(std::move(state)) {}
Storage::~Storage() = default;

OutcomeStore& Storage::outcomes() {
    return state_->outcomes;
}
OrderLedger& Storage::orders() {
    return state_->orders;
}
StateStore& Storage::state() {
    return state_->values;
}
NonceLog& Storage::nonces() {
    return state_->nonces;
}
Journal* Storage::journal() {
    return state_->journal.get();
}
std::uint64_t Storage::generation() const {
    return state_->state_env.open() ? state_->state_env.guarded().generation() : 0;
}

EvidenceVault* Storage::evidence() {
    return state_->evidence.get();
}
std::uint64_t Storage::cache_bytes_used() const {
    return state_->outcomes.stats().bytes;
}

std::string Storage::subject_tag(std::string_view subject) {
    const SubjectHash hash = state_->state_env.codec().subject_hash(subject);
    return to_hex(as_bytes(view_of(hash)));
}

StorageHealth Storage::health() const {
    const State& s = *state_;
    StorageHealth out;
    out.cache = s.cache_env.health();
    out.state = s.state_env.health();
    out.journal = s.journal ? s.journal->health() : s.journal_missing;
    out.evidence = s.evidence ? s.evidence->health() : s.evidence_missing;
    out.sound = s.values.sound();
    out.unsound_reason = s.values.unsound_reason();
    out.nonces_durable = s.nonces.durable();
    out.journal_damage = told_damage(s.missing, s.set_aside);
    out.notes = s.notes;
    return out;
}

bool Storage::can_answer_provisional() const {
    const State& s = *state_;
    return s.values.sound() && s.journal && s.journal->health().ok && s.evidence;
}

void Storage::set_aside(std::size_t files) {
    state_->set_aside = files;
}

void Storage::abandon() {
    for (StoreEnv* env : {static_cast<StoreEnv*>(&state_->state_env), static_cast<StoreEnv*>(&state_->cache_env)})
        if (env->open() && env->batch().owes()) env->guarded().abandon();
}

void Storage::drain(std::function<void(Result<void>)> done) {
    State* s = state_.get();
    // A journal that cannot be written must not keep the stores from ending cleanly.
    const auto after_evidence = [s, done = std::move(done)] { s->drain_journal(kDrainsMax - 1, done); };
    // An erasure ends with an entry of the journal.
    if (s->evidence)
        s->evidence->drain(after_evidence);
    else
        after_evidence();
}

} // namespace holdfast
