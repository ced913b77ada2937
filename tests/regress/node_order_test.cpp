// Orders whose recorded answer changed, came back, or was lost, where it should not have: each through one whole node.
#include <fmt/format.h>

#include "edge/base/bytes.h"
#include "tests/regress/node_bench.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

// One try for each call, and a centre that decides each anew.
void begin(OneNode& one) {
    exchange(one.config, "base = \"50ms\"\n", "base = \"50ms\"\nattempts = 0\n");
    REQUIRE(one.start());
    plan(one, [](CentrePlan& p) { p.forgets = true; });
}

void answer_after(OneNode& one, Nanos latency, const std::string& subject, Verdict verdict) {
    plan(one, [&](CentrePlan& p) {
        p.latency_min = p.latency_max = latency;
        p.outcomes[subject] = verdict;
    });
}

// Order o-1 of user-1, whose answer comes late.
void ask_too_soon(OneNode& one, Verdict verdict) {
    answer_after(one, 1200ms, "user-1", verdict);
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").status == 504);
}

}  // namespace

TEST_CASE("order: the late pass of a first call does not take the place of the fail that the second one brought") {
    OneNode one;
    begin(one);
    ask_too_soon(one, Verdict::pass);
    answer_after(one, 2ms, "user-1", Verdict::fail);
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "fail");
    one.run_for(2s);
    CHECK(one.look("o-1").text("outcome") == "fail");
    CHECK(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "fail");
    CHECK(one.central.calls().size() == 2);
    degrade(one);
    CHECK(one.ask("o-2", "LOGIN", "user-1").text("outcome") == "fail");
}

TEST_CASE("order: the late fail of a first call takes the place of a pass, and stands once it was there") {
    for (const bool waits : {false, true}) {
        INFO(waits);
        OneNode one;
        begin(one);
        ask_too_soon(one, Verdict::fail);
        // It comes while the second call is under way, or after that has ended.
        if (waits) one.run_for(300ms);
        answer_after(one, waits ? 500ms : 2ms, "user-1", Verdict::pass);
        CHECK(one.ask("o-1", "LOGIN", "user-1").text("outcome") == (waits ? "fail" : "pass"));
        one.run_for(2s);
        CHECK(one.central.calls().size() == 2);
        CHECK(one.look("o-1").text("outcome") == "fail");
        degrade(one);
        CHECK(one.ask("o-2", "LOGIN", "user-1").text("outcome") == "fail");
    }
}

TEST_CASE("order: the late answer of a call from before a revocation does not hide the final one from after it") {
    OneNode one;
    begin(one);
    ask_too_soon(one, Verdict::fail);
    bool revoked = false;
    one.parts().storage.outcomes().revoke("user-1", one.view.now(),
                                          [&revoked](Result<void> r) { revoked = r.has_value(); });
    REQUIRE(one.until([&revoked] { return revoked; }));
    answer_after(one, 2ms, "user-1", Verdict::pass);
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "pass");
    one.run_for(2s);
    CHECK(one.look("o-1").text("outcome") == "pass");
    CHECK(one.ask("o-1", "LOGIN", "user-1").text("source") == "live");
    CHECK(one.central.calls().size() == 2);
}

TEST_CASE("order: a late pass answers its order, and does not outdo what another has since been told of the subject") {
    OneNode one;
    begin(one);
    ask_too_soon(one, Verdict::pass);
    answer_after(one, 2ms, "user-1", Verdict::fail);
    REQUIRE(one.ask("o-2", "LOGIN", "user-1").text("outcome") == "fail");
    one.run_for(2s);
    CHECK(one.look("o-1").text("outcome") == "pass");
    degrade(one);
    CHECK(one.ask("o-3", "LOGIN", "user-1").text("outcome") == "fail");
}

TEST_CASE("memory: what is said again is kept by the shortest time that a rung answers it, not by the longest") {
    OneNode one({}, true);  // the feature rung's time is twelve times that of a fail
    begin(one);
    answer_after(one, 2ms, "user-1", Verdict::fail);
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "fail");
    one.run_for(5500ms);
    REQUIRE(one.ask("o-2", "LOGIN", "user-1").text("outcome") == "fail");
    degrade(one);
    const auto got = one.ask("o-3", "LOGIN", "user-1");
    CHECK(got.text("outcome") == "fail");
    CHECK(got.text("source") == "cache");
}

