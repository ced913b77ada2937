// Everything under data_dir, opened together: cache/ (outcomes, orders), state/ (small values, revocations, nonces),
// journal/ with its evidence. It decides what a failing part means: without cache/ the node forwards and remembers
// nothing, without a sound state/ cached pass and provisional are off, without a journal there is no provisional. All
// methods on the loop.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cache/durable.h"
#include "cache/evidence_vault.h"
#include "cache/journal.h"
#include "cache/nonce_log.h"
#include "cache/order_ledger.h"
#include "cache/outcome_store.h"
#include "cache/state_store.h"
#include "edge/net/loop.h"
#include "edge/net/offload.h"

namespace holdfast {

struct StorageOptions {
    std::string data_dir;
    std::array<std::uint8_t, 32> key{};     // the bytes of cache.key_file
    std::uint64_t cache_bytes = 1ull << 30; // cache.size
    std::uint64_t state_bytes = 1ull << 29;
    Seconds nonce_window{300};  // auth.window
    Nanos orders_retain = 6h;
    Nanos orders_known{0};  // for how long it is known whose an order was, where that is longer
    std::uint64_t reconcile_bytes = 1ull << 30;
    Nanos reconcile_retain = 24h;
    Nanos scan_limit = 60s; // for the scan of a damaged-looking environment
    // Tests: called before each read of state/, before each commit of cache/; not 0 is the errno to fail with.
    std::function<int()> state_read_fault, cache_fault, journal_fault;  // the last: as JournalOptions::fault
};

struct StorageHealth {
    PartHealth cache, state, journal, evidence;
    bool sound = true; // of state/
    std::string unsound_reason;
    bool nonces_durable = true;
    // Of the journal: what is known to be cut off it, removed or changed, although it works; empty: nothing.
    std::string journal_damage;
    std::vector<std::string> notes; // what opening found and did: moved aside, cut, begun anew, forgotten
};

class Storage {
  public:
    // Fails only when data_dir cannot be made or another process has it; everything else opens with a part missing.
    static Result<std::unique_ptr<Storage>> open(StorageOptions options, Loop& loop, Offload& offload,
                                                 StorageObserver observer = {});
    // Without a drain() before it, what is still queued is lost as by a kill -9, and the next start scans the files.
    ~Storage();

    OutcomeStore& outcomes();
    OrderLedger& orders();
    StateStore& state();
    NonceLog& nonces();
    Journal* journal();         // never nullptr: one that cannot be opened is ill, and opened as soon as it can be
    EvidenceVault* evidence();  // nothing while the journal is not open, or when it could not be opened itself
    // Hex of the keyed hash that stands for a subject in the journal.
    std::string subject_tag(std::string_view subject);
    // Which state/ this is: another one knows nothing of the revocations of before. 0: there is none.
    std::uint64_t generation() const;
    // By which things are erased: the wall clock, but for a step ahead that has not stood yet (house_clock.h).
    WallTime house_time() const;
    StorageHealth health() const;
    // How many files of what was cut off the journal lie beside it, says whoever has looked since the start.
    void set_aside(std::size_t files);
    std::uint64_t cache_bytes_used() const;
    // What a provisional answer needs: sound state, a working journal, a vault.
    bool can_answer_provisional() const;
    // Commits and syncs all that is queued, marks a clean end; `done` on the loop. For the end of a drain.
    void drain(std::function<void(Result<void>)> done);
    // After a drain(): entries of the journal are lost, and state/ could not take how many, for the next start.
    bool untold_loss() const;
    // The process ends over a drain() that goes on: the next start is to know that what is left was not written.
    void abandon();

  private:
    struct State;
    explicit Storage(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace holdfast
