// What a failed request of the admin socket is answered with: 403 is about who asks, 503 about a store that cannot.
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
