// Notifications that meet something else of the same order: a call under way, an answer without the centre, a second
// copy of themselves, a kill. Each through one whole node, with the exact order of events.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "edge/live_record.h"
#include "edge/notices.h"
#include "edge/operators.h"
#include "edge/recorded_answer.h"
#include "tests/regress/notified_bench.h"

using namespace holdfast;
using namespace holdfast::sim;
using Bench = NotifiedBench;

namespace {

// Has order o-1 of user-1 asked without an answer; what would be recorded of it.
LiveRecord asked_in_vain(Bench& b, std::string_view scene) {
    b.centre(CentreMode::hang);
    REQUIRE(b.one.ask("o-1", std::string(scene), "user-1").status == 504);
    const Parts& parts = b.one.parts();
    const auto order = parts.storage.orders().find("app-a", "o-1", parts.loop.now());
    REQUIRE(order);
    return {"app-a", "user-1", scene, "", "o-1", order->body, order->epoch};
}

}  // namespace

TEST_CASE("notified: before the live answer, the less permissive word is the answer") {
    for (const Verdict live : {Verdict::pass, Verdict::fail}) {
        Bench b(300ms, live);
        OneNode::Got got;
        b.one.begin(got, "o-1", "LOGIN", "user-1");
        REQUIRE(b.asked(1));
        CHECK(b.notify("n-1", "o-1", live == Verdict::pass ? "fail" : "pass") == "success");
        REQUIRE(got.status == 0);  // the live answer is still under way
        REQUIRE(b.one.until([&got] { return got.status != 0; }));
        CHECK(got.text("outcome") == "fail");
        CHECK(b.outcome_of("o-1") == "fail");
        b.degrade();
        CHECK(b.outcome_of("o-2") != "pass");  // nor does the memory of outcomes say otherwise
        CHECK(b.one.central.calls().size() == 1);
    }
}

TEST_CASE("notified: after the live answer a reversal stands, for the order and for the memory, over a kill") {
    Bench b;
    REQUIRE(b.outcome_of("o-1") == "pass");
    b.one.run_for(1s);
    CHECK(b.notify("n-1", "o-1", "pass") == "success");
    CHECK(b.notify("n-2", "o-1", "fail") == "success");
    b.crash_and_start();
    CHECK(b.outcome_of("o-1") == "fail");
    CHECK(b.notify("n-1", "o-1", "pass") == "success");      // again: it changes nothing
    CHECK(b.notify("n-3", "o-1", "pass", 1h) == "success");  // late: older than the reversal
    CHECK(b.outcome_of("o-1") == "fail");
    b.degrade();
    CHECK(b.outcome_of("o-2") != "pass");
    CHECK(b.one.central.calls().size() == 1);
}

TEST_CASE("notified: the centre's word takes the place of a degraded answer") {
    Bench b;
    REQUIRE(b.outcome_of("o-1") == "pass");
    b.degrade();
    REQUIRE(b.one.ask("o-2", "LOGIN", "user-1").text("source") == "cache");
    b.one.run_for(6s);  // the outage is old enough
    REQUIRE(b.one.ask("o-3", "OPEN", "user-1").text("outcome") == "provisional");
    CHECK(b.notify("n-2", "o-2", "fail") == "success");
    CHECK(b.notify("n-3", "o-3", "pass") == "success");
    CHECK(b.outcome_of("o-2") == "fail");
    const auto third = b.one.ask("o-3", "OPEN", "user-1");
    CHECK(third.text("outcome") == "pass");
    CHECK(third.text("source") == "live");
    CHECK(b.outcome_of("o-4") != "pass");  // from memory
    CHECK(b.one.central.calls().size() == 1);
}

TEST_CASE("notified: a pass from before the live fail does not undo it, also when an older pass was heard before") {
    Bench b(300ms, Verdict::fail);
    OneNode::Got got;
    b.one.begin(got, "o-1", "LOGIN", "user-1");
    REQUIRE(b.asked(1));
    CHECK(b.notify("n-1", "o-1", "pass", 20s) == "success");
    REQUIRE(b.one.until([&got] { return got.status != 0; }));
    CHECK(got.text("outcome") == "fail");
    CHECK(b.notify("n-2", "o-1", "pass", 10s) == "success");
    CHECK(b.outcome_of("o-1") == "fail");
    b.degrade();
    CHECK(b.outcome_of("o-2") != "pass");  // from memory
}

