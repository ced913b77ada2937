// The two meta pages of an LMDB 0.9 file as bytes (mdb.c: MDB_page, MDB_meta; 64-bit, little-endian). LMDB trusts them
// blindly, so they are looked at before it is let near the file.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

#include "cache/env_scan.h"
#include "cache/files.h"
#include "cache/wire.h"

namespace holdfast {
namespace {

constexpr std::size_t kPageHeader = 16;
constexpr std::uint16_t kMetaFlag = 0x08;
constexpr std::uint32_t kLmdbMagic = 0xBEEFC0DE, kVersion = 1;
constexpr std::uint64_t kNoPage = UINT64_MAX;

struct Meta {
    std::uint32_t magic = 0, version = 0, page_bytes = 0;
    std::uint64_t free_root = 0, main_root = 0, last_page = 0, txn = 0;
};

std::optional<Meta> read_meta(int fd, std::uint64_t at) {
    std::array<char, kPageHeader + 136> raw{};
    if (::pread(fd, raw.data(), raw.size(), static_cast<off_t>(at)) != static_cast<ssize_t>(raw.size()))
        return std::nullopt;
    wire::Reader r({raw.data(), raw.size()});
    r.u64(); // page number
    r.u16();
    const std::uint16_t flags = r.u16();
    r.u32();
    Meta m;
    m.magic = r.u32();
    m.version = r.u32();
    r.u64(); // address
    r.u64(); // map size
    const auto tree = [&r](std::uint32_t& pad) {
        pad = r.u32();
        r.u32();        // flags, depth
        r.bytes(4 * 8); // pages of three kinds, entries
        return r.u64(); // root
    };
    std::uint32_t unused = 0;
    m.free_root = tree(m.page_bytes);
    m.main_root = tree(unused);
    m.last_page = r.u64();
    m.txn = r.u64();
    if (!r.ok() || (flags & kMetaFlag) == 0) m.magic = 0;
    return m;
}

bool root_fits(std::uint64_t root, const Meta& m, std::uint64_t file_bytes) {
    return root == kNoPage || (root >= 2 && root <= m.last_page && (root + 1) * m.page_bytes <= file_bytes);
}

} // namespace

MetaCheck check_meta(const std::string& data_file, std::string& why) {
    files::Fd fd(::open(data_file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) {
        if (errno == ENOENT) return MetaCheck::missing;
        why = "it cannot be opened";
        return MetaCheck::damaged;
    }
    const std::uint64_t bytes = files::size_of(data_file);
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    const auto damaged = [&why](std::string text) {
        why = std::move(text);
        return MetaCheck::damaged;
    };
    if (bytes < 2 * page) return damaged(fmt::format("its {} bytes hold no complete head", bytes));
    const auto first = read_meta(fd.get(), 0), second = read_meta(fd.get(), page);
    if (!first || !second) return damaged("its head cannot be read");
    for (const auto& m : {*first, *second}) {
        // LMDB reads the page size from the first meta and finds the second by it.
        if (m.magic != kLmdbMagic) return damaged("its head is not LMDB's");
        if (m.version != kVersion || m.page_bytes != page) {
            why = "it is of another version of LMDB, or has another page size";
            return MetaCheck::foreign;
        }
    }
    const Meta& newest = first->txn > second->txn ? *first : *second;
    if (newest.last_page > (1ull << 40) || !root_fits(newest.main_root, newest, bytes) ||
        !root_fits(newest.free_root, newest, bytes))
        return damaged("it is cut short: its roots are beyond its end");
    if ((newest.last_page + 1) * page > bytes) {
        why = "it is shorter than its head says";
        return MetaCheck::suspicious;
    }
    return MetaCheck::sound;
}

} // namespace holdfast
