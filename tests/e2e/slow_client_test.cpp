// Slow and greedy clients: each is ended within its limit, with 408 where it had begun a request, and the others are
// served meanwhile as if nothing were.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

Terms short_limits(const std::string& more = {}) {
    Terms terms;
    terms.limits =
        "handshake_timeout = \"1s\"\nheader_timeout = \"1s\"\nbody_timeout = \"1s\"\nkeepalive_timeout = \"1s\"\n"
        "write_stall_timeout = \"1s\"\n" +
        more;
    return terms;
}

// One limit of a second, the sweep of 250 ms, and room for a loaded machine.
constexpr Nanos kSoon = 4s;

void others_are_served(Site& site) {
    const MonoTime began = MonoClock::read();
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "other")).status == 200);
    CHECK(MonoClock::read() - began < 2s);
}

// Sends one byte at a time until the other side has enough of it; then what came back.
std::string trickle(Client& client, std::string_view bytes, Nanos between) {
    std::string got;
    const MonoTime end = MonoClock::read() + 10s;
    for (std::size_t i = 0; MonoClock::read() < end; ++i) {
        client.send(bytes.substr(i % bytes.size(), 1), 100ms);
        if (auto all = client.until_closed(between)) return *all;
    }
    return "still open";
}

}  // namespace

TEST_CASE("e2e: a slow head ends in 408, however it trickles", "[beside]") {
    Site site(short_limits());
    for (const bool trickling : {false, true}) {
        Client client = site.connect();
        client.send("POST /v1/verifications HTTP/1.1\r\nHost: x\r\n");
        others_are_served(site);
        const std::string got =
            trickling ? trickle(client, "X: y\r\n", 50ms) : client.until_closed(kSoon).value_or("still open");
        const auto answers = all_answers(got);
        REQUIRE(answers);
        REQUIRE(answers->size() == 1);
        CHECK(answers->front().status == 408);
        CHECK(answers->front().code() == "RequestTimeout");
    }
    CHECK(site.metric("holdfast_http_rejects_total{reason=\"timeout_header\"}") == 2);
}

TEST_CASE("e2e: a slow body ends in 408, and leaves nothing behind", "[beside]") {
    Site site(short_limits());
    for (const bool trickling : {false, true}) {
        Client client = site.connect();
        const Ask ask = verify_ask("order-1", "LOGIN", "user-1", R"(,"device":")" + std::string(120, 'd') + "\"");
        client.send(site.head(ask) + "Content-Length: 500000\r\n\r\n{");
        others_are_served(site);
        const std::string got =
            trickling ? trickle(client, " ", 50ms) : client.until_closed(kSoon).value_or("still open");
        const auto answers = all_answers(got);
        REQUIRE(answers);
        REQUIRE(answers->size() == 1);
        CHECK(answers->front().status == 408);
    }
    CHECK(site.ask(lookup_ask("order-1")).status == 404);
    CHECK(site.metric("holdfast_http_rejects_total{reason=\"timeout_body\"}") == 2);
    CHECK(site.metric("holdfast_requests_in_flight") == 0);
}

TEST_CASE("e2e: a refused request whose body does not come gets its refusal, and not a 408") {
    Site site;
    Client client = site.connect();
    client.send("POST /v1/verifications HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
    const auto answer = client.answer(kSoon);
    REQUIRE(answer);
    CHECK(answer->status == 401);
    CHECK(answer->header("Connection") == "close");
    CHECK(site.metric("holdfast_http_rejects_total{reason=\"timeout_body\"}") == 0);
}

TEST_CASE("e2e: a body that does not begin has all of its time, one that has begun must go on", "[beside]") {
    Terms terms;
    terms.limits = "body_timeout = \"9s\"";
    Site site(std::move(terms));
    const std::string head = site.head(verify_ask("order-1", "LOGIN", "user-1")) + "Content-Length: 500000\r\n\r\n";
    Client silent = site.connect(), begun = site.connect();
    silent.send(head);
    begun.send(head + "{");
    const auto cut = begun.answer(8s);  // the least rate is asked for after five seconds
    REQUIRE(cut);
    CHECK(cut->status == 408);
    const auto over = silent.answer(0s);
    CHECK_FALSE(over);
    CHECK(silent.answer(8s).value_or(HttpAnswer{}).status == 408);
}

TEST_CASE("e2e: silence is closed without a word, before the first request and after one") {
    Site site(short_limits());
    Client silent = site.connect(), idle = site.connect();
    idle.send(site.bytes(verify_ask(site.order(), "LOGIN", "user-1")));
    REQUIRE(idle.answer());
    CHECK(silent.until_closed(kSoon) == "");
    CHECK(idle.until_closed(kSoon) == "");
    others_are_served(site);
}

TEST_CASE("e2e: a handshake that does not come, or comes by halves, is closed") {
    Site site(short_limits());
    Client silent = Client::plain(site.port()), half = Client::plain(site.port()), drip = Client::plain(site.port());
    half.send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
    others_are_served(site);
    CHECK(silent.until_closed(kSoon));
    CHECK(half.until_closed(kSoon));
    CHECK(trickle(drip, std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), 60ms) != "still open");
    CHECK(site.metric("holdfast_http_rejects_total{reason=\"timeout_handshake\"}") >= 2);
}

