#include "cache/guarded_env.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "cache/record.h"
#include "edge/base/log.h"

namespace holdfast {
namespace {

// "guard 1 boot=<16 hex> doubt=<0-3>\n": fixed length, so that the flags are rewritten in place. 1: doubted, 2: not
// proved. An earlier version takes all but 0 for a doubt.
char flags_of(bool doubted, bool proved) {
    return static_cast<char>('0' + (doubted ? 1 : 0) + (proved ? 0 : 2));
}
std::string guard_line(bool doubted, bool proved) {
    return fmt::format("guard 1 boot={:016x} doubt={}\n", boot_id(), flags_of(doubted, proved));
}
constexpr std::size_t kGuardBytes = 8 + 5 + 16 + 7 + 2;
constexpr off_t kDoubtAt = kGuardBytes - 2;
constexpr const char* kResting = ".new";  // behind its name while nobody has the environment open
// The process ends over a disk that hangs: the word is one byte into the page cache, so this is a thread's time to be
// run on a loaded machine; a word that hangs too must not hold up the end.
constexpr Nanos kSpeakMax = 200ms;

// For the end of what a process that was killed has left: the one in which it read its data first (env_scan.h).
constexpr Nanos kLockMax = 1s;
constexpr int kLockLookMillis = 5;

Result<files::Fd> take_lock(const std::string& path, const std::string& dir) {
    files::Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return tl::unexpected(files::error_of(errno, "make", path));
    const MonoTime until = MonoClock::read() + kLockMax;
    while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (MonoClock::read() >= until)
            return fail(Code::exists, Origin::store,
                        fmt::format("{} is in use by another process (it holds {})", dir, path));
        ::poll(nullptr, 0, kLockLookMillis);
    }
    return fd;
}

void drop_oldest_bad(const std::string& dir) {
    namespace fs = std::filesystem;
    const std::string prefix = fs::path(dir).filename().string() + ".bad-";
    std::vector<std::string> bad;
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(files::parent_of(dir), ec))
        if (entry.path().filename().string().rfind(prefix, 0) == 0) bad.push_back(entry.path().string());
    std::sort(bad.begin(), bad.end()); // the time in the name has a fixed width
    for (std::size_t i = 0; i + kBadKept < bad.size(); ++i) fs::remove_all(bad[i], ec);
}

} // namespace

Result<std::unique_ptr<GuardedEnv>> GuardedEnv::open(GuardOptions options, WallTime now) {
    std::unique_ptr<GuardedEnv> out(new GuardedEnv);
    if (auto done = out->prepare(options, now); !done) return tl::unexpected(done.error());
    return out;
}

Result<void> GuardedEnv::prepare(GuardOptions& options, WallTime now) {
    const std::string lock_path = options.dir + ".lock";
    guard_path_ = options.dir + ".guard";
    if (auto made = files::make_dir(files::parent_of(options.dir)); !made) return made;
    auto lock = take_lock(lock_path, options.dir);
    if (!lock) return tl::unexpected(lock.error());
    lock_ = std::move(*lock);
    if (const auto line = files::read_file(guard_path_, 4096)) {
        crashed_ = true;
        const std::string mine = guard_line(false, true);
        // Another length or beginning: it was cut or is not ours, so nothing good may be assumed.
        rebooted_ = line->size() != mine.size() || line->compare(0, mine.size() - 2, mine, 0, mine.size() - 2) != 0 ||
                    boot_id() == 0;
        const char flags = line->size() == mine.size() ? (*line)[static_cast<std::size_t>(kDoubtAt)] : '1';
        doubted_ = flags != flags_of(false, true) && flags != flags_of(false, false);
        proved_ = flags != flags_of(false, false) && flags != flags_of(true, false);
    } else if (line.error().code != Code::not_found) {
        crashed_ = rebooted_ = doubted_ = proved_ = true;
    }
    if (auto done = write_guard(); !done) return done;
    if (auto done = inspect(options, now); !done) return done;
    auto opened = open_env(options);
    if (!opened && opened.error().code != Code::full && opened.error().code != Code::io && !fresh_) {
        const std::string why = opened.error().detail;
        env_.reset();
        if (auto moved = move_aside(options, why, now); !moved) return moved;
        opened = open_env(options);
    }
    return opened;
}

