// degrade, circuit, drain, undrain, state reset: what changes a node.
#include <fmt/format.h>
#include <poll.h>

#include "edge/ctl/session.h"

namespace holdfast::ctl {
namespace {

using json::Value;

// What nodes of the fleet say to one circuit.
void show_fleet(Console& console, Value c) {
    const Value fleet = c["fleet"], votes = c["votes"];
    const auto why = [](Value at) { return at["why"] ? ": " + text_of(at["why"]) : std::string(); };
    console.line("");
    console.line(fmt::format("mode     {}{}", text_of(c["mode"]), why(c)));
    if (c["alarm"])
        console.painted(Paint::bad, fmt::format("alarm    {}; {}", text_of(c["alarm"]), text_of(c["remedy"])));
    console.line(fmt::format("own      {}{}", text_of(c["own"]),
                             c["proof"].boolean().value_or(false) ? ", with fresh proof that the centre answers" : ""));
    std::string central = fmt::format("central  {}, epoch {}", text_of(fleet["state"]), text_of(fleet["epoch"]));
    if (fleet["cause"])
        central += fmt::format(" ({} by {}, {} ago)", text_of(fleet["cause"]), text_of(fleet["by"]),
                               seconds_text(fleet["sinceSeconds"]));
    if (fleet["retryInSeconds"]) central += fmt::format(", retry in {}", seconds_text(fleet["retryInSeconds"]));
    if (fleet["prober"]) central += fmt::format(", {} probes", text_of(fleet["prober"]));
    console.line(central);
    if (const Value order = fleet["override"])
        console.line(fmt::format("override {} by {} for {}: {}", text_of(order["order"]), text_of(order["by"]),
                                 seconds_text(order["remainingSeconds"]), text_of(order["reason"])));
    console.line(fmt::format("votes    {} for open of {} needed, {} live nodes", text_of(votes["open"]),
                             text_of(votes["needed"]), text_of(votes["live"])));
    for (Value name = fleet["disagree"].first(); name; name = name.next())
        console.line(fmt::format("disagrees {}: its own circuit is closed", text_of(name)));
    std::vector<std::vector<std::string>> rows;
    for (Value v = fleet["votes"].first(); v; v = v.next())
        rows.push_back({text_of(v["node"]), text_of(v["stands"]), text_of(v["cause"]), text_of(v["calls"]),
                        text_of(v["failures"]), text_of(v["slow"]), text_of(v["subjects"]), text_of(v["window"])});
    if (rows.empty()) return;
    console.line("");
    console.table({"VOTE OF", "STANDS", "CAUSE", "CALLS", "FAILED", "SLOW", "SUBJECTS", "WINDOW"}, rows);
}

std::string request_of(Session& s, const std::function<void(json::Writer&)>& fill) {
    std::string body;
    json::Writer w(body);
    w.begin_object();
    fill(w);
    if (s.command.lasts)
        w.member("forSeconds", std::int64_t(std::chrono::duration_cast<Seconds>(*s.command.lasts).count()));
    if (!s.command.reason.empty()) w.member("reason", s.command.reason);
    w.end_object();
    return body;
}

void show_circuits(Console& console, Value root) {
    std::vector<std::vector<std::string>> rows;
    for (Value c = root["circuits"].first(); c; c = c.next()) {
        rows.push_back(
            {text_of(c["upstream"]), text_of(c["state"]), fmt::format("{} ago", seconds_text(c["sinceSeconds"])),
             text_of(c["reason"]), seconds_text(c["retryInSeconds"]),
             c["forced"] ? fmt::format("{} ({})", text_of(c["forced"]), seconds_text(c["forcedRemainingSeconds"]))
                         : "-"});
    }
    console.table({"UPSTREAM", "STATE", "SINCE", "WHY", "RETRY IN", "FORCED"}, rows);
    for (Value c = root["circuits"].first(); c; c = c.next()) {
        const Value window = c["window"];
        console.line(fmt::format("{}: {} calls, {} failed ({}%), {} slow ({}%), {} subjects, "
                                 "{} connect failures in a row",
                                 text_of(c["upstream"]), text_of(window["calls"]), text_of(window["failures"]),
                                 text_of(window["failureRate"]), text_of(window["slow"]), text_of(window["slowRate"]),
                                 text_of(window["subjects"]), text_of(window["connectFailures"])));
        if (text_of(c["notOpened"]) == "one_credential")
            console.line(
                fmt::format("{}: not opened: all that failed or was slow is of one credential, while another "
                            "is served; `holdfastctl circuit open --reason TEXT` forces it",
                            text_of(c["upstream"])));
        if (c["throttle"]["active"].boolean().value_or(false))
            console.line(fmt::format("{}: throttled, a call is let through with probability {}", text_of(c["upstream"]),
                                     text_of(c["throttle"]["probability"])));
        if (c["halfOpen"])
            console.line(fmt::format("{}: {} probes done, {} failed, {} under way", text_of(c["upstream"]),
                                     text_of(c["halfOpen"]["done"]), text_of(c["halfOpen"]["failed"]),
                                     text_of(c["halfOpen"]["permitted"])));
        if (c["ramp"])
            console.line(fmt::format("{}: recovering, {}% of calls are let through", text_of(c["upstream"]),
                                     text_of(c["ramp"]["percent"])));
        if (c["forcedReason"])
            console.line(fmt::format("{}: forced {} by {}: {}", text_of(c["upstream"]), text_of(c["forced"]),
                                     text_of(c["forcedBy"]), text_of(c["forcedReason"])));
        if (c["outageSeconds"])
            console.line(fmt::format("{}: not closed since {} ({})", text_of(c["upstream"]), text_of(c["outageSince"]),
                                     seconds_text(c["outageSeconds"])));
        if (c["votes"]) show_fleet(console, c);
    }
    for (Value b = root["budgets"].first(); b; b = b.next())
        console.line(fmt::format("{}: {}", text_of(b["scene"]), budget_text(b)));
}

void show_drain(Console& console, Value root) {
    const bool draining = root["draining"].boolean().value_or(false);
    console.line(fmt::format("{}: {} in flight, {} connections", draining ? "draining" : "not draining",
                             text_of(root["inFlight"]), text_of(root["connections"])));
}

bool is_draining(Session& s) {
    const auto answer = s.node.get(admin::kDrain);
    const auto root = answer ? s.document.parse(answer->body) : tl::unexpected(answer.error());
    return root && (*root)["draining"].boolean().value_or(false);
}

// Asks until nothing is in flight. A node that ends meanwhile has drained.
int wait_for_drain(Session& s) {
    const MonoTime deadline = MonoClock::read() + s.command.wait_limit;
    for (;;) {
        const auto answer = s.node.get(admin::kDrain);
        if (!answer && (answer.error().code == Code::refused || answer.error().code == Code::closed)) {
            s.console.complain("the node has ended");
            return kDone;
        }
        int code = kDone;
        const auto body = s.body_of(answer, code);
        if (!body) return code;
        const auto root = s.document.parse(*body);
        if (root && (*root)["done"].boolean().value_or(false)) {
            if (s.command.json)
                s.console.data(*body + "\n");
            else
                show_drain(s.console, *root);
            return kDone;
        }
        if (MonoClock::read() >= deadline) {
            s.console.complain(
                fmt::format("holdfastctl: still not drained after {}", format_duration(s.command.wait_limit)));
            return kTimedOut;
        }
        ::poll(nullptr, 0, 100);
    }
}

}  // namespace

int run_degrade(Session& s) {
    const auto& c = s.command;
    const std::string body = request_of(s, [&c](json::Writer& w) {
        w.member("mode", c.action == "on" ? "degraded" : c.action == "off" ? "live" : "auto");
        if (!c.scene.empty()) w.member("scene", c.scene);
        if (c.fleet) w.member("fleet", true);
    });
    return s.post(admin::kDegrade, body, [&s](Value root) {
        const std::string scope =
            root["scene"] ? fmt::format("scene {}", text_of(root["scene"])) : text_of(root["scope"]);
        std::string text = fmt::format("{}: {}", scope, text_of(root["mode"]));
        if (root["expiresAt"])
            text += fmt::format(" until {} ({})", text_of(root["expiresAt"]), seconds_text(root["remainingSeconds"]));
        s.console.line(text);
    });
}

int run_circuit_show(Session& s) {
    return s.get(admin::kCircuit, [&s](Value root) { show_circuits(s.console, root); });
}

int run_circuit_set(Session& s) {
    const std::string body = request_of(s, [&s](json::Writer& w) {
        w.member("action", s.command.action);
        if (s.command.fleet) w.member("fleet", true);
    });
    return s.post(admin::kCircuit, body, [&s](Value root) { show_circuits(s.console, root); });
}

int run_drain(Session& s) {
    if (!s.command.wait) return s.post(admin::kDrain, "{}", [&s](Value root) { show_drain(s.console, root); });
    int code = kDone;
    if (s.body_of(s.node.post(admin::kDrain, "{}"), code)) return wait_for_drain(s);
    // It stands, though it is not in the journal yet: who waits for it still does, and is told in the end.
    if (code != kRefused || !is_draining(s)) return code;
    const int waited = wait_for_drain(s);
    return waited == kDone ? code : waited;
}

int run_undrain(Session& s) {
    return s.post(admin::kUndrain, "{}", [&s](Value root) { show_drain(s.console, root); });
}

int run_state_reset(Session& s) {
    return s.post(admin::kStateReset, request_of(s, [](json::Writer&) {}), [&s](Value) {
        s.console.line(
            "state/ is declared sound: cached pass and provisional may answer; what is in it stays as it is");
    });
}

}  // namespace holdfast::ctl
