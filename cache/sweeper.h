// What must go from the stores, in bounded steps off the loop: expired and purged outcomes, orders that are over,
// nonces and revocations that are. Also decides what goes first when the map is full: the oldest orders, then expired
// outcomes, then any. And has the wall clock recorded now and then, by which records of before a reboot are aged.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache/house_clock.h"
#include "cache/lmdb_outcome_store.h"
#include "cache/nonce_log.h"
#include "cache/order_ledger.h"
#include "cache/revocations.h"
#include "cache/state_store.h"
#include "cache/store_env.h"

namespace holdfast {

inline constexpr Nanos kSweepEvery = 250ms;
inline constexpr Nanos kSweepIdle = 1s;             // after a whole walk that found nothing
// From such a walk to the next, unless something is purged: what is over answers nobody meanwhile, it only takes room.
inline constexpr Nanos kRestBetweenLaps = 10s;
inline constexpr std::size_t kSweepVisitMax = 4096; // outcomes looked at in a tick
inline constexpr std::size_t kSweepEraseMax = 1024; // outcomes erased in a tick
inline constexpr std::size_t kRoomEraseMax = 8192;  // outcomes erased by a step that makes room
inline constexpr std::size_t kNonceEraseMax = 64;   // values of the nonce log erased in a tick
inline constexpr Nanos kReadersEvery = 1min;        // check of LMDB's table of readers

class Sweeper {
  public:
    Sweeper(CacheEnv& cache, StateEnv& state, LmdbOutcomeStore& outcomes, OrderLedger& orders, NonceLog& nonces,
            Revocations& revocations, HouseClock& clock, StateStore& values);
    void tick();

  private:
    bool walk_is_due(MonoTime now) const;
    WriteOp walk(std::size_t visit, std::size_t erase, bool everything);
    std::vector<WriteOp> make_room(int attempt);

    CacheEnv& cache_;
    StateEnv& state_;
    LmdbOutcomeStore& outcomes_;
    OrderLedger& orders_;
    NonceLog& nonces_;
    Revocations& revocations_;
    HouseClock& clock_;
    StateStore& values_;
    std::unique_ptr<Timer> timer_;
    std::string from_; // where the next walk begins
    bool walking_ = false;
    bool busy_ = true;
    bool trimming_ = false;
    MonoTime lap_ended_{};           // when the last whole walk did
    std::uint64_t lap_purges_ = 0;   // Revocations::purged() when it began
    std::uint64_t begun_purges_ = 0; // and when the present one did
    MonoTime readers_{};
};

} // namespace holdfast
