// The values of a StateStore that may be too many for memory: nothing of them is held here but what is not yet on disk.
// A get costs a look into the file and an opening, some microseconds.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/durable.h"

namespace holdfast {

class StateEnv;

class DiskValues {
  public:
    // So much of the file may be in use, by whatever, when another value comes: the rest is for nonces, budgets and
    // overrides. Beyond it a new value is refused (full), and one that is there may change.
    static constexpr std::uint64_t kShare = 2; // the half

    // Requires: `env` outlives it.
    explicit DiskValues(StateEnv& env) : env_(env) {}
    // Nothing: erases. get() sees it at once; without a `done` nobody waits, and it is given up when the disk is ill.
    void write(std::string_view name, std::optional<std::string_view> bytes, Durable done);
    std::optional<std::string> get(std::string_view name);
    // Those that begin with `prefix`, at most `max`, those from the name `from` on; by name.
    using Named = std::vector<std::pair<std::string, std::string>>;
    Named list(std::string_view prefix, std::string_view from, std::size_t max);
    std::size_t count(std::string_view prefix);
    // Says it again when something cannot be read: an operator has accepted what was lost.
    void reset_told() { told_ = false; }

  private:
    struct Fresh {
        std::optional<std::string> value; // nothing: erased
        std::uint64_t serial = 0;         // of the write that made it
    };
    struct Row {
        std::string_view name;
        std::string_view sealed;  // on disk, or:
        const Fresh* fresh = nullptr;
    };
    template <class Each>
    void walk(std::string_view prefix, std::string_view from, const Each& each);
    std::optional<std::string> opened(std::string_view name, std::string_view sealed);
    void unreadable(const Error& error);

    StateEnv& env_;
    std::map<std::string, Fresh, std::less<>> fresh_; // not yet on disk
    std::uint64_t serial_ = 0;
    bool told_ = false; // that the file cannot be read
};

} // namespace holdfast
