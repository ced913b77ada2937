// The ledger of notifications at its bounds, and what of it a failed write and a restart leave.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cerrno>

#include "cache/notify_ledger.h"
#include "tests/unit/cache_state_bench.h"

using namespace holdfast;
using namespace holdfast::cachetest;

namespace {

struct Bench : StateBench<NotifyLedger> {
    NotifyEntry entry(std::vector<std::string> ids, Verdict verdict = Verdict::pass) const {
        NotifyEntry out;
        out.verdict = verdict;
        out.sent = out.received = loop.now_.wall;
        out.epoch = 7;
        out.ids = std::move(ids);
        out.verification_id = "V-1";
        return out;
    }
    // Not yet answered: nothing; then whether it is on disk, or why not.
    using Told = std::shared_ptr<std::optional<Result<void>>>;
    Told begin(const std::string& order, NotifyEntry one) {
        auto told = std::make_shared<std::optional<Result<void>>>();  // owners: the test and the callback
        ledger->put("app", order, std::move(one), [told](Result<void> r) { *told = std::move(r); });
        return told;
    }
    Result<void> put(const std::string& order, NotifyEntry one) {
        const auto told = begin(order, std::move(one));
        loop.advance(10ms);
        REQUIRE(*told);
        return **told;
    }
};

}  // namespace

TEST_CASE("notify ledger: what is on disk is known after a restart") {
    Bench b;
    REQUIRE(b.put("o-1", b.entry({"n-1", "n-2"}, Verdict::fail)));
    b.open();
    const auto found = b.ledger->find("app", "o-1");
    REQUIRE(found);
    CHECK(found->verdict == Verdict::fail);
    CHECK(found->epoch == 7);
    CHECK(found->knows("n-1"));
    CHECK_FALSE(found->knows("n-3"));
    CHECK(found->verification_id == "V-1");
    CHECK_FALSE(b.ledger->find("other", "o-1"));
    std::vector<std::string> all;
    b.ledger->each_since(WallTime{}, [&all](const NotifyLedger::Known& known) { all.push_back(known.order_no); });
    CHECK(all == std::vector<std::string>{"o-1"});
}

TEST_CASE("notify ledger: an order keeps its last sixteen ids, and its word") {
    Bench b;
    std::vector<std::string> ids;
    for (std::size_t i = 1; i <= NotifyLedger::kIdsMax; ++i) ids.push_back(fmt::format("n-{}", i));
    REQUIRE(b.put("o-1", b.entry(ids)));
    b.open();
    for (const std::string& id : ids) CHECK(b.ledger->find("app", "o-1")->knows(id));
    ids.push_back("n-17");
    REQUIRE(b.put("o-1", b.entry(ids, Verdict::fail)));
    b.open();
    const auto found = b.ledger->find("app", "o-1");
    REQUIRE(found);
    CHECK(found->ids.size() == NotifyLedger::kIdsMax);
    CHECK_FALSE(found->knows("n-1"));
    CHECK(found->knows("n-2"));
    CHECK(found->knows("n-17"));
    CHECK(found->verdict == Verdict::fail);
}

TEST_CASE("notify ledger: full, it refuses new orders, takes more of known ones, and has room again in time") {
    Bench b;
    const std::size_t max = b.ledger->orders_max = 2 * StateWalk::kStepMax;
    std::size_t durable = 0;
    for (std::size_t i = 0; i < max; ++i) {
        b.ledger->put("app", fmt::format("o-{}", i), b.entry({"n"}), [&durable](const Result<void>& r) {
            durable += r.has_value();
        });
    }
    b.loop.advance(100ms);
    CHECK(durable == max);
    CHECK(b.ledger->size() == max);
    const auto refused = b.put("one-more", b.entry({"n"}));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::full);
    CHECK_FALSE(b.ledger->find("app", "one-more"));
    CHECK(b.put("o-0", b.entry({"n", "m"}, Verdict::fail)));
    CHECK(b.ledger->find("app", "o-0")->verdict == Verdict::fail);
    b.ledger->expire(b.loop.now_.wall + NotifyLedger::kKeep - 1s);  // nothing is old enough
    b.loop.advance(20ms);
    CHECK(b.ledger->size() == max);
    b.ledger->expire(b.loop.now_.wall + NotifyLedger::kKeep + 2min);
    b.loop.advance(20ms);
    CHECK(b.ledger->size() == max - StateWalk::kStepMax);
    CHECK(b.put("one-more", b.entry({"n"})));
    b.open();
    CHECK(b.ledger->size() == max - StateWalk::kStepMax + 1);
    CHECK(b.ledger->find("app", "one-more"));
}

