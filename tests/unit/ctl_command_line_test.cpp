#include "edge/ctl/command_line.h"

#include <catch2/catch.hpp>

#include "edge/ctl/exit_code.h"
#include "tests/support/ctl_run.h"

using namespace holdfast;
using namespace holdfast::ctl;
using holdfast::support::run_ctl;

namespace {

CommandLine parsed(const std::vector<std::string>& args) {
    const auto result = parse_command_line(args);
    INFO(result.text);
    REQUIRE(result.command);
    return *result.command;
}

}  // namespace

TEST_CASE("ctl: every verb is understood") {
    const std::vector<std::pair<std::vector<std::string>, Verb>> all{
        {{"status"}, Verb::status},
        {{"degrade", "on", "--reason", "r"}, Verb::degrade},
        {{"circuit", "show"}, Verb::circuit_show},
        {{"circuit", "open"}, Verb::circuit_set},
        {{"upstream", "list"}, Verb::upstream_list},
        {{"upstream", "weight", "https://a", "10", "--reason", "r"}, Verb::upstream_set},
        {{"cache", "stats"}, Verb::cache_stats},
        {{"cache", "get", "--credential", "c", "--subject", "s", "--scene", "n"}, Verb::cache_get},
        {{"cache", "purge"}, Verb::cache_purge},
        {{"cache", "revoke", "--subject", "s"}, Verb::cache_revoke},
        {{"policy", "test", "f.json"}, Verb::policy_test},
        {{"config", "check", "f.toml"}, Verb::config_check},
        {{"config", "show", "--origin"}, Verb::config_show},
        {{"config", "reload"}, Verb::config_reload},
        {{"journal", "tail", "-n", "5"}, Verb::journal_tail},
        {{"journal", "verify"}, Verb::journal_verify},
        {{"journal", "export"}, Verb::journal_export},
        {{"keys", "sign", "f", "--secret-file", "s", "--id", "i"}, Verb::keys_sign},
        {{"keys", "verify", "f", "--secret-file", "s"}, Verb::keys_verify},
        {{"explain", "req-1"}, Verb::explain},
        {{"drain", "--wait"}, Verb::drain},
        {{"undrain"}, Verb::undrain},
        {{"upgrade", "--wait-limit", "5s"}, Verb::upgrade},
        {{"state", "reset", "--reason", "r"}, Verb::state_reset},
        {{"top"}, Verb::top},
        {{"doctor"}, Verb::doctor},
        {{"support-bundle"}, Verb::support_bundle},
        {{"peers"}, Verb::peers},
        {{"fleet", "accept", "--reason", "r"}, Verb::fleet_accept},
        {{"config", "history"}, Verb::config_history},
        {{"config", "rollback"}, Verb::config_rollback},
        {{"reconcile", "status"}, Verb::reconcile_status},
        {{"reconcile", "run"}, Verb::reconcile_run},
        {{"completion", "bash"}, Verb::completion},
    };
    CHECK(all.size() == static_cast<std::size_t>(Verb::completion) + 1);
    for (const auto& [args, verb] : all) CHECK(parsed(args).verb == verb);
}

TEST_CASE("ctl: options reach their verb, and those of the program stand anywhere") {
    const auto on =
        parsed({"degrade", "on", "--scene", "PAYMENT", "--for", "30m", "--fleet", "--reason", "the centre is moved"});
    CHECK(on.action == "on");
    CHECK(on.scene == "PAYMENT");
    CHECK(on.lasts == Nanos(30min));
    CHECK(on.fleet);
    CHECK(on.reason == "the centre is moved");
    CHECK(on.timeout == 8s);  // the node asks its store up to three times
    CHECK(parsed({"circuit", "open", "--fleet", "--reason", "r"}).fleet);
    CHECK(parsed({"circuit", "open", "--fleet", "--reason", "r", "--timeout", "1s"}).timeout == 1s);
    for (const auto& args :
         std::vector<std::vector<std::string>>{{"--socket", "/s", "--json", "--timeout", "250ms", "status"},
                                               {"status", "--socket", "/s", "--json", "--timeout", "250ms"}}) {
        const auto c = parsed(args);
        CHECK(c.socket == "/s");
        CHECK(c.json);
        CHECK(c.timeout == 250ms);
    }
    CHECK(parsed({"status"}).socket == "/run/holdfast/admin.sock");
    CHECK(parsed({"status"}).timeout == 5s);
    CHECK(parsed({"journal", "tail"}).entries == 20);
    CHECK(parsed({"journal", "tail", "-n", "7", "--follow"}).entries == 7);
}

