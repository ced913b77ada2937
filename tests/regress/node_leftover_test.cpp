// Evidence that an earlier run left behind: it used to be put to the centre whatever the journal said of it, so that
// one answer was reconciled twice, or one that nobody was ever given; and what was removed from the disk went without a
// word.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/regress/reconcile_bench.h"

using namespace holdfast;
using namespace holdfast::sim;
using Bench = ReconcileBench;

namespace {

constexpr std::string_view kAsked = R"("kind":"reconciled")", kGiven = R"("kind":"provisional")";

std::filesystem::path sole_evidence(const Bench& b) {
    std::filesystem::path out;
    for (const auto& file : std::filesystem::directory_iterator(b.one.data("journal/evidence"))) out = file.path();
    return out;
}

// Whether it came to that the journal has such an entry while the evidence is still there.
bool caught_between(Bench& b, std::string_view entry, bool there) {
    return b.one.until(
        [&] { return !sole_evidence(b).empty() && (b.one.journal().find(entry) != std::string::npos) == there; });
}

void shut_down(Bench& b) {
    bool ended = false;
    b.one.node().shut_down(true, [&ended](const Result<void>&) { ended = true; });
    REQUIRE(b.one.until([&ended] { return ended; }));
    b.one.crash();  // the process goes
}

}  // namespace

TEST_CASE("reconcile: a kill or an upgrade between the entry and the erasure makes no second entry") {
    for (const bool killed : {true, false}) {
        INFO(killed);
        Bench b;
        b.outage();
        b.provisional("o-1", "user-fail");
        b.one.run_for(15s);
        b.order(Mode::automatic);
        REQUIRE(b.why_refused().empty());
        if (killed) {
            REQUIRE(caught_between(b, kAsked, true));
            b.one.crash();
        } else {
            // The centre has answered, and the entry is on its way to the disk.
            REQUIRE(b.one.until([&b] {
                return b.one.parts().storage.journal()->health().queued > 0 && b.one.central.calls().size() == 1;
            }));
            shut_down(b);
            REQUIRE_FALSE(sole_evidence(b).empty());
        }
        const std::size_t calls = b.one.central.calls().size();
        REQUIRE(b.one.start());
        REQUIRE(b.settled());
        CHECK(b.entries(std::string(kAsked)) == 1);
        CHECK(b.entries(R"("kind":"erased")") == 1);
        CHECK(b.entries(R"("why":"reconciled")") == 1);
        CHECK(b.one.central.calls().size() == calls);
        CHECK(b.count(Reconciled::reversed) == 0);
        CHECK(b.count(Reconciled::unknown) == 0);
        CHECK(sole_evidence(b).empty());
        REQUIRE(b.order_of("o-1"));
        CHECK(b.order_of("o-1")->outcome == Outcome::fail);
    }
}

TEST_CASE("reconcile: what its caller was told just before is the order's also after a kill behind the entry") {
    Bench b;
    b.outage();
    b.provisional("o-1", "user-fail");
    b.one.run_for(15s);
    b.order(Mode::automatic);
    REQUIRE(b.one.ask("o-1", "OPEN", "user-fail").text("outcome") == "fail");
    REQUIRE(b.why_refused().empty());  // sooner than the order's record is committed
    REQUIRE(caught_between(b, kAsked, true));
    b.one.crash();
    REQUIRE(b.one.start());
    REQUIRE(b.settled());
    CHECK(b.entries(std::string(kAsked)) == 1);
    CHECK(b.entries(R"("result":"reversed")") == 1);
    CHECK(b.one.central.calls().size() == 1);
    REQUIRE(b.order_of("o-1"));
    CHECK(b.order_of("o-1")->outcome == Outcome::fail);
}

