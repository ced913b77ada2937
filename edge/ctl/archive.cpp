#include "edge/ctl/archive.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "edge/base/check.h"

namespace holdfast::ctl {
namespace {

constexpr std::size_t kBlock = 512;

// Octal digits, right-aligned, and a NUL.
void put_octal(char* at, std::size_t size, std::uint64_t value) {
    at[--size] = 0;
    while (size > 0) {
        at[--size] = static_cast<char>('0' + (value & 7));
        value >>= 3;
    }
}

std::string part_of(const std::string& path) {
    return path + ".part";
}

}  // namespace

struct Archive::State {
    gzFile file = nullptr;
    std::string path;
    bool failed = false;

    void write(std::string_view bytes) {
        if (!bytes.empty() && ::gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())) <= 0) failed = true;
    }
};

Archive::Archive(std::unique_ptr<State> state) : state_(std::move(state)) {}

Archive::~Archive() {
    if (state_->file == nullptr) return;
    ::gzclose(state_->file);
    ::unlink(part_of(state_->path).c_str());
}

Result<std::unique_ptr<Archive>> Archive::create(const std::string& path) {
    const auto refused = [&path](int error) {
        return fail(Code::io, Origin::local, fmt::format("{} cannot be made: {}", path, std::strerror(error)));
    };
    struct stat there {};
    if (::lstat(path.c_str(), &there) == 0) return refused(EEXIST);
    const int fd = ::open(part_of(path).c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return refused(errno);
    // One that lies there is of a run that was interrupted, unless that still has its lock, or it is somebody else's.
    struct stat part {};
    const bool ours = ::flock(fd, LOCK_EX | LOCK_NB) == 0 && ::fstat(fd, &part) == 0 && part.st_uid == ::geteuid() &&
                      ::fchmod(fd, 0600) == 0 && ::ftruncate(fd, 0) == 0;
    if (!ours) {
        ::close(fd);
        return refused(EEXIST);
    }
    auto state = std::make_unique<State>();
    state->path = path;
    state->file = ::gzdopen(fd, "wb6");
    if (state->file == nullptr) {
        ::close(fd);
        return fail(Code::full, Origin::local, "no memory for the archive");
    }
    return std::unique_ptr<Archive>(new Archive(std::move(state)));
}

void Archive::add(std::string_view name, std::string_view bytes, WallTime time) {
    HF_CHECK(name.size() <= kNameMax);
    std::array<char, kBlock> head{};
    std::copy(name.begin(), name.end(), head.begin());
    put_octal(&head[100], 8, 0600);
    put_octal(&head[108], 8, 0);
    put_octal(&head[116], 8, 0);
    put_octal(&head[124], 12, bytes.size());
    put_octal(&head[136], 12, static_cast<std::uint64_t>(unix_seconds(time)));
    head[156] = '0';
    std::memcpy(&head[257], "ustar\00000", 8);
    std::memset(&head[148], ' ', 8);  // the sum is taken with blanks in its place
    std::uint64_t sum = 0;
    for (const char c : head) sum += static_cast<unsigned char>(c);
    put_octal(&head[148], 7, sum);
    state_->write({head.data(), head.size()});
    state_->write(bytes);
    if (const std::size_t rest = bytes.size() % kBlock; rest != 0) state_->write(std::string(kBlock - rest, '\0'));
}

Result<void> Archive::finish() {
    state_->write(std::string(2 * kBlock, '\0'));
    const bool closed = ::gzclose(std::exchange(state_->file, nullptr)) == Z_OK;
    const std::string part = part_of(state_->path);
    const bool whole = !state_->failed && closed && ::rename(part.c_str(), state_->path.c_str()) == 0;
    if (!whole) ::unlink(part.c_str());
    if (!whole) return fail(Code::io, Origin::local, state_->path + " could not be written whole");
    return {};
}

}  // namespace holdfast::ctl
