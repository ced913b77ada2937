// What a file looks like from outside, to notice without reading it that it is another one or has been written: what
// its path leads to, so every link on the way and every folder may have been exchanged. May block where the file system
// does: at start, or off the loop.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace holdfast {

struct FileStamp {
    std::int64_t mtime_ns = 0, ctime_ns = 0, size = -1;  // size -1: it cannot be had
    std::uint64_t device = 0, inode = 0;
    bool operator==(const FileStamp&) const = default;
};

FileStamp stamp_of(const std::string& path);

using FileStamps = std::map<std::string, FileStamp>;  // by path
FileStamps stamps_of(const std::vector<std::string>& paths);

}  // namespace holdfast
