// The few file operations that the stores share: whole small files, folders that only we may read, and the syncs that
// make a name durable. Synchronous: at start or in Offload jobs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "edge/base/result.h"

namespace holdfast::files {

// A descriptor that closes itself.
class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
    Fd& operator=(Fd&& o) noexcept {
        std::swap(fd_, o.fd_);
        return *this;
    }
    ~Fd();
    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

  private:
    int fd_ = -1;
};

// full for no space and file size limits, not_found, exists, denied, else io; the detail names the path.
Error error_of(int errno_value, std::string_view what, const std::string& path);
// The detail of a failed write, and what an operator does about it where the disk is full.
std::string told(const Error& error);
Result<void> make_dir(const std::string& path); // 0700, parents too; fine when it is there
Result<void> sync_dir(const std::string& path);
Result<std::string> read_file(const std::string& path, std::size_t bytes_max);
struct Head {
    std::string bytes;      // fewer than asked for where the file is shorter
    std::uint64_t size = 0; // of the file
};
Result<Head> read_head(const std::string& path, std::size_t bytes);
// Writes a new file, syncs it and its folder. Code::exists when there is one; on failure none is left behind. Under its
// name it is whole: a crash may leave the one with kBegun behind the name, which the next write of it takes over.
inline constexpr std::string_view kBegun = ".new";
Result<void> write_new_file(const std::string& path, std::string_view bytes);
Result<void> write_all(int fd, std::string_view bytes, const std::string& path);
std::string parent_of(const std::string& path);
bool exists(const std::string& path);
std::uint64_t size_of(const std::string& path); // 0 when missing

} // namespace holdfast::files
