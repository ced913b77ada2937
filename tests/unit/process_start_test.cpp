// A start that fails is told to whoever started the process.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "edge/base/log.h"
#include "edge/config_boot.h"
#include "edge/process.h"
#include "tests/support/config_folder.h"

using namespace holdfast;
using holdfast::support::ConfigFolder;

namespace {

std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// A port of this machine that somebody listens on.
struct TakenPort {
    int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int number = 0;
    TakenPort() {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&at), size) == 0);
        REQUIRE(::listen(fd, 1) == 0);
        REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0);
        number = ntohs(at.sin_port);
    }
    ~TakenPort() { ::close(fd); }
};

// What is written to standard error goes into a file while this lives.
struct Caught {
    int before = ::dup(STDERR_FILENO);
    explicit Caught(const std::string& path) { REQUIRE(std::freopen(path.c_str(), "w", stderr) != nullptr); }
    ~Caught() {
        std::fflush(stderr);
        ::dup2(before, STDERR_FILENO);
        ::close(before);
    }
};

// What a start with this configuration, which the check passes and the process cannot do, says on standard error.
std::string said_by_start(const ConfigFolder& folder, const std::string& text) {
    const std::string path = folder.write("holdfast.toml", text);
    BootConfig boot = boot_config(path, folder.environment());
    INFO(render_all(boot.outcome));
    REQUIRE(boot.outcome.config);
    {
        const Caught caught(folder.file("err"));
        CHECK(Process({}, nullptr).run(path, std::move(boot)) == 1);
        log::to_stderr();
    }
    return bytes_of(folder.file("err"));
}

}  // namespace

TEST_CASE("process: a start that fails is one line on standard error, also where the log is a file") {
    const ConfigFolder folder;
    const TakenPort port;
    std::string text = ConfigFolder::shortest_with("127.0.0.1:0", "127.0.0.1:" + std::to_string(port.number)) +
                       "[admin]\nsocket = \"\"\nlisten = \"\"\n[log]\nfile = \"" + folder.file("log") + "\"\n";
    text.replace(text.find("/tmp/holdfast-data"), 18, folder.file("data"));
    const std::string said = said_by_start(folder, text);
    CHECK(bytes_of(folder.file("log")).find("cannot start: ") != std::string::npos);
    INFO(said);
    CHECK(said.rfind("error: cannot start: listen.address: cannot bind 127.0.0.1:", 0) == 0);
    CHECK(said.find('\n') == said.size() - 1);
}

TEST_CASE("process: a start that cannot have its data names the key") {
    const ConfigFolder folder;
    std::string text =
        ConfigFolder::shortest_with("127.0.0.1:0", "127.0.0.1:0") + "[admin]\nsocket = \"\"\nlisten = \"\"\n";
    text.replace(text.find("/tmp/holdfast-data"), 18, "/proc/none");
    const std::string said = said_by_start(folder, text);
    INFO(said);
    CHECK(said.rfind("error: cannot start: node.data_dir: ", 0) == 0);
}
