#include "cache/env_scan.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "cache/files.h"
#include "cache/lmdb.h"
#include "cache/record.h"
#include "cache/wire.h"
#include "edge/base/crypto.h"

namespace holdfast {
namespace {

enum ChildExit { kSound = 0, kDamaged = 10, kForeign = 11, kOtherKey = 12 };
constexpr std::string_view kFormatMagic = "HOLDFAST";

// Every free page lies in the file's range, and lists are in LMDB's order (a count, then descending numbers).
bool free_list_is_sound(const lmdb::Txn& txn, std::uint64_t last_page) {
    lmdb::Cursor c = txn.free_cursor();
    for (bool at = c.first(); at; at = c.next()) {
        const std::string_view v = c.value();
        if (c.key().size() != 8 || v.size() < 8 || v.size() % 8 != 0) return false;
        wire::Reader r(v);
        const std::uint64_t n = r.u64();
        if (n > v.size() / 8 - 1) return false;
        std::uint64_t before = UINT64_MAX;
        for (std::uint64_t i = 0; i < n; ++i) {
            const std::uint64_t page = r.u64();
            if (page < 2 || page > last_page || page >= before) return false;
            before = page;
        }
    }
    return c.error() == 0;
}

bool names_are_ours(const lmdb::Txn& txn, const std::vector<std::string>& dbs) {
    lmdb::Cursor c = txn.main_cursor();
    std::size_t seen = 0;
    for (bool at = c.first(); at; at = c.next(), ++seen)
        if (std::find(dbs.begin(), dbs.end(), c.key()) == dbs.end()) return false;
    return c.error() == 0 && seen == dbs.size();
}

bool entries_are_sound(const lmdb::Txn& txn, const ScanRequest& q, std::size_t db, std::uint64_t generation) {
    lmdb::Cursor c = txn.cursor(static_cast<lmdb::Db>(db));
    std::uint64_t n = 0;
    std::string before;
    for (bool at = c.first(); at; at = c.next(), ++n) {
        if (n > 0 && c.key() <= before) return false;
        before = c.key();
        if (db != 0 && !q.verify(generation, db, c.key(), c.value())) return false;
        if (q.depth == ScanDepth::quick) break;
    }
    if (c.error() != 0) return false;
    if (q.depth == ScanDepth::full) return n == txn.entries(static_cast<lmdb::Db>(db));
    if (c.last() && db != 0 && !q.verify(generation, db, c.key(), c.value())) return false;
    return c.error() == 0;
}

// Nothing was ever committed: a first start that ended between making the file and its first commit.
bool is_empty(const ScanRequest& q) {
    lmdb::EnvOptions options{q.dir, q.map_bytes, {}};
    options.scan_only = true;
    auto env = lmdb::Env::open(options);
    if (!env) return false;
    auto txn = (*env)->read();
    if (!txn) return false;
    lmdb::Cursor c = txn->main_cursor();
    return !c.first() && c.error() == 0;
}

int walk(const ScanRequest& q) {
    if (is_empty(q)) return kSound;
    lmdb::EnvOptions options{q.dir, q.map_bytes, q.dbs};
    options.scan_only = true;
    auto env = lmdb::Env::open(options);
    if (!env) {
        // Without our databases it is somebody else's file, or was never finished: not ours to read either way.
        return env.error().code == Code::unsupported || env.error().code == Code::internal ? kForeign : kDamaged;
    }
    auto txn = (*env)->read();
    if (!txn) return kDamaged;
    if (q.depth != ScanDepth::head && !names_are_ours(*txn, q.dbs)) return kForeign;
    Format format;
    const auto bytes = txn->get(0, kFormatKey);
    if (!bytes) return kForeign;
    switch (decode_format(*bytes, q.key_check, format, q.version)) {
        case FormatCheck::good:
            break;
        case FormatCheck::foreign:
            return kForeign;
        case FormatCheck::other_key:
            return kOtherKey;
    }
    if (q.depth == ScanDepth::head) return kSound;
    if (!free_list_is_sound(*txn, (*env)->last_page())) return kDamaged;
    for (std::size_t db = 0; db < q.dbs.size(); ++db)
        if (!entries_are_sound(*txn, q, db, format.generation)) return kDamaged;
    return kSound;
}

[[noreturn]] void child(const ScanRequest& q) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close_range(3, ~0U, 0);  // the lock on the folder above all: who kills the parent finds it free soon
    for (const int sig : {SIGBUS, SIGSEGV, SIGABRT, SIGFPE, SIGILL, SIGALRM, SIGTERM}) ::signal(sig, SIG_DFL);
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC); null >= 0) {
        ::dup2(null, 1); // LMDB's assertions and a sanitizer's reports about damage are no news to anyone
        ::dup2(null, 2);
    }
    ::alarm(static_cast<unsigned>(std::max<std::int64_t>(1, std::chrono::ceil<Seconds>(q.limit).count())));
    ::_exit(walk(q));
}

