#include "cache/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace holdfast::files {

Fd::~Fd() {
    if (fd_ >= 0) ::close(fd_);
}

Error error_of(int errno_value, std::string_view what, const std::string& path) {
    Code code = Code::io;
    if (errno_value == ENOSPC || errno_value == EDQUOT || errno_value == EFBIG) code = Code::full;
    if (errno_value == ENOENT) code = Code::not_found;
    if (errno_value == EEXIST) code = Code::exists;
    if (errno_value == EACCES || errno_value == EPERM || errno_value == EROFS) code = Code::denied;
    return Error{code, Origin::store, false,
                 fmt::format("{} {}: {}", what, path, std::system_category().message(errno_value))};
}

std::string told(const Error& error) {
    return error.code == Code::full ? error.detail + " (free space on its disk, or raise the quota)" : error.detail;
}

Result<void> make_dir(const std::string& path) {
    if (path.empty()) return {};
    if (::mkdir(path.c_str(), 0700) == 0) return sync_dir(parent_of(path));
    if (errno == EEXIST) {
        if (std::error_code ec; std::filesystem::is_directory(path, ec)) return {};
        return tl::unexpected(error_of(ENOTDIR, "make the folder", path));
    }
    if (errno != ENOENT) return tl::unexpected(error_of(errno, "make the folder", path));
    const std::string parent = parent_of(path);
    if (parent == path) return tl::unexpected(error_of(ENOENT, "make the folder", path));
    if (auto made = make_dir(parent); !made) return made;
    if (::mkdir(path.c_str(), 0700) != 0) return tl::unexpected(error_of(errno, "make the folder", path));
    return sync_dir(parent);
}

Result<void> sync_dir(const std::string& path) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return tl::unexpected(error_of(errno, "open the folder", path));
    // Some file systems do not sync folders; their names are durable by other means.
    if (::fsync(fd.get()) != 0 && errno != EINVAL) return tl::unexpected(error_of(errno, "sync the folder", path));
    return {};
}

Result<Head> read_head(const std::string& path, std::size_t bytes) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) return tl::unexpected(error_of(errno, "open", path));
    struct stat st {};
    if (::fstat(fd.get(), &st) != 0) return tl::unexpected(error_of(errno, "stat", path));
    Head out{std::string(std::min<std::uint64_t>(bytes, static_cast<std::uint64_t>(st.st_size)), '\0'),
             static_cast<std::uint64_t>(st.st_size)};
    std::size_t at = 0;
    while (at < out.bytes.size()) {
        const ssize_t n = ::pread(fd.get(), out.bytes.data() + at, out.bytes.size() - at, static_cast<off_t>(at));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return tl::unexpected(error_of(errno, "read", path));
        if (n == 0) break;
        at += static_cast<std::size_t>(n);
    }
    out.bytes.resize(at);
    return out;
}

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
    auto head = read_head(path, bytes_max);
    if (!head) return tl::unexpected(head.error());
    if (head->size > bytes_max) return fail(Code::too_large, Origin::store, path + " is larger than it can be");
    return std::move(head->bytes);
}

Result<void> write_all(int fd, std::string_view bytes, const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return tl::unexpected(error_of(errno, "write", path));
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

Result<void> write_new_file(const std::string& path, std::string_view bytes) {
    const std::string begun = path + std::string(kBegun);
    Fd fd(::open(begun.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return tl::unexpected(error_of(errno, "make", path));
    Result<void> done = write_all(fd.get(), bytes, path);
    if (done && ::fsync(fd.get()) != 0) done = tl::unexpected(error_of(errno, "sync", path));
    // Unlike a rename this replaces nothing, on any file system with hard links.
    if (done && ::link(begun.c_str(), path.c_str()) != 0) done = tl::unexpected(error_of(errno, "make", path));
    ::unlink(begun.c_str());
    if (!done) return done;
    done = sync_dir(parent_of(path));
    if (!done) ::unlink(path.c_str());
    return done;
}

std::string parent_of(const std::string& path) {
    std::string out = std::filesystem::path(path).parent_path().string();
    return out.empty() ? "." : out;
}

bool exists(const std::string& path) {
    struct stat st {};
    return ::lstat(path.c_str(), &st) == 0;
}

std::uint64_t size_of(const std::string& path) {
    struct stat st {};
    return ::stat(path.c_str(), &st) == 0 ? static_cast<std::uint64_t>(st.st_size) : 0;
}

} // namespace holdfast::files
