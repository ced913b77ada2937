// The inside of NonceLog, which the sweeper also works on: what waits for the next commit, and the doubt that the guard
// holds on its behalf. Not for others.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "cache/nonce_log.h"
#include "cache/store_env.h"

namespace holdfast {

inline constexpr std::size_t kNoncesPerValue = 2048;
inline constexpr std::size_t kNoncesWaitingMax = 1'000'000; // while the disk does not take them: 24 MB
inline constexpr Nanos kNonceKeepBeyond = 10min;            // on disk beyond their expiry, should the clock be set back
// How long after a start that could not trust the log the next ones need its floor: auth.window is at most an hour.
inline constexpr Nanos kFloorKept = 1h + kNonceKeepBeyond;
// Beside format and mark of state/: the floor of the last start that could not trust the log, sealed.
inline constexpr std::string_view kFloorKey = "nonce-floor";
// Likewise: the newest timestamp of what has left the log.
inline constexpr std::string_view kLeftKey = "nonce-left";

struct NonceLog::State {
    StateEnv& env;
    Seconds window;
    std::vector<std::pair<NonceFingerprint, WallTime>> waiting{}; // for the next commit
    std::uint64_t next = 1;                                       // sequence number of the next value
    std::optional<WallTime> floor{};
    MonoTime floor_mono{};           // the same moment
    std::optional<WallTime> left{};  // the newest timestamp of what has left the log
    bool distrusted = false;  // the floor is of this start, not of one before
    std::uint64_t lost = 0;
    WallTime lost_until{}; // the last expiry of a lost one
    bool held = false;     // the guard holds its doubt on our behalf
    MonoTime hold_until{};

    Result<void> begin();  // what is on disk: the number of the next value, the floor, and what has left
    Result<std::string> kept(lmdb::Txn& txn, std::string_view key);
    Result<void> keep_floor();
    // Queues the erasure of values whose last nonce is over, oldest first; false: there are none, or no room.
    bool trim(WallTime now, std::size_t erase_max, Durable done);
    void close(); // one value, or a few, of all that waits
    void hold(Nanos how_long);
    void release_doubt(Now now);
    void distrust();
};

// Values whose last nonce is over, oldest first.
struct NoncesOver {
    std::size_t values = 0;
    std::string last;   // key of the last of them
    WallTime newest{};  // timestamp in them
};
NoncesOver nonces_over(lmdb::Txn& txn, std::int64_t now_seconds, std::size_t max);
// Erases values up to the key `last`. For a batch's task.
int trim_nonces(lmdb::Txn& txn, std::string_view last);

} // namespace holdfast
