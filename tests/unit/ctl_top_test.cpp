#include <catch2/catch.hpp>

#include "edge/ctl/exit_code.h"
#include "edge/ctl/top_view.h"
#include "tests/support/ctl_run.h"
#include "tests/support/scripted_admin.h"

using namespace holdfast;
using namespace holdfast::ctl;
using support::run_ctl;
using support::ScriptedAdmin;

namespace {

const std::string kStatus =
    R"({"verdict":"degraded","summary":"circuit open",)"
    R"("node":{"name":"pop-\u001b[31m1","region":"r","uptimeSeconds":61},)"
    R"("load":{"perSecond":12.5,"refusedPerSecond":2.5,"inFlight":3},)"
    R"("cache":{"healthy":true,"entries":7,"bytes":1048576},)"
    R"("upstreams":[{"endpoint":"https://central-a.internal:8443","weight":90,"state":"ejected","p99Seconds":0.2}],)"
    R"("events":[{"time":"t1","kind":"circuit","text":"event-1"},)"
    R"({"time":"t2","kind":"circuit","text":"event-2"}]})";
const std::string kCircuit =
    R"({"circuits":[{"upstream":"central","state":"open","sinceSeconds":5,"retryInSeconds":9,"reason":"failure_rate",)"
    R"("window":{"calls":40,"failureRate":72.5},"votes":{"open":2,"needed":3}}]})";

}  // namespace

TEST_CASE("top: the page says how the node is, the newest event first, in lines no wider than asked for") {
    json::Document status, circuit;
    REQUIRE(status.parse(kStatus));
    REQUIRE(circuit.parse(kCircuit));
    TopHistory history;
    history.add(status.root());
    std::string all;
    for (const TopLine& line : top_lines(status.root(), circuit.root(), history, 100)) {
        CHECK(line.text.size() <= 100);
        CHECK(line.text.find('\x1b') == std::string::npos);
        all += line.text + "\n";
    }
    for (const char* part : {"degraded: circuit open", "12.5 requests/s   2.5 refused/s", "72.5", "votes 2/3",
                             "central-a.internal", "load [@] peak 12.5/s", "7 records"})
        CHECK(all.find(part) != std::string::npos);
    CHECK(all.find("event-2") < all.find("event-1"));
    for (const auto& [state, paint] : {std::pair{"healthy", Paint::good},
                                       {"failing", Paint::bad},
                                       {"down", Paint::bad},
                                       {"slow-start", Paint::warn}}) {
        std::string other = kStatus;
        other.replace(other.find("\"ejected\""), 9, "\"" + std::string(state) + "\"");
        REQUIRE(status.parse(other));
        for (const TopLine& line : top_lines(status.root(), circuit.root(), history, 100))
            if (line.text.find("central-a") != std::string::npos) CHECK(line.paint == paint);
    }
    REQUIRE(status.parse(kStatus));
    for (const TopLine& line : top_lines(status.root(), circuit.root(), history, 20)) CHECK(line.text.size() <= 20);
    for (std::size_t i = 0; i < 2 * kTopLoadsMax; ++i) history.add(status.root());
    CHECK(history.bars().size() == kTopLoadsMax);
    CHECK_FALSE(top_lines({}, {}, {}, 80).empty());  // an answer that holds nothing of it
}

TEST_CASE("top: -b prints page after page without a terminal, and ends with the node") {
    ScriptedAdmin node({ScriptedAdmin::answer(200, kStatus), ScriptedAdmin::answer(200, kCircuit),
                        ScriptedAdmin::answer(200, kStatus), ScriptedAdmin::answer(200, kCircuit), ""});
    const auto ran = run_ctl({"top", "-b", "-n", "2", "-d", "10ms", "--socket", node.path()});
    CHECK(ran.code == kDone);
    CHECK(ran.out.find("load [@@]") != std::string::npos);
    const auto over = run_ctl({"top", "-b", "-d", "10ms", "--socket", node.path()});
    CHECK(over.code != kDone);
    CHECK_FALSE(over.err.empty());
    ScriptedAdmin other({ScriptedAdmin::answer(200, kStatus)});
    const auto piped = run_ctl({"top", "--socket", other.path()});
    CHECK(piped.code == kWrongUsage);
    CHECK(piped.err.find("use -b") != std::string::npos);
}

TEST_CASE("top: a terminal of a type that nobody knows is named") {
    const char* kept = std::getenv("TERM");
    const std::string before = kept == nullptr ? "" : kept;
    Console::Options terminal;
    terminal.terminal = true;
    const auto said = [&terminal] {
        ScriptedAdmin node({ScriptedAdmin::answer(200, kStatus)});
        const auto ran = run_ctl({"top", "--socket", node.path()}, terminal);
        CHECK(ran.code == kWrongUsage);
        return ran.err;
    };
    ::setenv("TERM", "no-such-type", 1);
    CHECK(said().find("\"no-such-type\"") != std::string::npos);
    ::unsetenv("TERM");
    CHECK(said().find("TERM is not set") != std::string::npos);
    if (kept != nullptr) ::setenv("TERM", before.c_str(), 1);
}
