#include "edge/ctl/session.h"

#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <memory>

#include "edge/base/bytes.h"

namespace holdfast::ctl {
namespace {

int exit_code_of(const Error& error) {
    if (error.code == Code::denied) return kNoPermission;
    if (error.code == Code::timeout) return kTimedOut;
    return error.code == Code::too_large ? kRefused : kNotReachable;
}

int exit_code_of(int status) {
    if (status == 403) return kNoPermission;
    if (status == 504) return kTimedOut;
    return status == 422 ? kConfigInvalid : kRefused;
}

constexpr std::string_view kMayBeDone =
    "it may be carried out all the same: look at `status` and `journal tail` before you repeat it";

// Whether what the verb asks of the node changes something: then no answer does not mean that nothing was done.
bool changes(Verb verb) {
    switch (verb) {
        case Verb::degrade:
        case Verb::circuit_set:
        case Verb::upstream_set:
        case Verb::cache_purge:
        case Verb::cache_revoke:
        case Verb::config_reload:
        case Verb::config_rollback:
        case Verb::drain:
        case Verb::undrain:
        case Verb::upgrade:
        case Verb::state_reset:
        case Verb::fleet_accept:
        case Verb::reconcile_run:
            return true;
        default:
            return false;
    }
}

constexpr int (*kVerbs[])(Session&) = {
    run_status,       run_degrade,        run_circuit_show,   run_circuit_set,
    run_upstream_list, run_upstream_set,  run_cache_stats, run_cache_get,
    run_cache_purge,  run_cache_revoke,   run_policy_test,    run_config_check, run_config_show, run_config_reload,
    run_journal_tail, run_journal_verify, run_journal_export, run_keys_sign,    run_keys_verify, run_explain,
    run_drain,        run_undrain,        run_upgrade,        run_state_reset,    run_top,         run_doctor,
    run_support_bundle, run_peers,        run_fleet_accept,
    run_config_history, run_config_rollback, run_reconcile_status, run_reconcile_run, run_completion,
};
static_assert(std::size(kVerbs) == static_cast<std::size_t>(Verb::completion) + 1);

}  // namespace

std::optional<std::string> Session::body_of(const Result<AdminAnswer>& answer, int& code) {
    if (!answer) {
        code = exit_code_of(answer.error());
        const bool away = code == kNotReachable;
        console.complain(
            fmt::format("holdfastctl: {}{}", away ? "the node is not reachable: " : "",
                        printable(answer.error().detail)));
        if (away && answer.error().code == Code::refused)
            console.complain("is holdfast running, and is --socket the admin.socket of its configuration?");
        if (code == kTimedOut && changes(command.verb)) console.complain(kMayBeDone);
        if (code == kNoPermission) console.complain("only root and members of the socket's group may steer the node");
        return std::nullopt;
    }
    if (answer->status >= 200 && answer->status < 300) {
        code = kDone;
        return answer->body;
    }
    code = exit_code_of(answer->status);
    json::Document refusal;
    const auto root = refusal.parse(answer->body);
    if (command.json) console.data(answer->body + "\n");
    if (root && (*root)["rendered"].text()) {
        console.complain(*(*root)["rendered"].text());
    } else if (root && (*root)["message"].text()) {
        console.complain(fmt::format("holdfastctl: refused: {} ({})", printable(*(*root)["message"].text()),
                                     printable(text_of((*root)["code"]))));
    } else {
        console.complain(fmt::format("holdfastctl: refused with status {}", answer->status));
    }
    if (code == kTimedOut && changes(command.verb)) console.complain(kMayBeDone);
    return std::nullopt;
}

int Session::show(const Result<AdminAnswer>& answer, const std::function<void(json::Value)>& shown) {
    int code = kDone;
    const auto body = body_of(answer, code);
    if (!body) return code;
    if (command.json) {
        console.data(*body);
        if (!body->ends_with('\n')) console.data("\n");
        return kDone;
    }
    const auto root = document.parse(*body);
    if (!root) {
        console.complain(fmt::format("holdfastctl: the node's answer is not JSON: {}", root.error().detail));
        return kRefused;
    }
    shown(*root);
    return kDone;
}

int Session::get(std::string_view target, const std::function<void(json::Value)>& shown) {
    return show(node.get(target), shown);
}
int Session::post(std::string_view target, std::string_view body, const std::function<void(json::Value)>& shown) {
    return show(node.post(target, body), shown);
}

std::optional<std::string> Session::read_file(const std::string& path, std::size_t bytes_max, int& code) {
    // By C's own means: of a folder a stream throws.
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::fopen(path.c_str(), "rb"), &std::fclose);
    std::string text(bytes_max + 1, '\0');
    const std::size_t n = in != nullptr ? std::fread(text.data(), 1, text.size(), in.get()) : 0;
    if (in == nullptr || std::ferror(in.get()) != 0) {
        const int why = errno;
        console.complain(fmt::format("holdfastctl: {} cannot be read: {}", printable(path), std::strerror(why)));
        code = why == EACCES ? kNoPermission : kWrongUsage;
        return std::nullopt;
    }
    text.resize(n);
    if (text.size() > bytes_max) {
        console.complain(fmt::format("holdfastctl: {} has more than {}", printable(path), format_size(bytes_max)));
        code = kWrongUsage;
        return std::nullopt;
    }
    return text;
}

