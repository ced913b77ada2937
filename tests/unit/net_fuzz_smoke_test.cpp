// The fuzz entries over a small fixed corpus, and over that corpus with one byte changed at each place.
#define HOLDFAST_FUZZ_AS_FUNCTION
#include "tests/fuzz/http_parser_fuzz.cpp"
#include "tests/fuzz/http_response_fuzz.cpp"

#include <catch2/catch.hpp>

#include <vector>

namespace {

using Entry = int (*)(const std::uint8_t*, std::size_t);

void run(Entry entry, const std::string& text) {
    entry(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

void run_with_changes(Entry entry, const std::vector<std::string>& corpus) {
    for (const std::string& text : corpus) {
        for (const char cut : {'\x00', '\x01', '\x06', '\x3f'}) run(entry, cut + text);
        for (std::size_t i = 0; i < text.size(); ++i) {
            for (const char byte : {'\0', '\r', '\n', ' ', ':', ';', '0', 'x', '\xff'}) {
                std::string changed = '\x02' + text;
                changed[i + 1] = byte;
                run(entry, changed);
            }
            run(entry, '\x03' + text.substr(0, i));
        }
    }
    SUCCEED();
}

}  // namespace

TEST_CASE("http fuzz: requests of a fixed corpus, and each with a byte changed") {
    run_with_changes(
        &holdfast::fuzz::http_parser,
        {"GET /x?y=1 HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.0\r\n\r\n",
         "POST /v1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
         "POST / HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
         "GET http://a/%41 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX:\r\n\r\n"});
}

TEST_CASE("http fuzz: answers of a fixed corpus, and each with a byte changed") {
    run_with_changes(
        &holdfast::fuzz::http_response,
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
         "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
         "HTTP/1.0 200 OK\r\nX: y\r\n\r\nto the end", "HTTP/1.1 204 No Content\r\n\r\n"});
}
