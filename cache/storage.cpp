#include "cache/storage.h"

#include "cache/files.h"
#include "cache/journal_memory.h"
#include "cache/storage_state.h"
#include "edge/base/log.h"

namespace holdfast {

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

WallTime Storage::house_time() const {
    return state_->clock.at(state_->loop.now()).wall;
}

StorageHealth Storage::health() const {
    const State& s = *state_;
    StorageHealth out;
    out.cache = s.cache_env.health();
    out.state = s.state_env.health();
    out.journal = s.journal->health();
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
    return s.values.sound() && s.journal->health().ok && s.evidence;
}

bool Storage::untold_loss() const {
    return state_->untold;
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
    const auto after_evidence = [s, done = std::move(done)] { s->drain_journal(State::kDrainsMax - 1, done); };
    // An erasure ends with an entry of the journal.
    if (s->evidence)
        s->evidence->drain(after_evidence);
    else
        after_evidence();
}

}  // namespace holdfast
