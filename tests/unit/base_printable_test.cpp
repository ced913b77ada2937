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

TEST_CASE("printable: a URL is shown without its user, its password and its query") {
    CHECK(shown_url("https://etcd:2379") == "https://etcd:2379");
    CHECK(shown_url("https://root:pw@etcd:2379/x") == "https://...@etcd:2379/x");
    CHECK(shown_url("https://root:p@ss/w?rd@etcd") == "https://...@etcd");
    CHECK(shown_url("http://a/b?token=c") == "http://a/b?...");
    CHECK(shown_url("http://@a/?") == "http://@a/?");
    CHECK(shown_url("https://u:p@a/b?c") == "https://...@a/b?...");
    CHECK(shown_url("no URL @ all?") == "no URL @ all?");
    CHECK(shown_url("://") == "://");
}
