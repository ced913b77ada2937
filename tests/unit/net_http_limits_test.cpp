#include <catch2/catch.hpp>

#include <string>

#include "edge/net/http_parser.h"

using namespace holdfast;

namespace {

// 0 when the bytes are one whole request (or more), else the status of the refusal; -1 when more is wanted.
int status_of(std::string_view bytes, const RequestLimits& limits, std::size_t piece = SIZE_MAX) {
    RequestParser parser(limits);
    for (std::size_t at = 0; at < bytes.size();) {
        std::string_view input = bytes.substr(at, piece);
        at += input.size();
        for (;;) {
            const HttpEvent event = parser.next(input);
            if (event.kind == HttpEvent::Kind::error) return parser.reject().status;
            if (event.kind == HttpEvent::Kind::need_more) break;
        }
    }
    return parser.idle() ? 0 : -1;
}

// The same for every way to cut the input.
int checked(const std::string& bytes, const RequestLimits& limits) {
    const int whole = status_of(bytes, limits);
    for (const std::size_t piece : {1, 2, 3, 5, 17, 100}) CHECK(status_of(bytes, limits, piece) == whole);
    return whole;
}

std::string get(std::string_view fields, std::string_view target = "/") {
    return "GET " + std::string(target) + " HTTP/1.1\r\n" + std::string(fields) + "\r\n";
}

}  // namespace

TEST_CASE("http limits: the target has exactly its limit") {
    const RequestLimits limits;
    CHECK(checked(get("Host: a\r\n", "/" + std::string(limits.target_bytes - 1, 'x')), limits) == 0);
    CHECK(checked(get("Host: a\r\n", "/" + std::string(limits.target_bytes, 'x')), limits) == 414);
    CHECK(checked("GET /" + std::string(limits.target_bytes + 100, 'x'), limits) == 414);  // before the line ends
    CHECK(checked(std::string(limits.target_bytes + 100, 'X'), limits) == 400);            // no request line at all
}

TEST_CASE("http limits: the header block has exactly its limit") {
    const RequestLimits limits;
    const auto block = [](std::size_t bytes) {
        std::string fields = "Host: a\r\nX: ";
        fields += std::string(bytes - fields.size() - 2, 'x') + "\r\n";
        return fields;
    };
    CHECK(checked(get(block(limits.header_bytes)), limits) == 0);
    CHECK(checked(get(block(limits.header_bytes + 1)), limits) == 431);
    CHECK(checked(get(block(limits.header_bytes + 3)), limits) == 431);
    // Refused as soon as it is passed, without an end in sight.
    CHECK(checked("GET / HTTP/1.1\r\nX: " + std::string(limits.header_bytes, 'x'), limits) == 431);
}

TEST_CASE("http limits: the number of fields has exactly its limit") {
    const RequestLimits limits;
    std::string fields = "Host: a\r\n";
    for (std::size_t i = 1; i < limits.fields; ++i) fields += "X: y\r\n";
    CHECK(checked(get(fields), limits) == 0);
    CHECK(checked(get(fields + "X: y\r\n"), limits) == 431);
    CHECK(checked("GET / HTTP/1.1\r\n" + fields + "X", limits) == 431);
}

TEST_CASE("http limits: a declared body is refused at the head, a chunked one at the limit") {
    RequestLimits limits;
    limits.body_bytes = 10;
    const auto declared = [](int n) {
        return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(n) + "\r\n\r\n";
    };
    CHECK(checked(declared(10) + std::string(10, 'x'), limits) == 0);
    CHECK(checked(declared(11), limits) == 413);
    const std::string chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    CHECK(checked(chunked + "5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n", limits) == 0);
    CHECK(checked(chunked + "5\r\nhello\r\n6\r\n", limits) == 413);
    CHECK(checked(chunked + "b\r\n", limits) == 413);
    CHECK(checked(chunked + "7fffffffffffffff\r\n", limits) == 413);
}

TEST_CASE("http limits: chunk extensions and trailers have exactly theirs") {
    RequestLimits limits;
    limits.chunk_extension_bytes = 8;
    limits.trailer_bytes = 12;
    const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    CHECK(checked(head + "1;abc\r\nx\r\n1;abc\r\nx\r\n0\r\n\r\n", limits) == 0);
    CHECK(checked(head + "1;abc\r\nx\r\n1;abcd\r\n", limits) == 413);
    CHECK(checked(head + "1;" + std::string(9, 'a'), limits) == 413);
    CHECK(checked(head + "0\r\nX: 3456789\r\n\r\n", limits) == 0);
    CHECK(checked(head + "0\r\nX: 34567890\r\n\r\n", limits) == 413);
    CHECK(checked(head + "0\r\nX: 3\r\nX: 3\r\n\r\n", limits) == 0);
    CHECK(checked(head + "0\r\n" + std::string(20, 'x'), limits) == 413);
}

TEST_CASE("http limits: a parser between requests has given its buffers back") {
    const RequestLimits limits;
    RequestParser parser(limits);
    const std::string bytes = get("Host: a\r\nX: " + std::string(8000, 'x') + "\r\n");
    for (int i = 0; i < 3; ++i) {
        std::string_view input = bytes;
        REQUIRE(parser.next(input).kind == HttpEvent::Kind::head);
        CHECK(parser.head().headers.get("x").size() == 8000);
        REQUIRE(parser.next(input).kind == HttpEvent::Kind::complete);
        parser.release();
        CHECK(parser.idle());
        CHECK(parser.next(input).kind == HttpEvent::Kind::need_more);
    }
}
