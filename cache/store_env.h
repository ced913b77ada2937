// The two environments with what all their stores share: the guarded LMDB, the batch that writes it and the codec. An
// environment that could not be opened is one without memory: reads find nothing, writes are refused, and health says
// why.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cache/durable.h"
#include "cache/guarded_env.h"
#include "cache/record.h"
#include "cache/write_batch.h"
#include "edge/net/loop.h"
#include "edge/net/offload.h"

namespace holdfast {

inline constexpr lmdb::Db kCacheMeta = 0, kOutcomes = 1, kOrders = 2; // kOrders and the kOrderParts - 1 after it
inline constexpr std::size_t kOrderParts = 8;
inline constexpr lmdb::Db kStateMeta = 0, kValues = 1, kRevocations = 2, kNonces = 3;

struct StoreEnvOptions {
    std::string dir;
    std::string part; // "cache" or "state"
    std::uint64_t bytes = 0;
    SecretKey key{};
    Nanos scan_limit = 60s;
    std::uint64_t generation = 0; // see GuardOptions
    std::function<int()> fault, read_fault; // see lmdb::EnvOptions
    Nanos linger = kBatchLinger;
};

class StoreEnv {
  public:
    StoreEnv(StoreEnvOptions options, Loop& loop, Offload& offload, const StorageObserver& observer,
             std::vector<std::string> dbs, bool always_full);

    bool open() const { return batch_ != nullptr; }
    const Error& error() const { return error_; } // why not
    GuardedEnv& guarded() { return *guarded_; }   // Requires: open()
    WriteBatch& batch() { return *batch_; }       // Requires: open()
    lmdb::Env& env() { return *batch_->env(); }   // Requires: open()
    Codec& codec() { return codec_; }             // the loop's
    std::shared_ptr<Codec> new_codec() const;     // of the same keys, for another thread; Requires: open()
    std::uint64_t bytes_max() const { return bytes_max_; }
    Loop& loop() { return loop_; }
    const StorageObserver& observer() const { return observer_; }
    PartHealth health() const;
    // Tells `done`, if there is one, in a later turn: of a write that was not begun.
    void tell(Durable done, Result<void> result);

    // A value that is sealed as it is: for everything but outcomes and orders.
    std::string seal_value(lmdb::Db db, std::string_view key, std::string_view plain);
    std::optional<std::string> open_value(lmdb::Db db, std::string_view key, std::string_view value);
    // All of `db` that opens, in order, but for what `skip` names; an error when it could not be read to its end (io,
    // …) or when some of it does not verify (corrupt): what `each` got is then not all. Success without a call when it
    // is not open.
    Result<void> load(lmdb::Db db, const std::function<void(std::string_view key, std::string_view plain)>& each,
                      const std::function<bool(std::string_view key)>& skip = {});
    // Something was not read whole, says load() or whoever read by himself: the first sentence stays, and the listener,
    // of which there is one, is told each time.
    void load_failed(const Error& error);
    const std::string& load_failure() const { return load_failure_; } // empty: none
    void on_load_failure(std::function<void(const std::string&)> told) { on_load_failure_ = std::move(told); }

  private:
    Loop& loop_;
    const StorageObserver& observer_;
    std::uint64_t bytes_max_;
    std::shared_ptr<GuardedEnv> guarded_; // owners: this, and the batch, whose work tells it about failures
    std::unique_ptr<WriteBatch> batch_;
    SecretKey key_;
    Codec codec_;
    Error error_;
    std::string load_failure_;
    std::function<void(const std::string&)> on_load_failure_;
};

class CacheEnv : public StoreEnv {
  public:
    CacheEnv(StoreEnvOptions options, Loop& loop, Offload& offload, const StorageObserver& observer);
};

class StateEnv : public StoreEnv {
  public:
    StateEnv(StoreEnvOptions options, Loop& loop, Offload& offload, const StorageObserver& observer);
};

} // namespace holdfast
