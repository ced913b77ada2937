// A node that starts while its journal cannot be opened: what operators do meanwhile is entered once it can be, or told
// as lost by the next start, and what an earlier run left is judged before anybody is asked.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/regress/reconcile_bench.h"

using namespace holdfast;
using namespace holdfast::sim;
using Bench = ReconcileBench;

namespace {

void take_away(OneNode& one) {
    std::filesystem::rename(one.data("journal"), one.data("away"));
    std::ofstream(one.data("journal")) << "a file where a folder should be";
}

void put_back(OneNode& one) {
    std::filesystem::remove(one.data("journal"));
    std::filesystem::rename(one.data("away"), one.data("journal"));
}

// What an operator is told; empty: it stands, and is entered.
std::string told(OneNode& one, const std::function<void(Operators&, Operators::Done)>& order) {
    Operators operators(one.node(), "test");
    std::string out;
    bool done = false;
    order(operators, [&](Result<void> result) {
        done = true;
        if (!result) out = result.error().detail;
    });
    REQUIRE(one.until([&done] { return done; }));
    return out;
}

std::string revoke(OneNode& one) {
    return told(one, [](Operators& o, Operators::Done done) { o.revoke("user-1", std::move(done)); });
}

std::string try_degrade(OneNode& one) {
    return told(one,
                [](Operators& o, Operators::Done done) { o.degrade(Mode::degraded, "", 1h, "test", std::move(done)); });
}

void start_without_journal(OneNode& one) {
    one.run_for(1s);
    one.crash();
    take_away(one);
    REQUIRE(one.start());
}

constexpr const char* kJournalUp = R"(holdfast_store_up{store="journal"})";
constexpr const char* kEvidenceUp = R"(holdfast_store_up{store="evidence"})";

}  // namespace

TEST_CASE("node: without a journal an order of an operator is refused, what must stand stands, and the node says so") {
    Bench b;
    OneNode& one = b.one;
    start_without_journal(one);
    CHECK(revoke(one).find("the revocation stands, but is not in the journal: ") == 0);
    CHECK(try_degrade(one).find("Not a directory") != std::string::npos);
    CHECK(one.parts().overrides.mode_of({}, one.view.now()) == Mode::automatic);
    CHECK(metric(one, kJournalUp) == 0);
    CHECK(metric(one, kEvidenceUp) == 0);
    CHECK(verdict_of(one).find("journal") != std::string::npos);
    put_back(one);
}

TEST_CASE(
    "node: a journal that comes back is opened while it runs, has what came meanwhile, and answers need no start") {
    Bench b;
    OneNode& one = b.one;
    start_without_journal(one);
    CHECK_FALSE(revoke(one).empty());
    plan(one, [](CentrePlan& p) { p.mode = CentreMode::error; });
    put_back(one);
    one.run_for(6s);
    CHECK(metric(one, kJournalUp) == 1);
    CHECK(metric(one, kEvidenceUp) == 1);
    CHECK(b.entries(R"("kind":"start")") == 2);
    CHECK(b.entries(R"("kind":"revocation")") == 1);
    CHECK(b.entries(R"("kind":"damage")") == 0);
    CHECK(try_degrade(one).empty());
    one.run_for(5s);
    b.provisional("o-1", "user-2");
}

TEST_CASE("node: what it did without a journal is told by the next start that has one") {
    Bench b;
    OneNode& one = b.one;
    start_without_journal(one);
    CHECK_FALSE(revoke(one).empty());
    bool ended = false;
    one.node().shut_down(true, [&](const Result<void>&) { ended = true; });
    REQUIRE(one.until([&ended] { return ended; }));
    CHECK_FALSE(one.parts().storage.untold_loss());
    one.crash();
    put_back(one);
    REQUIRE(one.start());
    one.run_for(1s);
    INFO(one.journal());
    CHECK(one.journal().find("journal/: 4 entries could not be written before the end and are lost, of 1 drain, "
                             "1 revocation, 1 start, 1 stop") != std::string::npos);
}

TEST_CASE("node: evidence of an earlier run is judged by a journal that is opened later, then put to the centre") {
    Bench b;
    OneNode& one = b.one;
    b.outage();
    b.provisional("o-1", "user-fail");
    const auto withdrawn = one.parts().storage.evidence()->after({});
    REQUIRE(withdrawn);
    b.provisional("o-2", "user-review");
    one.parts().storage.journal()->append("provisional_withdrawn", "{\"requestId\":\"" + withdrawn->id + "\"}",
                                          one.view.now().wall);
    one.run_for(15s);
    one.crash();
    take_away(one);
    REQUIRE(one.start());
    one.run_for(10s);
    CHECK(one.central.calls().empty());
    put_back(one);
    one.run_for(6s);
    b.order(Mode::automatic);
    REQUIRE(b.settled());
    CHECK(one.central.calls().size() == 1);  // not of the one that was withdrawn
    CHECK(b.entries(R"("kind":"reconciled")") == 1);
    CHECK(b.entries(R"("why":"withheld")") == 1);
    CHECK(b.count(Reconciled::unknown) == 1);  // a review
}
