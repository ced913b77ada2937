// What holdfastctl does without a node, and how answers look.
#include <catch2/catch.hpp>

#include "edge/ctl/exit_code.h"
#include "tests/support/config_folder.h"
#include "tests/support/ctl_run.h"
#include "tests/support/scripted_admin.h"

using namespace holdfast;
using namespace holdfast::ctl;
using holdfast::support::ConfigFolder;
using holdfast::support::run_ctl;
using holdfast::support::ScriptedAdmin;

TEST_CASE("ctl: config check needs no node, and its exit code is the answer") {
    const ConfigFolder folder;
    const auto good = folder.write("good.toml", ConfigFolder::shortest());
    const auto ok = run_ctl({"config", "check", good, "--socket", "/nowhere"});
    CHECK(ok.code == kDone);
    CHECK(ok.out == good + ": the configuration is valid\n");
    const auto bad = folder.write("bad.toml", ConfigFolder::shortest() + "[limits]\nbody_byte = 1\nmemory = 2\n");
    const auto no = run_ctl({"config", "check", bad});
    CHECK(no.code == kConfigInvalid);
    CHECK(no.out.empty());
    CHECK(no.err.find(bad + ":15:1: error: unknown key limits.body_byte\n  15 | body_byte = 1\n     | ^\n") == 0);
    CHECK(no.err.find(bad + ":16:10: error: limits.memory is a whole number\n") != std::string::npos);
    const auto json = run_ctl({"config", "check", bad, "--json"});
    CHECK(json.code == kConfigInvalid);
    CHECK(json.err.empty());
    json::Document document;
    const auto root = document.parse(json.out);
    REQUIRE(root);
    CHECK((*root)["ok"].boolean() == false);
    CHECK((*root)["errors"].size() == 2);
    CHECK((*root)["errors"].first()["line"].integer() == 15);
    CHECK(run_ctl({"config", "check", folder.file("none.toml")}).code == kConfigInvalid);
}

TEST_CASE("ctl: a policy test need not say who asks, the node knows whether that is plain") {
    const ConfigFolder folder;
    ScriptedAdmin node({ScriptedAdmin::answer(200, R"({"allowed":true})"), ScriptedAdmin::answer(200, "{}")});
    const auto body = folder.write("b.json", R"({"orderNo":"1"})");
    CHECK(run_ctl({"policy", "test", body, "--socket", node.path()}).code == kDone);
    const std::string whole = R"({"request":{"orderNo":"1"}})";
    CHECK(run_ctl({"policy", "test", folder.write("w.json", whole), "--socket", node.path()}).code == kDone);
    const auto asked = node.asked();
    REQUIRE(asked.size() == 2);
    for (const std::string& one : asked) CHECK(one.substr(one.find("\r\n\r\n") + 4) == whole);
}

TEST_CASE("ctl: a policy test takes a whole file, or a body and who asks") {
    const ConfigFolder folder;
    const std::string answer =
        R"({"allowed":true,"prechecks":[{"name":"residency","result":"pass"}],)"
        R"("live":{"admitted":true,"why":"closed"},"degraded":{"answer":"deny","why":"no rung",)"
        R"("rungs":[{"rung":"cache","answers":false,"why":"no record"}]}})";
    const std::string refusal =
        R"({"allowed":false,"code":"PrecheckDenied","message":"residency: country","prechecks":[{"name":"residency",)"
        R"("result":"deny","detail":"country"}],)"
        R"("live":{"admitted":false,"why":"precheck"},"degraded":{"answer":"deny","why":"precheck","rungs":[]}})";
    ScriptedAdmin node({ScriptedAdmin::answer(200, answer), ScriptedAdmin::answer(200, refusal)});
    const std::string whole = R"({"credential":"app","request":{"orderNo":"1","evidence":{"image":"aGk="}}})";
    const auto ran = run_ctl({"policy", "test", folder.write("w.json", whole), "--socket", node.path()});
    CHECK(ran.code == kDone);
    CHECK(ran.out.rfind("allowed\n", 0) == 0);
    CHECK(ran.out.find("centre: would be asked (closed)\n") != std::string::npos);
    CHECK(ran.out.find("degraded: deny (no rung)\n") != std::string::npos);
    const auto body = folder.write("b.json", R"({"orderNo":"1"})");
    const auto refused =
        run_ctl({"policy", "test", body, "--credential", "app", "--client", "192.0.2.1", "--socket", node.path()});
    CHECK(refused.code == kDone);
    CHECK(refused.out.rfind("refused: PrecheckDenied residency: country\n", 0) == 0);
    CHECK(refused.out.find("centre: would not be asked, nor the ladder (precheck)\n") != std::string::npos);
    CHECK(refused.out.find("degraded:") == std::string::npos);
    const auto asked = node.asked();
    REQUIRE(asked.size() == 2);
    CHECK(asked[0].substr(asked[0].find("\r\n\r\n") + 4) == whole);
    CHECK(asked[1].substr(asked[1].find("\r\n\r\n") + 4) ==
          R"({"credential":"app","client":"192.0.2.1","request":{"orderNo":"1"}})");
    CHECK(run_ctl({"policy", "test", folder.write("n", "[1]"), "--socket", node.path()}).code == kWrongUsage);
    CHECK(run_ctl({"policy", "test", folder.write("d", R"({"a":1,"a":2})"), "--socket", node.path()}).code ==
          kWrongUsage);
    CHECK(node.asked().size() == 2);
}

