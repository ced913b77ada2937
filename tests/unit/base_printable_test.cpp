// What of a text reaches a terminal.
#include "edge/base/printable.h"

#include <catch2/catch.hpp>

using namespace holdfast;

TEST_CASE("printable: controls of both kinds and what is not UTF-8 are gone, the rest stays") {
    CHECK(printable("") == "");
    CHECK(printable("plain, \xc3\xa9 and \xe4\xb8\xad\xc2\xa0") == "plain, \xc3\xa9 and \xe4\xb8\xad\xc2\xa0");
    CHECK(printable("a\tb\nc\rd\x1b[2Je\x7f") == "a b c?d?[2Je?");
    CHECK(printable("\xc2\x9b"
                    "31m\xc2\x80\xc2\x9f") == "?31m??");
    CHECK(printable("\x9b"
                    "31m\xc3\xa9") == "?31m??");
    CHECK(printable("x\xc2") == "x?");
}
