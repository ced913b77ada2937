// A whole node in an outage, whose provisional answers are to be reconciled: everything of it is steered by hand, and
// the centre says pass to all but two subjects.
#pragma once

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <string>

#include "edge/operators.h"
#include "tests/regress/node_bench.h"

namespace holdfast::sim {

// Behind the last table of the worlds' configuration, which is that of the scene CLOSED.
inline constexpr const char* kBareScene =
    "degrade = [\"provisional\"]\nkeep_evidence = false\n"
    "provisional = { after = \"4s\", budget_per_minute = 6, per_subject_per_hour = 1 }\n";

struct ReconcileBench {
    explicit ReconcileBench(const std::string& more = {}) : one(kBareScene + more) {
        CentrePlan plan = one.central.plan();
        plan.fail_percent = plan.review_percent = 0;
        plan.outcomes = {{"user-fail", Verdict::fail}, {"user-review", Verdict::review}};
        one.central.apply(plan);
        REQUIRE(one.start());
    }
    void order(Mode mode) { degrade(one, mode); }
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
    // The centre's own word about an order, confirmed when this returns.
    void notify(const std::string& order_no, const std::string& outcome) {
        OneNode::Got got;
        one.notify(got, fmt::format(R"({{"notificationId":"n-1","credential":"app-a","orderNo":"{}","outcome":"{}",)"
                                    R"("decidedAt":"{}"}})",
                                    order_no, outcome, rfc3339(one.view.now().wall)));
        REQUIRE(one.until([&got] { return got.body == "success"; }));
    }
    // Whether it is over, all of it.
    bool settled(Nanos limit = 60s) {
        return one.until([this] { return one.parts().storage.evidence()->count() == 0; }, limit);
    }
    std::string view() {
        std::string out;
        json::Writer w(out);
        one.node().reconciler().write(w);
        return out;
    }
    std::uint64_t count(Reconciled what) { return one.node().reconciler().count(what); }
    std::optional<Answer> order_of(const std::string& order_no) {
        const auto found = one.parts().storage.orders().find("app-a", order_no, one.parts().loop.now());
        const auto recorded = found ? decode_recorded(found->answer) : std::nullopt;
        return recorded ? std::optional(recorded->answer) : std::nullopt;
    }
    std::size_t entries(const std::string& text) {
        one.run_for(500ms);
        return count_in(one.journal(), text);
    }
    std::string why_refused() {
        const auto done = one.node().reconciler().run();
        return done ? "" : done.error().detail;
    }

    OneNode one;
};

}  // namespace holdfast::sim