TEST_CASE("order: a pass from memory is not looked up while the clock is not trusted, nor once its rung is gone") {
    OneNode one;
    begin(one);
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "pass");
    degrade(one);
    REQUIRE(one.ask("o-2", "LOGIN", "user-1").text("source") == "cache");
    REQUIRE(one.look("o-2").text("source") == "cache");
    one.parts().clock_trusted = false;
    CHECK(one.look("o-2").status == 404);
    CHECK(one.look("o-1").text("outcome") == "pass");
    one.parts().clock_trusted = true;
    REQUIRE(one.look("o-2").text("source") == "cache");
    one.crash();
    exchange(one.config, "[\"cache\", \"provisional\"]", "[\"provisional\"]");
    REQUIRE(one.start());
    CHECK(one.look("o-2").status == 404);
    CHECK(one.ask("o-2", "LOGIN", "user-1").text("source") != "cache");
}

TEST_CASE("order: one answered provisionally has the same answer after the outage was renewed") {
    OneNode one;
    begin(one);
    degrade(one);
    one.run_for(5s);
    const auto first = one.ask("o-1", "OPEN", "user-1");
    REQUIRE(first.text("outcome") == "provisional");
    one.run_for(11s);
    REQUIRE(one.ask("o-1", "OPEN", "user-1").status == 503);  // the hard stop
    CHECK(one.look("o-1").status == 404);
    degrade(one);
    one.run_for(5s);
    const auto again = one.ask("o-1", "OPEN", "user-1");
    CHECK(again.text("outcome") == "provisional");
    CHECK(again.text("decidedAt") == first.text("decidedAt"));
    CHECK(*parse_rfc3339(again.text("expiresAt")) > one.view.now().wall);
    CHECK(one.look("o-1").text("outcome") == "provisional");
    CHECK(*parse_rfc3339(one.look("o-1").text("expiresAt")) > one.view.now().wall);
    CHECK(count_in(one.journal(), R"("kind":"provisional")") == 1);
}

TEST_CASE("order: a provisional answer of an outage that is over is none in the next one, which pays for its own") {
    for (const auto& [room, pause] : {std::pair(true, Nanos(16s)), {false, Nanos(16s)}, {true, Nanos(1s)}}) {
        OneNode one;
        exchange(one.config, "[scene.OPEN]\n", "[scene.OPEN]\nkeep_evidence = false\n");
        const std::string limit = "per_subject_per_hour = ";
        const auto at = one.config.find(limit, one.config.find("[scene.OPEN]")) + limit.size();
        one.config.replace(at, one.config.find(',', at) - at, room ? "2" : "1");
        begin(one);
        degrade(one);
        one.run_for(5s);
        REQUIRE(one.ask("o-1", "OPEN", "user-1").text("outcome") == "provisional");
        degrade(one, Mode::automatic);
        one.run_for(pause);
        degrade(one);
        one.run_for(5s);
        if (pause > 15s) CHECK(one.look("o-1").status == 404);
        const auto again = one.ask("o-1", "OPEN", "user-1");
        CHECK(again.text("outcome") == (room ? "provisional" : ""));
        CHECK(again.status == (room ? 200 : 503));
        CHECK(count_in(one.journal(), R"("kind":"provisional")") == (room ? 2 : 1));
        if (room) CHECK(*parse_rfc3339(one.look("o-1").text("expiresAt")) > one.view.now().wall);
    }
}

TEST_CASE("outage: one that a scene's order began goes on under the circuit, at the age that it had") {
    OneNode one;
    begin(one);
    degrade(one, Mode::degraded, "OPEN");
    one.run_for(5s);
    REQUIRE(one.ask("o-1", "OPEN", "user-1").text("outcome") == "provisional");
    circuit(one, CircuitForce::open);
    degrade(one, Mode::automatic, "OPEN");
    CHECK(one.ask("o-2", "OPEN", "user-2").text("outcome") == "provisional");
    one.run_for(16s);
    CHECK(one.ask("o-3", "OPEN", "user-3").status == 503);  // the hard stop, from the order on the circuit on
}