Result<void> GuardedEnv::inspect(const GuardOptions& o, WallTime now) {
    std::string why;
    std::error_code ec;
    const bool had_dir = files::exists(o.dir);
    const MetaCheck meta = check_meta(o.dir + "/data.mdb", why);
    switch (meta) {
        case MetaCheck::missing:
            if (had_dir && !std::filesystem::is_empty(o.dir, ec)) return move_aside(o, "its data file is missing", now);
            fresh_ = true;
            return {};
        case MetaCheck::damaged:
        case MetaCheck::foreign:
            return move_aside(o, why, now);
        case MetaCheck::sound:
        case MetaCheck::suspicious:
            break;
    }
    ScanRequest request{o.dir, o.map_bytes, o.dbs, Codec::key_check(o.key)};
    request.depth = crashed_ || o.always_full || meta == MetaCheck::suspicious ? ScanDepth::full : ScanDepth::quick;
    request.limit = o.scan_limit;
    request.version = o.version;
    request.verify = o.verify;
    const ScanReport report = scan_environment(request);
    if (report.verdict == ScanVerdict::sound) return {};
    return move_aside(o, report.why, now);
}

Result<void> GuardedEnv::move_aside(const GuardOptions& o, const std::string& why, WallTime now) {
    const std::int64_t millis = std::chrono::floor<Millis>(now.time_since_epoch()).count();
    std::string to;
    for (int i = 0; i < 1000; ++i) {
        to = fmt::format("{}.bad-{:014}", o.dir, millis + i);
        if (!files::exists(to)) break;
    }
    if (::rename(o.dir.c_str(), to.c_str()) != 0) return tl::unexpected(files::error_of(errno, "move aside", o.dir));
    note_ = fmt::format("{} was moved aside to {}: {}", o.dir, to, why);
    log::error("{}", note_);
    why_aside_ = why;
    moved_aside_ = fresh_ = true;
    drop_oldest_bad(o.dir);
    return files::sync_dir(files::parent_of(o.dir));
}

Result<void> GuardedEnv::open_env(const GuardOptions& o) {
    if (auto made = files::make_dir(o.dir); !made) return made;
    lmdb::EnvOptions options{o.dir, o.map_bytes, o.dbs};
    options.fault = o.fault;
    options.read_fault = o.read_fault;
    auto env = lmdb::Env::open(std::move(options));
    if (!env) return tl::unexpected(env.error());
    env_ = std::move(*env);
    const auto key_check = Codec::key_check(o.key);
    Format format;
    {
        auto txn = env_->read();
        if (!txn) return tl::unexpected(txn.error());
        std::optional<std::string_view> bytes;
        if (const int rc = txn->find(0, kFormatKey, bytes); rc != 0)
            return tl::unexpected(lmdb::error_of(rc, "read the format of " + o.dir));
        if (bytes) {
            if (decode_format(*bytes, key_check, format, o.version) != FormatCheck::good)
                return fail(Code::unsupported, Origin::store, o.dir + " is of another format");
            if (o.generation != 0 && o.generation != format.generation)
                return fail(Code::unsupported, Origin::store, "it belongs to a state/ that is gone");
            generation_ = format.generation;
            return {};
        }
    }
    fresh_ = true;
    format = {key_check, o.generation != 0 ? o.generation : random_u64() | 1};
    auto txn = env_->write();
    if (!txn) return tl::unexpected(txn.error());
    if (const int rc = txn->put(0, kFormatKey, encode_format(format, o.version)); rc != 0)
        return tl::unexpected(lmdb::error_of(rc, "begin " + o.dir));
    // In the same commit: a crash right after it must not make a loss look like a first start.
    if (const int rc = moved_aside_ ? txn->put(0, kUnsoundKey, why_aside_) : 0; rc != 0)
        return tl::unexpected(lmdb::error_of(rc, "begin " + o.dir));
    if (auto done = txn->commit(); !done) return done;
    generation_ = format.generation;
    return files::sync_dir(o.dir);
}

