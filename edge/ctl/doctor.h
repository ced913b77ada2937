// `holdfastctl doctor`: whether a machine, a configuration and what they lean on are fit for a node, check by check. It
// looks and never repairs; a node need not run. Each check says what was seen, and, when it is not well, what to do.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "edge/base/result.h"
#include "edge/base/time.h"
#include "edge/config.h"
#include "edge/ctl/node_user.h"

namespace holdfast::ctl {

enum class Finding { good, doubtful, bad, skipped };

struct Check {
    std::string section, name;
    Finding finding = Finding::good;
    std::string detail;  // what was seen
    std::string fix;     // empty: nothing is to be done
};
using Checks = std::vector<Check>;

inline constexpr std::string_view kLastWords = "last words";  // of a node that does not answer, as its log has them

struct DoctorTerms {
    std::string config_file;
    bool named = true;         // the file: by who asks, or by the node behind `socket`
    std::string socket;        // empty: that of the configuration
    Nanos network_limit = 2s;  // for each endpoint
    Nanos socket_limit = 2s;
    std::optional<Error> unanswered = {};  // the node was asked meanwhile, and this came of it: it is not asked again
};

// The configuration, or as much as could be read of it.
Config seen_of(const ConfigOutcome& outcome);
Checks examine(const DoctorTerms& terms);
// The configuration file of the node behind a socket, as it says itself; empty: it does not say. Errors: AdminClient's.
Result<std::string> file_of_node(const std::string& socket, Nanos limit);
bool all_well(const Checks& checks);  // doubts count as well

// The sections, each for itself.
void check_machine(Checks& out, const Config& config, long pid);  // pid: of the running node; 0: none
void check_clock(Checks& out, const Config& config);
void check_storage(Checks& out, const Config& config);
void check_secrets(Checks& out, const Config& config);
// Whether the node may read them, too; without a user nothing is said.
void check_reader(Checks& out, const Config& config, const std::optional<NodeUser>& user);
void check_stores_key(Checks& out, const Config& config);  // whether a start finds what was remembered
void check_alipay_keys(Checks& out, const Config& config);
void check_gateway_keys(Checks& out, const Config& config);  // of POST /gateway.do, app by app
void check_certificates(Checks& out, const Config& config, WallTime now);
void check_network(Checks& out, const Config& config, Nanos limit);
// What was configured for a key of the option table, as text; empty when there is no such key.
std::string setting(const Config& config, std::string_view key);

// As for people: sections, a mark a check, hints below what is not well.
std::string doctor_text(const Checks& checks);
std::string doctor_json(const Checks& checks);

}  // namespace holdfast::ctl
