// Looks an environment over before it is opened. LMDB has no checksums and dies on damage, so the walk runs in a child
// process: a child that dies, hangs or finds something wrong condemns the file, and the parent lives.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/time.h"

namespace holdfast {

// What the file's two meta pages say, read as bytes, without LMDB.
enum class MetaCheck {
    missing, // no file
    sound,
    suspicious, // sound, but the file is shorter than its last page: only a walk can tell
    damaged,    // empty, cut within the metas, no valid meta, or roots beyond the end
    foreign,    // of another version of LMDB or another page size
};
MetaCheck check_meta(const std::string& data_file, std::string& why);

// Walks of the same databases differ in depth.
enum class ScanDepth {
    head,   // the format record alone
    quick,  // the names, the format record, the free pages, first and last entry of each database
    full,   // every entry: order, framing, seal, and that there are as many as the database says
};

enum class ScanVerdict {
    sound,
    damaged,   // the child died, hung, or found a wrong entry
    foreign,   // another format, or databases that are not ours
    other_key, // ours, but sealed under another key
};

// Of what is in an environment, for each kind of it; another one is moved aside. 1: keys by another hash. Of cache/ 2:
// orders each under its own key.
inline constexpr std::uint32_t kFormatVersion = 2, kCacheFormatVersion = 3;

struct ScanRequest {
    std::string dir;
    std::uint64_t map_bytes = 0;
    std::vector<std::string> dbs; // the first is the one with the format record
    std::array<char, 16> key_check{};
    ScanDepth depth = ScanDepth::quick;
    Nanos limit = 60s;
    std::uint32_t version = kFormatVersion;
    // Whether an entry (not of the first database) is one of ours and unharmed; called in the child. `generation` is
    // the format record's.
    std::function<bool(std::uint64_t generation, std::size_t db, std::string_view key, std::string_view value)> verify;
};

struct ScanReport {
    ScanVerdict verdict = ScanVerdict::damaged;
    std::string why; // for the log; empty when sound
};

// Requires: nobody has the environment open, but for the head, of which `other_key` is true then too. Blocks for at
// most `limit`: at start only.
ScanReport scan_environment(const ScanRequest& request);

// Whether the state/ that is at `dir` is sealed under another key than `key`: a start with it would know nothing of
// before. For looking only, also while a node runs; false as well where that cannot be told.
bool is_under_other_key(const std::string& dir, std::span<const std::uint8_t, 32> key);

// The format record: says which version wrote the environment, under which key, and gives it an identity that every
// record is bound to.
inline constexpr std::string_view kFormatKey = "format";
// Beside it: why what was there before was moved aside, until somebody accepts the loss.
inline constexpr std::string_view kUnsoundKey = "unsound";
struct Format {
    std::array<char, 16> key_check{};
    std::uint64_t generation = 0;
};
enum class FormatCheck { good, foreign, other_key };
std::string encode_format(const Format& format, std::uint32_t version = kFormatVersion);
FormatCheck decode_format(std::string_view bytes, const std::array<char, 16>& key_check, Format& out,
                          std::uint32_t version = kFormatVersion);

} // namespace holdfast
