// Which listener an inherited descriptor is: by the name that it was given, else by its address.
#include "edge/service_manager.h"

#include <catch2/catch.hpp>

using namespace holdfast;

TEST_CASE("service manager: a descriptor with one of our names is that listener whatever its address") {
    for (const std::string_view ours : {kDoorClients, kDoorAdmin, kDoorMetrics})
        for (const std::string_view address : {"127.0.0.1:9464", "/run/holdfast/admin.sock", "[::]:8443", ""})
            CHECK(door_name(ours, address, 9464) == ours);
}

TEST_CASE("service manager: a descriptor with a name of somebody else is told by its address") {
    // systemd names a socket without FileDescriptorName= by its unit, one without a unit "unknown".
    for (const std::string_view given : {"", "unknown", "holdfast.socket", "HTTPS", "https "}) {
        INFO(given);
        CHECK(door_name(given, "/run/holdfast/admin.sock", 9464) == kDoorAdmin);
        CHECK(door_name(given, "127.0.0.1:9464", 9464) == kDoorMetrics);
        CHECK(door_name(given, "[::1]:9464", 9464) == kDoorMetrics);
        CHECK(door_name(given, "0.0.0.0:8443", 9464) == kDoorClients);
        CHECK(door_name(given, "[::]:8443", 9464) == kDoorClients);
        CHECK(door_name(given, "", 9464) == kDoorClients);
    }
}

TEST_CASE("service manager: without a metrics listener no port is its") {
    CHECK(door_name("", "127.0.0.1:9464", 0) == kDoorClients);
    CHECK(door_name("", "127.0.0.1:0", 0) == kDoorClients);
    CHECK(door_name("metrics", "127.0.0.1:9464", 0) == kDoorMetrics);
}