TEST_CASE("reconcile: an answer that was withdrawn before a kill is not put to the centre") {
    Bench b;
    b.outage();
    b.provisional("o-1", "user-fail");
    const auto kept = b.one.parts().storage.evidence()->after({});
    REQUIRE(kept);
    b.one.parts().storage.journal()->append("provisional_withdrawn", "{\"requestId\":\"" + kept->id + "\"}",
                                            b.one.view.now().wall);
    b.one.run_for(100ms);
    b.one.crash();
    REQUIRE(b.one.start());
    b.order(Mode::automatic);
    REQUIRE(b.settled());
    CHECK(b.entries(std::string(kAsked)) == 0);
    CHECK(b.entries(R"("why":"withheld")") == 1);
    CHECK(b.one.central.calls().empty());
}

TEST_CASE("reconcile: evidence of an answer that a kill withheld is erased, and the centre is not asked about it") {
    Bench b;
    b.outage();
    OneNode::Got got;
    b.one.begin(got, "o-1", "OPEN", "user-fail");
    REQUIRE(caught_between(b, kGiven, false));
    b.one.crash();
    REQUIRE(b.one.start());
    b.order(Mode::automatic);
    REQUIRE(b.settled());
    CHECK(b.entries(std::string(kGiven)) == 0);
    CHECK(b.entries(std::string(kAsked)) == 0);
    CHECK(b.entries(R"("why":"withheld")") == 1);
    CHECK(b.one.central.calls().empty());
    for (const auto result : {Reconciled::confirmed, Reconciled::reversed, Reconciled::unknown})
        CHECK(b.count(result) == 0);
}

TEST_CASE("reconcile: what a damaged journal does not say erases no evidence, also after another start") {
    for (const bool twice : {false, true}) {
        INFO(twice);
        Bench b;
        b.outage();
        b.provisional("o-1", "user-fail");
        b.one.run_for(1s);
        b.one.crash();
        for (const auto& file : std::filesystem::directory_iterator(b.one.data("journal"))) {
            if (!file.is_regular_file()) continue;
            std::ifstream in(file.path(), std::ios::binary);
            std::string text((std::istreambuf_iterator<char>(in)), {});
            text[text.find(kGiven) + 9] = 'P';
            std::ofstream(file.path(), std::ios::binary) << text;
        }
        REQUIRE(b.one.start());
        b.one.run_for(1s);
        REQUIRE(b.one.journal().find(R"("kind":"damage")") != std::string::npos);
        if (twice) {
            b.one.crash();
            REQUIRE(b.one.start());
        }
        b.order(Mode::automatic);
        REQUIRE(b.settled());
        CHECK(b.count(Reconciled::reversed) == 1);
        CHECK(b.entries(R"("why":"withheld")") == 0);
    }
}

TEST_CASE("reconcile: evidence that was removed while the node runs is journalled as missing, and looked for no more") {
    Bench b;
    b.outage();
    b.provisional("o-1", "user-fail");
    std::filesystem::remove(sole_evidence(b));
    b.one.run_for(15s);
    b.order(Mode::automatic);
    REQUIRE(b.settled());
    CHECK(b.entries(R"("why":"missing")") == 1);
    CHECK(b.count(Reconciled::unknown) == 1);
    CHECK(b.one.central.calls().empty());
    b.one.run_for(60s);
    CHECK(b.entries(R"("kind":"erased")") == 1);
    CHECK(b.count(Reconciled::unknown) == 1);
}

TEST_CASE("reconcile: evidence that was removed while no node ran is journalled as missing, once") {
    Bench b;
    b.outage();
    b.provisional("o-1", "user-fail");
    b.one.crash();
    std::filesystem::remove(sole_evidence(b));
    REQUIRE(b.one.start());
    b.order(Mode::automatic);
    b.one.run_for(20s);
    CHECK(b.entries(R"("why":"missing")") == 1);
    CHECK(b.count(Reconciled::unknown) == 1);
    b.one.crash();
    REQUIRE(b.one.start());
    b.one.run_for(20s);
    CHECK(b.entries(R"("kind":"erased")") == 1);
    CHECK(b.count(Reconciled::unknown) == 0);
}
