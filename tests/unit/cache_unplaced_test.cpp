// The ledger of notifications without an order, at its bounds and over a restart.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cerrno>

#include "cache/unplaced_ledger.h"
#include "tests/unit/cache_state_bench.h"

using namespace holdfast;
using namespace holdfast::cachetest;

namespace {

struct Bench : StateBench<UnplacedLedger> {
    UnplacedNotice notice(std::string id, std::string order, std::string number = {},
                          std::optional<Verdict> verdict = Verdict::fail) const {
        return {std::move(id), std::move(order), std::move(number), "app", verdict, 7, loop.now_.wall - 1s,
                loop.now_.wall};
    }
    bool put(const UnplacedNotice& one) {
        std::optional<bool> written;
        ledger->put(one, [&written](const Result<void>& r) { written = r.has_value(); });
        loop.advance(10ms);
        REQUIRE(written);
        return *written;
    }
    std::vector<std::string> ids(std::string_view order, std::string_view number = {}) const {
        std::vector<std::string> out;
        for (const UnplacedNotice& one : ledger->of(order, number)) out.push_back(one.id);
        return out;
    }
};

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("unplaced ledger: what is on disk is found after a restart, by its order or by the centre's number") {
    Bench b;
    REQUIRE(b.put(b.notice("n-1", "o-1", "V/1")));
    REQUIRE(b.put(b.notice("n-2", "", "V/1")));
    REQUIRE(b.put(b.notice("n-3", "", "")));
    REQUIRE(b.put(b.notice("n-4", "o-11")));
    b.open();
    CHECK(b.ledger->size() == 5);  // one is there under both
    CHECK(b.ids("o-1") == Ids{"n-1"});
    CHECK(b.ids("", "V/1") == Ids{"n-1", "n-2"});
    CHECK(b.ids("o-1", "V/1") == Ids{"n-1", "n-2"});
    CHECK(b.ids("o-2", "V/2").empty());
    const auto found = b.ledger->find(b.notice("n-1", "o-1", "V/1"));
    REQUIRE(found);
    CHECK(found->verdict == Verdict::fail);
    CHECK(found->verification_id == "V/1");
    CHECK(found->credential == "app");
    CHECK(found->epoch == 7);
    CHECK(found->received - found->sent == 1s);
    CHECK(b.ledger->find(b.notice("n-3", "")));
    CHECK_FALSE(b.ledger->find(b.notice("n-4", "o-1")));
    b.ledger->drop(b.notice("n-1", "o-1", "V/1"));
    b.loop.advance(1s);
    b.open();
    CHECK(b.ledger->size() == 3);
    CHECK(b.ids("o-1").empty());
    CHECK(b.ids("", "V/1") == Ids{"n-2"});
}

TEST_CASE("unplaced ledger: those that decide nothing are heard once, take no room of the others and answer nothing") {
    Bench b;
    const auto undecided = [&b](std::size_t i) {
        return b.notice(fmt::format("n-{}", i), "o-1", "V/1", std::nullopt);
    };
    REQUIRE(b.put(undecided(0)));
    REQUIRE(b.put(b.notice("n-0", "o-1", "V/1")));  // the same id decides later
    b.open();
    REQUIRE(b.ledger->find(undecided(0)));
    CHECK_FALSE(b.ledger->find(undecided(0))->verdict);
    CHECK(b.ids("o-1", "V/1") == Ids{"n-0"});
    CHECK(b.ledger->size() == 2);  // under both its names
    for (std::size_t i = 1; i < 3 * UnplacedLedger::kUndecidedMax; ++i) {
        b.ledger->put(undecided(i), [](const Result<void>& r) { CHECK(r); });
        if (i % 1000 == 0) b.loop.advance(20ms);
    }
    b.loop.advance(100ms);
    CHECK(b.ledger->size() == 2);  // under both its names
    CHECK(b.values->list("undecided/").size() <= UnplacedLedger::kUndecidedMax);
    CHECK(b.ledger->find(undecided(3 * UnplacedLedger::kUndecidedMax - 1)));
}

TEST_CASE("unplaced ledger: an order keeps sixteen, of which the oldest leaves") {
    Bench b;
    for (std::size_t i = 0; i < UnplacedLedger::kOfOrderMax; ++i)
        REQUIRE(b.put(b.notice(fmt::format("n-{}", i), "o-1", "", Verdict::pass)));
    REQUIRE(b.put(b.notice("n-0", "o-1", "", Verdict::pass)));  // again, now the youngest: it takes no room
    CHECK(b.ledger->size() == UnplacedLedger::kOfOrderMax);
    REQUIRE(b.put(b.notice("n-16", "o-1")));
    CHECK_FALSE(b.ledger->find(b.notice("n-1", "o-1")));
    CHECK(b.ledger->find(b.notice("n-0", "o-1")));
    CHECK(b.ledger->size() == UnplacedLedger::kOfOrderMax);
}

TEST_CASE("unplaced ledger: one whose place among its order's was taken is found by the centre's number") {
    Bench b;
    REQUIRE(b.put(b.notice("n-0", "o-1", "V/1")));
    for (std::size_t i = 1; i <= UnplacedLedger::kOfOrderMax; ++i) {
        b.loop.now_.wall += 1s;
        REQUIRE(b.put(b.notice(fmt::format("n-{}", i), "o-1")));
    }
    CHECK(b.ids("o-1").size() == UnplacedLedger::kOfOrderMax);
    CHECK(b.ids("", "V/1") == Ids{"n-0"});
    REQUIRE(b.ledger->find(b.notice("n-0", "o-1", "V/1")));
    b.ledger->drop(b.notice("n-0", "o-1", "V/1"));
    CHECK(b.ids("", "V/1").empty());
}

TEST_CASE("unplaced ledger: who has heard one is known under both its names after a restart") {
    Bench b;
    REQUIRE(b.put(b.notice("n-1", "o-1", "V/1")));
    int told = 0;
    const auto hear = [&b, &told](const std::string& who) {
        b.ledger->hear(b.notice("n-1", "o-1", "V/1"), who, [&told](const Result<void>& r) { told += r ? 1 : 100; });
        b.loop.advance(10ms);
    };
    hear("app");
    hear("app");
    CHECK(told == 2);  // once, in both places
    b.open();
    CHECK(b.ledger->size() == 2);
    for (const auto& kept : {b.ledger->of("o-1", {}), b.ledger->of({}, "V/1")}) {
        REQUIRE(kept.size() == 1);
        CHECK(kept[0].was_heard_by("app"));
        CHECK_FALSE(kept[0].was_heard_by("other"));
        CHECK(kept[0].verdict == Verdict::fail);
        CHECK(kept[0].epoch == 7);
    }
    for (std::size_t i = 0; i < 2 * UnplacedLedger::kHeardByMax; ++i) hear(fmt::format("app-{}", i));
    const auto kept = b.ledger->of({}, "V/1");
    REQUIRE(kept.size() == 1);
    CHECK(kept[0].heard_by.size() == UnplacedLedger::kHeardByMax);
    b.ledger->hear(b.notice("n-2", "o-1", "V/1"), "app", [](const Result<void>&) { FAIL("it is not there"); });
}

TEST_CASE("unplaced ledger: full, it refuses, and has room again in time") {
    Bench b;
    const std::size_t max = b.ledger->notices_max = 2 * StateWalk::kStepMax;
    for (std::size_t i = 0; i < max; ++i)
        b.ledger->put(b.notice("n", fmt::format("o-{}", i)), [](const Result<void>&) {});
    b.loop.advance(100ms);
    CHECK(b.ledger->size() == max);
    CHECK_FALSE(b.put(b.notice("n", "one-more")));
    CHECK(b.put(b.notice("n", "o-0")));
    b.ledger->expire(b.loop.now_.wall + UnplacedLedger::kKeep - 1s);
    b.loop.advance(20ms);
    CHECK(b.ledger->size() == max);
    b.ledger->expire(b.loop.now_.wall + UnplacedLedger::kKeep + 2min);
    b.loop.advance(20ms);
    CHECK(b.ledger->size() == max - StateWalk::kStepMax);
    CHECK(b.put(b.notice("n", "one-more")));
}

TEST_CASE("unplaced ledger: what could not be written is not there") {
    Bench b;
    b.fault = EIO;
    CHECK_FALSE(b.put(b.notice("n-1", "o-1")));
    CHECK(b.ids("o-1").empty());
    CHECK(b.ledger->size() == 0);
}

TEST_CASE("unplaced ledger: its size stays right where the disk fails while an order has too many") {
    Bench b;
    b.fault = EIO;
    for (int i = 0; i < 40; ++i) b.ledger->put(b.notice(fmt::format("n-{}", i), "o-1"), [](const Result<void>&) {});
    b.loop.advance(1s);
    b.fault = 0;
    CHECK(b.ledger->size() == b.values->list("unplaced/").size());
    CHECK(b.put(b.notice("n-50", "o-1")));
}

TEST_CASE("unplaced ledger: what an order was given is no other's until it is taken back, or a restart") {
    Bench b;
    const UnplacedNotice pass = b.notice("n-1", "o-1", "V/1", Verdict::pass);
    REQUIRE(b.put(pass));
    REQUIRE(b.put(b.notice("n-2", "o-1", "V/1")));
    b.ledger->give(pass);
    CHECK(b.ids("o-1") == Ids{"n-2"});
    CHECK(b.ids("", "V/1") == Ids{"n-2"});
    CHECK(b.ledger->find(pass));
    b.ledger->take_back(pass);
    CHECK(b.ids("o-1").size() == 2);
    b.ledger->give(pass);
    b.loop.advance(1s);
    b.open();
    CHECK(b.ids("", "V/1").size() == 2);
    b.ledger->give(pass);
    b.ledger->drop(pass);
    b.loop.advance(1s);
    REQUIRE(b.put(pass));  // a later copy is as new
    CHECK(b.ids("o-1").size() == 2);
}
