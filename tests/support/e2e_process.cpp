#include "tests/support/e2e_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "edge/base/crypto.h"

extern char** environ;

namespace holdfast::e2e {

namespace {

constexpr int kFirstPort = 20'000, kPorts = 12'000;
constexpr std::uintmax_t kRoom = 512u << 20;  // bytes that a file system in memory must have left: a node and its etcd

// Whether no test that runs beside this one has chosen the port; until this process ends none will. The name is one of
// the kernel's own (unix(7), abstract), which leaves nothing behind; tests/e2e/alipay.py takes the same.
bool reserve(int port) {
    static std::vector<int> held;  // closed by the end of the process
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = "holdfast-test-port-" + std::to_string(port);
    std::copy(name.begin(), name.end(), address.sun_path + 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0) {
        held.push_back(fd);
        return true;
    }
    const int error = errno;
    if (fd >= 0) ::close(fd);
    if (error != EADDRINUSE) throw std::system_error(error, std::generic_category(), "cannot reserve " + name);
    return false;
}

// Spawns with the three descriptors given as files; an empty name is /dev/null.
pid_t spawn(const Arguments& arguments, const std::string& in, const std::string& out, const std::string& err) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const auto open = [&actions](int fd, const std::string& path, int flags) {
        posix_spawn_file_actions_addopen(&actions, fd, path.empty() ? "/dev/null" : path.c_str(), flags, 0600);
    };
    open(0, in, O_RDONLY);
    open(1, out, O_WRONLY | O_CREAT | O_APPEND);
    open(2, err, O_WRONLY | O_CREAT | O_APPEND);
    std::vector<char*> argv;
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    posix_spawnattr_t attributes;  // signals as a shell would leave them, whatever this process ignores
    posix_spawnattr_init(&attributes);
    sigset_t usual;
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    pid_t pid = -1;
    const int error = posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::runtime_error("cannot start " + arguments.front());
    return pid;
}

}  // namespace

std::string program(std::string_view name) {
    const auto beside = std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
    return std::filesystem::exists(beside) ? beside.string() : std::string(name);
}

Process::Process(const Arguments& arguments, const std::string& out, const std::string& err, const std::string& in)
    : pid_(spawn(arguments, in, out, err)) {}

Process::~Process() {
    if (status_) return;
    signal(SIGKILL);
    wait(5s);
}

bool Process::stopped() {
    siginfo_t seen{};
    return !status_ && ::waitid(P_PID, static_cast<id_t>(pid_), &seen, WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
           seen.si_pid == pid_;
}

bool Process::running() {
    return !wait(Nanos(0));
}

void Process::signal(int number) {
    if (!status_) ::kill(pid_, number);
}

std::optional<int> Process::wait(Nanos limit) {
    const auto ended = [this] {
        if (status_) return true;
        int raw = 0;
        if (::waitpid(pid_, &raw, WNOHANG) != pid_) return false;
        status_ = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
        return true;
    };
    eventually(limit, ended);
    return status_;
}

Finished run(const Arguments& arguments, std::string_view input, Nanos limit) {
    const std::string folder = memory_folder();
    write_file(folder + "/in", input);
    Finished out;
    {
        Process process(arguments, folder + "/out", folder + "/err", folder + "/in");
        out.status = process.wait(limit).value_or(124);
    }
    out.out = read_file(folder + "/out");
    out.err = read_file(folder + "/err");
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    return out;
}

std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream all;
    all << in.rdbuf();
    return all.str();
}

void write_file(const std::string& path, std::string_view text) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out << text;
    if (!out.flush()) throw std::runtime_error("cannot write " + path);
}

std::string memory_folder() {
    for (const std::string where : {"/dev/shm", "/tmp"}) {
        std::error_code ignored;  // one that is not there takes no folder either
        if (where != "/tmp" && std::filesystem::space(where, ignored).available < kRoom) continue;
        std::string folder = where + "/holdfast-e2e-XXXXXX";
        if (::mkdtemp(folder.data()) != nullptr) return folder;
    }
    throw std::runtime_error("cannot make a folder");
}

void pause_for(Nanos time) {
    std::this_thread::sleep_for(time);
}

int free_port() {
    for (int tries = 0; tries < 200; ++tries) {
        const int port = kFirstPort + static_cast<int>(random_u64() % kPorts);
        if (!reserve(port)) continue;
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int one = 1;
        ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        const bool free = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        ::close(fd);
        if (free) return port;
    }
    throw std::runtime_error("no port is free");
}

}  // namespace holdfast::e2e
