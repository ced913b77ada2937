// One whole node in simulated time whose centre also sends results by itself: for the tests of what such a result
// changes.
#pragma once

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <string>

#include "edge/exchanges.h"
#include "edge/notified.h"
#include "edge/operators.h"
#include "tests/regress/node_bench.h"

namespace holdfast::sim {

// What a node makes of a notification that does not say whose it is, as Alipay's do not.
inline std::string_view say_to(OneNode& one, const std::string& id, const std::string& order, Verdict verdict,
                               const std::string& number) {
    Notification n;
    n.id = id;
    n.order_no = order;
    n.verification_id = number;
    n.sent = one.view.now().wall;
    n.outcome.emplace();
    n.outcome->verdict = verdict;
    Exchanges none(one.parts());  // nothing is under way
    std::optional<Noticed> what;
    take_notification(one.parts(), none, n, [&what](Noticed is) { what = is; });
    REQUIRE(one.until([&what] { return what.has_value(); }));
    return name(*what);
}

// A node whose centre answers after `latency`, and gives `says` to everybody.
struct NotifiedBench {
    explicit NotifiedBench(Nanos latency = 5ms, Verdict says = Verdict::pass) {
        REQUIRE(one.start());
        centre(CentreMode::healthy, latency, says);
    }
    void centre(CentreMode mode, Nanos latency = 5ms, Verdict says = Verdict::pass) {
        CentrePlan plan = one.central.plan();
        plan.mode = mode;
        plan.latency_min = plan.latency_max = latency;
        plan.fail_percent = says == Verdict::fail ? 100 : 0;
        plan.review_percent = 0;
        one.central.apply(plan);
    }
    // `more` is JSON of further members.
    std::string text(const std::string& id, const std::string& order, const std::string& outcome, Nanos ago = 0s,
                     const std::string& more = {}) {
        const std::string when = rfc3339(one.view.now().wall - ago);
        return fmt::format(
            R"({{"notificationId":"{}","credential":"app-a","orderNo":"{}","outcome":"{}","decidedAt":"{}"{}}})",
            id, order, outcome, when, more);
    }
    // What the node answers to a notification.
    std::string notify(const std::string& id, const std::string& order, const std::string& outcome, Nanos ago = 0s,
                       const std::string& more = {}) {
        OneNode::Got got;
        one.notify(got, text(id, order, outcome, ago, more));
        REQUIRE(one.until([&got] { return got.status != 0; }));
        CHECK(got.status == 200);
        return got.body;
    }
    std::string outcome_of(const std::string& order) { return one.ask(order, "LOGIN", "user-1").text("outcome"); }
    void degrade() { sim::degrade(one); }
    void revoke(const std::string& subject) {
        bool revoked = false;
        Operators(one.node(), "test").revoke(subject, [&revoked](Result<void> done) { revoked = done.has_value(); });
        REQUIRE(one.until([&revoked] { return revoked; }));
    }
    bool asked(std::size_t calls) {
        return one.until([this, calls] { return one.central.calls().size() >= calls; });
    }
    void crash_and_start() {
        one.crash();
        REQUIRE(one.start());
    }

    // Orders answer for a minute, the memory of outcomes for ten.
    void shorten_orders() {
        one.crash();
        for (const auto& [key, value] : {std::pair{"retain = \"", "1m"}, {"cache = { max_age = \"", "10m"}}) {
            const auto at = one.config.find(key) + std::string_view(key).size();
            one.config.replace(at, one.config.find('"', at) - at, value);
        }
        REQUIRE(one.start());
    }

    double value(const std::string& series) { return metric(one, series); }

    OneNode one;
};

}  // namespace holdfast::sim