Result<void> GuardedEnv::write_guard() {
    // Begun under another name: a guard that is empty because the start died would say that there was a run. A clean
    // end leaves the file there: its block is what a start on a full disk writes to.
    const std::string path = guard_path_ + (crashed_ ? "" : kResting);
    guard_ = files::Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!guard_) return tl::unexpected(files::error_of(errno, "make", path));
    // A doubt stays until somebody takes it back: the next start may come before it is over.
    doubting_ = doubted_ || rebooted_;
    proving_ = !proved_;
    const std::string line = guard_line(doubting_, proved_);
    if (::pwrite(guard_.get(), line.data(), line.size(), 0) != static_cast<ssize_t>(line.size()) ||
        ::ftruncate(guard_.get(), static_cast<off_t>(line.size())) != 0 || ::fsync(guard_.get()) != 0 ||
        (!crashed_ && ::rename(path.c_str(), guard_path_.c_str()) != 0))
        return tl::unexpected(files::error_of(errno, "write", path));
    return files::sync_dir(files::parent_of(guard_path_));
}

void GuardedEnv::hangs() {
    if (doubting_ || !spoken_.exchange(false)) return; // it is said, or being said
    if (speaker_.joinable()) speaker_.join();
    try {
        speaker_ = std::thread([this, commit = running_.load()] {
            {
                const std::lock_guard lock(mutex_);
                if (held_ || (commit != 0 && running_ == commit)) put_flags(true, proving_);
            }
            spoken_ = true;
        });
    } catch (const std::system_error& error) {
        spoken_ = true;
        log::error("{}: no thread to say that a commit hangs: {}", guard_path_, error.what());
    }
}

void GuardedEnv::abandon() {
    held_ = true;
    hangs();
    const MonoTime until = MonoClock::read() + kSpeakMax;
    while (!spoken_ && MonoClock::read() < until) std::this_thread::yield();
}

void GuardedEnv::ends(bool ok) {
    {
        const std::lock_guard lock(mutex_);
        running_ = 0;
        put_flags(!ok || held_, proving_ && !ok);
        if (std::exchange(synced_, true)) return;
    }
    sync_flags();
}

void GuardedEnv::prove() {
    {
        const std::lock_guard lock(mutex_);
        put_flags(doubting_, false);
        if (std::exchange(synced_, true)) return;
    }
    sync_flags();
}

void GuardedEnv::put_flags(bool doubt, bool proving) {
    if (doubt == doubting_ && proving == proving_) return;
    doubting_ = doubt;
    proving_ = proving;
    synced_ = false;
    const char flags = flags_of(doubt, !proving);
    if (::pwrite(guard_.get(), &flags, 1, kDoubtAt) == 1) return;
    // A guard that is not as it should be is doubted too.
    if (doubt && ::ftruncate(guard_.get(), 0) != 0) log::error("{} cannot be written", guard_path_);
}

// A flag that is set while this waits is not missed: it has made synced_ false again.
void GuardedEnv::sync_flags() {
    if (::fdatasync(guard_.get()) == 0) return;
    const std::lock_guard lock(mutex_);
    if (doubting_ && ::ftruncate(guard_.get(), 0) != 0) log::error("{} cannot be written", guard_path_);
}

Result<void> GuardedEnv::mark_clean() {
    {
        const std::lock_guard lock(mutex_);
        if (held_) put_flags(true, proving_);
        if (doubting_) {  // the next start must know
            if (!std::exchange(synced_, true) && ::fdatasync(guard_.get()) != 0)
                return tl::unexpected(files::error_of(errno, "sync", guard_path_));
            return {};
        }
    }
    if (::rename(guard_path_.c_str(), (guard_path_ + kResting).c_str()) != 0 && errno != ENOENT)
        return tl::unexpected(files::error_of(errno, "put away", guard_path_));
    return files::sync_dir(files::parent_of(guard_path_));
}

GuardedEnv::~GuardedEnv() {
    if (speaker_.joinable()) speaker_.join();
}

} // namespace holdfast
