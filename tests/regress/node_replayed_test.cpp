// Reconciliation at an Alipay gateway that answers a replay with "later" and a number: the outcome comes by a
// notification that does not say whose it is, before or after the replay.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/regress/notified_bench.h"
#include "tests/regress/reconcile_bench.h"
#include "tests/support/alipay_vectors.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

constexpr std::string_view kReplayedApp = "2021000000000001";

// Two callers, and a gateway that takes every order and decides it later.
struct ReplayedBench : ReconcileBench {
    ReplayedBench() {
        one.crash();
        for (const auto& [file, key] : {std::pair{"app.pem", "app_private_pkcs8"}, {"alipay.pem", "alipay_public"}})
            one.folder.write(file, alipay_vectors::key(key));
        one.config.insert(one.config.find("[upstream]\n") + 11, "kind = \"alipay\"\n");
        const auto url = one.config.find("url = \"http://") + 7;
        one.config.insert(one.config.find('"', url), "/gateway.do");
        one.config += fmt::format(
            "[upstream.alipay]\napp_id = \"{0}\"\nprivate_key_file = \"{1}/app.pem\"\n"
            "alipay_public_key_file = \"{1}/alipay.pem\"\n",
            kReplayedApp, one.folder.path());
        AlipaySetup setup;
        setup.app_id = kReplayedApp;
        setup.app_key = alipay_vectors::key("app_public");
        setup.key = alipay_vectors::key("alipay_private_pkcs1");
        auto gateway = AlipayGateway::make(std::move(setup));
        REQUIRE(gateway);
        one.central.centre().serve_alipay(std::move(*gateway), one.host);
        plan(one, [](CentrePlan& p) { p.alipay.pending = true; });
        const bool started = one.start();
        INFO(one.why());
        REQUIRE(started);
    }
    // The number that the gateway gives an order of this number, whoever asks it.
    std::string number_of(const std::string& order_no) {
        plan(one, [](CentrePlan& p) { p.alipay.pending = true; });
        const auto got = one.ask(order_no, "LOGIN", "somebody");
        INFO(got.body);
        REQUIRE(got.status == 202);
        return got.text("verificationId");
    }
    // Puts what waits to the centre, as often as one call takes.
    void replay() {
        const std::size_t calls = one.central.calls().size();
        REQUIRE(why_refused().empty());
        REQUIRE(one.until([&] { return one.central.calls().size() > calls; }, 60s));
        one.run_for(1s);
    }
    std::string_view pass(const std::string& order_no, const std::string& number) {
        return say_to(one, "n-pass", order_no, Verdict::pass, number);
    }
};

}  // namespace

TEST_CASE("replayed: a provisional order gets the pass that comes after its replay, or came before it") {
    for (const bool before : {false, true}) {
        INFO(before);
        ReplayedBench b;
        b.one.ask_as("app-b");
        const std::string number = b.number_of("z-1");
        b.one.crash();
        std::filesystem::remove_all(b.one.data("cache"));
        REQUIRE(b.one.start());
        b.one.ask_as("app-a");
        b.outage();
        b.provisional("z-1", "user-1");
        if (before) CHECK(b.pass("z-1", number) == "unknown");
        b.one.run_for(15s);
        b.order(Mode::automatic);
        b.replay();
        if (!before) {
            CHECK(b.count(Reconciled::confirmed) == 0);
            CHECK(b.pass("z-1", number) == "taken");
        }
        REQUIRE(b.settled(2min));
        CHECK(b.count(Reconciled::confirmed) == 1);
        CHECK(b.entries(R"("orderNo":"z-1","result":"confirmed")") == 1);
        REQUIRE(b.order_of("z-1"));
        CHECK(b.order_of("z-1")->outcome == Outcome::pass);
        const Now now = b.one.parts().loop.now();
        CHECK_FALSE(b.one.parts().storage.outcomes().find({"app-a", "user-1", "OPEN", ""}, now));
    }
}

TEST_CASE("replayed: a pass is not that of a provisional order where another caller has one of that number") {
    ReplayedBench b;
    b.one.ask_as("app-b");
    const std::string number = b.number_of("z-1");
    b.one.ask_as("app-a");
    b.outage();
    b.provisional("z-1", "user-1");
    b.one.run_for(15s);
    b.order(Mode::automatic);
    b.replay();
    CHECK(b.pass("z-1", number) == "unknown");
    b.replay();
    CHECK(b.count(Reconciled::confirmed) == 0);
    CHECK(b.order_of("z-1")->outcome == Outcome::provisional);
    b.one.ask_as("app-b");
    CHECK(b.one.look("z-1").status == 202);
}

TEST_CASE("replayed: a number outlives a kill, and what is said under it confirms the answer") {
    ReplayedBench b;
    b.outage();
    b.provisional("z-1", "user-1");
    b.one.run_for(15s);
    b.order(Mode::automatic);
    b.replay();
    const auto found = b.one.parts().storage.orders().find("app-a", "z-1", b.one.view.now());
    REQUIRE(found);
    const std::string number = decode_order(found->answer)->pending_id;
    REQUIRE_FALSE(number.empty());
    CHECK(b.order_of("z-1")->outcome == Outcome::provisional);
    b.one.run_for(1s);
    b.one.crash();
    REQUIRE(b.one.start());
    CHECK(b.pass("z-1", number) == "taken");
    REQUIRE(b.settled(2min));
    CHECK(b.count(Reconciled::confirmed) == 1);
}

TEST_CASE("replayed: without its evidence the number of a replay is not its order's") {
    ReplayedBench b;
    b.outage();
    b.provisional("z-1", "user-1", "CLOSED");
    b.one.run_for(15s);
    b.order(Mode::automatic);
    b.replay();
    const auto found = b.one.parts().storage.orders().find("app-a", "z-1", b.one.view.now());
    REQUIRE(found);
    CHECK(decode_order(found->answer)->pending_id.empty());
}

TEST_CASE("replayed: a revocation since hides the number that a replay brings") {
    ReplayedBench b;
    b.outage();
    b.provisional("z-1", "user-1");
    bool stands = false;
    Operators(b.one.node(), "test").revoke("user-1", [&stands](Result<void> done) { stands = done.has_value(); });
    REQUIRE(b.one.until([&stands] { return stands; }));
    b.one.run_for(15s);
    b.order(Mode::automatic);
    b.replay();
    CHECK(b.one.look("z-1").status == 404);
}
