// A kill -9 under load, and what must be found again: every live answer older than 100 ms, used nonces, the operator's
// order, spent budgets, an intact journal.
#include <fmt/format.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <thread>

#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

struct Answered {
    std::string order;
    std::string nonce;
    MonoTime at;
};

// Asks over one connection until the node is gone, and notes what was answered live, and when.
std::vector<Answered> ask_until_gone(const Site& site, int lane) {
    std::vector<Answered> out;
    Client client = site.connect();
    for (int i = 0;; ++i) {
        const std::string order = fmt::format("lane{}-{}", lane, i);
        Ask ask = verify_ask(order, "LOGIN", fmt::format("user-{}-{}", lane, i % 50));
        ask.nonce = fmt::format("nonce-of-{}-padding", order);
        if (!client.connected() || !client.send(site.bytes(ask), 2s)) return out;
        const auto answer = client.answer(3s);
        if (!answer) return out;
        if (answer->json().text("source") == "live") out.push_back({order, ask.nonce, MonoClock::read()});
    }
}

// The 100 ms are the node's own, and a disk that others keep busy can take longer for one write.
struct Memory {
    std::string path = memory_folder();
    ~Memory() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("e2e: kill -9 under load loses no live answer older than 100 ms, and the environment opens", "[alone]") {
    Terms terms;
    terms.cache = "size = \"64MiB\"";
    const Memory memory;
    Site site(std::move(terms));
    REQUIRE(site.stop_node(SIGTERM) == 0);
    std::filesystem::remove_all(site.data(""));
    std::filesystem::create_directory_symlink(memory.path, site.dir() + "/data");
    REQUIRE(site.start_node());
    REQUIRE(
        site.ctl({"degrade", "on", "--scene", "PAYMENT", "--for", "10m", "--reason", "kept over the crash"}).status ==
        0);
    Process load(site.load_arguments({"--connections", "8", "--duration", "6s", "--rate", "300", "--subjects", "200"}),
                 site.dir() + "/load.out", site.dir() + "/load.err");
    std::vector<std::vector<Answered>> lanes(3);
    std::vector<std::thread> threads;
    for (int lane = 0; lane < 3; ++lane)
        threads.emplace_back(
            [&site, &lanes, lane] { lanes[static_cast<std::size_t>(lane)] = ask_until_gone(site, lane); });
    pause_for(2500ms);
    const MonoTime killed = MonoClock::read();
    site.node().signal(SIGKILL);
    for (std::thread& thread : threads) thread.join();
    REQUIRE(site.node().wait(5s) == 128 + SIGKILL);
    REQUIRE(site.start_node());
    INFO(site.log());

    std::size_t expected = 0, replays = 0;
    Client client = site.connect();
    for (const auto& lane : lanes) {
        for (const Answered& one : lane) {
            if (one.at > killed - 100ms) continue;
            ++expected;
            REQUIRE(client.send(site.bytes(lookup_ask(one.order))));
            const auto found = client.answer();
            INFO(one.order);
            REQUIRE(found);
            CHECK(found->status == 200);
            CHECK(found->json().text("source") == "live");
            if (expected % 7 != 0) continue;
            Ask again = verify_ask("other-" + one.order, "LOGIN", "user-1");
            again.nonce = one.nonce;
            REQUIRE(client.send(site.bytes(again)));
            CHECK(client.answer().value_or(HttpAnswer{}).code() == "NonceReplayed");
            ++replays;
        }
    }
    INFO(expected << " answers, " << replays << " nonces");
    CHECK(expected > 20);
    CHECK(replays > 2);
    CHECK(site.ask(verify_ask(site.order(), "PAYMENT", "new")).code() == "VerificationUnavailable");
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "new")).json().text("source") == "live");
    const Json status = site.admin_get("/v1/status");
    CHECK(status["cache"]["healthy"].boolean() == true);
    CHECK(status["state"]["healthy"].boolean() == true);
    CHECK(status["mode"]["overrides"].size() == 1);
    CHECK(site.admin_get("/v1/journal/verify")["ok"].boolean() == true);
    CHECK(site.ctl({"journal", "verify"}).status == 0);
}

TEST_CASE("e2e: an order of the operator, a revocation and spent budgets stand after kill -9 at once", "[alone]") {
    Site site;
    REQUIRE(site.ask(verify_ask(site.order(), "LOGIN", "revoked")).status == 200);
    REQUIRE(site.ask(verify_ask(site.order(), "LOGIN", "known")).status == 200);
    REQUIRE(site.ctl({"degrade", "on", "--for", "10m", "--reason", "crash test"}).status == 0);
    for (const char* subject : {"p1", "p2", "p3"})
        REQUIRE(site.ask(verify_ask(site.order(), "LOGIN", subject)).json().text("outcome") == "provisional");
    pause_for(150ms);
    REQUIRE(site.ctl({"cache", "revoke", "--subject", "revoked"}).status == 0);
    site.node().signal(SIGKILL);
    REQUIRE(site.node().wait(5s) == 128 + SIGKILL);
    REQUIRE(site.start_node());
    const auto requests = site.centre_requests();
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "known")).json().text("source") == "cache");
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "revoked")).code() == "VerificationUnavailable");
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "p4")).code() == "VerificationUnavailable");
    CHECK(site.centre_requests() == requests);
    CHECK(site.admin_get("/v1/journal/verify")["ok"].boolean() == true);
    const std::string journal = site.journal();
    CHECK(journal.find("crash test") != std::string::npos);
    CHECK(journal.find("revoked\"") == std::string::npos);
}
