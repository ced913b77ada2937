#include "edge/access_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>

#include "edge/base/json.h"

namespace holdfast {
namespace {

// The open file, shared by the log and the write that is under way off the loop: whichever ends last closes it. The
// lock keeps the last write of the destructor behind that one.
struct File {
    static constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY;
    std::mutex lock;
    int fd = -1;
    ~File() {
        if (fd >= 0) ::close(fd);
    }
    // After a rotation the name stands for another file, or none: that one is opened and taken. Off the loop.
    void follow(const std::string& path) {
        struct stat named {};
        struct stat held {};
        const std::lock_guard<std::mutex> guard(lock);
        if (::stat(path.c_str(), &named) == 0 && ::fstat(fd, &held) == 0 && named.st_ino == held.st_ino &&
            named.st_dev == held.st_dev)
            return;
        const int fresh = ::open(path.c_str(), kFlags, 0640);
        if (fresh < 0) return;
        ::close(fd);
        fd = fresh;
    }
    // How many bytes went out before the disk refused.
    std::size_t write_all(std::string_view bytes) {
        const std::lock_guard<std::mutex> guard(lock);
        std::size_t done = 0;
        while (done < bytes.size()) {
            const ssize_t n = ::write(fd, bytes.data() + done, bytes.size() - done);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) break;
            done += static_cast<std::size_t>(n);
        }
        return done;
    }
};

Result<std::shared_ptr<File>> open_file(const std::string& path) {
    const int fd = ::open(path.c_str(), File::kFlags, 0640);
    if (fd < 0)
        return fail(Code::io, Origin::local,
                    fmt::format("log.access: {} cannot be opened: {}", path, std::strerror(errno)));
    auto file = std::make_shared<File>();
    file->fd = fd;
    return file;
}

void text_member(json::Writer& out, std::string_view key, std::string_view value) {
    if (!value.empty()) out.member(key, value);
}

void append_line(std::string& out, const AccessLine& line) {
    json::Writer json(out);
    json.begin_object().member("time", rfc3339(line.time));
    text_member(json, "requestId", line.request_id);
    text_member(json, "traceId", line.trace_id);
    text_member(json, "client", line.client);
    text_member(json, "method", line.method);
    text_member(json, "route", line.route);
    text_member(json, "credential", line.credential);
    text_member(json, "claimed", line.claimed);
    text_member(json, "scene", line.scene);
    json.member("status", line.status);
    text_member(json, "outcome", line.outcome);
    text_member(json, "source", line.source);
    text_member(json, "code", line.code);
    text_member(json, "rung", line.rung);
    text_member(json, "rule", line.rule);
    text_member(json, "reason", line.reason);
    text_member(json, "circuit", line.circuit);
    if (line.skew) json.member("skewSeconds", std::int64_t(line.skew->count()));
    json.member("attempts", line.attempts);
    json.member("latencyMicros",
                static_cast<std::int64_t>(std::chrono::duration_cast<std::chrono::microseconds>(line.latency).count()));
    json.member("bytesIn", line.bytes_in).member("bytesOut", line.bytes_out).end_object();
    out += '\n';
}

}  // namespace

struct AccessLog::State {
    State(std::string name, Loop& on, Offload& off) : path(std::move(name)), loop(on), offload(off) {}

    std::string path;
    Loop& loop;
    Offload& offload;
    std::shared_ptr<File> file;  // owners: this, and the write under way
    std::string waiting;         // whole lines, except that the first may have gone out in part
    std::size_t begin = 0;       // of what still waits in `waiting`
    bool begun = false;          // the first line has gone out in part: it must not be dropped
    std::uint64_t dropped = 0;
    std::unique_ptr<Timer> timer;
    std::unique_ptr<OffloadHandle> writing;  // at most one
    std::size_t under_way = 0;               // bytes that it has

    std::size_t size() const { return waiting.size() - begin; }

    void arm() {
        if (!timer)
            timer = loop.after(kFlushEvery, [this] { flush(); });
        else if (!writing)
            timer->restart(kFlushEvery);
    }

    // Off the loop; what the disk does not take stays at the front for the next try.
    void flush() {
        if (writing || size() == 0) return;
        struct Job {
            std::string bytes;
            std::size_t written = 0;
        };
        auto job = std::make_shared<Job>();  // owners: the work and its `done`
        job->bytes = waiting.substr(begin);
        under_way = job->bytes.size();
        waiting.clear();
        begin = 0;
        const auto work = [job, to = file, name = path] {
            to->follow(name);
            job->written = to->write_all(job->bytes);
        };
        writing = offload.run(work, [this, job] { written(job->bytes, job->written); });
    }

    void written(const std::string& bytes, std::size_t n) {
        under_way = 0;
        if (n < bytes.size()) {
            begun = n > 0 ? bytes[n - 1] != '\n' : begun;
            waiting = bytes.substr(n) + waiting.substr(begin);
            begin = 0;
            make_room(0);
        } else {
            begun = false;
        }
        const auto ended = std::move(writing);
        if (size() > 0) arm();
    }

    // Drops the oldest lines until `more` bytes fit.
    void make_room(std::size_t more) {
        while (size() > 0 && size() + under_way + more > kBufferMax) {
            std::size_t from = begin;
            if (begun) from = waiting.find('\n', begin) + 1;
            const auto end = waiting.find('\n', from);
            if (end == std::string::npos) return;
            if (begun)
                waiting.erase(from, end + 1 - from);
            else
                begin = end + 1;
            ++dropped;
        }
        if (begin > kBufferMax / 2) {
            waiting.erase(0, begin);
            begin = 0;
        }
    }
};

AccessLog::AccessLog(std::unique_ptr<State> state) : state_(std::move(state)) {}

AccessLog::~AccessLog() {
    state_->writing.reset();
    if (state_->file && state_->size() > 0)
        state_->file->write_all(std::string_view(state_->waiting).substr(state_->begin));
}

Result<std::unique_ptr<AccessLog>> AccessLog::open(std::string path, Loop& loop, Offload& offload) {
    auto state = std::make_unique<State>(std::move(path), loop, offload);
    if (!state->path.empty()) {
        auto file = open_file(state->path);
        if (!file) return tl::unexpected(file.error());
        state->file = std::move(*file);
    }
    return std::unique_ptr<AccessLog>(new AccessLog(std::move(state)));
}

bool AccessLog::enabled() const {
    return state_->file != nullptr;
}

void AccessLog::write(const AccessLine& line) {
    State& s = *state_;
    if (!s.file) return;
    const std::size_t before = s.waiting.size();
    append_line(s.waiting, line);
    const std::size_t added = s.waiting.size() - before;
    if (s.size() + s.under_way > kBufferMax) {
        if (added > kBufferMax - s.under_way) {
            s.waiting.resize(before);
            ++s.dropped;
            return;
        }
        s.make_room(0);
    }
    if (s.size() >= kFlushBytes)
        s.flush();
    else if (s.size() == added)
        s.arm();
}

Result<void> AccessLog::reopen() {
    if (state_->path.empty()) return {};
    auto file = open_file(state_->path);
    if (!file) return tl::unexpected(file.error());
    state_->file = std::move(*file);
    return {};
}

std::uint64_t AccessLog::dropped() const {
    return state_->dropped;
}
std::size_t AccessLog::buffered() const {
    return state_->size() + state_->under_way;
}

}  // namespace holdfast
