// The node under a stand-in for systemd: this process holds the listening sockets and hears what the node says on
// NOTIFY_SOCKET.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <thread>

#include "tests/support/e2e_lanes.h"
#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

struct Descriptor {
    int fd = -1;
    explicit Descriptor(int taken) : fd(taken) { REQUIRE(fd >= 0); }
    ~Descriptor() { ::close(fd); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
};

int listening_tcp(int& port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);  // inherited by what is started
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(fd, 128) == 0);
    REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port = ntohs(address.sin_port);
    return fd;
}

int bound_unix(const std::string& path, int type) {
    const int fd = ::socket(AF_UNIX, type, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    return fd;
}

struct Folder {
    std::string path = "/tmp/holdfast-e2e-systemd-XXXXXX";
    Folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
    ~Folder() { std::filesystem::remove_all(path); }
};

// The sockets, and the shell words that give them to a node as systemd would.
struct Manager {
    Folder folder;
    int port = 0, metrics_port = 0;
    Descriptor https{listening_tcp(port)}, metrics{listening_tcp(metrics_port)};
    Descriptor admin{bound_unix(folder.path + "/admin.sock", SOCK_STREAM)};
    Descriptor notify{bound_unix(folder.path + "/notify", SOCK_DGRAM)};
    std::string heard;
    int order[3] = {50, 51, 52};

    void swap() { std::swap(order[0], order[1]); }  // the metrics socket first
    Manager() { REQUIRE(::listen(admin.fd, 64) == 0); }
    Terms terms(bool listens = true) const {  // to what the node says: it waits when nobody reads that
        Terms out;
        out.given_port = port;
        out.given_admin_port = metrics_port;
        out.given_admin_socket = folder.path + "/admin.sock";
        out.starter = {
            "bash", "-c",
            fmt::format("exec 50<&{} 51<&{} 52<&{}; exec 3<&{} 4<&{} 5<&{} 50<&- 51<&- 52<&-; "
                        "export LISTEN_PID=$$ LISTEN_FDS=3 LISTEN_FDNAMES={}.socket:{}.socket:admin "
                        "NOTIFY_SOCKET={} WATCHDOG_USEC=400000 WATCHDOG_PID=$$; exec \"$@\"",
                        https.fd, metrics.fd, admin.fd, order[0], order[1], order[2], order[0] == 50 ? "a" : "b",
                        order[0] == 50 ? "b" : "a", listens ? folder.path + "/notify" : ""),
            "starter"};
        return out;
    }
    // Whether `text` is heard in time; what was heard before counts until it is taken.
    bool hears(const std::string& text, Nanos limit = 10s) {
        return eventually(limit, [&] {
            char buffer[1024];
            for (ssize_t n = 0; (n = ::recv(notify.fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0;)
                heard.append(buffer, static_cast<std::size_t>(n)).append("\n");
            return heard.find(text) != std::string::npos;
        });
    }
};

}  // namespace

TEST_CASE("e2e: a node serves on sockets that a service manager gave it, and tells it how it is") {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    Manager manager;
    Site site(manager.terms());
    CHECK(manager.hears("READY=1\nSTATUS="));
    CHECK(manager.hears("STATUS=serving, circuit closed"));
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
    CHECK(site.monitor("/livez").status == 200);
    manager.heard.clear();
    CHECK(manager.hears("WATCHDOG=1\nWATCHDOG=1\n", 2s));
    manager.heard.clear();
    site.node().signal(SIGHUP);
    CHECK(manager.hears("RELOADING=1\nMONOTONIC_USEC="));
    CHECK(manager.hears("READY=1"));

    manager.heard.clear();
    const auto successor = site.upgrade();
    REQUIRE(successor);
    CHECK(manager.hears(fmt::format("MAINPID={}\n", *successor)));
    CHECK(manager.hears("READY=1"));
    CHECK(manager.heard.find("MAINPID") < manager.heard.find("READY=1"));
    CHECK(manager.heard.find("STOPPING") == std::string::npos);
    manager.heard.clear();
    CHECK(manager.hears("WATCHDOG=1", 2s));
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);

    site.node().signal(SIGTERM);
    CHECK(manager.hears("STOPPING=1"));
    CHECK(site.node().wait(5s) == 0);
    CHECK(std::filesystem::exists(manager.folder.path + "/admin.sock"));
}

TEST_CASE("e2e: a node that is told to end when its successor serves tells that, and ends after it", "[beside]") {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    Manager manager;
    Terms terms = manager.terms();
    terms.drain = "lame_duck = \"2s\"";
    Site site(std::move(terms));
    REQUIRE(manager.hears("STATUS=serving"));
    const auto pid = [&] { return site.admin_get("/v1/status")["node"]["pid"].number().value_or(-1); };
    const double before = pid();
    REQUIRE(site.admin("POST", "/v1/upgrade", "{}").status == 200);
    // Nobody reads what the old one says, and it waits for that.
    REQUIRE(eventually(1500ms, [&] { return pid() > 0 && pid() != before; }));
    const auto successor = static_cast<pid_t>(pid());
    site.node().signal(SIGTERM);
    pause_for(10ms);
    manager.hears(fmt::format("MAINPID={}\n", successor), 300ms);  // unsaid where the signal was there first
    REQUIRE(eventually(1s, [&] { return site.monitor("/readyz").status == 503; }));
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
    CHECK(site.node().wait(8s) == 0);
    CHECK(::kill(successor, 0) != 0);
    CHECK(site.log().find("hurried") == std::string::npos);
}

TEST_CASE("e2e: a loop that is stuck is not reported alive") {
    Manager manager;
    Site site(manager.terms());
    REQUIRE(manager.hears("WATCHDOG=1"));
    site.node().signal(SIGSTOP);
    pause_for(50ms);
    manager.hears("nothing", Nanos(0));
    manager.heard.clear();
    CHECK_FALSE(manager.hears("WATCHDOG=1", 600ms));
    site.node().signal(SIGCONT);
    CHECK(manager.hears("WATCHDOG=1", 2s));
}

TEST_CASE("e2e: a node killed under load, its sockets held, costs nobody more than a delay") {
    Manager manager;
    Site site(manager.terms(false));
    Lanes lanes(site, {2ms, 5ms, 10ms, 50ms});
    for (int i = 0; i < 3; ++i) {
        pause_for(400ms);
        site.node().signal(SIGKILL);
        REQUIRE(site.node().wait(5s) == 128 + SIGKILL);
        pause_for(200ms);  // RestartSec=
        INFO(site.log());
        REQUIRE(site.start_node());
    }
    pause_for(200ms);
    const LaneSeen seen = lanes.stop();
    INFO(seen.first_trouble << "\nanswered " << seen.answered << ", lost " << seen.lost << ", slowest "
                            << std::chrono::duration_cast<Millis>(seen.slowest).count() << " ms");
    CHECK(seen.refused <= 3 * 4);  // a handshake under way when it was killed
    CHECK(seen.lost <= 3 * 4);     // a question under way when it was killed; its order is asked again and answered
    CHECK(seen.other == 0);
    CHECK(seen.answered > 50);
    CHECK(seen.slowest < 5s);
}

TEST_CASE("e2e: sockets are told apart by whole addresses, in whichever order they come") {
    Manager manager;
    manager.swap();
    Site site(manager.terms());
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
    CHECK(site.monitor("/metrics").status == 200);
}

TEST_CASE("e2e: a socket that is no listener of the configuration keeps the node from starting, and is named") {
    // Names of ours, too: who hands in a TCP socket as "admin" must not get the admin API on it, for everybody.
    const auto name = GENERATE(as<std::string>{}, "b.socket", "admin", "https", "metrics");
    Manager manager;
    manager.swap();  // the metrics socket first, for which the configuration has another address
    Terms terms = manager.terms(false);
    terms.given_admin_port = 0;
    std::string& script = terms.starter.at(2);
    const auto at = script.find("b.socket");
    REQUIRE(at != std::string::npos);
    script.replace(at, std::string_view("b.socket").size(), name);
    std::string why;
    try {
        Site site(std::move(terms));
    } catch (const std::runtime_error& error) {
        why = error.what();
    }
    INFO(why);
    CHECK(why.find(fmt::format("{} hands in 127.0.0.1:{}", name, manager.metrics_port)) != std::string::npos);
    CHECK(why.find("admin.listen is 127.0.0.1:") != std::string::npos);
    CHECK(why.find("(status 78)") != std::string::npos);  // not tried again by the unit
}