TEST_CASE("notified: what was heard before a revocation stays hidden, whoever says it again, what comes after counts") {
    Bench b;
    REQUIRE(b.outcome_of("o-1") == "pass");
    CHECK(b.notify("n-1", "o-1", "pass") == "success");
    bool revoked = false;
    Operators(b.one.node(), "test").revoke("user-1", [&revoked](Result<void> done) { revoked = done.has_value(); });
    REQUIRE(b.one.until([&revoked] { return revoked; }));
    b.degrade();
    b.one.run_for(6s);  // the outage is old enough
    const auto now_open = [&b](const char* order) { return b.one.ask(order, "OPEN", "user-1").text("outcome"); };
    CHECK(b.outcome_of("o-1") != "pass");  // asked again: no answer, or one of now
    CHECK(b.notify("n-1", "o-1", "pass") == "success");
    CHECK(b.outcome_of("o-1") != "pass");
    b.crash_and_start();
    CHECK(b.outcome_of("o-1") != "pass");
    REQUIRE(now_open("o-2") == "provisional");
    CHECK(b.notify("n-2", "o-2", "pass") == "success");
    CHECK(now_open("o-2") == "pass");
}

TEST_CASE("notified: an order whose call has failed gets its outcome") {
    Bench b;
    b.centre(CentreMode::hang);
    OneNode::Got got = b.one.ask("o-1", "LOGIN", "user-1");
    REQUIRE(got.status == 504);
    CHECK(b.notify("n-1", "o-1", "pass") == "success");
    const std::size_t calls = b.one.central.calls().size();
    CHECK(b.outcome_of("o-1") == "pass");
    CHECK(b.one.central.calls().size() == calls);
}

TEST_CASE("notified: a second copy is confirmed only when the first is on disk") {
    Bench b;
    REQUIRE(b.outcome_of("o-1") == "pass");
    b.one.run_for(1s);
    OffloadPlan slow;
    slow.work_min = slow.work_max = 2s;
    b.one.offload.set_plan(slow);
    OneNode::Got first, second;
    b.one.notify(first, b.text("n-1", "o-1", "fail"));
    b.one.run_for(100ms);
    b.one.notify(second, b.text("n-1", "o-1", "fail"));
    b.one.run_for(1s);
    CHECK(first.status == 0);
    CHECK(second.status == 0);  // confirmed now, a kill would lose what it says
    REQUIRE(b.one.until([&] { return first.status != 0 && second.status != 0; }, 20s));
    CHECK(first.body == "success");
    CHECK(second.body == "success");
    CHECK(b.outcome_of("o-1") == "fail");
}

TEST_CASE("notified: a confirmed word outlives the record of its order") {
    for (const char* word : {"pass", "fail"}) {
        Bench b;
        b.centre(CentreMode::hang);
        REQUIRE(b.one.ask("o-1", "LOGIN", "user-1").status == 504);
        CHECK(b.notify("n-1", "o-1", word) == "success");
        b.one.crash();
        std::filesystem::remove_all(b.one.data("cache"));  // more than a kill takes; state/ is sound
        REQUIRE(b.one.start());
        const std::size_t calls = b.one.central.calls().size();
        CHECK(b.outcome_of("o-1") == word);
        CHECK(b.one.central.calls().size() == calls);
        const auto other = b.one.ask("o-1", "LOGIN", "user-2");
        CHECK(other.status == 409);  // the order's number is taken again
    }
}

TEST_CASE("notified: one whose order is not known here is kept, over a kill, and heard once") {
    Bench b;
    for (int copy = 0; copy < 3; ++copy) CHECK(b.notify("n-1", "o-1", "fail") == "success");
    CHECK(b.notify("n-2", "o-9", "pass") == "success");
    b.one.run_for(1s);
    CHECK(count_in(b.one.journal(), R"("result":"unknown")") == 2);
    CHECK(b.value(R"(holdfast_notifications_total{result="unknown"})") == 2);
    CHECK(b.value(R"(holdfast_notifications_total{result="duplicate"})") == 2);
    b.crash_and_start();
    CHECK(b.notify("n-1", "o-1", "fail") == "success");
    CHECK(count_in(b.one.journal(), R"("result":"unknown")") == 2);
    CHECK(b.outcome_of("o-1") == "fail");  // the order comes after its word
    CHECK(b.one.central.calls().empty());
    b.one.run_for(1s);
    CHECK(count_in(b.one.journal(), R"("notification":"n-1","orderNo":"o-1","result":"taken")") == 1);
    CHECK(b.one.parts().unplaced.size() == 1);
    CHECK(b.notify("n-1", "o-1", "fail") == "success");
    CHECK(b.value(R"(holdfast_notifications_total{result="duplicate"})") == 2);  // since the start
    CHECK(b.outcome_of("o-1") == "fail");
}

