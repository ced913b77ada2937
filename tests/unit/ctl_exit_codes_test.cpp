// What a script sees of holdfastctl: exit codes and streams, against a real Unix socket.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <clocale>
#include <filesystem>
#include <sstream>

#include "edge/admin_paths.h"
#include "edge/ctl/exit_code.h"
#include "tests/support/config_folder.h"
#include "tests/support/ctl_run.h"
#include "tests/support/scripted_admin.h"

using namespace holdfast;
using namespace holdfast::ctl;
using holdfast::support::ConfigFolder;
using holdfast::support::Ran;
using holdfast::support::run_ctl;
using holdfast::support::ScriptedAdmin;

namespace {

Ran ask(ScriptedAdmin& node, std::vector<std::string> args) {
    args.insert(args.end(), {"--socket", node.path()});
    return run_ctl(args);
}

std::string refusal(int status) {
    return ScriptedAdmin::answer(status, "{\"code\":\"SomeCode\",\"message\":\"because of reasons\"}");
}

}  // namespace

TEST_CASE("ctl: each kind of answer has its exit code") {
    const std::vector<std::pair<int, int>> codes{{200, kDone},         {400, kRefused},  {404, kRefused},
                                                 {403, kNoPermission}, {409, kRefused},  {422, kConfigInvalid},
                                                 {503, kRefused},      {504, kTimedOut}, {500, kRefused}};
    for (const auto& [status, code] : codes) {
        ScriptedAdmin node(
            {status == 200 ? ScriptedAdmin::answer(200, "{\"purged\":3,\"orders\":5}") : refusal(status)});
        const auto ran = ask(node, {"cache", "purge"});
        INFO(status << " " << ran.err);
        CHECK(ran.code == code);
        CHECK((status == 200) == ran.out.starts_with("3 records forgotten, and the answers of up to 5 orders\nGET "));
        CHECK((status == 200) != ran.out.empty());
        CHECK((status == 200) == ran.err.empty());
        if (status != 200) CHECK(ran.err.find("because of reasons (SomeCode)") != std::string::npos);
    }
}

TEST_CASE("ctl: a node that is not there is 3, and the operator is told where to look") {
    const auto ran = run_ctl({"status", "--socket", "/nowhere/admin.sock"});
    CHECK(ran.code == kNotReachable);
    CHECK(ran.out.empty());
    CHECK(ran.err ==
          "holdfastctl: the node is not reachable: /nowhere/admin.sock: No such file or directory\n"
          "is holdfast running, and is --socket the admin.socket of its configuration?\n");
    CHECK(run_ctl({"status", "--socket", std::string(200, 'x')}).code == kNotReachable);
}

TEST_CASE("ctl: a socket that nobody listens on is 3") {
    std::string path;
    {
        ScriptedAdmin node({""});
        path = node.path() + ".kept";
        std::filesystem::create_hard_link(node.path(), std::filesystem::temp_directory_path() / "holdfast-kept.sock");
    }
    const auto kept = std::filesystem::temp_directory_path() / "holdfast-kept.sock";
    CHECK(run_ctl({"status", "--socket", kept.string()}).code == kNotReachable);
    std::filesystem::remove(kept);
}

