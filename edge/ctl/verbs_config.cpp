// config: a file is checked here, everything else is the node's.
#include <fmt/format.h>

#include "edge/config.h"
#include "edge/ctl/session.h"

namespace holdfast::ctl {
namespace {

using json::Value;

void write_problems(json::Writer& w, std::string_view key, const std::vector<ConfigProblem>& problems) {
    w.key(key).begin_array();
    for (const auto& p : problems)
        w.begin_object()
            .member("file", p.file)
            .member("line", p.line)
            .member("column", p.column)
            .member("message", p.message)
            .member("expected", p.expected)
            .member("suggestion", p.suggestion)
            .member("excerpt", p.excerpt)
            .end_object();
    w.end_array();
}

void show_origins(Session& s, const std::string& body) {
    std::vector<std::vector<std::string>> rows;
    for (std::string_view rest = body; !rest.empty();) {
        const auto end = std::min(rest.find('\n'), rest.size());
        const auto root = s.document.parse(rest.substr(0, end));
        if (root)
            rows.push_back({text_of((*root)["key"]), text_of((*root)["value"]), text_of((*root)["origin"]),
                            text_of((*root)["reload"])});
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    s.console.table({"KEY", "VALUE", "ORIGIN", "CHANGE"}, rows);
}

}  // namespace

int run_config_check(Session& s) {
    const auto outcome = load_config(s.command.file);
    if (s.command.json) {
        std::string body;
        json::Writer w(body);
        w.begin_object().member("ok", outcome.errors.empty());
        write_problems(w, "errors", outcome.errors);
        write_problems(w, "warnings", outcome.warnings);
        w.end_object();
        s.console.data(body + "\n");
    } else {
        if (!outcome.errors.empty() || !outcome.warnings.empty()) s.console.complain(render_all(outcome));
        if (outcome.errors.empty()) s.console.line(fmt::format("{}: the configuration is valid", s.command.file));
    }
    return outcome.errors.empty() ? kDone : kConfigInvalid;
}

int run_config_show(Session& s) {
    if (!s.command.origin)
        return s.get(admin::kConfig, [&s](Value root) { s.console.data(root["toml"].text().value_or("")); });
    int code = kDone;
    const auto body = s.body_of(s.node.get(std::string(admin::kConfig) + "?origin=1"), code);
    if (!body) return code;
    if (s.command.json)
        s.console.data(*body);
    else
        show_origins(s, *body);
    return kDone;
}

namespace {

void show_in_force(Session& s, Value root) {
    const auto is = [root](const char* member) { return root[member].boolean().value_or(false); };
    const bool waits = static_cast<bool>(root["restartNeeded"].first());
    const std::string_view more = is("certificatesReadAnew")  ? ", its certificates were read anew"
                                  : is("unchanged") && !waits ? ", nothing has changed"
                                                              : "";
    std::string held;
    if (root["holdEnded"])
        held = fmt::format(", the hold of generation {} has ended: the file and the remote source count",
                           text_of(root["holdEnded"]));
    s.console.line(fmt::format("generation {} ({}) is in force{}{}", text_of(root["generation"]), text_of(root["hash"]),
                               more, held));
    for (Value k = root["changed"].first(); k; k = k.next())
        s.console.line(fmt::format("changed: {}", printable(text_of(k))));
    for (Value w = root["warnings"].first(); w; w = w.next())
        s.console.complain(fmt::format("warning: {}", printable(text_of(w))));
    for (Value k = root["restartNeeded"].first(); k; k = k.next())
        s.console.complain(fmt::format("needs a restart: {}", printable(text_of(k))));
}

}  // namespace

int run_config_reload(Session& s) {
    return s.post(admin::kConfigReload, "{}", [&s](Value root) { show_in_force(s, root); });
}

int run_config_rollback(Session& s) {
    std::string body;
    json::Writer w(body);
    w.begin_object().member("reason", s.command.reason);
    if (s.command.to != 0) w.member("generation", s.command.to);
    w.end_object();
    return s.post(admin::kConfigRollback, body, [&s](Value root) {
        show_in_force(s, root);
        s.console.line("the file and the remote source do not count until `holdfastctl config reload`");
    });
}

int run_config_history(Session& s) {
    return s.get(admin::kConfigHistory, [&s](Value root) {
        std::vector<std::vector<std::string>> rows;
        for (Value v = root["versions"].first(); v; v = v.next()) {
            std::string from = text_of(v["source"]);
            if (v["of"]) from = fmt::format("generation {}", text_of(v["of"]));
            rows.push_back({text_of(v["generation"]) + (v["inForce"].boolean().value_or(false) ? " *" : ""),
                            text_of(v["time"]), text_of(v["hash"]), from, text_of(v["by"]),
                            v["reason"] ? text_of(v["reason"]) : std::string()});
        }
        s.console.table({"GENERATION", "TIME", "HASH", "FROM", "BY", "REASON"}, rows);
        if (root["held"])
            s.console.line(
                fmt::format("generation {} is held by a rollback: `holdfastctl config reload` returns to the file",
                            text_of(root["held"])));
    });
}

}  // namespace holdfast::ctl