std::string text_of(json::Value value) {
    if (!value) return "-";
    switch (value.kind()) {
        case json::Kind::string:
            return std::string(*value.text());
        case json::Kind::boolean:
            return *value.boolean() ? "yes" : "no";
        case json::Kind::number:
            if (const auto whole = value.integer()) return std::to_string(*whole);
            return fmt::format("{:.6g}", *value.number());
        default:
            return "-";
    }
}

std::string seconds_text(json::Value value) {
    const auto n = value.number();
    if (!n || *n < 0 || *n > 1e11) return "-";
    if (*n < 1) return fmt::format("{}ms", std::lround(*n * 1000));
    const std::int64_t whole = std::llround(*n);
    if (whole < 60) return fmt::format("{}s", whole);
    if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
    if (whole < 86400) return fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
    return fmt::format("{}d{:02}h", whole / 86400, whole % 86400 / 3600);
}

std::string bytes_text(json::Value value) {
    const auto n = value.number();
    if (!n || *n < 0) return "-";
    double left = *n;
    for (const char* unit : {"B", "KiB", "MiB", "GiB"}) {
        if (left < 1024)
            return left < 10 && unit[0] != 'B' ? fmt::format("{:.1f}{}", left, unit)
                                               : fmt::format("{:.0f}{}", left, unit);
        left /= 1024;
    }
    return fmt::format("{:.1f}TiB", left);
}

int run(const std::vector<std::string>& args, Console& console) {
    const auto parsed = parse_command_line(args);
    int code = parsed.exit_code;
    if (parsed.command) {
        Session session(*parsed.command, console);
        code = kVerbs[static_cast<std::size_t>(parsed.command->verb)](session);
    } else if (code == kDone) {
        console.data(parsed.text);
    } else {
        console.complain(parsed.text);
    }
    if (console.flush()) return code;
    if (!console.reader_gone()) console.complain("holdfastctl: the output could not be written");
    return code == kDone ? kRefused : code;
}

std::string list_text(json::Value list) {
    std::string out;
    for (json::Value one = list.first(); one; one = one.next()) out += (out.empty() ? "" : ", ") + text_of(one);
    return out;
}

std::string budget_text(json::Value b) {
    std::string out = fmt::format("{} of {} provisional answers spent in the last minute", text_of(b["used"]),
                                  text_of(b["perMinute"]));
    if (b["perMinute"].number() != b["configuredPerMinute"].number())
        out += fmt::format(" (this node's share of {})", text_of(b["configuredPerMinute"]));
    if (!b["outageSeconds"]) return out;
    out += fmt::format("; outage {} old", seconds_text(b["outageSeconds"]));
    if (b["beginsInSeconds"].number().value_or(0) > 0)
        return fmt::format("{}, they begin in {}", out, seconds_text(b["beginsInSeconds"]));
    if (b["endsInSeconds"].number().value_or(0) > 0)
        return fmt::format("{}, hard_stop in {}", out, seconds_text(b["endsInSeconds"]));
    return out + ", hard_stop is over: none are given";
}

}  // namespace holdfast::ctl
