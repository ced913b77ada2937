// Order numbers whose request ended without an answer: they stay with their body, and the centre's late answer with
// them.
#include <catch2/catch.hpp>
#include <csignal>

#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

Terms impatient() {
    Terms terms;
    terms.retry = "attempts = 0";
    terms.upstream = "deadline = \"400ms\"\ntimeout_max = \"400ms\"\ntimeout_min = \"400ms\"";
    return terms;
}

}  // namespace

TEST_CASE("e2e: an order that failed is a new try with its body, a conflict with another, also after a kill") {
    Site site(impatient(), R"({"mode":"error"})");
    CHECK(site.ask(verify_ask("failed", "LOGIN", "user-1")).status == 502);
    CHECK(site.ask(lookup_ask("failed")).status == 404);
    CHECK(site.ask(verify_ask("failed", "LOGIN", "user-2")).code() == "OrderConflict");
    CHECK(site.ask(verify_ask("failed", "LOGIN", "user-1")).status == 502);
    CHECK(site.centre_requests() == 2);
    pause_for(200ms);  // until it is durable
    site.node().signal(SIGKILL);
    REQUIRE(site.node().wait(5s));
    REQUIRE(site.start_node());
    site.centre(R"({"mode":"healthy"})");
    CHECK(site.ask(verify_ask("failed", "LOGIN", "user-2")).code() == "OrderConflict");
    CHECK(site.ask(verify_ask("failed", "LOGIN", "user-1")).json().text("source") == "live");
    CHECK(site.ask(verify_ask("failed", "LOGIN", "user-2")).code() == "OrderConflict");
    CHECK(site.ask(lookup_ask("failed")).json()["final"].boolean() == true);
}

TEST_CASE("e2e: the late answer of an order that timed out finds its number still its own") {
    Site site(impatient(), R"({"latencyMs":{"min":900,"max":900}})");
    CHECK(site.ask(verify_ask("late", "LOGIN", "user-1")).status == 504);
    CHECK(site.ask(verify_ask("late", "LOGIN", "user-2")).code() == "OrderConflict");
    CHECK(eventually(4s, [&] { return site.ask(lookup_ask("late")).status == 200; }));
    CHECK(site.ask(verify_ask("late", "LOGIN", "user-1")).json().text("source") == "live");
    CHECK(site.ask(verify_ask("late", "LOGIN", "user-2")).code() == "OrderConflict");
    CHECK(site.centre_requests() == 1);
}

TEST_CASE("e2e: an order that was refused while the circuit was open keeps its number for its body") {
    Site site;
    REQUIRE(site.ctl({"degrade", "on", "--scene", "PAYMENT", "--reason", "x"}).status == 0);
    CHECK(site.ask(verify_ask("refused", "PAYMENT", "user-1")).code() == "VerificationUnavailable");
    CHECK(site.ask(verify_ask("refused", "PAYMENT", "user-2")).code() == "OrderConflict");
    REQUIRE(site.ctl({"degrade", "auto", "--scene", "PAYMENT", "--reason", "x"}).status == 0);
    CHECK(site.ask(verify_ask("refused", "PAYMENT", "user-2")).code() == "OrderConflict");
    CHECK(site.ask(verify_ask("refused", "PAYMENT", "user-1")).json().text("source") == "live");
}

TEST_CASE("e2e: an order asked again gets its record whatever the rates say, in flight too") {
    Terms terms;
    terms.more =
        "[[precheck]]\nname = \"rate\"\nkind = \"rate\"\nby = \"subject\"\nrate = { per_second = 0.001, burst = 2 }\n";
    Site site(std::move(terms), R"({"latencyMs":{"min":300,"max":300}})");
    std::vector<Client> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(site.connect());
        REQUIRE(clients.back().send(site.bytes(verify_ask("order-1", "LOGIN", "user-1"))));
    }
    for (Client& client : clients) CHECK(client.answer().value_or(HttpAnswer{}).status == 200);
    for (int i = 0; i < 3; ++i) CHECK(site.ask(verify_ask("order-1", "LOGIN", "user-1")).status == 200);
    CHECK(site.ask(verify_ask("order-2", "LOGIN", "user-1")).code() == "RateLimited");
    CHECK(site.ask(verify_ask("order-1", "LOGIN", "user-1", R"(,"device":"d")")).code() == "RateLimited");
    CHECK(site.centre_requests() == 1);
}