TEST_CASE("ctl: wrong usage exits 2 and says what was meant") {
    const std::vector<std::pair<std::vector<std::string>, std::string>> all{
        {{"statsu"}, "holdfastctl: unknown verb \"statsu\"\ndid you mean \"status\"?\n"},
        {{"--json", "--socket", "/s", "degarde", "on"},
         "holdfastctl: unknown verb \"degarde\"\ndid you mean \"degrade\"?\n"},
        {{"circuit", "opne"}, "holdfastctl: unknown circuit verb \"opne\"\ndid you mean \"open\"?\n"},
        {{"circuit", "open", "--fleet"}, "holdfastctl circuit open: --fleet requires --reason\n"},
        {{"circuit"}, "holdfastctl circuit: one of show, open, close, auto must follow\n"},
        {{"degrade", "--reason", "on"}, "holdfastctl degrade: one of on, off, auto must follow\n"},
        {{}, "holdfastctl: a verb is missing\n"},
        {{"degrade", "on"}, "holdfastctl degrade on: --reason is required\n"},
        {{"degrade", "on", "--reson", "x", "--reason", "y"},
         "holdfastctl degrade on: \"--reson\" was not expected\ndid you mean \"--reason\"?\n"},
        {{"status", "--wacth"}, "holdfastctl status: \"--wacth\" was not expected\ndid you mean \"--watch\"?\n"},
        {{"status", "now"}, "holdfastctl status: \"now\" was not expected\n"},
        {{"degrade", "on", "--for", "soon", "--reason", "x"}, "holdfastctl degrade on: --for cannot be \"soon\""},
        {{"degrade", "on", "--for", "0s", "--reason", "x"}, "holdfastctl degrade on: --for cannot be \"0s\""},
        {{"status", "--timeout", "0s"}, "holdfastctl status: --timeout cannot be \"0s\""},
        {{"journal", "tail", "-n", "0"}, "holdfastctl journal tail: "},
        {{"explain"}, "holdfastctl explain: REQUEST_ID is required\n"},
        {{"explain", ""}, "holdfastctl explain: REQUEST_ID: must not be empty\n"},
        {{"cache", "purge", "--scene", ""}, "holdfastctl cache purge: --scene: must not be empty\n"},
        {{"cache", "revoke", "--subject", ""}, "holdfastctl cache revoke: --subject: must not be empty\n"},
        {{"cache", "get", "--credential", "c", "--subject", "", "--scene", "n"},
         "holdfastctl cache get: --subject: must not be empty\n"},
        {{"cache", "get", "--credential", "", "--subject", "s", "--scene", "n"},
         "holdfastctl cache get: --credential: must not be empty\n"},
        {{"cache", "get", "--credential", "c", "--subject", "s", "--scene", ""},
         "holdfastctl cache get: --scene: must not be empty\n"},
        {{"degrade", "on", "--scene", "", "--reason", "r"}, "holdfastctl degrade on: --scene: must not be empty\n"},
        {{"degrade", "on", "--reson", "x"},
         "holdfastctl degrade on: \"--reson\" was not expected\ndid you mean \"--reason\"?\n"},
        {{"cache", "get", "--credental", "c", "--subject", "s", "--scene", "n"},
         "holdfastctl cache get: \"--credental\" was not expected\ndid you mean \"--credential\"?\n"},
        {{"degrade", "on", "--zzzz", "x"},
         "holdfastctl degrade on: --reason is required\n\"--zzzz\" was not expected\n"},
        {{"--sokcet", "/x", "status"}, "holdfastctl: \"--sokcet\" was not expected\ndid you mean \"--socket\"?\n"},
        {{"--timeuot=5s", "status"}, "holdfastctl: \"--timeuot\" was not expected\ndid you mean \"--timeout\"?\n"},
        {{"--reason", "x", "degrade", "on"}, "holdfastctl: \"--reason\" was not expected\n"},
        {{"cache", "--json", "stat"}, "holdfastctl: unknown cache verb \"stat\"\ndid you mean \"stats\"?\n"},
        {{"journal", "export", "--after", "-1"},
         "holdfastctl journal export: --after: must be a whole number, 0 or more\n"},
        {{"keys", "sign", "f", "--at", "-5"}, "holdfastctl keys sign: --at: must be a whole number, 0 or more\n"},
        {{"keys", "verify", "f", "--at", "soon"}, "holdfastctl keys verify: --at: must be a whole number, 0 or more\n"},
        {{"config", "rollback", "--to", "0"},
         "holdfastctl config rollback: --to: must be a generation from `config history`\n"},
        {{"config", "rollback", "--to", "-1"},
         "holdfastctl config rollback: --to: must be a generation from `config history`\n"},
        {{"sta\x1b[2Jtus"}, "holdfastctl: unknown verb \"sta?[2Jtus\"\n"},
        {{"status", "\x1b]0;x\x07"}, "holdfastctl status: \"?]0;x?\" was not expected\n"},
        {{"top", "--json"}, "holdfastctl top: a live screen has no --json; \"status --json\" has what it shows\n"},
    };
    for (const auto& [args, begin] : all) {
        const auto ran = run_ctl(args);
        CHECK(ran.code == kWrongUsage);
        CHECK(ran.out == "");
        CHECK(ran.err.substr(0, begin.size()) == begin);
    }
}

TEST_CASE("ctl: options of the program may stand between a verb and what follows it") {
    CHECK(parsed({"cache", "--json", "stats"}).verb == Verb::cache_stats);
    CHECK(parsed({"cache", "--json", "stats"}).json);
    const auto on = parsed({"degrade", "--json", "--timeout", "3s", "--socket=/s", "on", "--reason", "r"});
    CHECK(on.action == "on");
    CHECK(on.json);
    CHECK(on.timeout == 3s);
    CHECK(on.socket == "/s");
}

TEST_CASE("ctl: help and version are data, and no failure") {
    const auto help = run_ctl({"degrade", "on", "--help"});
    CHECK(help.code == kDone);
    CHECK(help.out.find("--scene") != std::string::npos);
    CHECK(help.err.empty());
    CHECK(help.out.find("Usage: holdfastctl degrade on [OPTIONS]") != std::string::npos);
    CHECK(run_ctl({"status", "--help"}).out.find("Usage: holdfastctl status [OPTIONS]") != std::string::npos);
    CHECK(run_ctl({"--help"}).out.find("circuit") != std::string::npos);
    CHECK(run_ctl({"--version"}).out == "holdfastctl " HOLDFAST_VERSION "\n");
}
