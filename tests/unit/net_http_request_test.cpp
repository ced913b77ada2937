#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "edge/net/http_parser.h"

using namespace holdfast;

namespace {

const std::string kHost = "Host: a\r\n";

// What a parser made of some bytes, as text: "head POST /x|body abc|complete|…".
struct Run {
    std::vector<std::string> events;
    int status = 0;
    RejectReason reason = RejectReason::none;
    bool operator==(const Run&) const = default;
};

// Feeds `bytes` in pieces of `piece` bytes; neighbouring body events are one.
Run run(std::string_view bytes, std::size_t piece = SIZE_MAX, const RequestLimits& limits = RequestLimits{}) {
    RequestParser parser(limits);
    Run out;
    std::string body;
    const auto flush_body = [&out, &body] {
        if (!body.empty()) out.events.push_back("body " + body);
        body.clear();
    };
    for (std::size_t at = 0; at < bytes.size() && out.status == 0; at += std::min(piece, bytes.size() - at)) {
        std::string_view input = bytes.substr(at, piece);
        for (;;) {
            const HttpEvent event = parser.next(input);
            if (event.kind == HttpEvent::Kind::need_more) break;
            if (event.kind == HttpEvent::Kind::body) {
                body.append(event.body);
                continue;
            }
            flush_body();
            if (event.kind == HttpEvent::Kind::head) {
                out.events.push_back("head " + std::string(parser.head().method) + " " +
                                     std::string(parser.head().raw_path));
            } else if (event.kind == HttpEvent::Kind::complete) {
                out.events.push_back("complete");
            } else {
                out.status = parser.reject().status;
                out.reason = parser.reject().reason;
                CHECK(parser.next(input).kind == HttpEvent::Kind::error);
                break;
            }
        }
    }
    flush_body();
    return out;
}

std::string with(std::string_view fields) {
    return "POST /x HTTP/1.1\r\n" + kHost + std::string(fields) + "\r\n";
}

struct Row {
    std::string bytes;
    int status;
    RejectReason reason;
};

void check_rows(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        INFO(row.bytes);
        const Run whole = run(row.bytes);
        CHECK(whole.status == row.status);
        CHECK(name(whole.reason) == name(row.reason));
        for (const std::size_t piece : {1, 2, 3, 7}) CHECK(run(row.bytes, piece) == whole);
        // Whatever follows a refused head is never read as a request.
        for (const std::string& event : run(row.bytes + "GET /smuggled HTTP/1.1\r\n" + kHost + "\r\n").events)
            CHECK(event.find("smuggled") == std::string::npos);
    }
}

constexpr auto kFraming = RejectReason::framing;
constexpr auto kSyntax = RejectReason::syntax;
constexpr auto kLine = RejectReason::request_line;
constexpr auto kTarget = RejectReason::target;
constexpr auto kHostReason = RejectReason::host;

}  // namespace

TEST_CASE("http request: a head with its parts") {
    const RequestLimits limits;
    RequestParser parser(limits);
    CHECK(parser.idle());
    const std::string bytes =
        "POST /v1/x%2fy?a=1&b HTTP/1.1\r\nHost: Edge.example:8443\r\nX-Empty:\r\nX-Pad: \t v w \t\r\ncontent-length: "
        "3\r\n"
        "Connection: Keep-Alive, X-Pad\r\n\r\nabcGET";
    std::string_view input = bytes;
    REQUIRE(parser.next(input).kind == HttpEvent::Kind::head);
    CHECK_FALSE(parser.idle());
    const RequestHead& head = parser.head();
    CHECK(head.method == "POST");
    CHECK(head.target == "/v1/x%2fy?a=1&b");
    CHECK(head.raw_path == "/v1/x%2fy");
    CHECK(head.query == "a=1&b");
    CHECK(head.host == "Edge.example:8443");
    CHECK(head.minor == 1);
    CHECK(head.keep_alive);
    CHECK_FALSE(head.expect_continue);
    CHECK(head.content_length == 3u);
    CHECK(head.has_body());
    REQUIRE(head.headers.size() == 5);
    CHECK(head.headers[1].name == "X-Empty");
    CHECK(head.headers[1].value.empty());
    CHECK(head.headers.find("x-empty") == "");
    CHECK(head.headers.get("X-PAD") == "v w");
    CHECK(head.headers.count("Content-Length") == 1);
    CHECK(head.headers.count("nothing") == 0);
    CHECK_FALSE(head.headers.find("nothing"));
    CHECK(head.headers.has_token("connection", "x-pad"));
    const HttpEvent body = parser.next(input);
    CHECK(body.kind == HttpEvent::Kind::body);
    CHECK(body.body == "abc");
    CHECK(parser.next(input).kind == HttpEvent::Kind::complete);
    CHECK(input == "GET");
    CHECK(parser.idle());
    parser.release();
}

