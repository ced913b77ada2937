// Small values that must outlive a restart: overrides, budgets, the circuit's snapshot, the outage, the epoch. Names
// are chosen by their owners ("override/node", "budget/LOGIN"). They are held in memory as well, so reading costs a map
// lookup, but for those whose names begin with one of kOnDisk: they may be many, and are read from the file. Each is
// sealed on disk, so a damaged one is missing, never wrong.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/durable.h"
#include "edge/base/time.h"

namespace holdfast {

inline constexpr std::size_t kStateNameMax = 200;        // bytes
inline constexpr std::size_t kStateValueMax = 64u << 10; // bytes
inline constexpr std::size_t kStateEntriesMax = 100'000; // in memory
inline constexpr std::string_view kOnDisk[] = {"notify/", "unplaced/"};

class StateEnv;

class StateStore {
  public:
    explicit StateStore(StateEnv& env);
    ~StateStore();
    // get() sees the value at once; `done` says whether it is on disk. On an error get() sees the former value again.
    void put_durable(std::string_view name, std::string_view bytes, Durable done);
    // The same without a word: retried until it is on disk; within 100 ms while the disk is well. For budgets and
    // snapshots.
    void put_soon(std::string_view name, std::string_view bytes);
    void erase(std::string_view name, Durable done);
    // Of kOnDisk it is given up when the disk is ill: get() then sees it again.
    void erase_soon(std::string_view name);
    // One of kOnDisk that cannot be read is not there, and state/ is not sound from then.
    std::optional<std::string> get(std::string_view name) const;
    using Named = std::vector<std::pair<std::string, std::string>>;
    Named list(std::string_view prefix) const; // by name; all of them: at start, or where they are few
    // At most `max` of them, those from the name `from` on.
    Named list(std::string_view prefix, std::string_view from, std::size_t max) const;
    std::size_t count(std::string_view prefix) const; // goes through all of them: at start

    // False: what the node knew is lost (damage, another key), so cached pass and provisional are off until
    // reset_sound(). Survives restarts.
    bool sound() const;
    const std::string& unsound_reason() const;
    // What was known is lost, says somebody who can tell. Synchronous: at start only.
    void declare_unsound(std::string_view reason);
    // The operator accepts the loss (`holdfastctl state reset`). `done` when that is durable; sound() holds from then.
    void reset_sound(std::string_view reason, Durable done);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// Goes through the values of a prefix again and again, at each call a few, so that no turn of the loop is long however
// many there are; rests between two laps.
class StateWalk {
  public:
    // Copying and decoding one takes some 4 us where memory is cold: a tenth of the 10 ms that a turn may take.
    static constexpr std::size_t kStepMax = 256;
    static constexpr Nanos kRest = 60s; // nothing here is kept by the minute

    explicit StateWalk(std::string_view prefix) : prefix_(prefix) {}
    // The next ones; none while it rests. A clock that was set back ends the rest.
    StateStore::Named step(const StateStore& state, WallTime now);

  private:
    std::string prefix_, from_; // `from_` is empty between two laps
    WallTime ended_{};
};

} // namespace holdfast