TEST_CASE("notified: a pass from before its order answers nothing by the order's number alone") {
    for (const Verdict live : {Verdict::pass, Verdict::fail}) {
        Bench b(5ms, live);
        CHECK(b.notify("n-1", "o-1", "pass") == "success");
        CHECK(b.one.ask("o-1", "LOGIN", "user-2").text("outcome") == (live == Verdict::pass ? "pass" : "fail"));
        CHECK(b.one.central.calls().size() == 1);
    }
    Bench b;
    CHECK(b.notify("n-1", "o-1", "pass") == "success");
    b.centre(CentreMode::hang);
    CHECK(b.one.ask("o-1", "LOGIN", "user-2").status == 504);
}

TEST_CASE("notified: of a word from before its order another credential's order of that number hears nothing") {
    Bench b;
    const std::string other = b.text("n-1", "o-1", "fail");
    OneNode::Got got;
    b.one.notify(got, std::string(other).replace(other.find("app-a"), 5, "app-b"));
    REQUIRE(b.one.until([&got] { return got.status != 0; }));
    CHECK(got.body == "success");
    CHECK(b.outcome_of("o-1") == "pass");
}

TEST_CASE("notified: a word from before its order is hidden by a revocation, and has its time") {
    Bench b;
    CHECK(b.notify("n-1", "o-1", "fail") == "success");
    CHECK(b.notify("n-2", "o-2", "fail") == "success");
    bool revoked = false;
    Operators(b.one.node(), "test").revoke("user-1", [&revoked](Result<void> done) { revoked = done.has_value(); });
    REQUIRE(b.one.until([&revoked] { return revoked; }));
    CHECK(b.outcome_of("o-1") == "pass");
    CHECK(b.notify("n-3", "o-3", "fail") == "success");
    b.one.run_for(b.one.node().config().orders.retain + 1s);
    CHECK(b.outcome_of("o-3") == "pass");
}

TEST_CASE("notified: a word from before its order, of several the newest, of equal time the less permissive") {
    Bench b;
    CHECK(b.notify("n-1", "o-1", "review", 10s) == "success");
    CHECK(b.notify("n-2", "o-1", "fail", 20s) == "success");
    CHECK(b.outcome_of("o-1") == "review");
    CHECK(b.notify("n-3", "o-1", "fail", 10s) == "success");
    CHECK(b.outcome_of("o-1") == "fail");
}

TEST_CASE("notified: a word from before its order stands also where the ledger of orders takes no more") {
    Bench b;
    NotifyEntry other;
    other.received = b.one.view.now().wall;
    b.one.parts().notify.orders_max = 100;
    for (int i = 0; i < 100; ++i)
        b.one.parts().notify.put("app-b", fmt::format("other-{}", i), other, [](const Result<void>&) {});
    b.one.run_for(1s);
    CHECK(b.notify("n-1", "o-1", "fail") == "success");
    CHECK(b.outcome_of("o-1") == "fail");
    CHECK(b.outcome_of("o-1") == "fail");
}

TEST_CASE("notified: a pass that a later answer of the centre has outdone does not come back with a lost record") {
    Bench b;
    b.centre(CentreMode::healthy, 4s, Verdict::fail);
    REQUIRE(b.one.ask("o-1", "LOGIN", "user-1").status == 504);
    CHECK(b.notify("n-1", "o-1", "pass") == "success");
    CHECK(b.outcome_of("o-1") == "pass");
    b.one.run_for(5s);  // the late answer
    CHECK(b.outcome_of("o-1") == "fail");
    b.one.run_for(1s);
    b.one.crash();
    std::filesystem::remove_all(b.one.data("cache"));
    REQUIRE(b.one.start());
    CHECK(b.outcome_of("o-1") == "fail");
}

TEST_CASE("notified: a reversal whose order answers no more reaches the memory, by its own number or the centre's") {
    for (const bool numbered : {false, true}) {
        Bench b;
        b.shorten_orders();
        const auto first = b.one.ask("o-1", "LOGIN", "user-1");
        REQUIRE(first.text("outcome") == "pass");
        const std::string number = fmt::format(R"(,"verificationId":"{}")", first.text("verificationId"));
        b.one.run_for(2min);
        REQUIRE(b.one.look("o-1").status == 404);
        b.crash_and_start();
        CHECK(b.notify("n-1", "o-1", "fail", 0s, numbered ? number : "") == "success");
        CHECK(b.notify("n-2", "o-9", "fail") == "success");  // of somebody else's order
        CHECK(b.one.look("o-1").status == 404);              // it answers no more, and its number is free
        CHECK(b.one.ask("o-1", "LOGIN", "user-9").text("outcome") == "pass");
        b.degrade();
        CHECK(b.one.ask("o-2", "LOGIN", "user-1").text("outcome") != "pass");
        CHECK(count_in(b.one.journal(), R"("kind":"notification")") == 2);
    }
}

