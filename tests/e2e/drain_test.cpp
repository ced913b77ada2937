// The end of a node: SIGTERM under load answers what is in flight and resets nobody; an operator's drain is reversible.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <thread>

#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

TEST_CASE("e2e: SIGTERM answers every request in flight, closes idle connections, and ends with 0", "[alone]") {
    Site site({}, R"({"latencyMs":{"min":300,"max":300}})");
    std::vector<Client> busy, idle;
    for (int i = 0; i < 20; ++i) {
        busy.push_back(site.connect());
        busy.back().send(site.bytes(verify_ask(site.order(), "LOGIN", "user-1")));
    }
    for (int i = 0; i < 5; ++i) idle.push_back(site.connect());
    REQUIRE(eventually(2s, [&] { return site.centre_requests() == 20; }));
    site.node().signal(SIGTERM);
    for (Client& client : busy) {
        const auto answer = client.answer();
        REQUIRE(answer);
        CHECK(answer->status == 200);
        CHECK(answer->header("Connection") == "close");
        CHECK(client.until_closed(3s) == "");
        CHECK_FALSE(client.was_reset());
    }
    for (Client& client : idle) {
        CHECK(client.until_closed(3s) == "");
        CHECK_FALSE(client.was_reset());
    }
    CHECK(site.node().wait(5s) == 0);
    REQUIRE(site.start_node());
    CHECK(site.ask(lookup_ask("asked-20")).json().text("source") == "live");
    CHECK(site.admin_get("/v1/journal/verify")["ok"].boolean() == true);
}

TEST_CASE("e2e: after SIGTERM nobody can connect any more while what is in flight is answered", "[alone]") {
    Terms terms;
    terms.upstream = "deadline = \"3s\"\ntimeout_max = \"2900ms\"\ntimeout_min = \"2900ms\"";
    Site site(std::move(terms), R"({"latencyMs":{"min":2500,"max":2500}})");
    const auto refused = [&site] {
        try {
            Client::plain(site.port());
        } catch (const std::exception&) {
            return true;
        }
        return false;
    };
    Client busy = site.connect();
    busy.send(site.bytes(verify_ask(site.order(), "LOGIN", "user-1")));
    REQUIRE(eventually(2s, [&] { return site.centre_requests() == 1; }));
    CHECK_FALSE(refused());
    site.node().signal(SIGTERM);
    CHECK(eventually(1500ms, refused));
    const auto answer = busy.answer();
    REQUIRE(answer);
    CHECK(answer->status == 200);
    CHECK(site.node().wait(5s) == 0);
}

namespace {

struct Lane {
    int answered = 0, other = 0;
    bool ended_well = false;  // by an answer with Connection: close, and then the end
};

// Asks over one connection until the node says that it will close it.
Lane ask_until_told(const Site& site, int number) {
    Lane lane;
    Client client = site.connect();
    for (int i = 0; i < 10'000; ++i) {
        const std::string order = fmt::format("lane{}-{}", number, i);
        if (!client.send(site.bytes(verify_ask(order, "LOGIN", "user-" + order)), 2s)) return lane;
        const auto answer = client.answer(5s);
        if (!answer) return lane;
        ++(answer->status == 200 ? lane.answered : lane.other);
        if (answer->header("Connection") != "close") continue;
        lane.ended_well = client.until_closed(3s) == "" && !client.was_reset();
        return lane;
    }
    return lane;
}

}  // namespace

TEST_CASE("e2e: SIGTERM under load leaves no request of a client that listens without its answer", "[alone]") {
    Terms terms;
    terms.drain = "lame_duck = \"1s\"\ntimeout = \"5s\"";
    Site site(std::move(terms));
    std::vector<Lane> lanes(8);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < lanes.size(); ++i)
        threads.emplace_back([&site, &lanes, i] { lanes[i] = ask_until_told(site, static_cast<int>(i)); });
    REQUIRE(eventually(10s, [&] { return site.centre_requests() > 100; }));
    site.node().signal(SIGTERM);
    for (std::thread& thread : threads) thread.join();
    CHECK(site.node().wait(8s) == 0);
    int answered = 0;
    for (const Lane& lane : lanes) {
        CHECK(lane.ended_well);
        CHECK(lane.other == 0);
        answered += lane.answered;
    }
    CHECK(site.centre_requests() == answered);
}