TEST_CASE("ctl: a node that closes, cuts its answer short or speaks nonsense is 3") {
    for (const std::string& answer : {std::string(), std::string("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"pur"),
                                      std::string("hello\r\n\r\n")}) {
        ScriptedAdmin node({answer});
        const auto ran = ask(node, {"cache", "purge"});
        INFO(ran.err);
        CHECK(ran.code == kNotReachable);
        CHECK(ran.out.empty());
    }
}

TEST_CASE("ctl: a node that does not answer in time is 5") {
    ScriptedAdmin node({"hang"});
    const auto began = MonoClock::read();
    const auto ran = ask(node, {"status", "--timeout", "150ms"});
    CHECK(ran.code == kTimedOut);
    CHECK(ran.err == "holdfastctl: no answer within 150ms\n");
    CHECK(MonoClock::read() - began < 3s);
}

TEST_CASE("ctl: of an order that was not answered in time it is said that it may be carried out") {
    for (const std::vector<std::string>& order :
         {std::vector<std::string>{"degrade", "on", "--reason", "x"}, {"circuit", "open"}, {"drain"},
          {"upstream", "restore", "http://x", "--reason", "x"}, {"cache", "revoke", "--subject", "s"}}) {
        INFO(order[0]);
        ScriptedAdmin node({"hang"});
        std::vector<std::string> all = order;
        all.insert(all.end(), {"--timeout", "100ms"});
        const auto ran = ask(node, all);
        CHECK(ran.code == kTimedOut);
        CHECK(ran.err.find("it may be carried out all the same") != std::string::npos);
    }
    ScriptedAdmin node({refusal(504)});
    CHECK(ask(node, {"circuit", "open", "--fleet", "--reason", "x"}).err.find("may be carried out") !=
          std::string::npos);
}

TEST_CASE("ctl: a folder in the place of a file is named") {
    const std::string folder = std::filesystem::temp_directory_path();
    const ConfigFolder files;
    const auto request = files.write("r.json", R"({"method":"GET","target":"/","host":"h"})");
    for (const std::vector<std::string>& args :
         {std::vector<std::string>{"policy", "test", folder},
          {"keys", "sign", folder, "--secret-file", request, "--id", "app"},
          {"keys", "verify", folder, "--secret-file", request},
          {"keys", "verify", request, "--secret-file", folder}}) {
        INFO(args[0] << args[1]);
        const auto ran = run_ctl(args);
        CHECK(ran.code == kWrongUsage);
        CHECK(ran.err == "holdfastctl: " + folder + " cannot be read: Is a directory\n");
    }
}

TEST_CASE("ctl: a socket that may not be opened is 4") {
    if (::geteuid() == 0) return;  // root may open everything
    ScriptedAdmin node({ScriptedAdmin::answer(200, "{}")});
    REQUIRE(::chmod(node.path().c_str(), 0) == 0);
    CHECK(ask(node, {"status"}).code == kNoPermission);
}

TEST_CASE("ctl: an answer above the limit is refused, not swallowed") {
    ScriptedAdmin node(
        {"HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(admin::kAnswerBytesMax + 1) + "\r\n\r\n"});
    const auto ran = ask(node, {"status"});
    CHECK(ran.code == kRefused);
    CHECK(ran.err == "holdfastctl: the answer is too large\n");
}

TEST_CASE("ctl: what could not be written is 1 and said, and what would go on for ever ends") {
    const std::string line(10'000, 'x');
    for (const std::vector<std::string>& args :
         {std::vector<std::string>{"status"}, {"status", "--watch"}, {"status", "--json"}, {"top", "-b"},
          {"completion", "bash"}, {"journal", "tail", "--follow"}, {"journal", "export"}, {"--help"}}) {
        const std::string answer = "{\"seq\":1,\"summary\":\"" + line + "\"}";  // as a line of the journal as well
        ScriptedAdmin node({ScriptedAdmin::answer(200, answer + (args[0] == "journal" ? "\n" : ""))});
        std::vector<std::string> all = args;
        if (args[0] != "completion" && args[0] != "--help") all.insert(all.end(), {"--socket", node.path()});
        std::FILE* full = std::fopen("/dev/full", "w");
        char* text = nullptr;
        std::size_t size = 0;
        std::FILE* err = ::open_memstream(&text, &size);
        REQUIRE((full != nullptr && err != nullptr));
        Console console(full, err, {});
        INFO(args[0] << " " << (args.size() > 1 ? args[1] : ""));
        CHECK(ctl::run(all, console) == kRefused);
        std::fclose(err);
        const std::string said(text, size);
        std::free(text);
        CHECK(said.find("holdfastctl: the output could not be written\n") != std::string::npos);
        std::fclose(full);
    }
}

TEST_CASE("ctl: a chunked answer is one answer") {
    ScriptedAdmin node(
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{\"purge\r\n5\r\nd\":4}\r\n0\r\n\r\n"});
    CHECK(ask(node, {"cache", "purge"}).out.starts_with("4 records forgotten"));
}

TEST_CASE("ctl: of a scene that is purged no number is told that nobody knows") {
    ScriptedAdmin node({ScriptedAdmin::answer(200, R"({"scene":"LOGIN","purgedAt":"2026-01-02T03:04:05.678Z"})")});
    CHECK(ask(node, {"cache", "purge", "--scene", "LOGIN"}).out ==
          "purged: no outcome of LOGIN of before 2026-01-02T03:04:05.678Z answers any more; the records go in steps\n"
          "GET of an order of before is 404 now; `cache stats` counts records until they are erased\n");
}

TEST_CASE("ctl: explain tells who a refused request claims to be, how far its clock is off, and what each rung said") {
    ScriptedAdmin node(
        {ScriptedAdmin::answer(200, R"({"auth":"timestamp_out_of_window","claimed":"app","skewSeconds":-900})"),
         ScriptedAdmin::answer(200,
                               R"({"auth":"ok","rung":"none","reason":"circuit_open","ladder":"none","rungs":[)"
                               R"({"rung":"cache","why":"too_old"},{"rung":"provisional","why":"budget_spent"}]})"),
         ScriptedAdmin::answer(200,
                               R"({"auth":"ok","rung":"none","reason":"upstream_failed","rungs":[],"status":200,)"
                               R"("ladder":"one_subject_only","outcome":"pass","source":"live","repeated":true})")});
    const auto explained = [&node] { return ask(node, {"explain", "req-1"}).out; };
    CHECK(explained().find(
              "timestamp_out_of_window, claimed by app, its timestamp is 900 s behind this node's clock\n") !=
          std::string::npos);
    const std::string rungs = explained();
    CHECK(rungs.find("none (circuit_open)\n") != std::string::npos);
    CHECK(rungs.find("  cache ") < rungs.find(" too_old\n"));
    CHECK(rungs.find(" too_old\n") < rungs.find("  provisional "));
    CHECK(rungs.find(" budget_spent\n") != std::string::npos);
    const std::string barred = explained();
    CHECK(barred.find("none (upstream_failed), the ladder was not climbed: one_subject_only\n") != std::string::npos);
    CHECK(barred.find(", as recorded of the order\n") != std::string::npos);
}

TEST_CASE("ctl: a revocation says which scenes may still let the subject through, and what stops that") {
    ScriptedAdmin node({ScriptedAdmin::answer(200, R"({"revokedAt":"T","provisionalScenes":["LOGIN","PAYMENT"]})"),
                        ScriptedAdmin::answer(200, R"({"revokedAt":"T","provisionalScenes":[]})")});
    const std::string first = "revoked: nothing decided before T answers for this subject\n";
    const auto warned = ask(node, {"cache", "revoke", "--subject", "u"});
    CHECK(warned.out.starts_with(first + "in an outage LOGIN, PAYMENT may still let it through provisionally;"));
    CHECK(warned.out.find("kind \"subject\"") != std::string::npos);
    CHECK(ask(node, {"cache", "revoke", "--subject", "u"}).out == first);
}

TEST_CASE("ctl: peers without a fleet says so, and an alarm about the store comes with what ends it") {
    ScriptedAdmin alone({ScriptedAdmin::answer(200, R"({"kind":"local","peers":[]})")});
    CHECK(ask(alone, {"peers"}).out.starts_with("no fleet: coordination.kind is \"local\""));
    ScriptedAdmin older({ScriptedAdmin::answer(200, R"({"kind":"etcd","fleet":"f","mode":"autonomous","alarm":"older",)"
                                                    R"("remedy":"accept it","peers":[]})")});
    const auto ran = ask(older, {"peers"});
    CHECK(ran.out.find("alarm: older; accept it\n") != std::string::npos);
    CHECK(ran.out.find("no fleet") == std::string::npos);
    ScriptedAdmin strangers({ScriptedAdmin::answer(
        200, R"({"kind":"etcd","fleet":"f","mode":"leased","peers":[{"name":"a","vote":true,"counted":false},)"
             R"({"name":"b","counted":false},{"name":"c","counted":true}]})")});
    const std::string told = ask(strangers, {"peers"}).out;
    CHECK(told.find("votes open, not counted") != std::string::npos);
    CHECK(told.find("not counted", told.find("\nb ")) < told.find("\nc "));
    CHECK(told.find("not counted", told.find("\nc ")) == std::string::npos);
}

TEST_CASE("ctl: circuit show tells who forces it and why, since when it is not closed, and what scenes have") {
    ScriptedAdmin node({ScriptedAdmin::answer(
        200, R"({"circuits":[{"upstream":"central","state":"open","sinceSeconds":5,"reason":"forced","forced":"open",)"
             R"("forcedBy":"uid 0","forcedReason":"drill","outageSince":"T","outageSeconds":125}],"budgets":[)"
             R"({"scene":"A","used":3,"left":7,"perMinute":10,"configuredPerMinute":10},)"
             R"({"scene":"B","used":0,"left":10,"perMinute":10,"configuredPerMinute":20,"outageSeconds":20,)"
             R"("beginsInSeconds":40,"endsInSeconds":1780},)"
             R"({"scene":"C","used":0,"left":1,"perMinute":1,"configuredPerMinute":1,"outageSeconds":125,)"
             R"("beginsInSeconds":0,"endsInSeconds":1675},)"
             R"({"scene":"D","used":0,"left":1,"perMinute":1,"configuredPerMinute":1,"outageSeconds":125,)"
             R"("beginsInSeconds":0,"endsInSeconds":0}]})")});
    const auto ran = ask(node, {"circuit", "show"});
    INFO(ran.out);
    for (const char* line :
         {"central: forced open by uid 0: drill\n", "central: not closed since T (2m05s)\n",
          "A: 3 of 10 provisional answers spent in the last minute\n",
          "(this node's share of 20); outage 20s old, they begin in 40s\n", "; outage 2m05s old, hard_stop in 27m55s\n",
          "; outage 2m05s old, hard_stop is over: none are given\n"})
        CHECK(ran.out.find(line) != std::string::npos);
}

TEST_CASE("ctl: with --json standard output is the node's answer, byte for byte") {
    const std::string body = "{\"verdict\":\"ok\",  \"extra\": [1,2]}";
    ScriptedAdmin node({ScriptedAdmin::answer(200, body)});
    const auto ran = ask(node, {"status", "--json"});
    CHECK(ran.code == kDone);
    CHECK(ran.out == body + "\n");
    CHECK(ran.err.empty());
    ScriptedAdmin refused({refusal(409)});
    const auto no = ask(refused, {"drain", "--json"});
    CHECK(no.code == kRefused);
    CHECK(no.out == "{\"code\":\"SomeCode\",\"message\":\"because of reasons\"}\n");
}

TEST_CASE("ctl: what is asked of the node") {
    const std::vector<std::tuple<std::vector<std::string>, std::string, std::string>> all{
        {{"degrade", "on", "--scene", "PAYMENT", "--for", "30m", "--reason", "a \"b\""},
         "POST /v1/degrade ",
         R"({"mode":"degraded","scene":"PAYMENT","forSeconds":1800,"reason":"a \"b\""})"},
        {{"degrade", "off", "--reason", "r"}, "POST /v1/degrade ", R"({"mode":"live","reason":"r"})"},
        {{"degrade", "auto", "--fleet", "--reason", "r"},
         "POST /v1/degrade ",
         R"({"mode":"auto","fleet":true,"reason":"r"})"},
        {{"circuit", "show"}, "GET /v1/circuit ", ""},
        {{"circuit", "open", "--for", "10m"}, "POST /v1/circuit ", R"({"action":"open","forSeconds":600})"},
        {{"cache", "stats"}, "GET /v1/cache/stats ", ""},
        {{"cache", "get", "--credential", "c", "--subject", "s", "--scene", "n", "--device", "d"},
         "POST /v1/cache/get ",
         R"({"credential":"c","subject":"s","scene":"n","device":"d"})"},
        {{"cache", "revoke", "--subject", "s"}, "POST /v1/cache/revoke ", R"({"subject":"s"})"},
        {{"config", "reload"}, "POST /v1/config/reload ", "{}"},
        {{"config", "show"}, "GET /v1/config ", ""},
        {{"journal", "tail", "-n", "3"}, "GET /v1/journal?n=3 ", ""},
        {{"journal", "export", "--after", "9"}, "GET /v1/journal?n=1000&after=9 ", ""},
        {{"explain", "req/../x?y"}, "GET /v1/explain/req%2F..%2Fx%3Fy ", ""},
        {{"undrain"}, "POST /v1/undrain ", "{}"},
        {{"reconcile", "status"}, "GET /v1/reconcile ", ""},
        {{"reconcile", "run"}, "POST /v1/reconcile ", "{}"},
        {{"state", "reset", "--reason", "r"}, "POST /v1/state/reset ", R"({"reason":"r"})"},
    };
    for (const auto& [args, line, body] : all) {
        ScriptedAdmin node({ScriptedAdmin::answer(200, args[0] == "journal" ? "" : "{}")});
        const auto ran = ask(node, args);
        INFO(line << " " << ran.err);
        CHECK(ran.code == kDone);
        const auto asked = node.asked();
        REQUIRE(asked.size() == 1);
        CHECK(asked[0].substr(0, line.size()) == line);
        CHECK(asked[0].substr(asked[0].find("\r\n\r\n") + 4) == body);
    }
}

TEST_CASE("ctl: drain --wait asks until nothing is in flight") {
    const auto state = [](int in_flight, bool done) {
        return ScriptedAdmin::answer(200, "{\"draining\":true,\"inFlight\":" + std::to_string(in_flight) +
                                              ",\"connections\":0,\"done\":" + (done ? "true" : "false") + "}");
    };
    ScriptedAdmin node({state(2, false), state(1, false), state(0, true)});
    const auto ran = ask(node, {"drain", "--wait"});
    CHECK(ran.code == kDone);
    CHECK(ran.out == "draining: 0 in flight, 0 connections\n");
    CHECK(node.asked().size() == 3);
    ScriptedAdmin stuck({state(1, false)});
    CHECK(ask(stuck, {"drain", "--wait", "--wait-limit", "200ms"}).code == kTimedOut);
}

TEST_CASE("ctl: what watches ends when the node does") {
    ScriptedAdmin node({ScriptedAdmin::answer(200, "{\"verdict\":\"ok\",\"summary\":\"fine\"}"), ""});
    const auto ran = ask(node, {"status", "--watch"});
    CHECK(ran.code == kNotReachable);
    CHECK(ran.out.rfind("ok: fine\n", 0) == 0);
    const std::string entry =
        R"({"seq":7,"time":"2026-01-02T03:04:05.678Z","kind":"override","fields":{"mode":"live"},"prev":"00",)"
        R"("hash":"11"})";
    ScriptedAdmin journal({ScriptedAdmin::answer(200, entry + "\n"), ScriptedAdmin::answer(200, ""), ""});
    const auto tail = ask(journal, {"journal", "tail", "--follow"});
    CHECK(tail.code == kNotReachable);
    CHECK(tail.out == "     7  2026-01-02T03:04:05.678Z  override             {\"mode\":\"live\"}\n");
    REQUIRE(journal.asked().size() == 3);
    CHECK(journal.asked()[1].rfind("GET /v1/journal?n=1000&after=7 ", 0) == 0);
}

TEST_CASE("ctl: fleet accept says what was accepted, and which order of the fleet it may have ended") {
    for (const bool order : {false, true}) {
        ScriptedAdmin node(
            {ScriptedAdmin::answer(200, std::string(R"({"kind":"etcd","fleet":"f","accepted":"another cluster",)") +
                                            (order ? R"("orderBefore":"open by ops: test",)" : "") +
                                            R"("mode":"autonomous","alarm":"another cluster","peers":[]})")});
        const auto ran = ask(node, {"fleet", "accept", "--reason", "r"});
        CHECK(ran.code == kDone);
        CHECK(ran.out.rfind("accepted; what the store holds is taken, in spite of: another cluster\n", 0) == 0);
        CHECK(ran.out.find("alarm:") == std::string::npos);
        CHECK((ran.out.find("stands no longer, unless the store has it: open by ops: test\n") != std::string::npos) ==
              order);
    }
}

TEST_CASE("ctl: journal verify refuses a broken chain") {
    ScriptedAdmin good({ScriptedAdmin::answer(200, R"({"ok":true,"entries":3,"lastSeq":3,"lastHash":"ab"})")});
    const auto ok = ask(good, {"journal", "verify"});
    CHECK(ok.code == kDone);
    CHECK(ok.out == "intact: 3 entries, the last is 3 with hash ab\n");
    ScriptedAdmin bad({ScriptedAdmin::answer(200, R"({"ok":false,"entries":1,"problem":"entry 2 was edited"})")});
    const auto no = ask(bad, {"journal", "verify"});
    CHECK(no.code == kRefused);
    CHECK(no.out.empty());
    CHECK(no.err == "NOT intact after 1 entries: entry 2 was edited\n");
}

TEST_CASE("ctl: a reload that fails shows the errors as they are and is 78") {
    ScriptedAdmin node({ScriptedAdmin::answer(
        422, R"({"code":"ConfigurationInvalid","message":"m","rendered":"f:1:1: error: x\n  1 | y\n"})")});
    const auto ran = ask(node, {"config", "reload"});
    CHECK(ran.code == kConfigInvalid);
    CHECK(ran.err == "f:1:1: error: x\n  1 | y\n");
    ScriptedAdmin good(
        {ScriptedAdmin::answer(200, R"({"generation":4,"hash":"ab","restartNeeded":["node.name"],"warnings":["w"]})")});
    const auto done = ask(good, {"config", "reload"});
    CHECK(done.code == kDone);
    CHECK(done.out == "generation 4 (ab) is in force\n");
    CHECK(done.err == "warning: w\nneeds a restart: node.name\n");
}

TEST_CASE("ctl: a reload says that nothing has changed only where nothing has") {
    for (const auto& [more, said] : {std::pair("", ", nothing has changed"),
                                     {R"(,"certificatesReadAnew":true)", ", its certificates were read anew"},
                                     {R"(,"restartNeeded":["a.key_file"])", ""},
                                     {R"(,"unchanged":false,"holdEnded":3)",
                                      ", the hold of generation 3 has ended: the file and the remote source count"}}) {
        const std::string same = std::string(more).find("unchanged") == std::string::npos ? R"(,"unchanged":true)" : "";
        const std::string body = R"({"generation":4,"hash":"ab")" + same + more + "}";
        ScriptedAdmin node({ScriptedAdmin::answer(200, body)});
        CHECK(ask(node, {"config", "reload"}).out == std::string("generation 4 (ab) is in force") + said + "\n");
    }
}

TEST_CASE("ctl: what a node says cannot steer the terminal") {
    ScriptedAdmin node({ScriptedAdmin::answer(200, R"({"verdict":"ok","summary":"a\u001b[2Jb\u009b\u0007\nc"})")});
    const auto ran = ask(node, {"status"});
    CHECK(ran.out.rfind("ok: a?[2Jb?? c\n", 0) == 0);
    ScriptedAdmin refused({ScriptedAdmin::answer(409, R"({"code":"x","message":"\u001b]0;title\u0007"})")});
    CHECK(ask(refused, {"undrain"}).err.find('\x1b') == std::string::npos);
}

TEST_CASE("ctl: colour is for terminals") {
    ScriptedAdmin node({ScriptedAdmin::answer(200, R"({"verdict":"ok","summary":"fine"})")});
    Console::Options terminal;
    terminal.terminal = true;
    terminal.colour = true;
    terminal.width = 80;
    CHECK(run_ctl({"status", "--socket", node.path()}, terminal).out.find("\x1b[32mok: fine\x1b[0m\n") !=
          std::string::npos);
    terminal.colour = false;
    const auto plain = run_ctl({"status", "--socket", node.path()}, terminal).out;
    CHECK(plain.find("\x1b[32m") == std::string::npos);
}

TEST_CASE("ctl: the screen is cleared only to be watched, and no reason is cut to the terminal's width") {
    REQUIRE(std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr);
    const std::string why = "the file /etc/holdfast/holdfast.toml has a key that no node knows, node.nmae, in line 2 "
                            "and 中心熔断 in line 3";
    const std::string status = R"({"verdict":"impaired","summary":"the last reload failed",)"
                               R"("config":{"generation":1,"lastReloadSuccessful":false,"failure":")" +
                               why + R"("},"events":[{"time":"2026-01-02T03:04:05.678Z","kind":"config","text":")" +
                               why + R"("}]})";
    ScriptedAdmin node({ScriptedAdmin::answer(200, status), ScriptedAdmin::answer(200, status)});
    Console::Options terminal;
    terminal.terminal = true;
    terminal.width = 80;
    const std::string out = run_ctl({"status", "--socket", node.path()}, terminal).out;
    INFO(out);
    CHECK(out.find('\x1b') == std::string::npos);
    std::istringstream in(out);
    for (std::string line; std::getline(in, line);)  // wide characters count twice on a terminal, and three bytes here
        CHECK(line.size() <= 80 + 4 * 2);
    std::string words;
    for (const char c : out)
        if (c != ' ' && c != '\n') words += c;
    std::string wanted;
    for (const char c : why)
        if (c != ' ') wanted += c;
    CHECK(words.find("thelastreloadFAILED") != std::string::npos);
    std::size_t n = 0;
    for (std::size_t at = words.find(wanted); at != std::string::npos; at = words.find(wanted, at + 1)) ++n;
    CHECK(n == 2);
    const std::string plain = run_ctl({"status", "--socket", node.path()}).out;
    CHECK(plain.find(why) != std::string::npos);
    std::setlocale(LC_CTYPE, "C");
}

