#include "edge/base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>

namespace holdfast {
namespace {

constexpr std::uint64_t kSizeLeast = 4095;  // files of /proc state 0

auto failed(int errno_value) {
    const Code code = errno_value == ENOENT ? Code::not_found : errno_value == EACCES ? Code::denied : Code::io;
    return fail(code, Origin::local, std::strerror(errno_value));
}

}  // namespace

Result<std::string> read_regular_file(const std::string& path, std::size_t bytes_max) {
    // Not blocking: of a pipe nobody may ever write the other end.
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(fd < 0 ? nullptr : ::fdopen(fd, "r"), &std::fclose);
    if (file == nullptr) return failed(errno);
    struct stat info {};
    if (::fstat(fd, &info) != 0) return failed(errno);
    if (!S_ISREG(info.st_mode)) return fail(Code::invalid, Origin::local, "is not a regular file");
    const auto too_large = fail(Code::too_large, Origin::local, fmt::format("has more than {} bytes", bytes_max));
    const auto stated = static_cast<std::uint64_t>(info.st_size);
    if (stated > bytes_max) return too_large;
    std::string text(std::min<std::uint64_t>(std::max(stated, kSizeLeast), bytes_max) + 1, '\0');
    std::size_t had = 0;
    while (const std::size_t n = std::fread(text.data() + had, 1, text.size() - had, file.get())) {
        had += n;
        if (had > bytes_max) return too_large;
        if (had == text.size()) text.resize(std::min(2 * had, bytes_max + 1));
    }
    if (std::ferror(file.get()) != 0) return failed(errno);
    text.resize(had);
    return text;
}

}  // namespace holdfast