TEST_CASE("node: a poisoned request gets nobody's pass while the circuit is open by an operator's word alone") {
    OneNode one;
    begin(one);
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "pass");
    circuit(one, CircuitForce::open);
    REQUIRE(one.ask("o-2", "LOGIN", "user-1").text("source") == "cache");
    degrade(one, Mode::live);
    CHECK(one.ask("o-3", "LOGIN", "user-1", R"(,"attributes":{"poison":"1"})").status == 502);
}

TEST_CASE(
    "node: live under an order that holds the circuit open has its ladder once the centre fails several subjects") {
    OneNode one;
    begin(one);
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "pass");
    circuit(one, CircuitForce::open);
    degrade(one, Mode::live);
    one.central.set_mode(CentreMode::error);
    CHECK(one.ask("o-2", "LOGIN", "user-1").status == 502);
    for (int i = 2; i <= 6; ++i) one.ask(fmt::format("o-other-{}", i), "LOGIN", fmt::format("user-{}", i));
    const auto got = one.ask("o-3", "LOGIN", "user-1");
    CHECK(got.status == 200);
    CHECK(got.text("source") == "cache");
}

TEST_CASE("order: a degraded one that is asked again costs its caller no turn of the rate") {
    OneNode one;
    exchange(one.config, "id = \"app-a\"\n", "id = \"app-a\"\nrate = { per_second = 0.01, burst = 2 }\n");
    begin(one);
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "pass");
    degrade(one);
    REQUIRE(one.ask("o-2", "LOGIN", "user-1").text("source") == "cache");
    CHECK(one.ask("o-2", "LOGIN", "user-1").text("source") == "cache");
    CHECK(one.ask("o-3", "LOGIN", "user-1").status == 429);
    degrade(one, Mode::automatic);
    CHECK(one.ask("o-2", "LOGIN", "user-1").status == 429);  // it would be asked at the centre
    circuit(one, CircuitForce::open);
    CHECK(one.ask("o-2", "LOGIN", "user-1").text("source") == "cache");
    degrade(one, Mode::live);
    CHECK(one.ask("o-2", "LOGIN", "user-1").status == 429);
}

