// peers and fleet accept: a node's fleet, as the node knows it.
#include <fmt/format.h>

#include "edge/ctl/session.h"

namespace holdfast::ctl {
namespace {

using json::Value;

// Of a signed number of seconds; what is below a millisecond is none.
std::string skew_text(Value value) {
    const auto n = value.number();
    return n ? fmt::format("{:+.3f}s", *n) : "-";
}

std::string standing(Value peer) {
    std::string out;
    for (const auto& [key, word] : {std::pair{"vote", "votes open"}, {"probing", "probes"}, {"disagrees", "disagrees"}})
        if (peer[key].boolean().value_or(false)) out += (out.empty() ? "" : ", ") + std::string(word);
    if (!peer["readable"].boolean().value_or(true)) return "its record cannot be read";
    if (!peer["counted"].boolean().value_or(true)) out += out.empty() ? "not counted" : ", not counted";
    return out.empty() ? "-" : out;
}

void show_peers(Console& console, Value root) {
    if (root["fleet"]) {
        std::string line =
            fmt::format("fleet {} over {} at revision {}, epoch {}: {}", text_of(root["fleet"]), text_of(root["store"]),
                        text_of(root["revision"]), text_of(root["epoch"]), text_of(root["mode"]));
        if (root["why"]) line += fmt::format(": {}", text_of(root["why"]));
        console.line(line);
        // What was accepted stands until the store is read again.
        if (root["alarm"] && !root["accepted"])
            console.painted(Paint::bad, fmt::format("alarm: {}; {}", text_of(root["alarm"]), text_of(root["remedy"])));
        console.line("");
    } else {
        console.line("no fleet: coordination.kind is \"local\", this node stands alone");
        console.line("");
    }
    std::vector<std::vector<std::string>> rows;
    for (Value p = root["peers"].first(); p; p = p.next())
        rows.push_back({text_of(p["name"]) + (p["self"].boolean().value_or(false) ? " (this node)" : ""),
                        text_of(p["region"]), text_of(p["own"]), standing(p), text_of(p["epoch"]),
                        text_of(p["revision"]), seconds_text(p["leaseRemainingSeconds"]),
                        skew_text(p["clockSkewSeconds"])});
    console.table({"NODE", "REGION", "OWN CIRCUIT", "SAYS", "EPOCH", "REVISION", "LEASE LEFT", "CLOCK SKEW"}, rows);
}

}  // namespace

int run_peers(Session& s) {
    return s.get(admin::kPeers, [&s](Value root) { show_peers(s.console, root); });
}

int run_fleet_accept(Session& s) {
    std::string body;
    json::Writer(body).begin_object().member("reason", s.command.reason).end_object();
    return s.post(admin::kFleetAccept, body, [&s](Value root) {
        s.console.line(
            fmt::format("accepted; what the store holds is taken, in spite of: {}", text_of(root["accepted"])));
        if (root["orderBefore"])
            s.console.line(fmt::format("the fleet's order stands no longer, unless the store has it: {}",
                                       text_of(root["orderBefore"])));
        s.console.line("");
        show_peers(s.console, root);
    });
}

}  // namespace holdfast::ctl
