// The inside of NonceLog, which the sweeper also works on: what waits for the next commit, and the doubt that the guard
// holds on its behalf. Not for others.
#pragma once

#include <utility>
#include <vector>

#include "cache/nonce_log.h"
#include "cache/store_env.h"

namespace holdfast {

inline constexpr std::size_t kNoncesPerValue = 2048;
inline constexpr std::size_t kNoncesWaitingMax = 1'000'000; // while the disk does not take them: 24 MB
inline constexpr Nanos kNonceKeepBeyond = 10min;            // on disk beyond their expiry, should the clock be set back
inline constexpr Nanos kDoubtHold = 20min; // a start that could not trust the log tells the next ones for so long

struct NonceLog::State {
    StateEnv& env;
    std::vector<std::pair<NonceFingerprint, WallTime>> waiting{}; // for the next commit
    std::uint64_t next = 1;                                       // sequence number of the next value
    std::optional<WallTime> floor{};
    std::uint64_t lost = 0;
    WallTime lost_until{}; // the last expiry of a lost one
    bool held = false;     // the guard holds its doubt on our behalf
    MonoTime hold_until{};

    Result<void> find_next();
    void close(); // one value, or a few, of all that waits
    void hold(Nanos how_long);
    void release_doubt(Now now);
    void distrust();
};

// Erases values whose last nonce is over, oldest first. For a batch's task.
int trim_nonces(lmdb::Txn& txn, std::int64_t now_seconds, std::size_t erase_max);

} // namespace holdfast
