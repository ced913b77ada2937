#include "edge/fleet_views.h"

namespace holdfast {
namespace {

bool binds_circuit(FleetOrder order) {
    return order == FleetOrder::open || order == FleetOrder::closed;
}

void write_votes(json::Writer& w, const FleetStatus& s) {
    w.key("votes").begin_array();
    for (const FleetPeer& peer : s.peers) {
        if (!peer.vote) continue;
        w.begin_object()
            .member("node", peer.name)
            .member("stands", peer.voted)
            .member("cause", peer.vote->cause)
            .member("calls", peer.vote->calls)
            .member("failures", peer.vote->failures)
            .member("slow", peer.vote->slow)
            .member("window", peer.vote->window)
            .member("subjects", peer.vote->subjects)
            .end_object();
    }
    w.end_array();
    w.key("disagree").begin_array();
    for (const FleetPeer& peer : s.peers)
        if (peer.disagrees) w.string(peer.name);
    w.end_array();
}

constexpr std::string_view kRemedy = "where the store is right: `holdfastctl fleet accept --reason TEXT`";

void write_alarm(json::Writer& w, const FleetStatus& s) {
    if (!s.alarm.empty()) w.member("alarm", s.alarm).member("remedy", kRemedy);
}

void write_mode(json::Writer& w, const FleetStatus& s) {
    w.member("mode", name(s.mode));
    if (!s.why.empty()) w.member("why", s.why);
    write_alarm(w, s);
}

void write_peer(json::Writer& w, const FleetPeer& peer) {
    w.begin_object().member("name", peer.name).member("self", peer.self).member("readable", peer.readable);
    if (peer.readable)
        w.member("region", peer.region)
            .member("own", name(peer.own))
            .member("proof", peer.proof)
            .member("epoch", peer.epoch)
            .member("revision", std::int64_t(peer.revision));
    if (!peer.upstream.empty()) w.member("upstream", peer.upstream);
    w.member("counted", peer.counted);
    w.member("vote", peer.voted).member("probing", peer.probing).member("disagrees", peer.disagrees);
    if (peer.lease_remaining) w.member("leaseRemainingSeconds", in_seconds(*peer.lease_remaining));
    if (peer.skew) w.member("clockSkewSeconds", in_seconds(*peer.skew));
    w.end_object();
}

}  // namespace

std::string autonomy(Node& node) {
    if (node.membership() == nullptr) return {};
    const FleetStatus s = node.membership()->status();
    if (s.mode == FleetMode::shared) return {};
    return s.alarm.empty() ? "autonomous: " + s.why : fmt::format("autonomous: {} ({})", s.why, kRemedy);
}

void write_lease(json::Writer& w, Node& node) {
    if (node.membership() == nullptr) {
        w.begin_object().member("kind", "local").member("state", "local").end_object();
        return;
    }
    const FleetStatus s = node.membership()->status();
    w.begin_object()
        .member("kind", "etcd")
        .member("state", s.mode == FleetMode::shared ? "leased" : "autonomous")
        .member("remainingSeconds", in_seconds(s.lease_remaining))
        .member("store", s.store)
        .member("epoch", s.epoch)
        .member("live", std::uint64_t(s.live));
    if (!s.why.empty()) w.member("why", s.why);
    write_alarm(w, s);
    w.end_object();
}

void write_fleet_circuit(json::Writer& w, Node& node) {
    if (node.membership() == nullptr) return;
    const FleetStatus s = node.membership()->status();
    const CircuitView own = node.parts().upstream.circuit().view(node.loop().now());
    write_mode(w, s);
    w.member("own", name(own.own)).member("proof", own.proof);
    w.key("votes")
        .begin_object()
        .member("open", std::uint64_t(s.votes))
        .member("needed", std::uint64_t(s.needed))
        .member("live", std::uint64_t(s.live))
        .end_object();
    w.key("fleet").begin_object();
    w.member("name", node.config().coordination.fleet).member("state", name(s.central)).member("epoch", s.epoch);
    if (!s.cause.empty()) w.member("cause", s.cause).member("by", s.by).member("sinceSeconds", in_seconds(s.since));
    if (s.retry_in) w.member("retryInSeconds", in_seconds(*s.retry_in));
    if (!s.prober.empty()) w.member("prober", s.prober);
    if (s.order != FleetOrder::none)
        w.key("override")
            .begin_object()
            .member("order", name(s.order))
            .member("by", s.order_by)
            .member("reason", s.order_why)
            .member("remainingSeconds", in_seconds(s.order_left))
            .end_object();
    write_votes(w, s);
    w.end_object();
}

void write_fleet_override(json::Writer& w, Node& node, Now now) {
    if (node.membership() == nullptr) return;
    const FleetStatus s = node.membership()->status();
    if (!binds_circuit(s.order)) return;
    w.begin_object()
        .member("scope", "fleet")
        .member("mode", s.order == FleetOrder::open ? "circuit open" : "circuit closed")
        .member("reason", s.order_why)
        .member("by", s.order_by)
        .member("expiresAt", rfc3339(now.wall + s.order_left))
        .member("remainingSeconds", in_seconds(s.order_left))
        .end_object();
}

std::string peers_json(Node& node, const FleetStatus* accepted) {
    std::string out;
    json::Writer w(out);
    w.begin_object().member("kind", node.config().coordination.kind);
    if (node.membership() == nullptr) {
        w.key("peers").begin_array();
        FleetPeer self;
        self.name = node.config().node.name;
        self.region = node.config().node.region;
        self.self = true;
        self.own = node.parts().upstream.circuit().state();
        write_peer(w, self);
        w.end_array().end_object();
        return out;
    }
    const FleetStatus s = node.membership()->status();
    w.member("fleet", node.config().coordination.fleet);
    if (accepted != nullptr) {
        w.member("accepted", accepted->alarm);
        if (accepted->order != FleetOrder::none)
            w.member("orderBefore",
                     fmt::format("{} by {}: {}", name(accepted->order), accepted->order_by, accepted->order_why));
    }
    write_mode(w, s);
    w.member("store", s.store)
        .member("cluster", fmt::format("{:x}", s.cluster))
        .member("revision", std::int64_t(s.revision))
        .member("epoch", s.epoch);
    w.key("peers").begin_array();
    for (const FleetPeer& peer : s.peers) write_peer(w, peer);
    w.end_array().end_object();
    return out;
}

}  // namespace holdfast