ScanReport report_of(int status) {
    if (WIFSIGNALED(status)) {
        const int sig = WTERMSIG(status);
        if (sig == SIGALRM) return {ScanVerdict::damaged, "reading it did not come to an end"};
        return {ScanVerdict::damaged, fmt::format("reading it ends in signal {}", sig)};
    }
    switch (WEXITSTATUS(status)) {
        case kSound:
            return {ScanVerdict::sound, ""};
        case kForeign:
            return {ScanVerdict::foreign, "it is of another format"};
        case kOtherKey:
            return {ScanVerdict::other_key, "it was sealed under another key_file"};
        case kDamaged:
            return {ScanVerdict::damaged, "its entries do not verify"};
        default:
            return {ScanVerdict::damaged, "reading it fails"};
    }
}

} // namespace

std::string encode_format(const Format& format, std::uint32_t version) {
    std::string out(kFormatMagic);
    wire::Writer w(out);
    w.u32(version);
    w.raw(format.key_check.data(), format.key_check.size());
    w.u64(format.generation);
    const Digest sum = Sha256::of(out);
    w.raw(sum.data(), 8);
    return out;
}

FormatCheck decode_format(std::string_view bytes, const std::array<char, 16>& key_check, Format& out,
                          std::uint32_t version) {
    wire::Reader r(bytes);
    const bool ours = r.bytes(kFormatMagic.size()) == kFormatMagic && r.u32() == version;
    const std::string_view check = r.bytes(out.key_check.size());
    out.generation = r.u64();
    const std::string_view sum = r.bytes(8);
    if (!ours || !r.done()) return FormatCheck::foreign;
    const Digest right = Sha256::of(bytes.substr(0, bytes.size() - 8));
    if (std::memcmp(sum.data(), right.data(), 8) != 0) return FormatCheck::foreign;
    std::memcpy(out.key_check.data(), check.data(), check.size());
    return out.key_check == key_check ? FormatCheck::good : FormatCheck::other_key;
}

ScanReport scan_environment(const ScanRequest& request) {
    const pid_t pid = ::fork();
    if (pid == 0) child(request);
    if (pid < 0) return {ScanVerdict::damaged, fmt::format("no process to read it in: {}", std::strerror(errno))};
    int status = 0;
    // The child's own alarm bounds this.
    while (::waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return {ScanVerdict::damaged, "the reading process was lost"};
    return report_of(status);
}

bool is_under_other_key(const std::string& dir, std::span<const std::uint8_t, 32> key) {
    std::string why;
    const MetaCheck meta = check_meta(dir + "/data.mdb", why);
    if (meta != MetaCheck::sound && meta != MetaCheck::suspicious) return false;
    ScanRequest request{dir, 0, {"meta"}, Codec::key_check(key)};  // as large as the file says
    request.depth = ScanDepth::head;
    request.limit = 2s;
    return scan_environment(request).verdict == ScanVerdict::other_key;
}

} // namespace holdfast
