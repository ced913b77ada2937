#include "edge/host_list.h"

#include <catch2/catch.hpp>

using namespace holdfast;

TEST_CASE("hosts: without a list any host is served, with one only those in it") {
    CHECK(serves_host({}, "anything.example"));
    CHECK(serves_host({}, ""));
    const std::vector<std::string> hosts{"edge.example.com", "*.pop.example.com", "192.0.2.7", "[2001:db8::7]"};
    for (const char* host : {"edge.example.com", "EDGE.Example.COM", "edge.example.com:8443", "tokyo.pop.example.com",
                             "tokyo.pop.example.com:443", "192.0.2.7", "192.0.2.7:8443", "[2001:db8::7]",
                             "[2001:DB8::7]:8443"})
        CHECK(serves_host(hosts, host));
    for (const char* host : {"", "example.com", "edge.example.com.evil", "xedge.example.com", "pop.example.com",
                             ".pop.example.com", "a.b.pop.example.com", "192.0.2.8", "[2001:db8::8]", "edge",
                             "edge.example.com."})
        CHECK_FALSE(serves_host(hosts, host));
}

TEST_CASE("hosts: entries are names, addresses and one leading star, without a port") {
    for (const char* good : {"localhost", "edge.example.com", "*.example.com", "192.0.2.7", "[::1]", "a_b.example"})
        CHECK(is_host_entry(good));
    for (const char* bad : {"", "*", "*.", "a..b", "edge.example.com:8443", "https://edge.example.com", "a.*.b",
                            "[::1", "[edge]", "::1", "a b", "a/b"})
        CHECK_FALSE(is_host_entry(bad));
    CHECK_FALSE(is_host_entry(std::string(64, 'a')));
    CHECK(is_host_entry(std::string(63, 'a')));
}
