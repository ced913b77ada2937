// What a failed request of the admin socket is answered with (403 is about who asks, 503 about a store that cannot),
// and what an endpoint is called there.
#include <catch2/catch.hpp>
#include <cerrno>

#include "cache/files.h"
#include "edge/admin_service.h"

using namespace holdfast;

TEST_CASE("admin: a store that the node may not write or that is full is 503, whoever asks") {
    for (const int error : {EROFS, EACCES, EPERM, ENOSPC, EDQUOT, EIO}) {
        INFO(error);
        CHECK(status_of(files::error_of(error, "write", "/var/lib/holdfast/journal")) == 503);
    }
    for (const Origin origin : {Origin::client, Origin::local}) {
        CHECK(status_of({Code::denied, origin, false, "may not"}) == 403);
        CHECK(status_of({Code::full, origin, false, "too many"}) == 409);
    }
    CHECK(status_of({Code::exists, Origin::local, false, "ending"}) == 409);
}

TEST_CASE("admin: an endpoint that fails and must serve is not shown as healthy") {
    EndpointStatus e;
    CHECK(state_of(e) == "down");
    e.addresses = 1;
    CHECK(state_of(e) == "healthy");
    e.slow_start = true;
    CHECK(state_of(e) == "slow-start");
    for (const Out why : {Out::tries, Out::probes}) {
        e.failing = why;
        CHECK(state_of(e) == "failing");
    }
    e.ejected = true;
    CHECK(state_of(e) == "ejected");
}
