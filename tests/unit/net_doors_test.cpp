// The listening sockets of a process: bound once, inherited as they are, connections wait while nobody listens, and a
// socket file goes with the last process that serves it.
#include "edge/net/doors.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "edge/net/uv_loop.h"
#include "tests/support/turns.h"

using namespace holdfast;

namespace {

struct House {
    UvLoop loop;
    UvNetwork network{loop};
    std::optional<Doors> doors{std::in_place, network};
    std::string folder = "/tmp/holdfast-doors-XXXXXX";
    int accepted = 0;

    House() { REQUIRE(::mkdtemp(folder.data()) != nullptr); }
    ~House() {
        doors.reset();
        std::filesystem::remove_all(folder);
    }
    std::string path() const { return folder + "/admin.sock"; }
    Network::Accept counting() {
        return [this](std::unique_ptr<Stream>) { ++accepted; };
    }
    bool until(const std::function<bool()>& met) { return testing::turn_until(loop, 5s, met); }
    // A connection to `address`, kept by the caller; its outcome is in `reached`.
    std::unique_ptr<Pending> knock(int port, std::unique_ptr<Stream>& reached) {
        return network.dial({"127.0.0.1", port, false, ""}, [&reached](Result<std::unique_ptr<Stream>> stream) {
            REQUIRE(stream);
            reached = std::move(*stream);
        });
    }
};

int port_of(const std::string& address) {
    return std::stoi(address.substr(address.rfind(':') + 1));
}

}  // namespace

TEST_CASE("doors: one that is open is never bound again, and who knocks while nobody listens is let in later") {
    House house;
    auto listener = house.doors->tcp(kDoorClients, "127.0.0.1:0", house.counting());
    REQUIRE(listener);
    const auto address = house.doors->address(kDoorClients);
    REQUIRE(address);
    CHECK_FALSE(house.doors->address(kDoorAdmin));
    listener->reset();
    std::unique_ptr<Stream> reached;
    const auto knocking = house.knock(port_of(*address), reached);
    REQUIRE(house.until([&] { return reached != nullptr; }));  // by the kernel
    CHECK(house.accepted == 0);
    // Another address is not looked at.
    const auto again = house.doors->tcp(kDoorClients, "127.0.0.1:1", house.counting());
    REQUIRE(again);
    CHECK(house.doors->address(kDoorClients) == address);
    CHECK(house.doors->all().size() == 1);
    CHECK(house.until([&] { return house.accepted == 1; }));
}

TEST_CASE("doors: an inherited descriptor serves as it is, a second one of its name is closed") {
    House house, other;
    auto listener = other.doors->tcp(kDoorMetrics, "127.0.0.1:0", other.counting());
    REQUIRE(listener);
    const int copy = ::dup(other.doors->all()[0].fd), second = ::dup(copy);
    CHECK(house.doors->inherit({std::string(kDoorMetrics), copy}));
    CHECK((::fcntl(copy, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK_FALSE(house.doors->inherit({std::string(kDoorMetrics), second}));
    CHECK(::fcntl(second, F_GETFD) == -1);
    CHECK(house.doors->address(kDoorMetrics) == other.doors->address(kDoorMetrics));
    listener->reset();
    const int port = port_of(*house.doors->address(kDoorMetrics));
    other.doors.reset();  // the predecessor is gone
    const auto mine = house.doors->tcp(kDoorMetrics, "", house.counting());
    REQUIRE(mine);
    std::unique_ptr<Stream> reached;
    const auto knocking = house.knock(port, reached);
    CHECK(house.until([&] { return house.accepted == 1; }));
}

TEST_CASE("doors: an address that is none, or is taken, is an error that names it, and opens nothing") {
    House house, other;
    for (const char* address : {"", "8443", "localhost:8443", "127.0.0.1:99999", "[::1:8443"}) {
        INFO(address);
        const auto listener = house.doors->tcp(kDoorClients, address, house.counting());
        REQUIRE_FALSE(listener);
        CHECK(listener.error().detail.find(address) != std::string::npos);
    }
    const auto held = other.doors->tcp(kDoorClients, "127.0.0.1:0", other.counting());
    REQUIRE(held);
    const std::string taken = *other.doors->address(kDoorClients);
    const auto listener = house.doors->tcp(kDoorClients, taken, house.counting());
    REQUIRE_FALSE(listener);
    CHECK(listener.error().detail.find(taken) != std::string::npos);
    CHECK(house.doors->all().empty());
}

TEST_CASE("doors: a socket file goes with its process, unless a successor serves, it is another's, or was inherited") {
    const auto open = [](House& house) {
        REQUIRE(house.doors->unix_socket(kDoorAdmin, house.path(), 0600, house.counting()));
        REQUIRE(std::filesystem::exists(house.path()));
        CHECK(house.doors->address(kDoorAdmin) == house.path());
    };
    House gone;
    open(gone);
    gone.doors.reset();
    CHECK_FALSE(std::filesystem::exists(gone.path()));

    House followed;
    open(followed);
    followed.doors->leave();
    followed.doors.reset();
    CHECK(std::filesystem::exists(followed.path()));

    House replaced;
    open(replaced);
    std::filesystem::remove(replaced.path());
    House other;
    const auto theirs = other.doors->unix_socket(kDoorAdmin, replaced.path(), 0600, other.counting());
    REQUIRE(theirs);
    replaced.doors.reset();
    CHECK(std::filesystem::exists(replaced.path()));

    House given;
    open(given);
    const int copy = ::dup(given.doors->all()[0].fd);
    House heir;
    CHECK(heir.doors->inherit({std::string(kDoorAdmin), copy, false}));  // somebody else's file
    given.doors->leave();
    given.doors.reset();
    heir.doors.reset();
    CHECK(std::filesystem::exists(given.path()));
}
