// The set files that prechecks name: read at start, and again when one changes (by its stamp), off the loop. A file
// that cannot be read or does not parse keeps the old set and says so.
//
// A changed file is read when two looks find it alike: one that is being written in place may lack half of its lines.
// One that never stands still is read all the same when it was put in place by rename, which is whole, or when lines
// are only added to what the set in force was made from, to the end of its last whole line; else it is said that the
// former set stays.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "edge/file_stamp.h"
#include "edge/net/loop.h"
#include "edge/net/offload.h"
#include "edge/snapshot.h"

namespace holdfast {

// Fifty bytes for each of kValueSetMax values, of which most are names and numbers; all of it is in memory while read.
inline constexpr std::size_t kSetFileBytesMax = 256u << 20;

// The set in a file of at most kSetFileBytesMax. Errors are those of read_regular_file, and invalid when it does not
// parse; their details begin with the path.
Result<std::shared_ptr<const ValueSet>> read_value_set(const std::string& path);

// What a set was made from, to know it again as the beginning of a longer text.
struct SetText {
    std::size_t bytes = 0;
    std::array<std::uint8_t, 32> sha256{};
    bool begins(std::string_view text) const;
};

class SetFiles {
  public:
    static constexpr Nanos kCheckEvery = 2s;
    // Looks that find it changed again before it counts as never standing still: 10 s, as a file of half a million
    // lines takes to be written over a slow network file system.
    static constexpr unsigned kLooksMax = 5;

    struct Loaded {
        FileStamp stamp;
        SetText text;
        std::shared_ptr<const ValueSet> set;  // owners: this, then the rules that name the file
    };
    using Sets = std::map<std::string, Loaded>;  // by path

    // Reads all files that the rules name; may run off the loop. Code::invalid or io, naming the file, when one cannot
    // be had: then nobody may start with them.
    static Result<Sets> load(const std::vector<PrecheckRule>& rules);
    // Gives the sets to the snapshot's rules, and follows the files. Requires: `sets` holds every file of theirs.
    static std::unique_ptr<SetFiles> open(std::shared_ptr<Snapshot> snapshot, Sets sets, Loop& loop, Offload& offload);

  private:
    struct Moving {
        FileStamp stamp;
        unsigned looks = 0;     // in a row that found another one
        bool replaced = false;  // by another file since the look before
    };
    struct Seen {
        FileStamp stamp;
        SetText text;
    };
    struct Read {
        std::string path;
        Result<Loaded> loaded;
        FileStamp stamp;  // also of one that could not be read
    };
    static Result<Loaded> read(const std::string& path, const FileStamp& stamp);
    // The same of a file that goes on growing, without a line that is not whole yet; nothing when it is not what
    // `before` was and more.
    static std::optional<Result<Loaded>> read_grown(const std::string& path, const FileStamp& stamp,
                                                    const SetText& before);
    SetFiles(std::shared_ptr<Snapshot> snapshot, Loop& loop, Offload& offload);
    void check();
    void take(Read& read);

    std::shared_ptr<Snapshot> snapshot_;  // owners: the node, exchanges in flight, and this
    Loop& loop_;
    Offload& offload_;
    std::map<std::string, Seen> seen_;          // what the sets in force were made from
    std::map<std::string, Moving> moving_;      // as of the last check: read when it has stood still since
    std::set<std::string> unreadable_;      // and told of
    std::unique_ptr<Timer> timer_;
    std::unique_ptr<OffloadHandle> reading_;
};

}  // namespace holdfast