TEST_CASE("e2e: a client that does not read its answers is ended, and the node holds few of them") {
    Terms terms;
    terms.tls = false;
    terms.limits = "write_stall_timeout = \"1s\"";
    Site site(std::move(terms));
    REQUIRE(site.ask(verify_ask("order-1", "LOGIN", "user-1")).status == 200);
    Client client = Client::plain(site.port());
    client.shrink_receiving();
    // More than any socket's buffers hold both ways. Cut by the node's back-pressure, not by a silence of some length,
    // which a machine that stands still for a moment gives as well.
    std::string flood;
    for (int i = 0; i < 40'000; ++i)
        flood += "GET /nowhere HTTP/1.1\r\nHost: x\r\nX-Pad: " + std::string(200, 'x') + "\r\n\r\n";
    CHECK_FALSE(client.send(flood, 10s));
    others_are_served(site);
    INFO(site.monitor("/metrics").body);
    CHECK(eventually(kSoon, [&] { return site.metric("holdfast_http_rejects_total{reason=\"timeout_write\"}") == 1; }));
}

TEST_CASE("e2e: above the cap of connections a new one is shed with 503, and health still answers") {
    Terms terms;
    terms.limits = "connections = 8";
    Site site(std::move(terms));
    std::vector<Client> held;
    for (int i = 0; i < 8; ++i) {
        held.push_back(site.connect());
        held.back().send("POST /v1/verifications HTTP/1.1\r\nHost: x\r\n");  // busy: not to be closed for another
    }
    REQUIRE(eventually(2s, [&] { return site.metric("holdfast_connections{state=\"active\"}") == 8; }));
    const HttpAnswer shed = site.ask(verify_ask(site.order(), "LOGIN", "user-1"));
    CHECK(shed.status == 503);
    CHECK(shed.code() == "Overloaded");
    CHECK_FALSE(shed.header("Retry-After").empty());
    CHECK(shed.header("Connection") == "close");
    Client health = site.connect();
    health.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(health.answer().value_or(HttpAnswer{}).body == "ok");
    CHECK(site.monitor("/metrics").status == 200);
    CHECK(site.ctl({"status"}).status == 0);
    held.clear();
    CHECK(eventually(3s, [&] { return site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200; }));
}

TEST_CASE("e2e: whoever holds all connections, health and metrics are answered") {
    Terms terms;
    terms.tls = false;
    terms.limits = "connections = 8";
    Site site(std::move(terms));
    std::vector<Client> held;
    for (int i = 0; i < 200; ++i) {
        held.push_back(Client::plain(site.port()));
        held.back().send("GET /healthz HTT");
        held.push_back(Client::plain(site.admin_port()));
        held.back().send("GET /metrics HTT");
    }
    Client health = site.connect();
    health.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(health.answer(2s).value_or(HttpAnswer{}).body == "ok");
    CHECK(site.monitor("/metrics").status == 200);
}

TEST_CASE("e2e: at the cap the connection that was idle for longest makes room") {
    Terms terms;
    terms.limits = "connections = 4";
    Site site(std::move(terms));
    std::vector<Client> idle;
    for (int i = 0; i < 4; ++i) {
        idle.push_back(site.connect());
        idle.back().send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        REQUIRE(idle.back().answer());
    }
    pause_for(1300ms);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
    CHECK(idle.front().until_closed(3s) == "");
}

TEST_CASE("e2e: one network prefix cannot take all connections, above its share it is shed with 503") {
    Site site(short_limits("connections_per_prefix = 3"));
    std::vector<Client> held;
    for (int i = 0; i < 3; ++i) held.push_back(site.connect());
    const HttpAnswer shed = site.ask(verify_ask(site.order(), "LOGIN", "user-1"));
    REQUIRE(shed.status == 503);
    CHECK(shed.code() == "Overloaded");
    CHECK_FALSE(shed.header("Retry-After").empty());
    CHECK(shed.header("Connection") == "close");
    CHECK(site.metric("holdfast_http_rejects_total{reason=\"prefix\"}") == 1);
    Client health = site.connect();
    health.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(health.answer().value_or(HttpAnswer{}).body == "ok");
    held.clear();
    CHECK(eventually(3s, [&] { return site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200; }));
}

TEST_CASE("e2e: a prefix that takes what is kept for its 503 too is closed without a word") {
    Terms terms;
    terms.tls = false;
    terms.limits = "connections_per_prefix = 3";
    Site site(std::move(terms));
    std::vector<Client> held;
    for (int i = 0; i < 3 + 64; ++i) held.push_back(site.connect());
    REQUIRE(eventually(2s, [&] { return site.metric("holdfast_http_rejects_total{reason=\"prefix\"}") == 64; }));
    Client beyond = site.connect();
    CHECK(beyond.until_closed(2s) == "");
    CHECK(site.metric("holdfast_http_rejects_total{reason=\"prefix\"}") == 65);
}

TEST_CASE("e2e: clients that leave in the middle cost nothing that stays") {
    Site site({}, R"({"latencyMs":{"min":100,"max":100}})");
    const std::string whole = site.bytes(verify_ask("gone", "LOGIN", "user-1"));
    for (std::size_t cut = 1; cut < whole.size(); cut += 37) {
        Client client = site.connect();
        client.send(whole.substr(0, cut));
    }
    {  // this one leaves after its request: the call goes on, and is recorded
        Client client = site.connect();
        client.send(whole);
        pause_for(50ms);
    }
    CHECK(eventually(3s, [&] { return site.ask(lookup_ask("gone")).status == 200; }));
    CHECK(site.centre_requests() == 1);
    CHECK(eventually(3s, [&] {
        return site.metric("holdfast_requests_in_flight") == 0 &&
               site.metric("holdfast_connections{state=\"active\"}") == 0;
    }));
}