TEST_CASE("notify ledger: a call looks at a part of the ledger, and all of it gets its turn") {
    Bench b;
    const auto put = [&b](std::size_t from, std::size_t to) {
        for (std::size_t i = from; i < to; ++i)
            b.ledger->put("app", fmt::format("o-{:06}", i), b.entry({"n"}), [](const Result<void>&) {});
        b.loop.advance(100ms);
    };
    put(0, 2 * StateWalk::kStepMax + 100);
    const WallTime early = b.loop.now_.wall + NotifyLedger::kKeep - 1s;
    b.ledger->expire(early);
    b.loop.advance(20ms);
    CHECK(b.ledger->size() == 2 * StateWalk::kStepMax + 100);  // none of the first part is old enough
    const WallTime late = early + 2min;
    b.ledger->expire(late);
    b.loop.advance(20ms);
    CHECK(b.ledger->size() == StateWalk::kStepMax + 100);
    b.ledger->expire(late);
    b.loop.advance(20ms);
    CHECK(b.ledger->size() == StateWalk::kStepMax);
    b.ledger->expire(late + StateWalk::kRest - 1s);
    b.loop.advance(20ms);
    CHECK(b.ledger->size() == StateWalk::kStepMax);  // it rests
    b.ledger->expire(late + StateWalk::kRest);
    b.loop.advance(20ms);
    CHECK(b.ledger->size() == 0);
    put(0, 1);
    b.ledger->expire(late + 2 * StateWalk::kRest);
    b.loop.advance(20ms);
    CHECK(b.ledger->size() == 1);  // it stands before where the walk is, which ends here
    b.ledger->expire(late + 3 * StateWalk::kRest);
    b.loop.advance(20ms);
    CHECK(b.ledger->size() == 0);
}

TEST_CASE("notify ledger: what cannot be erased stays, and is counted once") {
    Bench b;
    REQUIRE(b.put("old", b.entry({"n-1"})));
    b.loop.now_.wall += NotifyLedger::kKeep;
    REQUIRE(b.put("young", b.entry({"n-2"})));
    const auto laps = [&b](int n) {
        for (int i = 0; i < n; ++i) {
            b.ledger->expire(b.loop.now_.wall);
            b.loop.advance(10s, 1s);
            b.loop.now_.wall += StateWalk::kRest;
        }
    };
    b.fault = EIO;
    laps(3);
    CHECK(b.ledger->size() == 2);
    CHECK(b.ledger->find("app", "young"));
    b.fault = 0;
    laps(2);
    CHECK(b.ledger->size() == 1);
    CHECK(b.ledger->find("app", "young"));
    CHECK_FALSE(b.ledger->find("app", "old"));
}

TEST_CASE("notify ledger: an order whose first write fails and whose second does not is there, and counted") {
    Bench b;
    REQUIRE(b.put("o-0", b.entry({"n"})));
    b.fault = EIO;
    CHECK_FALSE(b.put("o-1", b.entry({"n-1"})));
    CHECK_FALSE(b.ledger->find("app", "o-1"));
    CHECK(b.ledger->size() == 1);
    const auto first = b.begin("o-2", b.entry({"n-1"}));
    b.loop.settle();  // it fails
    b.fault = 0;
    REQUIRE(b.put("o-2", b.entry({"n-1", "n-2"}, Verdict::fail)));
    REQUIRE(*first);
    CHECK(b.ledger->size() == 2);
    CHECK(b.ledger->find("app", "o-2")->verdict == Verdict::fail);
}
