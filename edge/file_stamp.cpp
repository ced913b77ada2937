#include "edge/file_stamp.h"

#include <sys/stat.h>

namespace holdfast {
namespace {

std::int64_t nanos_of(const timespec& t) {
    return std::int64_t(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

FileStamp stamp_of(const std::string& path) {
    struct stat s {};
    if (::stat(path.c_str(), &s) != 0) return {};
    return {nanos_of(s.st_mtim), nanos_of(s.st_ctim), std::int64_t(s.st_size), s.st_dev, s.st_ino};
}

FileStamps stamps_of(const std::vector<std::string>& paths) {
    FileStamps out;
    for (const std::string& path : paths) out.emplace(path, stamp_of(path));
    return out;
}

}  // namespace holdfast