TEST_CASE("node: evidence that is not kept needs no room") {
    OneNode one("[reconcile]\nbytes = \"1MiB\"\n");
    exchange(one.config, "[scene.OPEN]\n", "[scene.OPEN]\nkeep_evidence = false\n");
    begin(one);
    degrade(one);
    one.run_for(5s);
    std::string image;
    append_base64(image, as_bytes("\xff\xd8\xff\xe0" + std::string(900'000, 'x')));
    const std::string evidence = fmt::format(R"(,"evidence":{{"image":"{}"}})", image);
    CHECK(one.ask("o-1", "OPEN", "user-1", evidence).text("outcome") == "provisional");
}

TEST_CASE("order: asked again after a revocation, the pass that the centre may have decided before answers it alone") {
    for (const bool degraded_between : {false, true}) {
        INFO(degraded_between);
        OneNode one;
        REQUIRE(one.start());  // its centre says of an order again what it has once decided
        plan(one, [](CentrePlan&) {});
        REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") == "pass");
        bool revoked = false;
        Operators(one.node(), "test").revoke("user-1", [&revoked](Result<void> r) { revoked = r.has_value(); });
        REQUIRE(one.until([&revoked] { return revoked; }));
        if (degraded_between) {
            degrade(one);
            one.run_for(5s);
            REQUIRE(one.ask("o-1", "LOGIN", "user-1").text("outcome") != "pass");
            degrade(one, Mode::automatic);
        }
        const auto again = one.ask("o-1", "LOGIN", "user-1");
        REQUIRE(again.text("outcome") == "pass");
        REQUIRE(again.text("source") == "live");
        CHECK(one.look("o-1").text("outcome") == "pass");
        degrade(one);
        CHECK(one.ask("o-2", "LOGIN", "user-1").text("source") != "cache");
        degrade(one, Mode::automatic);
        REQUIRE(one.ask("o-3", "LOGIN", "user-1").text("outcome") == "pass");
        degrade(one);
        CHECK(one.ask("o-4", "LOGIN", "user-1").text("source") == "cache");
    }
}

TEST_CASE("order: a provisional answer that was given is there after a kill, and is not paid for again") {
    for (int i = 0; i < 4; ++i) {
        OneNode one;
        begin(one);
        degrade(one);
        one.run_for(5s + Nanos(i * 7ms));
        const auto first = one.ask("o-1", "OPEN", "user-1");
        REQUIRE(first.text("outcome") == "provisional");
        one.crash();
        REQUIRE(one.start());
        CHECK(one.look("o-1").text("outcome") == "provisional");
        const auto again = one.ask("o-1", "OPEN", "user-1");
        CHECK(again.text("outcome") == "provisional");
        CHECK(again.text("decidedAt") == first.text("decidedAt"));
        CHECK(count_in(one.journal(), R"("kind":"provisional")") == 1);
    }
}

TEST_CASE("order: one that begins after a revocation or purge does not get the pass of a first call from before it") {
    for (const bool purged : {false, true}) {
        for (const bool forgets : {true, false}) {
            INFO(purged << forgets);
            OneNode one;
            begin(one);
            answer_after(one, 500ms, "user-1", Verdict::pass);
            plan(one, [forgets](CentrePlan& p) { p.forgets = forgets; });
            OneNode::Got before, waits, after;
            one.begin(before, "o-1", "LOGIN", "user-1");
            one.begin(waits, "o-1", "LOGIN", "user-1");
            REQUIRE(one.until([&one] { return one.central.calls().size() == 1; }));
            bool stands = false;
            const auto done = [&stands](Result<void> r) { stands = r.has_value(); };
            Operators operators(one.node(), "test");
            purged ? operators.purge("LOGIN", done) : operators.revoke("user-1", done);
            REQUIRE(one.until([&stands] { return stands; }));
            answer_after(one, 2ms, "user-1", Verdict::fail);
            one.begin(after, "o-1", "LOGIN", "user-1");
            REQUIRE(one.until([&] { return before.status != 0 && waits.status != 0 && after.status != 0; }));
            CHECK(before.text("outcome") == "pass");
            CHECK(waits.text("outcome") == "pass");  // it was under way as well
            CHECK(after.text("source") == "live");
            CHECK(after.text("outcome") == (forgets ? "fail" : "pass"));  // the centre may say again what it has said
            CHECK(one.central.calls().size() == 2);
            CHECK(one.look("o-1").text("outcome") == after.text("outcome"));
            degrade(one);
            CHECK(one.ask("o-2", "LOGIN", "user-1").text("outcome") == (forgets ? "fail" : ""));
        }
    }
}

TEST_CASE("memory: a pass that comes in time does not take the place of a fail that came since it was asked") {
    OneNode one({}, true);
    begin(one);
    plan(one, [](CentrePlan& p) { p.feature = true; });
    answer_after(one, 500ms, "user-1", Verdict::pass);
    OneNode::Got slow;
    one.begin(slow, "o-1", "LOGIN", "user-1");
    REQUIRE(one.until([&one] { return one.central.calls().size() == 1; }));
    one.run_for(100ms);
    answer_after(one, 2ms, "user-1", Verdict::fail);
    OneNode::Got quick;
    one.begin(quick, "o-2", "LOGIN", "user-1");
    REQUIRE(one.until([&slow] { return slow.status != 0; }));
    REQUIRE(quick.text("outcome") == "fail");
    CHECK(slow.text("outcome") == "pass");
    CHECK(slow.text("source") == "live");
    CHECK(one.look("o-1").text("outcome") == "pass");
    degrade(one);
    CHECK(one.ask("o-3", "LOGIN", "user-1").text("outcome") == "fail");
    degrade(one, Mode::automatic);
    answer_after(one, 2ms, "user-1", Verdict::pass);
    REQUIRE(one.ask("o-4", "LOGIN", "user-1").text("outcome") == "pass");  // asked after it
    degrade(one);
    CHECK(one.ask("o-5", "LOGIN", "user-1").text("outcome") == "pass");
}
