// holdfast-load as it is started: what it refuses to send.
#include <catch2/catch.hpp>

#include "tests/support/e2e_process.h"

using namespace holdfast;
using namespace holdfast::e2e;

TEST_CASE("e2e: holdfast-load refuses bodies beyond its bound, and says which that is") {
    for (const char* bytes : {"33554433", "999999999999999", "-1", "many"}) {
        const Finished ran =
            run({program("holdfast-load"), "--url", "http://127.0.0.1:1", "--body-bytes", bytes, "--duration", "100ms"},
                {}, 10s);
        INFO(bytes << "\n" << ran.out << ran.err);
        CHECK(ran.status == 2);
        CHECK(ran.err.find("--body-bytes") != std::string::npos);
        CHECK((ran.err.find("expected 0 to 33554432") != std::string::npos) == (bytes[0] != 'm'));
    }
}
