// Which listener an inherited descriptor is: the admin's when it is a Unix socket, else by its whole address.
#include "edge/service_manager.h"

#include <catch2/catch.hpp>

using namespace holdfast;

namespace {

std::string told(const std::string& address, const DoorAddresses& wanted) {
    return door_of(address, wanted).value_or("none");
}

const DoorAddresses kPackaged{"0.0.0.0:8443", "/run/holdfast/admin.sock", "127.0.0.1:9464"};

}  // namespace

TEST_CASE("service manager: a name of ours is that of a listener, one of a unit is not") {
    for (const std::string_view ours : {kDoorClients, kDoorAdmin, kDoorMetrics}) CHECK(is_door(ours));
    // systemd names a socket without FileDescriptorName= by its unit, one without a unit "unknown".
    for (const std::string_view given : {"", "unknown", "holdfast.socket", "HTTPS", "https "})
        CHECK_FALSE(is_door(given));
}

TEST_CASE("service manager: a descriptor is told by its address, whole") {
    CHECK(told("/run/holdfast/admin.sock", kPackaged) == kDoorAdmin);
    CHECK(told("/run/other.sock", kPackaged) == kDoorAdmin);  // there is one kind of them
    CHECK(told("0.0.0.0:8443", kPackaged) == kDoorClients);
    CHECK(told("127.0.0.1:9464", kPackaged) == kDoorMetrics);
    for (const char* address : {"127.0.0.1:9465", "127.0.0.2:9464", "[::1]:9464", "0.0.0.0:8444", "[::1]:8443", ""})
        CHECK(told(address, kPackaged) == "none");
    // The same port twice, and other spellings.
    const DoorAddresses twice{"192.0.2.1:9000", "", "[0:0::1]:9000"};
    CHECK(told("192.0.2.1:9000", twice) == kDoorClients);
    CHECK(told("[::1]:9000", twice) == kDoorMetrics);
    CHECK(told("192.0.2.2:9000", twice) == "none");
}

TEST_CASE("service manager: one side that listens on all addresses is enough, where no other is the same") {
    CHECK(told("[::]:8443", kPackaged) == kDoorClients);       // ListenStream=8443
    CHECK(told("192.0.2.1:8443", kPackaged) == kDoorClients);  // one of those that the configuration means
    CHECK(told("[::]:9464", kPackaged) == kDoorMetrics);
    CHECK(told("[::1]:9464", {"[::]:8443", "", "[::]:9464"}) == kDoorMetrics);
    CHECK(told("0.0.0.0:8443", {"[::]:8443", "", ""}) == kDoorClients);
    const DoorAddresses beside{"[::]:9000", "", "127.0.0.1:9000"};
    CHECK(told("127.0.0.1:9000", beside) == kDoorMetrics);
    CHECK(told("[::]:9000", beside) == kDoorClients);
}

TEST_CASE("service manager: a listener that is off takes no descriptor, and what is said names the socket") {
    const DoorAddresses alone{"0.0.0.0:8443", "", ""};
    CHECK(told("127.0.0.1:9464", alone) == "none");
    CHECK(told("/run/holdfast/admin.sock", alone) == "none");
    CHECK(unknown_door("holdfast.socket", "127.0.0.1:9464", alone) ==
          "holdfast.socket hands in 127.0.0.1:9464, which is no listener of this node: listen.address is 0.0.0.0:8443, "
          "admin.listen is off, admin.socket is off");
    CHECK(unknown_door("x", "", kPackaged).starts_with("x hands in a descriptor that is no socket, "));
}