TEST_CASE("notified: of a number that is used again the order under way hears, not the one that had it") {
    for (const bool numbered : {false, true}) {
        for (const bool passes : {false, true}) {
            Bench b(5ms, passes ? Verdict::fail : Verdict::pass);
            b.shorten_orders();
            REQUIRE(b.one.ask("o-1", "LOGIN", "alice").text("outcome") == (passes ? "fail" : "pass"));
            b.one.run_for(2min);
            REQUIRE(b.one.look("o-1").status == 404);
            b.centre(CentreMode::healthy, 300ms, passes ? Verdict::fail : Verdict::pass);
            OneNode::Got bob;
            b.one.begin(bob, "o-1", "LOGIN", "bob");
            REQUIRE(b.asked(2));
            CHECK(b.notify("n-1", "o-1", passes ? "pass" : "fail", 0s,
                           numbered ? R"(,"verificationId":"ver-bob")" : "") == "success");
            REQUIRE(b.one.until([&bob] { return bob.status != 0; }));
            CHECK(bob.text("outcome") == "fail");  // of two words the less permissive one
            b.degrade();
            CHECK((b.one.ask("o-2", "LOGIN", "alice").text("outcome") == "pass") == !passes);
            CHECK(b.one.ask("o-3", "LOGIN", "bob").text("outcome") != "pass");
        }
    }
}

TEST_CASE("pending: a number that comes late is outdated by a revocation, and one that is known is not lost") {
    Bench b;
    const LiveRecord first = asked_in_vain(b, "LOGIN");
    Parts& parts = b.one.parts();
    const auto order = [&parts] { return parts.storage.orders().find("app-a", "o-1", parts.loop.now()); };
    const auto number = [&order] { return decode_order(order()->answer)->verification_id; };
    for (const char* id : {"C-1", ""}) {
        record_pending(parts, first, id, parts.loop.now());
        CHECK(number() == "C-1");
    }
    b.revoke("user-1");
    LiveRecord again = first;
    again.asked_epoch = parts.storage.outcomes().epoch();
    record_pending(parts, again, "C-2", parts.loop.now());
    record_pending_aside(parts, *parts.snapshot, first, "C-3", parts.loop.now());
    CHECK(number() == "C-2");
    record_pending_aside(parts, *parts.snapshot, again, "C-4", parts.loop.now());
    CHECK(number() == "C-4");
}

TEST_CASE("pending: a revocation ends the wait of an order, and GET does not say that it goes on") {
    for (const bool told : {false, true}) {
        Bench b;
        const LiveRecord asked = asked_in_vain(b, "LOGIN");
        record_pending(b.one.parts(), asked, "C-1", b.one.parts().loop.now());
        REQUIRE(b.one.look("o-1").status == 202);
        b.revoke("user-2");
        CHECK(b.one.look("o-1").status == 202);
        b.revoke("user-1");
        CHECK(b.one.look("o-1").status == 404);
        if (told) b.notify("n-1", "o-1", "pass", 0s, R"(,"verificationId":"C-1")");
        CHECK(b.one.look("o-1").status == 404);
        // While it is asked again it is under way.
        OneNode::Got again;
        b.one.begin(again, "o-1", "LOGIN", "user-1");
        b.one.run_for(50ms);
        CHECK(b.one.look("o-1").status == 202);
        b.one.run_for(2s);
        CHECK(b.one.look("o-1").status == 404);
    }
}

TEST_CASE("pending: a number from before a revocation is not that of the degraded answer after it") {
    for (const bool revoked : {false, true}) {
        Bench b;
        const LiveRecord first = asked_in_vain(b, "OPEN");
        Parts& parts = b.one.parts();
        record_pending(parts, first, "C-1", parts.loop.now());
        if (revoked) b.revoke("user-1");
        b.degrade();
        b.one.run_for(5s);
        REQUIRE(b.one.ask("o-1", "OPEN", "user-1").text("outcome") == "provisional");
        const auto after = parts.storage.orders().find("app-a", "o-1", parts.loop.now());
        REQUIRE(after);
        CHECK(decode_order(after->answer)->pending_id == (revoked ? "" : "C-1"));
        LiveRecord late = first;
        late.asked_epoch = after->epoch;
        record_pending_aside(parts, *parts.snapshot, revoked ? first : late, "C-9", parts.loop.now());
        const auto last = decode_order(parts.storage.orders().find("app-a", "o-1", parts.loop.now())->answer);
        CHECK(last->answer->outcome == Outcome::provisional);
        CHECK(last->pending_id == (revoked ? "" : "C-9"));
    }
}

