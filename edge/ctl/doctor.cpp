#include "edge/ctl/doctor.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "edge/ctl/admin_client.h"
#include "edge/ctl/console.h"
#include "edge/ctl/session.h"

namespace holdfast::ctl {
namespace {

constexpr std::string_view kSections[] = {"configuration", "machine",      "clock",   "storage",
                                          "keys",          "certificates", "network", "node"};

std::string_view mark(Finding finding) {
    switch (finding) {
        case Finding::good:
            return "[ok]  ";
        case Finding::doubtful:
            return "[warn]";
        case Finding::bad:
            return "[FAIL]";
        case Finding::skipped:
            return "[skip]";
    }
    return "";
}

std::string_view word(Finding finding) {
    switch (finding) {
        case Finding::good:
            return "ok";
        case Finding::doubtful:
            return "warning";
        case Finding::bad:
            return "failed";
        case Finding::skipped:
            return "skipped";
    }
    return "";
}

void add_problems(Checks& out, const std::vector<ConfigProblem>& problems, Finding finding) {
    for (const ConfigProblem& p : problems)
        out.push_back({"configuration", p.line == 0 ? p.file : fmt::format("{}:{}:{}", p.file, p.line, p.column),
                       finding, p.message, p.suggestion.empty() ? p.expected : p.suggestion});
}

// What a running node says of itself.
struct NodeSays {
    bool answers = false;
    std::string why_not;  // when it does not
    long pid = 0;
    std::string file;  // of its configuration; empty: it does not say
};

// A node that does not answer: what that means, and what helps.
Check silence(const std::string& socket, const Error& why) {
    const auto found = [](Finding finding, std::string detail, std::string fix) {
        return Check{"node", "running", finding, std::move(detail), std::move(fix)};
    };
    if (why.code == Code::denied)
        return found(Finding::skipped, socket + ": no permission", "run as root or as a member of the socket's group");
    if (why.code == Code::timeout)
        return found(Finding::bad, fmt::format("the node behind {} hangs: {}", socket, why.detail),
                     "look: journalctl -u holdfast -n 50; then: systemctl restart holdfast");
    if (why.code == Code::refused)
        return found(Finding::doubtful, "no node answers on " + socket, "start it: systemctl start holdfast");
    return found(Finding::bad, fmt::format("what is behind {} does not answer as a node: {}", socket, why.detail),
                 "look: journalctl -u holdfast -n 50");
}

NodeSays check_node(Checks& out, const std::string& socket, const DoctorTerms& terms) {
    Result<AdminAnswer> answer = terms.unanswered ? tl::unexpected(*terms.unanswered)
                                                  : AdminClient(socket, terms.socket_limit).get(admin::kStatus);
    if (answer && answer->status != 200)
        answer = fail(Code::invalid, Origin::local, fmt::format("{}: status {}", admin::kStatus, answer->status));
    if (!answer) {
        out.push_back(silence(socket, answer.error()));
        return {.why_not = out.back().detail};
    }
    json::Document document{json::kOwnNodesMax};
    const auto status = document.parse(answer->body);
    if (!status) return {};
    const std::string verdict = text_of((*status)["verdict"]), summary = text_of((*status)["summary"]);
    out.push_back({"node", "running", verdict == "ok" ? Finding::good : Finding::doubtful, verdict + ": " + summary,
                   verdict == "ok" ? "" : "look: holdfastctl status, holdfastctl circuit show"});
    const json::Value lease = (*status)["lease"];
    const bool alone = lease["state"].text() == "autonomous";
    out.push_back({"node", "coordination", alone ? Finding::doubtful : Finding::good, text_of(lease["state"]),
                   alone ? "the coordinator does not answer this node: see network above" : ""});
    return {true,
            {},
            static_cast<long>((*status)["node"]["pid"].integer().value_or(0)),
            std::string((*status)["config"]["file"].text().value_or(""))};
}

bool same_file(const std::string& a, const std::string& b) {
    std::error_code error;
    return a == b || std::filesystem::equivalent(a, b, error);
}

// What was looked at may not be what the node has that one asks about.
void check_file_of_node(Checks& out, const DoctorTerms& terms, const NodeSays& says) {
    const auto doubt = [&out](std::string detail, std::string fix) {
        out.push_back({"configuration", "of the node", Finding::doubtful, std::move(detail), std::move(fix)});
    };
    if (!says.file.empty() && !same_file(says.file, terms.config_file))
        return doubt(fmt::format("the node behind {} has {}, not {}",
                                 terms.socket.empty() ? "its socket" : terms.socket, says.file, terms.config_file),
                     "holdfastctl doctor --config " + says.file);
    if (terms.named || terms.socket.empty()) return;
    doubt(says.answers
              ? fmt::format("the node behind {} does not say which file it has; looked at: {}", terms.socket,
                            terms.config_file)
              : fmt::format("{}, so which file it has is not known; looked at: {}", says.why_not, terms.config_file),
          "--config FILE says which");
}

// Why a node that does not answer has ended, in its own words.
void check_last_word(Checks& out, const Config& config) {
    if (config.log.file.empty())
        return out.push_back({"node", std::string(kLastWords), Finding::skipped, "they are in the system's journal",
                              "look: journalctl -u holdfast -n 20"});
    std::ifstream in(config.log.file);
    std::string last;
    for (std::string line; std::getline(in, line);)
        if (line.find(" error ") != std::string::npos) last = std::move(line);
    out.push_back({"node", std::string(kLastWords), Finding::skipped,
                   config.log.file + (last.empty() ? ": no error" : ": " + last), ""});
}

}  // namespace

std::string setting(const Config& config, std::string_view key) {
    for (const Config::Setting& one : config.settings) {
        if (one.key != key) continue;
        std::string_view value = one.value;
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
        return std::string(value);
    }
    return {};
}

Config seen_of(const ConfigOutcome& outcome) {
    if (outcome.config) return *outcome.config;
    return outcome.seen ? *outcome.seen : *parse_config("", "", {}).seen;  // of a file that cannot be read: defaults
}

Checks examine(const DoctorTerms& terms) {
    Checks out;
    const ConfigOutcome outcome = load_config(terms.config_file);
    add_problems(out, outcome.errors, Finding::bad);
    add_problems(out, outcome.warnings, Finding::doubtful);
    const Config config = seen_of(outcome);
    if (outcome.config) out.push_back({"configuration", "valid", Finding::good, terms.config_file, ""});
    Checks node;
    const NodeSays says = check_node(node, terms.socket.empty() ? config.admin.socket : terms.socket, terms);
    check_file_of_node(out, terms, says);
    if (says.pid == 0) check_last_word(node, config);
    check_machine(out, config, says.pid);
    check_clock(out, config);
    check_storage(out, config);
    check_secrets(out, config);
    check_reader(out, config, node_user(says.pid, config.source));
    if (!outcome.config) {
        for (const std::string_view section : {"certificates", "network"})
            out.push_back({std::string(section), "all", Finding::skipped, "the configuration is not valid", ""});
        out.insert(out.end(), node.begin(), node.end());
        return out;
    }
    check_stores_key(out, config);
    check_alipay_keys(out, config);
    check_gateway_keys(out, config);
    check_certificates(out, config, WallClock::read());
    check_network(out, config, terms.network_limit);
    out.insert(out.end(), node.begin(), node.end());
    return out;
}

Result<std::string> file_of_node(const std::string& socket, Nanos limit) {
    const auto answer = AdminClient(socket, limit).get(admin::kStatus);
    if (!answer) return tl::unexpected(answer.error());
    json::Document document{json::kOwnNodesMax};
    const auto status = document.parse(answer->body);
    return status ? std::string((*status)["config"]["file"].text().value_or("")) : std::string();
}

bool all_well(const Checks& checks) {
    for (const Check& check : checks)
        if (check.finding == Finding::bad) return false;
    return true;
}

std::string doctor_text(const Checks& checks) {
    std::string out;
    std::size_t bad = 0, doubtful = 0;
    for (const std::string_view section : kSections) {
        bool headed = false;
        for (const Check& check : checks) {
            if (check.section != section) continue;
            if (!headed) out += fmt::format("{}{}\n{:-<{}}\n", out.empty() ? "" : "\n", section, "", section.size());
            headed = true;
            bad += check.finding == Finding::bad;
            doubtful += check.finding == Finding::doubtful;
            out += fmt::format("{} {}: {}\n", mark(check.finding), printable(check.name), printable(check.detail));
            if (!check.fix.empty()) out += fmt::format("       -> {}\n", printable(check.fix));
        }
    }
    out += bad > 0        ? fmt::format("\n{} failed, {} in doubt\n", bad, doubtful)
           : doubtful > 0 ? fmt::format("\nfit, {} in doubt\n", doubtful)
                          : std::string("\nfit\n");
    return out;
}

std::string doctor_json(const Checks& checks) {
    std::string out;
    json::Writer w(out);
    w.begin_object().member("ok", all_well(checks)).key("checks").begin_array();
    for (const Check& check : checks) {
        w.begin_object().member("section", check.section).member("name", check.name);
        w.member("result", word(check.finding)).member("detail", check.detail);
        if (!check.fix.empty()) w.member("fix", check.fix);
        w.end_object();
    }
    w.end_array().end_object();
    return out + "\n";
}

}  // namespace holdfast::ctl
