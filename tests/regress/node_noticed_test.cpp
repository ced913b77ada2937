// What the journal has of a notification when it is confirmed, and what becomes of one whose entry is not there. Each
// through one whole node, with the exact order of events.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "tests/regress/notified_bench.h"

using namespace holdfast;
using namespace holdfast::sim;
using Bench = NotifiedBench;

namespace {

// One about an order that is known here, and one about an order that is not.
struct Sent {
    const char *id, *order, *outcome, *result;
};
constexpr Sent kKnown{"n-1", "o-1", "fail", "taken"}, kUnknown{"n-2", "o-9", "fail", "unknown"};

std::size_t entries_of(Bench& b, const Sent& one) {
    return count_in(b.one.journal(), fmt::format(R"("kind":"notification","fields":{{"notification":"{}")", one.id));
}

std::size_t entries_of(Bench& b, const Sent& one, const char* result) {
    return count_in(b.one.journal(),
                    fmt::format(R"("notification":"{}","orderNo":"{}","result":"{}")", one.id, one.order, result));
}

}  // namespace

TEST_CASE("noticed: a notification that is confirmed has its one entry in the journal, whenever a kill comes") {
    for (const Sent& one : {kKnown, kUnknown}) {
        INFO(one.id);
        Bench b;
        REQUIRE(b.outcome_of("o-1") == "pass");
        hang_journal(b.one, 1s);
        OneNode::Got got;
        b.one.notify(got, b.text(one.id, one.order, one.outcome));
        b.one.run_for(500ms);
        CHECK(got.status == 0);
        REQUIRE(b.one.until([&got] { return got.status != 0; }, 2s));
        CHECK(got.body == "success");
        b.one.crash();
        CHECK(entries_of(b, one, one.result) == 1);
        REQUIRE(b.one.start());
        CHECK(b.notify(one.id, one.order, one.outcome) == "success");
        b.one.run_for(1s);
        CHECK(entries_of(b, one, one.result) == 1);
        CHECK(b.value(R"(holdfast_notifications_total{result="duplicate"})") == 1);
    }
}

TEST_CASE("noticed: one whose entry a kill has taken is entered as a duplicate when it is sent again, once") {
    for (const Sent& one : {kKnown, kUnknown}) {
        INFO(one.id);
        Bench b;
        REQUIRE(b.outcome_of("o-1") == "pass");
        hang_journal(b.one, 1min);
        OneNode::Got got;
        b.one.notify(got, b.text(one.id, one.order, one.outcome));
        b.one.run_for(1s);  // it is in the ledger
        CHECK(got.status == 0);
        b.crash_and_start();
        CHECK(entries_of(b, one) == 0);
        CHECK(b.notify(one.id, one.order, one.outcome) == "success");
        b.one.crash();
        CHECK(entries_of(b, one, "duplicate") == 1);
        REQUIRE(b.one.start());
        for (int copy = 0; copy < 3; ++copy) CHECK(b.notify(one.id, one.order, one.outcome) == "success");
        CHECK(entries_of(b, one) == 2);  // this process could not know
    }
}

TEST_CASE("noticed: a copy that comes while the first one's entry is under way is not confirmed before there is one") {
    for (const Sent& one : {kKnown, kUnknown}) {
        INFO(one.id);
        Bench b;
        REQUIRE(b.outcome_of("o-1") == "pass");
        hang_journal(b.one, 1s);
        OneNode::Got first, second;
        b.one.notify(first, b.text(one.id, one.order, one.outcome));
        b.one.run_for(100ms);
        b.one.notify(second, b.text(one.id, one.order, one.outcome));
        b.one.run_for(500ms);
        CHECK(second.status == 0);
        REQUIRE(b.one.until([&second] { return second.status != 0; }, 2s));
        CHECK(second.body == "success");
        b.one.crash();
        CHECK(entries_of(b, one, one.result) == 1);
    }
}

TEST_CASE("noticed: a journal that does not answer holds a notification up for its wait and no longer") {
    for (const Sent& one : {kKnown, kUnknown}) {
        INFO(one.id);
        Bench b;
        REQUIRE(b.outcome_of("o-1") == "pass");
        hang_journal(b.one, 1min);
        const MonoTime began = b.one.view.now().mono;
        CHECK(b.notify(one.id, one.order, one.outcome) == "success");
        CHECK(b.one.view.now().mono - began <= kJournalWaitMax + 500ms);
        CHECK(entries_of(b, one) == 0);
        b.one.run_for(1min);
        CHECK(entries_of(b, one, one.result) == 1);  // it was retried
    }
}

TEST_CASE("noticed: an ill journal is told at once, and takes the entry when it is well again") {
    for (const Sent& one : {kKnown, kUnknown}) {
        INFO(one.id);
        Bench b;
        REQUIRE(b.outcome_of("o-1") == "pass");
        {
            const IllJournal ill(b.one);
            const MonoTime began = b.one.view.now().mono;
            CHECK(b.notify(one.id, one.order, one.outcome) == "success");
            CHECK(b.one.view.now().mono - began <= 500ms);
            CHECK(b.one.parts().storage.journal()->unwritten().entries == 1);
        }
        b.one.run_for(11s);
        CHECK(entries_of(b, one, one.result) == 1);
        CHECK(b.notify(one.id, one.order, one.outcome) == "success");
        b.one.run_for(1s);
        CHECK(entries_of(b, one) == 2);  // the first is not known to be there
    }
}