TEST_CASE("notified: a copy is confirmed also when the record of its order has left") {
    Bench b;
    REQUIRE(b.outcome_of("o-1") == "pass");
    CHECK(b.notify("n-1", "o-1", "pass") == "success");
    b.one.crash();
    std::filesystem::remove_all(b.one.data("cache"));
    REQUIRE(b.one.start());
    CHECK(b.notify("n-1", "o-1", "pass") == "success");
    CHECK(b.notify("n-2", "o-1", "fail") == "success");  // nobody knows the order: it is kept
    CHECK(b.outcome_of("o-1") == "fail");                // as if it had been known all the time
}

TEST_CASE("notified: however many are sent by half an honest one gets in and they end by the time for bodies") {
    Bench b;
    REQUIRE(b.outcome_of("o-1") == "pass");
    b.one.run_for(1s);
    std::vector<OneNode::Got> halves(2 * Notices::kNoticesMax);
    for (std::size_t i = 0; i < halves.size(); ++i) {
        std::string bytes = b.one.notification_bytes(b.text(fmt::format("n-{}", i), "o-1", "pass"));
        bytes.pop_back();
        b.one.send(halves[i], std::move(bytes));
    }
    b.one.run_for(500ms);
    CHECK(b.notify("n-x", "o-1", "fail") == "success");
    const auto timed_out = [&halves] {
        return std::all_of(halves.begin(), halves.end(), [](const auto& one) { return one.status == 408; });
    };
    CHECK(b.one.until(timed_out, b.one.node().config().limits.body_timeout + 1s));
    CHECK(b.outcome_of("o-1") == "fail");
}

TEST_CASE("notified: one of more than 256 KiB ends at that size") {
    Bench b;
    const std::string bytes = b.one.notification_bytes(std::string(kNotifyBytesMax + 1, ' '));
    OneNode::Got declared, chunked;
    b.one.send(declared, bytes.substr(0, bytes.find("\r\n\r\n") + 4));
    REQUIRE(b.one.until([&declared] { return declared.status != 0; }, 1s));
    CHECK(declared.status == 413);
    std::string head = bytes.substr(0, bytes.find("\r\n\r\n") + 4);
    const auto length = head.find("Content-Length: ");
    head.replace(length, head.find("\r\n", length) - length, "Transfer-Encoding: chunked");
    b.one.send(chunked, head + fmt::format("{:x}\r\n", kNotifyBytesMax + 1) + std::string(kNotifyBytesMax + 1, ' '));
    REQUIRE(b.one.until([&chunked] { return chunked.status != 0; }, 5s));
    CHECK(chunked.status == 413);
}

TEST_CASE("notified: 256 are taken at once, one more is told to come again, and none that was confirmed is lost") {
    Bench b;
    REQUIRE(b.outcome_of("o-1") == "pass");
    b.one.run_for(1s);
    OffloadPlan slow;
    slow.work_min = slow.work_max = 2s;
    b.one.offload.set_plan(slow);
    std::vector<OneNode::Got> got(Notices::kNoticesMax);
    for (std::size_t i = 0; i < got.size(); ++i)
        b.one.notify(got[i], b.text(fmt::format("n-{}", i), "o-1", i == 7 ? "fail" : "pass"));
    b.one.run_for(500ms);
    OneNode::Got more;
    b.one.notify(more, b.text("n-more", "o-1", "pass"));
    REQUIRE(b.one.until([&] { return more.status != 0; }, 1s));
    CHECK(more.status == 503);
    CHECK_FALSE(more.headers_retry_after.empty());
    const auto confirmed = [&] {
        return std::count_if(got.begin(), got.end(), [](const auto& one) { return one.body == "success"; });
    };
    CHECK(confirmed() == 0);
    CHECK(b.one.until([&] { return confirmed() == static_cast<std::ptrdiff_t>(got.size()); }, 60s));
    CHECK(b.notify("n-more", "o-1", "pass", 1h) == "success");
    b.crash_and_start();
    CHECK(b.outcome_of("o-1") == "fail");  // of equal time the less permissive stands
}