TEST_CASE("http request: any cut of the input gives the same events") {
    const std::string bytes = "\r\n" + with("Content-Length: 5\r\n") + "hello" +
                              with("Transfer-Encoding: chunked\r\n") +
                              "5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\nX-T: v\r\n\r\n" + "GET /last HTTP/1.0\r\n\r\n";
    const Run whole = run(bytes);
    CHECK(whole.status == 0);
    CHECK(whole.events == std::vector<std::string>{"head POST /x", "body hello", "complete", "head POST /x",
                                                   "body hello0123456789", "complete", "head GET /last", "complete"});
    for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
        INFO(cut);
        CHECK(run(bytes, cut) == whole);
    }
}

TEST_CASE("http request: pipelined requests come one after the other and leave the rest alone") {
    const RequestLimits limits;
    RequestParser parser(limits);
    const std::string bytes = "GET /1 HTTP/1.1\r\n" + kHost + "\r\nGET /2 HTTP/1.1\r\n" + kHost + "\r\n";
    std::string_view input = bytes;
    REQUIRE(parser.next(input).kind == HttpEvent::Kind::head);
    CHECK(input.size() == bytes.size() / 2);
    CHECK(parser.head().raw_path == "/1");
    CHECK(parser.next(input).kind == HttpEvent::Kind::complete);
    CHECK(parser.head().raw_path == "/1");
    CHECK(input.size() == bytes.size() / 2);
    REQUIRE(parser.next(input).kind == HttpEvent::Kind::head);
    CHECK(parser.head().raw_path == "/2");
}

