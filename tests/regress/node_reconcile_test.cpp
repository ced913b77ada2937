// Reconciliation: what became of those who were let through in an outage. Each through one whole node, with a centre
// that says what the test wants.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "edge/operators.h"
#include "tests/sim/one_node.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

// Behind the last table of the worlds' configuration, which is that of the scene CLOSED.
constexpr const char* kBareScene =
    "degrade = [\"provisional\"]\nkeep_evidence = false\n"
    "provisional = { after = \"4s\", budget_per_minute = 6, per_subject_per_hour = 1 }\n";

struct Bench {
    explicit Bench(const std::string& more = {}) : one(kBareScene + more) {
        CentrePlan plan = one.central.plan();
        plan.fail_percent = plan.review_percent = 0;
        plan.outcomes = {{"user-fail", Verdict::fail}, {"user-review", Verdict::review}};
        one.central.apply(plan);
        REQUIRE(one.start());
    }
    void order(Mode mode) {
        bool stands = false;
        Operators(one.node(), "test").degrade(mode, "", 1h, "test", [&stands](Result<void> done) {
            stands = done.has_value();
        });
        REQUIRE(one.until([&stands] { return stands; }));
    }
    void outage() {
        order(Mode::degraded);
        one.run_for(5s);
    }
    void provisional(const std::string& order_no, const std::string& subject, const std::string& scene = "OPEN",
                     const std::string& more = {}) {
        const auto got = one.ask(order_no, scene, subject, more);
        REQUIRE(got.text("outcome") == "provisional");
        one.run_for(10ms);  // ids of the same millisecond have no order
    }
    // Whether it is over, all of it.
    bool settled(Nanos limit = 60s) {
        return one.until([this] { return one.parts().storage.evidence()->count() == 0; }, limit);
    }
    std::uint64_t count(Reconciled what) { return one.node().reconciler().count(what); }
    std::optional<Answer> order_of(const std::string& order_no) {
        const auto found = one.parts().storage.orders().find("app-a", order_no, one.parts().loop.now());
        const auto recorded = found ? decode_recorded(found->answer) : std::nullopt;
        return recorded ? std::optional(recorded->answer) : std::nullopt;
    }
    std::size_t entries(const std::string& text) {
        one.run_for(500ms);
        const std::string all = one.journal();
        std::size_t n = 0;
        for (auto at = all.find(text); at != std::string::npos; at = all.find(text, at + 1)) ++n;
        return n;
    }
    std::string why_refused() {
        const auto done = one.node().reconciler().run();
        return done ? "" : done.error().detail;
    }

    OneNode one;
};

}  // namespace

TEST_CASE("reconcile: after an outage the centre is asked about each provisional answer, oldest first") {
    Bench b;
    b.outage();
    b.provisional("o-1", "user-pass");
    b.provisional("o-2", "user-fail");
    b.provisional("o-3", "user-review");
    b.one.run_for(20s);
    CHECK(b.one.central.calls().empty());  // an order `degraded`: no call to the centre
    b.order(Mode::automatic);
    REQUIRE(b.settled());
    CHECK(b.count(Reconciled::confirmed) == 1);
    CHECK(b.count(Reconciled::reversed) == 1);
    CHECK(b.count(Reconciled::unknown) == 1);
    const auto& calls = b.one.central.calls();
    REQUIRE(calls.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) CHECK(calls[i].order_no == fmt::format("o-{}", i + 1));
    CHECK(calls[0].idempotency_key == "app-a.o-1");
    CHECK(calls[1].at - calls[0].at >= 190ms);  // five a second
    REQUIRE(b.order_of("o-1"));
    CHECK(b.order_of("o-1")->outcome == Outcome::pass);
    CHECK(b.order_of("o-1")->source == Source::live);
    CHECK(b.order_of("o-2")->outcome == Outcome::fail);
    CHECK(b.order_of("o-3")->outcome == Outcome::review);
    CHECK(b.entries(R"("kind":"reconciled")") == 3);
    CHECK(b.entries(R"("outcome":"fail")") == 1);
    CHECK(b.entries(R"("why":"reconciled")") == 3);
    std::string events;
    json::Writer w(events);
    b.one.node().events().write(w);
    CHECK(events.find("the centre says fail") != std::string::npos);
    b.one.run_for(60s);
    CHECK(b.one.central.calls().size() == 3);
}

TEST_CASE("reconcile: while the circuit is not closed or the node drains nobody is asked, and an operator hears why") {
    Bench b;
    b.outage();
    b.provisional("o-1", "user-1");
    b.one.run_for(15s);
    CHECK(b.why_refused().find("an order of an operator") != std::string::npos);
    b.order(Mode::automatic);
    b.one.node().drain("test");
    b.one.run_for(5s);
    CHECK(b.why_refused().find("draining") != std::string::npos);
    CHECK(b.one.central.calls().empty());
    b.one.node().undrain("test");
    CHECK(b.why_refused().empty());
    CHECK(b.settled(2s));
}

TEST_CASE("reconcile: what the centre does not decide is asked again, later and later, and by an operator at once") {
    Bench b;
    b.outage();
    b.provisional("o-1", "user-1");
    b.one.run_for(15s);
    b.one.central.set_mode(CentreMode::error);
    b.order(Mode::automatic);
    b.one.run_for(25s);
    CHECK(b.one.central.calls().size() == 1);  // no retry
    b.one.run_for(120s);
    CHECK(b.one.central.calls().size() == 3);  // after 30 s and 60 s more
    CHECK(b.one.parts().storage.evidence()->count() == 1);
    CHECK(b.count(Reconciled::unknown) == 0);
    b.one.central.set_mode(CentreMode::healthy);
    CHECK(b.why_refused().empty());
    REQUIRE(b.settled(2s));
    CHECK(b.count(Reconciled::confirmed) == 1);
}

