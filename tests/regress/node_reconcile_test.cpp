// Reconciliation: when those who were let through in an outage are put to the centre, and what is lost on the way.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>

#include "tests/regress/reconcile_bench.h"
#include "upstream/traceparent.h"

using namespace holdfast;
using namespace holdfast::sim;
using Bench = ReconcileBench;

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
    REQUIRE(b.one.node().undrain("test"));
    CHECK(b.why_refused().empty());
    CHECK(b.settled(2s));
}

TEST_CASE("reconcile: that an operator asked for it is in the journal, and that it was refused") {
    Bench b;
    b.outage();
    b.provisional("o-1", "user-1");
    b.one.run_for(15s);
    const auto run = [&b] {
        std::optional<Result<void>> told;
        Operators(b.one.node(), "uid 7").reconcile([&told](Result<void> done) { told = std::move(done); });
        REQUIRE(b.one.until([&told] { return told.has_value(); }));
        return told->has_value();
    };
    const std::string asked = R"("fields":{"by":"uid 7","order":"reconcile run"})";
    const std::string refused = R"("fields":{"by":"uid 7","order":"reconcile run","action":"refused","why":")";
    CHECK_FALSE(run());
    CHECK(b.entries(asked) == 1);
    CHECK(b.entries(refused) == 1);
    b.order(Mode::automatic);
    CHECK(run());
    CHECK(b.entries(asked) == 2);
    CHECK(b.entries(refused) == 1);
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

TEST_CASE("reconcile: while the circuit is open nobody is asked, and its recovery comes first") {
    Bench b;
    b.one.central.set_mode(CentreMode::error);
    for (int i = 0; i < 20; ++i) b.one.ask(fmt::format("x-{}", i), "OPEN", fmt::format("subject-{}", i));
    REQUIRE(b.one.parts().upstream.circuit().state() != CircuitState::closed);
    b.one.run_for(5s);
    b.provisional("o-1", "user-1");
    const std::size_t tries = b.one.central.calls_with_key("app-a.o-1");  // as a probe
    b.one.run_for(20s);
    CHECK(b.why_refused().find("circuit is not closed") != std::string::npos);
    CHECK(b.one.central.calls_with_key("app-a.o-1") == tries);
    b.one.central.set_mode(CentreMode::healthy);
    const auto closed = [&b] { return b.one.parts().upstream.circuit().state() == CircuitState::closed; };
    // Its probes are calls of callers.
    for (int i = 0; i < 40 && !closed(); ++i) {
        b.one.ask(fmt::format("y-{}", i), "OPEN", fmt::format("subject-{}", i));
        b.one.run_for(200ms);
    }
    REQUIRE(closed());
    CHECK(b.why_refused().find("recovering") != std::string::npos);
    CHECK(b.settled(120s));
}

TEST_CASE("reconcile: what the centre finds unfit is unknown for good, and is not asked again") {
    Bench b;
    b.outage();
    b.provisional("o-1", "user-1");
    b.one.run_for(15s);
    b.one.central.set_mode(CentreMode::reject);
    b.order(Mode::automatic);
    REQUIRE(b.settled());
    CHECK(b.count(Reconciled::unknown) == 1);
    CHECK(b.entries(R"("result":"unknown")") == 1);
    CHECK(b.one.central.calls().size() == 1);
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
        CHECK(b.order_of("o-1")->outcome == Outcome::fail);
        CHECK(b.order_of("o-2")->outcome == Outcome::pass);
    }
}

TEST_CASE("reconcile: an outcome waits for a cache/ that does not take it, and is told when that lasts too long") {
    for (const bool heals : {true, false}) {
        INFO(heals);
        int fault = 0;
        Bench b;
        b.one.change_seams = [&fault](NodeSeams seams) {
            seams.cache_fault = [&fault] { return fault; };
            return seams;
        };
        b.one.crash();
        REQUIRE(b.one.start());
        b.outage();
        b.provisional("o-1", "user-fail");
        b.one.run_for(15s);
        b.order(Mode::automatic);
        fault = ENOSPC;
        REQUIRE(b.why_refused().empty());
        b.one.run_for(120s);
        CHECK(b.order_of("o-1")->outcome == Outcome::fail);  // while this one runs
        CHECK(b.count(Reconciled::reversed) == 0);
        CHECK(b.entries(R"("kind":"reconciled")") == 0);
        CHECK(b.view().find(R"("lastFailure":"its order's outcome is not on disk: )") != std::string::npos);
        if (heals) fault = 0;
        CHECK(b.settled(Reconciler::kUnwrittenMax - 3min) == heals);
        REQUIRE(b.settled(2min));
        CHECK(b.count(Reconciled::reversed) == 1);
        CHECK(b.entries(R"("result":"reversed")") == 1);
        CHECK(b.one.central.calls().size() == 1);
        b.one.crash();
        fault = 0;
        REQUIRE(b.one.start());
        const auto found = b.one.parts().storage.orders().find("app-a", "o-1", b.one.view.now());
        REQUIRE(found);
        CHECK((heals ? found->final : found->replaced));
        CHECK(b.one.ask("o-1", "OPEN", "user-fail").text("outcome") == "fail");
    }
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

TEST_CASE(
    "reconcile: a step of the wall clock makes what waits neither older nor younger, nor lets it be asked early") {
    for (const Nanos step : {Nanos(1h), Nanos(-1h)}) {
        INFO(step.count());
        Bench b;
        b.outage();
        b.provisional("o-1", "user-1");
        b.one.view.jump_wall(step);
        b.order(Mode::automatic);
        b.one.run_for(5s);
        CHECK(b.one.central.calls().empty());
        json::Document document;
        const std::string view = b.view();
        const auto root = document.parse(view);
        REQUIRE(root);
        const auto age = (*root)["oldestSeconds"].number();
        REQUIRE(age);
        CHECK(*age > 4);
        CHECK(*age < 7);
        CHECK(b.settled());
    }
}

TEST_CASE("reconcile: each call has a trace of its own") {
    ReconcileBench b;
    b.outage();
    b.provisional("o-1", "user-1");
    b.provisional("o-2", "user-2");
    b.one.run_for(15s);
    b.order(Mode::automatic);
    REQUIRE(b.settled());
    REQUIRE(b.one.central.calls().size() == 2);
    std::vector<std::string> traces;
    for (const CentreCall& call : b.one.central.calls()) {
        const auto trace = parse_traceparent(call.traceparent);
        REQUIRE(trace);
        CHECK((trace->flags & 1) == 0);
        traces.emplace_back(trace->trace_id.data(), trace->trace_id.size());
    }
    CHECK(traces[0] != traces[1]);
}
