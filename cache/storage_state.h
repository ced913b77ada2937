// The inside of Storage: which parts there are, in the order in which they are made. Shared by the files that open it
// (storage.cpp) and that tie it to its journal and end it (storage_journal.cpp). Not for others.
#pragma once

#include "cache/lmdb_outcome_store.h"
#include "cache/revocations.h"
#include "cache/storage.h"
#include "cache/store_env.h"
#include "cache/sweeper.h"

namespace holdfast {

struct JournalLost;
struct JournalMemory;
StoreEnvOptions env_options(const StorageOptions& options, std::string part, std::uint64_t bytes,
                            std::uint64_t generation);

struct Storage::State {
    // Drains of the journal, and of state/ behind it, which remembers its head: an entry that comes while one is under
    // way is the next one's. In the last the journal takes no more, so a drain ends whatever still comes.
    static constexpr int kDrainsMax = 4;

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
          values(state_env),
          clock(values.get(kClockLineName).value_or(""), boot_id(), loop.now()),
          outcomes(cache_env, revocations),
          orders(cache_env, options.orders_retain, options.orders_known, clock.ahead(loop.now()),
                 [this] { return outcomes.wall_high(); }),
          nonces(state_env, options.nonce_window),
          sweeper(cache_env, state_env, outcomes, orders, nonces, revocations, clock, values) {}

    StorageOptions options;
    Loop& loop;
    Offload& offload;
    StorageObserver observer;
    StateEnv state_env;
    CacheEnv cache_env;  // bound to the identity of state/: without its revocations it must not be believed
    Revocations revocations;
    StateStore values;
    HouseClock clock;
    LmdbOutcomeStore outcomes;
    OrderLedger orders;
    NonceLog nonces;
    Sweeper sweeper;
    std::unique_ptr<Journal> journal;
    std::unique_ptr<EvidenceVault> evidence;
    PartHealth evidence_missing;
    std::uint64_t missing = 0;           // an entry that state/ remembers and the journal has not
    std::size_t set_aside = 0;           // files of what was cut off the journal, when last looked
    std::uint64_t unwritten_before = 0;  // entries of the journal that former ends have lost and no entry tells of yet
    bool untold = false;                 // entries are lost at this end, and the next start will not know
    std::vector<std::string> notes;
    std::unique_ptr<OffloadHandle> closing;
    bool journal_whole = false;  // while draining: its files end with head()

    void watch_loading();
    void open_journal();
    void journal_opened(const JournalMemory& remembered, JournalLost lost);
    void open_evidence();
    void lost_state(const std::string& what);
    void note_unwritten();
    void tell_unwritten(bool noted);
    void check_journal_head(const JournalMemory& remembered);
    bool journal_told();
    void drain_journal(int drains_left, std::function<void(Result<void>)> done);
    void drain_envs(int drains_left, std::function<void(Result<void>)> done);
    void close(const Result<void>& drained, std::function<void(Result<void>)> done);
};

}  // namespace holdfast