TEST_CASE("reconcile: a pass is as old as its evidence, and a revocation since hides it") {
    for (const bool revoked : {false, true}) {
        Bench b;
        b.outage();
        b.provisional("o-1", "user-1", "LOGIN");
        if (revoked) {
            bool stands = false;
            Operators(b.one.node(), "test").revoke("user-1", [&stands](Result<void> done) {
                stands = done.has_value();
            });
            REQUIRE(b.one.until([&stands] { return stands; }));
        }
        b.one.run_for(9s);
        b.order(Mode::automatic);
        REQUIRE(b.settled());
        CHECK(b.count(Reconciled::confirmed) == 1);
        const SubjectKey key{"app-a", "user-1", "LOGIN", ""};
        const auto found = b.one.parts().storage.outcomes().find(key, b.one.parts().loop.now());
        REQUIRE(found.has_value() == !revoked);
        if (found) CHECK(found->age >= 10s);
    }
}

TEST_CASE("reconcile: when state/ was lost in between, with its revocations, nothing is written down") {
    Bench b;
    b.outage();
    b.provisional("o-1", "user-1", "LOGIN");
    b.one.crash();
    std::filesystem::remove_all(b.one.data("state"));
    REQUIRE(b.one.start());
    REQUIRE(b.settled());
    CHECK(b.count(Reconciled::confirmed) == 1);
    CHECK_FALSE(b.order_of("o-1"));
    CHECK_FALSE(b.one.parts().storage.outcomes().find({"app-a", "user-1", "LOGIN", ""}, b.one.parts().loop.now()));
}

TEST_CASE("reconcile: without its evidence a request's outcome is journalled, and is nobody's answer") {
    Bench b;
    b.outage();
    b.provisional("o-1", "user-1", "CLOSED");
    b.one.run_for(10s);
    b.order(Mode::automatic);
    REQUIRE(b.settled());
    CHECK(b.count(Reconciled::confirmed) == 1);
    CHECK(b.entries(R"("kind":"reconciled")") == 1);
    REQUIRE(b.order_of("o-1"));
    CHECK(b.order_of("o-1")->outcome == Outcome::provisional);
}

TEST_CASE("reconcile: an order that has had the centre's word since keeps it") {
    Bench b;
    b.outage();
    b.provisional("o-1", "user-1");
    b.order(Mode::automatic);
    const auto live = b.one.ask("o-1", "OPEN", "user-1");
    REQUIRE(live.text("source") == "live");
    const std::string id = live.text("verificationId");
    REQUIRE(b.settled());
    CHECK(b.count(Reconciled::confirmed) == 1);
    REQUIRE(b.order_of("o-1"));
    CHECK(b.order_of("o-1")->verification_id == id);
}

TEST_CASE("reconcile: kill -9 loses none, wherever it comes") {
    for (const Nanos after : {0ms, 1ms, 2ms, 5ms, 10ms, 20ms, 50ms}) {
        Bench b;
        b.outage();
        b.provisional("o-1", "user-fail");
        b.provisional("o-2", "user-2");
        b.one.run_for(15s);
        b.order(Mode::automatic);
        REQUIRE(b.why_refused().empty());
        b.one.run_for(after);
        b.one.crash();
        REQUIRE(b.one.start());
        REQUIRE(b.settled());
        CHECK(b.entries(R"("orderNo":"o-1","result":"reversed")") >= 1);
        CHECK(b.entries(R"("orderNo":"o-2","result":"confirmed")") >= 1);
        CHECK(b.one.central.calls_with_key("app-a.o-1") >= 1);
        CHECK(b.one.central.calls_with_key("app-a.o-1") <= 2);
    }
}

TEST_CASE("reconcile: evidence that does not verify is left alone, and the others are asked") {
    Bench b;
    b.outage();
    b.provisional("o-1", "user-1");
    b.provisional("o-2", "user-2");
    const auto first = b.one.parts().storage.evidence()->after({});
    REQUIRE(first);
    const std::string path = b.one.data("journal/evidence/" + first->id + ".sealed");
    REQUIRE(std::filesystem::exists(path));
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
    b.one.run_for(15s);
    b.order(Mode::automatic);
    CHECK(b.one.until([&b] { return b.count(Reconciled::confirmed) == 1; }));
    b.one.run_for(60s);
    CHECK(b.one.parts().storage.evidence()->count() == 1);
    CHECK(std::filesystem::exists(path));
}

TEST_CASE("reconcile: what waits for longer than its evidence is kept counts as unknown") {
    Bench b("[reconcile]\nretain = \"1m\"\n");
    b.outage();
    b.provisional("o-1", "user-1");
    b.one.run_for(50s);
    CHECK(b.count(Reconciled::unknown) == 0);
    b.one.run_for(20s);
    CHECK(b.count(Reconciled::unknown) == 1);
    CHECK(b.one.parts().storage.evidence()->count() == 0);
    CHECK(b.entries(R"("why":"retain")") == 1);
    CHECK(b.one.central.calls().empty());
}
