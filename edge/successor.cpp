#include "edge/successor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "edge/base/log.h"
#include "edge/predecessor.h"

extern char** environ;

namespace holdfast {
namespace {

constexpr int kFirst = 3;  // of the descriptors handed over, as SD_LISTEN_FDS_START

// The environment of this process less what is said to one process only, plus what the successor is told.
std::vector<std::string> environment(const Doors& doors) {
    std::vector<std::string> out;
    for (char** at = environ; *at != nullptr; ++at) {
        const std::string_view one(*at);
        const std::string_view name = one.substr(0, one.find('='));
        if (name.starts_with("LISTEN_") || name == "WATCHDOG_PID" || name == kPredecessorVariable) continue;
        out.emplace_back(one);
    }
    std::string names, own;
    for (const Doors::Door& door : doors.all()) {
        names += (names.empty() ? "" : ":") + door.name;
        if (door.own_file) own += (own.empty() ? "" : ",") + door.name;
    }
    const std::size_t count = doors.all().size();
    out.push_back(fmt::format("LISTEN_FDS={}", count));
    out.push_back("LISTEN_FDNAMES=" + names);
    out.push_back(fmt::format("{}={} {}", kPredecessorVariable, kFirst + static_cast<int>(count), own));
    return out;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (std::string& text : texts) out.push_back(text.data());
    out.push_back(nullptr);
    return out;
}

// Starts it with `fds` as its descriptors from kFirst on and no other but the standard ones.
Result<pid_t> spawn(const Successor::Command& command, const std::vector<int>& fds, std::vector<std::string> env) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    std::vector<int> high;  // copies out of the way of the numbers that they are to have
    for (const int fd : fds) high.push_back(::fcntl(fd, F_DUPFD_CLOEXEC, kFirst + static_cast<int>(fds.size())));
    int to = kFirst;
    for (const int fd : high) posix_spawn_file_actions_adddup2(&actions, fd, to++);
    posix_spawn_file_actions_addclosefrom_np(&actions, to);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    std::vector<std::string> arguments = command.arguments;
    const std::vector<char*> argv = pointers(arguments), envp = pointers(env);
    pid_t pid = -1;
    const int error = ::posix_spawn(&pid, command.program.c_str(), &actions, &attributes, argv.data(), envp.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    for (const int fd : high)
        if (fd >= 0) ::close(fd);
    if (error != 0)
        return fail(Code::io, Origin::local, fmt::format("cannot start {}: {}", command.program, std::strerror(error)));
    return pid;
}

std::string end_text(int raw) {
    if (WIFSIGNALED(raw)) return fmt::format("it was ended by signal {}", WTERMSIG(raw));
    return fmt::format("it ended with status {}", WEXITSTATUS(raw));
}

}  // namespace

Result<std::unique_ptr<Successor>> Successor::start(UvLoop& loop, UvNetwork& network, const Command& command,
                                                    const Doors& doors, Limits limits, Events events) {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return fail(Code::io, Origin::local, fmt::format("no channel for the new process: {}", std::strerror(errno)));
    std::vector<int> fds;
    for (const Doors::Door& door : doors.all()) fds.push_back(door.fd);
    fds.push_back(pair[1]);
    const auto pid = spawn(command, fds, environment(doors));
    ::close(pair[1]);
    if (!pid) {
        ::close(pair[0]);
        return tl::unexpected(pid.error());
    }
    auto channel = network.stream_fd(pair[0]);
    if (!channel) {
        ::kill(*pid, SIGKILL);
        ::waitpid(*pid, nullptr, 0);
        return tl::unexpected(channel.error());
    }
    return std::unique_ptr<Successor>(new Successor(loop, *pid, std::move(*channel), limits, std::move(events)));
}

Successor::Successor(UvLoop& loop, pid_t pid, std::unique_ptr<Stream> channel, Limits limits, Events events)
    : loop_(loop), pid_(pid), channel_(std::move(channel)), limits_(limits), events_(std::move(events)) {
    channel_->start(*this);
    wait_for(limits_.prepares, "it was not prepared");
}

Successor::~Successor() {
    if (!taken_over_) kill_and_reap();
}

void Successor::wait_for(Nanos limit, const char* what) {
    limit_ = loop_.after(limit,
                         [this, limit, what] { fail_soon(fmt::format("{} within {}", what, format_duration(limit))); });
}

void Successor::go() {
    channel_->write("go\n");
    wait_for(limits_.takes_over, "it was not ready");
}

void Successor::signal(int number) {
    if (pid_ > 0) ::kill(pid_, number);
}

int Successor::exit_status() const {
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 1;
}

void Successor::on_data(std::string_view bytes) {
    input_.append(bytes.substr(0, kLineMax));
    for (auto end = input_.find('\n'); end != std::string::npos && !over_; end = input_.find('\n')) {
        const std::string line = input_.substr(0, end);
        input_.erase(0, end + 1);
        take_line(line);
    }
    if (input_.size() > kLineMax) fail_soon("it says what is not understood");
}

void Successor::take_line(std::string_view line) {
    if (line.starts_with("failed ")) {
        why_ = line.substr(7);
    } else if (line == "prepared") {
        limit_->stop();
        report_ = loop_.after(Nanos(0), [this] { std::exchange(events_.prepared, nullptr)(); });
    } else if (line == "ready") {
        over_ = taken_over_ = true;
        limit_->stop();
        report_ = loop_.after(Nanos(0), [this] { std::exchange(events_.ready, nullptr)(); });
    }
}

void Successor::ended() {
    fail_soon({});
}

// `why` empty: the channel ended, and the process with it or soon.
void Successor::fail_soon(std::string why) {
    if (over_) return;
    over_ = true;
    limit_->stop();
    report_ = loop_.after(Nanos(0), [this, why = std::move(why)] { report_failure(why); });
}

void Successor::report_failure(std::string why) {
    if (why.empty() && !ended_by_itself() && ++looks_ < kLooksMax) return report_->restart(Nanos(10ms));
    kill_and_reap();
    if (why.empty()) why = why_.empty() ? end_text(status_) : why_;
    std::exchange(events_.failed, nullptr)(std::move(why));
}

bool Successor::ended_by_itself() {
    if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = -1;
    return pid_ < 0;
}

void Successor::kill_and_reap() {
    if (ended_by_itself()) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) continue;
    pid_ = -1;
}

}  // namespace holdfast
