// One run of a verb: the command line, the node, and where to write. Turns every kind of failure into its exit code.
// Verbs live in verbs_*.cpp and never end the process themselves.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "edge/base/json.h"
#include "edge/ctl/admin_client.h"
#include "edge/ctl/command_line.h"
#include "edge/ctl/console.h"
#include "edge/ctl/exit_code.h"

namespace holdfast::ctl {

struct Session {
    const CommandLine& command;
    Console& console;
    AdminClient node;
    json::Document document{json::kOwnNodesMax};  // of the last answer

    Session(const CommandLine& c, Console& to) : command(c), console(to), node(c.socket, c.timeout) {}

    // Asks the node and shows a good answer: as it is with --json, else by `show`. The exit code of it all.
    int get(std::string_view target, const std::function<void(json::Value)>& show);
    int post(std::string_view target, std::string_view body, const std::function<void(json::Value)>& show);
    // The body of a good answer; nothing after a failure that has been complained about: `code` is then its exit code.
    std::optional<std::string> body_of(const Result<AdminAnswer>& answer, int& code);
    // Reads a file that the command line names; nothing after a complaint.
    std::optional<std::string> read_file(const std::string& path, std::size_t bytes_max, int& code);

  private:
    int show(const Result<AdminAnswer>& answer, const std::function<void(json::Value)>& show);
};

// Pieces of an answer as text: "-" when it is not there.
std::string text_of(json::Value value);
std::string seconds_text(json::Value value);  // "1m30s"
std::string bytes_text(json::Value value);    // "3.2MiB"
std::string list_text(json::Value list);      // "a, b"; empty without elements
std::string budget_text(json::Value budget);  // of a scene's provisional answers, and when an outage ends them

// Runs one command line; 0 or another ExitCode. `args` without the program's name.
int run(const std::vector<std::string>& args, Console& console);

// The verbs, by file.
int run_status(Session& s);
int run_explain(Session& s);
int run_degrade(Session& s);
int run_circuit_show(Session& s);
int run_circuit_set(Session& s);
int run_upstream_list(Session& s);
int run_upstream_set(Session& s);
int run_drain(Session& s);
int run_undrain(Session& s);
int run_upgrade(Session& s);
int run_completion(Session& s);
int run_state_reset(Session& s);
int run_peers(Session& s);
int run_fleet_accept(Session& s);
int run_reconcile_status(Session& s);
int run_reconcile_run(Session& s);
int run_cache_stats(Session& s);
int run_cache_get(Session& s);
int run_cache_purge(Session& s);
int run_cache_revoke(Session& s);
int run_policy_test(Session& s);
int run_config_check(Session& s);
int run_config_show(Session& s);
int run_config_reload(Session& s);
int run_config_history(Session& s);
int run_config_rollback(Session& s);
int run_journal_tail(Session& s);
int run_journal_verify(Session& s);
int run_journal_export(Session& s);
int run_keys_sign(Session& s);
int run_keys_verify(Session& s);
int run_top(Session& s);
int run_doctor(Session& s);
int run_support_bundle(Session& s);

}  // namespace holdfast::ctl