TEST_CASE("e2e: a lame duck still serves, is not ready, and says Connection: close", "[alone]") {
    Terms terms;
    terms.drain = "lame_duck = \"1500ms\"";
    Site site(std::move(terms));
    CHECK(site.monitor("/readyz").status == 200);
    site.node().signal(SIGTERM);
    REQUIRE(eventually(1s, [&] { return site.monitor("/readyz").status == 503; }));
    CHECK(site.monitor("/livez").status == 200);
    const HttpAnswer answer = site.ask(verify_ask(site.order(), "LOGIN", "user-1"));
    CHECK(answer.status == 200);
    CHECK(answer.header("Connection") == "close");
    Client health = site.connect();
    health.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(health.answer().value_or(HttpAnswer{}).status == 503);
    CHECK(site.node().wait(6s) == 0);
}

TEST_CASE("e2e: drain refuses new work, undrain takes it again", "[alone]") {
    Site site;
    REQUIRE(site.ctl({"drain", "--wait"}).status == 0);
    CHECK(site.monitor("/readyz").status == 503);
    CHECK(eventually(2s, [&] { return site.ask(verify_ask(site.order(), "LOGIN", "user-1")).code() == "Draining"; }));
    const HttpAnswer refused = site.ask(verify_ask(site.order(), "LOGIN", "user-1"));
    CHECK(refused.status == 503);
    CHECK_FALSE(refused.header("Retry-After").empty());
    Client health = site.connect();
    health.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto answer = health.answer();
    REQUIRE(answer);
    CHECK(answer->status == 503);
    CHECK(answer->body == "draining");
    REQUIRE(site.ctl({"undrain"}).status == 0);
    CHECK(site.monitor("/readyz").status == 200);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
}

TEST_CASE("e2e: what is in flight longer than drain.timeout does not hold the end", "[alone]") {
    Terms terms;
    terms.drain = "timeout = \"500ms\"";
    terms.upstream = "deadline = \"10s\"\ntimeout_max = \"10s\"\ntimeout_min = \"10s\"";
    Site site(std::move(terms), R"({"mode":"hang"})");
    Client client = site.connect();
    client.send(site.bytes(verify_ask(site.order(), "LOGIN", "user-1")));
    REQUIRE(eventually(2s, [&] { return site.centre_requests() == 1; }));
    const MonoTime began = MonoClock::read();
    CHECK(site.stop_node(SIGTERM, 6s) == 0);
    CHECK(MonoClock::read() - began < 4s);
}

TEST_CASE("e2e: a second signal ends the process at once, and what was answered before is on disk", "[alone]") {
    Terms terms;
    terms.drain = "timeout = \"20s\"\nlame_duck = \"20s\"";
    terms.upstream = "deadline = \"20s\"\ntimeout_max = \"20s\"\ntimeout_min = \"20s\"";
    Site site(std::move(terms));
    for (const int second : {SIGTERM, SIGINT}) {
        site.centre(R"({"mode":"healthy"})");
        const std::string order = site.order();
        REQUIRE(site.ask(verify_ask(order, "LOGIN", "user-1")).status == 200);
        site.centre(R"({"mode":"hang"})");
        Client client = site.connect();
        client.send(site.bytes(verify_ask(site.order(), "LOGIN", "user-1")));
        REQUIRE(eventually(2s, [&] { return site.admin_get("/v1/status")["load"]["inFlight"].number() == 1; }));
        site.node().signal(SIGTERM);
        REQUIRE(eventually(2s, [&] { return site.monitor("/readyz").status == 503; }));
        const MonoTime began = MonoClock::read();
        CHECK(site.stop_node(second, 5s) == 0);
        CHECK(MonoClock::read() - began < 2s);
        REQUIRE(site.start_node());
        CHECK(site.ask(lookup_ask(order)).status == 200);
    }
}
