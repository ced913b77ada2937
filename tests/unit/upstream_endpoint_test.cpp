#include "upstream/endpoint.h"

#include <catch2/catch.hpp>

using namespace holdfast;

TEST_CASE("endpoint: the parts of a URL") {
    const auto a = parse_endpoint("https://Central-A.internal:8443/face/");
    REQUIRE(a);
    CHECK(a->tls);
    CHECK(a->host == "central-a.internal");
    CHECK(a->port == 8443);
    CHECK(a->path == "/face");
    CHECK(a->host_header == "central-a.internal:8443");
    CHECK(a->server_name == "central-a.internal");
    const auto b = parse_endpoint("https://[2001:db8::1]");
    REQUIRE(b);
    CHECK(b->host == "2001:db8::1");
    CHECK(b->host_header == "[2001:db8::1]");
    CHECK(b->path.empty());
    CHECK(b->port == 443);
    const auto c = parse_endpoint("http://localhost:8080");
    REQUIRE(c);
    CHECK(c->host == "127.0.0.1");
    CHECK(c->host_header == "localhost:8080");
    CHECK(parse_endpoint("http://127.8.9.10/"));
    CHECK(parse_endpoint("http://[::1]:81/x"));
}

TEST_CASE("endpoint: what is no endpoint is refused") {
    for (const char* url : {"",
                            "central-a",
                            "ftp://a/",
                            "https://",
                            "https:///x",
                            "https://a:0",
                            "https://a:65536",
                            "https://a:",
                            "https://a:+1",
                            "https://a:1x",
                            "https://u@a/",
                            "https://a/?q",
                            "https://a/#f",
                            "https://a b/",
                            "https://a//b",
                            "https://1.2.3",
                            "https://256.1.1.1",
                            "https://[::1",
                            "https://[::g]",
                            "https://a..b",
                            "https://-a",
                            "https://a/\r\nX:",
                            "http://central-a.internal",
                            "http://10.0.0.1",
                            "http://0.0.0.0",
                            "http://[::2]",
                            "http://128.0.0.1",
                            "http://localhost.evil.example",
                            "http://127.1"}) {
        INFO(url);
        CHECK_FALSE(parse_endpoint(url));
    }
    CHECK(parse_endpoint("https://a/" + std::string(kUrlMax - 10, 'p')));
    CHECK_FALSE(parse_endpoint("https://a/" + std::string(kUrlMax - 9, 'p')));
}
