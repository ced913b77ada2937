// The configurations that were in force, on disk: the last good ones with when, from where and by whom, and the hold
// that a rollback leaves. Files, so that an operator can read them while the node is down. All of it waits for the
// disk: it runs off the loop, or before there is one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "edge/base/result.h"
#include "edge/base/time.h"
#include "edge/config.h"

namespace holdfast {

struct ConfigVersion {
    std::uint64_t generation = 0;
    std::string hash;
    WallTime time{};  // when it came into force
    std::string kind;    // file, etcd, consul, nacos, rollback
    std::string source;  // for people: the path, or what lay over it
    std::string by;      // "uid 0", "SIGHUP", "file watch", "etcd", "start"
    std::string why;     // of a rollback; may be empty
    std::uint64_t of = 0;  // a rollback: the generation whose texts these are
    std::uint64_t remote_revision = 0;  // of the remote text; 0: none, or the source has no revisions
    ConfigTexts texts;
};

// A rollback stands: the texts of `generation` are in force, not the file and not the remote source, until an operator
// reloads.
struct ConfigHold {
    std::uint64_t generation = 0;  // whose texts are held
    WallTime since{};
    std::string by, why;
};

class ConfigHistory {
  public:
    static constexpr std::size_t kVersionsMax = 20;  // kept; the oldest leaves, but never the held one

    explicit ConfigHistory(std::string folder) : folder_(std::move(folder)) {}
    // On disk when it returns; the oldest beyond kVersionsMax leaves.
    Result<void> keep(const ConfigVersion& version) const;
    // Without their texts, the newest first; what does not read back is left out.
    std::vector<ConfigVersion> list() const;
    std::optional<ConfigVersion> newest() const;  // whole
    std::optional<ConfigVersion> newest_of(const std::string& remote_name) const;  // whole, with a text of that source
    Result<ConfigVersion> read(std::uint64_t generation) const;
    // What `rollback` without a number means: the newest before `now_in_force` that differs from it.
    std::optional<std::uint64_t> previous(std::uint64_t now_in_force, const std::string& hash) const;

    Result<void> hold(const ConfigHold& hold) const;
    Result<void> release() const;  // also when nothing is held
    Result<void> hold_only(const std::optional<ConfigHold>& wanted) const;  // one of the two
    std::optional<ConfigHold> held() const;

  private:
    std::vector<std::uint64_t> generations() const;  // ascending
    std::string path(std::uint64_t generation) const;
    Result<void> write(const std::string& path, const std::string& text) const;
    std::string folder_;
};

}  // namespace holdfast