TEST_CASE("http request: keep-alive follows version and Connection") {
    const auto keep = [](std::string_view version, std::string_view connection) {
        const RequestLimits limits;
        RequestParser parser(limits);
        const std::string bytes =
            "GET / HTTP/" + std::string(version) + "\r\n" + kHost + std::string(connection) + "\r\n";
        std::string_view input = bytes;
        REQUIRE(parser.next(input).kind == HttpEvent::Kind::head);
        return parser.head().keep_alive;
    };
    CHECK(keep("1.1", ""));
    CHECK_FALSE(keep("1.1", "Connection: close\r\n"));
    CHECK_FALSE(keep("1.1", "Connection: x, CLOSE\r\n"));
    CHECK_FALSE(keep("1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
    CHECK_FALSE(keep("1.0", ""));
    CHECK(keep("1.0", "Connection: keep-alive\r\n"));
}

TEST_CASE("http request: what plain llhttp lets through is refused") {
    check_rows({
        {with("X:\rTransfer-Encoding: chunked\r\n"), 400, kSyntax},
        {with("X:\rContent-Length: 5\r\n"), 400, kSyntax},
        {"POST /x HTTP/1.1\r\nHost : a\r\n\r\n", 400, kSyntax},
        {with("X: a\r\n Content-Length: 5\r\n"), 400, kSyntax},
        {with("X: a\r\n\tfolded\r\n"), 400, kSyntax},
        {with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400, kFraming},
        {with("X: a\nContent-Length: 5\r\n"), 400, kSyntax},
        {"POST /x HTTP/1.1\n" + kHost + "\r\n", 400, kSyntax},
        {"POST /x HTTP/1.1\r\n Host: a\r\n\r\n", 400, kSyntax},
        {with("X: a\rb\r\n"), 400, kSyntax},
        {with("X: a\r\n\rX"), 400, kSyntax},
        {with(std::string_view("X: a\0b\r\n", 8)), 400, kSyntax},
        {with("X: a\x01\r\n"), 400, kSyntax},
        {with("X: a\x7f\r\n"), 400, kSyntax},
        {with(": v\r\n"), 400, kSyntax},
        {with("no colon\r\n"), 400, kSyntax},
        {with("N\xc3\xa4me: v\r\n"), 400, kSyntax},
        {with("A(b): v\r\n"), 400, kSyntax},
        {with("X:\r\n\r\r\n"), 400, kSyntax},
        {"\r\n\r\n" + with(""), 400, kSyntax},
        {"\r\r\n" + with(""), 400, kSyntax},
        {with("Content-Type: a\r\nContent-Type: b\r\n"), 400, kSyntax},
    });
    CHECK(run(with("X: caf\xe9 \xff\r\n")).events.size() == 2);  // obs-text in a value is fine
}

TEST_CASE("http request: doubtful framing is refused") {
    std::vector<Row> rows;
    for (const char* value : {"", "+5", "-5", "0x5", "5_0", "5 5", "5,5", "5, 5", "5.0", "a", "9223372036854775808",
                              "18446744073709551616", "99999999999999999999"})
        rows.push_back({with("Content-Length: " + std::string(value) + "\r\n"), 400, kFraming});
    for (const char* value :
         {"", ",chunked", "gzip, chunked", "identity, chunked", "identity", "gzip", "chunked, chunked", "xchunked",
          "chunked;q=1", "\"chunked\"", "Chunked", "CHUNKED", "chunkeD"})
        rows.push_back({with("Transfer-Encoding: " + std::string(value) + "\r\n"), 400, kFraming});
    rows.push_back({with("Content-Length: 5\r\nContent-Length: 5\r\n"), 400, kFraming});
    rows.push_back({with("Content-Length: 5\r\nContent-Length: 6\r\n"), 400, kFraming});
    rows.push_back({with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400, kFraming});
    rows.push_back({with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400, kFraming});
    rows.push_back({with("Content_Length: 5\r\n"), 400, kFraming});
    rows.push_back({with("transfer_encoding: chunked\r\n"), 400, kFraming});
    rows.push_back({"POST / HTTP/1.0\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n", 400, kFraming});
    check_rows(rows);
    CHECK(run(with("Content-Length: 0\r\n")).events.size() == 2);
    CHECK(run(with("Content-Length: 0005\r\n") + "hello").events.size() == 3);
}

TEST_CASE("http request: malformed chunks are refused") {
    const std::string head = with("Transfer-Encoding: chunked\r\n");
    std::vector<Row> rows;
    for (const char* chunk : {"\r\n",
                              "5\n",
                              "5\rX",
                              "+5\r\n",
                              "-5\r\n",
                              "0x5\r\n",
                              " 5\r\n",
                              "5 \r\n",
                              "5 ;a\r\n",
                              "g\r\n",
                              "00000000000000005\r\n",
                              "5;a\x01\r\n",
                              "5;a\nb\r\n",
                              "5;\xff\r\n",
                              "5\r\nhelloX\r\n",
                              "5\r\nhello\rX",
                              "5\r\nhello\n",
                              ";a\r\n",
                              "0\r\n\rX",
                              "0\r\n\n",
                              "0\r\nX : v\r\n\r\n",
                              "0\r\n: v\r\n\r\n",
                              "0\r\nX: a\r\n b\r\n\r\n",
                              "0\r\nX: a\rb\r\n\r\n"})
        rows.push_back({head + chunk, 400, kFraming});
    for (Row& row : rows)
        if (row.bytes.compare(head.size(), 3, "0\r\n") == 0) row.reason = kSyntax;
    check_rows(rows);
    CHECK(run(head + "0000000000000005\r\nhello\r\n0\r\n\r\n").events.size() == 3);
    CHECK(run(head + "ffffffffffffffff\r\n").status == 413);
}

TEST_CASE("http request: what frames, routes, authenticates or changes a request never stands in its trailers") {
    const std::string head = with("Transfer-Encoding: chunked\r\n");
    std::vector<Row> rows;
    for (const char* forbidden : {"Content-Length",
                                  "Transfer-Encoding",
                                  "Trailer",
                                  "Connection",
                                  "TE",
                                  "Upgrade",
                                  "Keep-Alive",
                                  "Host",
                                  "Forwarded",
                                  "X-Forwarded-For",
                                  "X-Real-IP",
                                  "Via",
                                  "Max-Forwards",
                                  "Authorization",
                                  "Proxy-Authorization",
                                  "X-Timestamp",
                                  "X-Nonce",
                                  "X-Content-SHA256",
                                  "Cookie",
                                  "Set-Cookie",
                                  "Content-Type",
                                  "Content-Encoding",
                                  "Content-Range",
                                  "Content-Disposition",
                                  "Idempotency-Key",
                                  "X-Request-Id",
                                  "X-Edge-Node",
                                  "X-Edge-Probe",
                                  "X-Deadline-Ms",
                                  "X-Attempt",
                                  "traceparent",
                                  "tracestate",
                                  "Expect",
                                  "Range",
                                  "If-Match",
                                  "If-None-Match",
                                  "Cache-Control",
                                  "Pragma",
                                  "transfer_encoding",
                                  "X_Nonce",
                                  "X-NONCE",
                                  "x-timestamp",
                                  "CONTENT_TYPE"})
        rows.push_back({head + "0\r\nX-T: v\r\n" + forbidden + ": x\r\n\r\n", 400, kFraming});
    check_rows(rows);
    for (const char* harmless : {"X-T", "X-Checksum", "Server-Timing", "Digest", "Hosts", "X-Nonce-Count", "TEA"})
        CHECK(run(head + "0\r\n" + harmless + ": x\r\n\r\n").events.size() == 2);
}

TEST_CASE("http request: the request line is exact") {
    check_rows({
        {"GET /\r\n", 400, kLine},
        {"GET\r\n", 400, kLine},
        {"GET / HTTP/0.9\r\n", 505, RejectReason::version},
        {"GET / HTTP/2.0\r\n", 505, RejectReason::version},
        {"GET / HTTP/1.2\r\n", 505, RejectReason::version},
        {"GET / HTTP/3.1\r\n", 505, RejectReason::version},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, RejectReason::version},
        {"GET / HTTP/1.1x\r\n", 400, kLine},
        {"GET / HTTP/11.1\r\n", 400, kLine},
        {"GET / http/1.1\r\n", 400, kLine},
        {"GET / ICE/1.0\r\n", 400, kLine},
        {"GET / RTSP/1.0\r\n", 400, kLine},
        {"get / HTTP/1.1\r\n", 400, kLine},
        {"Get / HTTP/1.1\r\n", 400, kLine},
        {" GET / HTTP/1.1\r\n", 400, kLine},
        {"GET  / HTTP/1.1\r\n", 400, kLine},
        {"GET /  HTTP/1.1\r\n", 400, kLine},
        {"GET / HTTP/1.1 \r\n", 400, kLine},
        {"GET\t/ HTTP/1.1\r\n", 400, kLine},
        {"GET /a b HTTP/1.1\r\n", 400, kLine},
        {"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", 400, kLine},
        {"\x16\x03\x01\x02", 400, kLine},
        {"GET /\xc3\xa4 HTTP/1.1\r\n", 400, kLine},
        {"FOO / HTTP/1.1\r\n" + kHost + "\r\n", 501, kLine},
        {"PRI / HTTP/1.1\r\n" + kHost + "\r\n", 400, kLine},
        {"DESCRIBE / HTTP/1.1\r\n" + kHost + "\r\n", 400, kLine},
        {"CONNECT a:443 HTTP/1.1\r\n", 405, RejectReason::upgrade},
    });
}

TEST_CASE("http request: targets are paths without tricks") {
    std::vector<Row> rows;
    for (const char* target :
         {"*",         "a",       "a:443",  "ftp://a/", "http:/a", "http:///x", "http://u@a/", "http://a:b/", "//",
          "//x",       "/x//y",   "/.",     "/..",      "/../x",   "/x/..",     "/x/./y",      "/x/../y",     "/%2e",
          "/%2E%2e/x", "/.%2e/x", "/%00",   "/x%0d%0a", "/%1f",    "/%7f",      "/%",          "/%4",         "/%zz",
          "/x\\y",     "/x#f",    "/x?a#f", "/<",       "/\"",     "/{x}",      "/a|b",        "/^"})
        rows.push_back({"GET " + std::string(target) + " HTTP/1.1\r\n" + kHost + "\r\n", 400, kTarget});
    check_rows(rows);
    for (const char* target : {"/", "/x", "/x/", "/...", "/x.y", "/%41%2f", "/~a!$&'()*+,;=:@-_.", "/?", "/x?//..%00",
                               "http://a", "http://a/x", "HTTP://A/x?y", "https://a?y"}) {
        INFO(target);
        CHECK(run("GET " + std::string(target) + " HTTP/1.1\r\n" + kHost + "\r\n").status == 0);
    }
}

TEST_CASE("http request: an absolute target is reduced to its path when it names Host") {
    const RequestLimits limits;
    RequestParser parser(limits);
    std::string bytes = "GET http://edge:8443/v1?q HTTP/1.1\r\nHost: EDGE:8443\r\n\r\n";
    std::string_view input = bytes;
    REQUIRE(parser.next(input).kind == HttpEvent::Kind::head);
    CHECK(parser.head().target == "http://edge:8443/v1?q");
    CHECK(parser.head().raw_path == "/v1");
    CHECK(parser.head().query == "q");
    check_rows({{"GET http://b/ HTTP/1.1\r\n" + kHost + "\r\n", 400, kHostReason},
                {"GET http://a:80/ HTTP/1.1\r\n" + kHost + "\r\n", 400, kHostReason}});
    bytes = "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n";
    RequestParser bare(limits);
    input = bytes;
    REQUIRE(bare.next(input).kind == HttpEvent::Kind::head);
    CHECK(bare.head().raw_path == "/");
}

TEST_CASE("http request: one well-formed Host") {
    std::vector<Row> rows{{"GET / HTTP/1.1\r\n\r\n", 400, kHostReason},
                          {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, kHostReason},
                          {"GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", 400, kHostReason}};
    for (const char* host :
         {"",     "a b", "a/b",   "u@a",    "a,b",    "a:",  "a:x", "a:65536", "a:123456", "a:1:2",
          "[:::::::]", "[1.2.3.4]", "[::1%1]", "[1:2:3:4:5:6:7:8:9]",
          "[::1", "[]",  "[g::]", "[::1]x", "[::1]:", ":80", "a?b", "a#b",     "a%41",     "\xc3\xa4"})
        rows.push_back({"GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n", 400, kHostReason});
    check_rows(rows);
    for (const char* host : {"a", "a.b-c_d", "127.0.0.1:8443", "[::1]", "[::1]:65535", "[::ffff:1.2.3.4]", "A:0"})
        CHECK(run("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n").status == 0);
    CHECK(run("GET / HTTP/1.0\r\n\r\n").status == 0);
}

TEST_CASE("http request: Expect is 100-continue or refused, and never reaches HTTP/1.0") {
    check_rows({{with("Expect: 200-ok\r\n"), 417, RejectReason::expect},
                {with("Expect: 100-continue, x\r\n"), 417, RejectReason::expect},
                {with("Expect: 100-continue\r\nExpect: 100-continue\r\n"), 417, RejectReason::expect},
                {with("Expect:\r\n"), 417, RejectReason::expect}});
    for (const char* version : {"1.0", "1.1"}) {
        const RequestLimits limits;
        RequestParser parser(limits);
        const std::string bytes = "POST / HTTP/" + std::string(version) + "\r\n" + kHost +
                                  "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n";
        std::string_view input = bytes;
        REQUIRE(parser.next(input).kind == HttpEvent::Kind::head);
        CHECK(parser.head().expect_continue == (std::string_view(version) == "1.1"));
    }
}

TEST_CASE("http request: an Upgrade is ignored, with a body or without") {
    const std::string fields = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n";
    CHECK(run(with(fields) + with("")).events.size() == 4);
    CHECK(run(with(fields + "Content-Length: 2\r\n") + "ab" + with("")).events.size() == 5);
    CHECK(run("TRACE /x HTTP/1.1\r\n" + kHost + "\r\n").events.front() == "head TRACE /x");
}

TEST_CASE("http request: one message after another is read into the same buffer, until it is given back") {
    const RequestLimits limits;
    RequestParser parser(limits);
    const char* first = nullptr;
    for (int i = 0; i < 20; ++i) {
        const std::string bytes = "GET /" + std::string(static_cast<std::size_t>(i % 3), 'x') +
                                  " HTTP/1.1\r\nHost: a\r\nX: " + std::string(300, 'v') + "\r\n\r\n";
        std::string_view input = bytes;
        REQUIRE(parser.next(input).kind == HttpEvent::Kind::head);
        const char* at = parser.head().target.data();
        if (first == nullptr) first = at;
        CHECK(at == first);
        REQUIRE(parser.next(input).kind == HttpEvent::Kind::complete);
    }
    parser.release();
    CHECK(parser.idle());
    std::string_view input = "GET /again HTTP/1.1\r\nHost: a\r\n\r\n";
    REQUIRE(parser.next(input).kind == HttpEvent::Kind::head);
    CHECK(parser.head().target == "/again");
}