TEST_CASE("ctl: status shows a verdict, then everything that matters") {
    const std::string status =
        R"({"verdict":"degraded","summary":"the circuit is open; answering from memory",)"
        R"("node":{"name":"pop-1","region":"ap","version":"0.1.0","pid":7,"startedAt":"x","uptimeSeconds":3700},)"
        R"("mode":{"node":"auto","overrides":[{"scope":"scene","scene":"PAYMENT","mode":"degraded",)"
        R"("reason":"move","by":"uid 0","remainingSeconds":61}]},)"
        R"("circuits":[{"upstream":"central","state":"open","sinceSeconds":12,"reason":"failure_rate",)"
        R"("retryInSeconds":3}],)"
        R"("lease":{"kind":"local","state":"local"},"cache":{"entries":12,"bytes":1048576,)"
        R"("sizeBytes":1073741824,"healthy":true},)"
        R"("state":{"healthy":false,"detail":"moved aside"},"journal":{"healthy":true,"entries":9},)"
        R"("clock":{"synchronised":true,"trusted":true,"jumpSeconds":-3600},)"
        R"("listener":{"certificateEnds":"2026-01-02T03:04:05.000Z"},)"
        R"("credentials":{"count":3,"rotating":2,"twoSecrets":["app-a","app-b"]},)"
        R"("upstreams":[{"endpoint":"https://a:8443","weight":90,"state":"ejected","inFlight":0,"connections":2,)"
        R"("p99Seconds":0.12}],)"
        R"("load":{"connections":5,"inFlight":1,"queued":0,)"
        R"("perSecond":10.5,"refusedPerSecond":0.5,"degradedPerSecond":10},)"
        R"("reconcile":{"pending":4,"confirmed":7,"reversed":2,"unknown":0},)"
        R"("config":{"hash":"ab","generation":1,"source":"/etc/x.toml","lastReloadSuccessful":true},)"
        R"("events":[{"time":"t","kind":"circuit","text":"opened"}]})";
    ScriptedAdmin node({ScriptedAdmin::answer(200, status)});
    const auto ran = run_ctl({"status", "--socket", node.path()});
    INFO(ran.out);
    CHECK(ran.code == kDone);
    CHECK(ran.out.rfind("degraded: the circuit is open; answering from memory\n", 0) == 0);
    for (const char* piece :
         {"pop-1 (ap), version 0.1.0, pid 7, up 1h01m", "open for 12s (failure_rate), retry in 3s",
          "healthy, 12 records, 1.0MiB of 1.0GiB", "NOT healthy: moved aside", "PAYMENT  degraded 1m01s uid 0 move",
          "4 pending, 7 confirmed, 2 reversed, 0 unknown", "10.5 requests/s, 0.5 refused/s, 10 degraded/s",
          "https://a:8443", "120ms", "opened", "jumped by -3600.0 s lately", "ends 2026-01-02T03:04:05.000Z",
          "two are active for 2 credentials: app-a, app-b"}) {
        INFO(piece);
        CHECK(ran.out.find(piece) != std::string::npos);
    }
}

TEST_CASE("ctl: tables fit the terminal, and are whole elsewhere") {
    const std::string lines =
        R"({"key":"listen.address","value":"\"127.0.0.1:0\"","origin":"/etc/holdfast/holdfast.toml:2",)"
        R"("reload":"restart"})";
    ScriptedAdmin node({ScriptedAdmin::answer(200, lines + "\n")});
    const auto pipe = run_ctl({"config", "show", "--origin", "--socket", node.path()});
    CHECK(pipe.out.find("listen.address \"127.0.0.1:0\" /etc/holdfast/holdfast.toml:2 restart") != std::string::npos);
    Console::Options narrow;
    narrow.terminal = true;
    narrow.width = 40;
    std::string line;
    for (const char c : run_ctl({"config", "show", "--origin", "--socket", node.path()}, narrow).out + "\n") {
        if (c != '\n') {
            line += c;
            continue;
        }
        CHECK(line.size() <= 80);
        line.clear();
    }
}

TEST_CASE("ctl: no name of a file and nothing in it steers the terminal") {
    const ConfigFolder folder;
    const auto config = folder.write("a\x1b[2J.toml", ConfigFolder::shortest() + "\"\x1b]0;t\x07\" = 1\n");
    const auto request = folder.write("r\x1b[2J.json", "{");
    const auto secret = folder.write("s", "a secret of twenty-five b");
    for (const std::vector<std::string>& args : {std::vector<std::string>{"config", "check", config},
                                                 {"config", "check", folder.file("none\x1b[2J")},
                                                 {"policy", "test", request},
                                                 {"keys", "sign", request, "--secret-file", secret, "--id", "app"}}) {
        const auto ran = run_ctl(args);
        INFO(ran.err);
        CHECK(ran.code != kDone);
        CHECK(ran.err.find('?') != std::string::npos);
        CHECK((ran.out + ran.err).find_first_of("\x1b\x07") == std::string::npos);
    }
}