TEST_CASE("ctl: all that is known of a circuit is shown at any width") {
    const std::string circuit =
        R"({"circuits":[{"upstream":"central","state":"closed","sinceSeconds":12,"reason":"operator","forced":"close",)"
        R"("forcedRemainingSeconds":14000,"window":{"calls":33,"failures":33,"failureRate":100,"slow":0,"slowRate":0,)"
        R"("subjects":33,"connectFailures":7},"notOpened":"one_credential"}]})";
    ScriptedAdmin node({ScriptedAdmin::answer(200, circuit)});
    Console::Options terminal;
    terminal.terminal = true;
    terminal.width = 80;
    const std::string out = run_ctl({"circuit", "show", "--socket", node.path()}, terminal).out;
    INFO(out);
    CHECK(out.find("close (3h53m)") != std::string::npos);
    CHECK(out.find("33 calls, 33 failed (100%), 0 slow (0%), 33 subjects, 7 connect failures in a row") !=
          std::string::npos);
    CHECK(out.find("central: not opened: all that failed or was slow is of one credential, while another is served; "
                   "`holdfastctl circuit open --reason TEXT` forces it") != std::string::npos);
}

TEST_CASE("ctl: who follows the journal ends when the reader of the pipe has gone") {
    ScriptedAdmin node({ScriptedAdmin::answer(200, ""), ScriptedAdmin::answer(200, "")});
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    std::FILE* out = ::fdopen(pipe[1], "w");
    ::close(pipe[0]);
    Console console(out, stderr, {});
    CHECK(run({"journal", "tail", "--follow", "--socket", node.path()}, console) == kRefused);
    CHECK(console.reader_gone());
    CHECK(node.asked().size() == 1);
    std::fclose(out);
}

TEST_CASE("ctl: of a state that is reset it is said that what is in it stays") {
    ScriptedAdmin node({ScriptedAdmin::answer(200, R"({"reset":true})")});
    CHECK(ask(node, {"state", "reset", "--reason", "r"}).out ==
          "state/ is declared sound: cached pass and provisional may answer; what is in it stays as it is\n");
}
