// The command line of holdfastctl as values. Wrong usage is an exit code and a text with "did you mean"; nothing is run
// here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "edge/base/time.h"

namespace holdfast::ctl {

enum class Verb {
    status,
    degrade,
    circuit_show,
    circuit_set,
    upstream_list,
    upstream_set,
    cache_stats,
    cache_get,
    cache_purge,
    cache_revoke,
    policy_test,
    config_check,
    config_show,
    config_reload,
    journal_tail,
    journal_verify,
    journal_export,
    keys_sign,
    keys_verify,
    explain,
    drain,
    undrain,
    upgrade,
    state_reset,
    top,
    doctor,
    support_bundle,
    peers,
    fleet_accept,
    config_history,
    config_rollback,
    reconcile_status,
    reconcile_run,
    completion,
};

struct CommandLine {
    Verb verb = Verb::status;
    std::string socket = "/run/holdfast/admin.sock";
    bool json = false;
    Nanos timeout = 5s;  // of one request

    std::string shell;   // completion: bash, zsh, fish; json: the command tree for the manual page
    std::string action;    // degrade: on, off, auto; circuit: open, close, auto; upstream: weight, eject, restore
    std::string endpoint;  // its URL
    double weight = 0;
    std::string scene, reason, credential, subject, device, client;
    std::string file, secret_file, folder, id, request_id, nonce;
    std::optional<Nanos> lasts;      // --for
    std::optional<std::int64_t> at;  // Unix seconds, for keys
    std::uint64_t entries = 20;      // journal tail
    std::uint64_t to = 0;            // config rollback: a generation; 0: the previous one
    std::uint64_t after = 0;         // journal export
    Nanos wait_limit = 60s;          // drain --wait
    std::string config = "/etc/holdfast/holdfast.toml";  // keys
    std::string node_config;  // doctor, support-bundle; empty: that of the node behind `socket`, else the one above
    std::string out;                 // support-bundle: its file
    Nanos every = 1s;                // top: between two refreshes
    std::uint64_t rounds = 0;        // top: refreshes; 0: until it is ended
    bool batch = false;              // top
    bool fleet = false, watch = false, follow = false, wait = false, origin = false;
};

struct CommandLineResult {
    std::optional<CommandLine> command;
    int exit_code = 0;  // when there is no command: 0 after --help and --version, else kWrongUsage
    std::string text;   // help, version or the complaint
};

// `args` without the program's name.
CommandLineResult parse_command_line(const std::vector<std::string>& args);

}  // namespace holdfast::ctl
