// What operators order for a whole fleet. As with an order for this node the journal comes first; what makes it stand
// is the fleet's store, and every node journals it again when it sees it.
#include "edge/base/log.h"
#include "edge/operators.h"

namespace holdfast {
void Operators::fleet_degrade(Mode mode, Nanos how_long, const std::string& reason, Done done) {
    const FleetOrder order = mode == Mode::degraded ? FleetOrder::degraded
                             : mode == Mode::live   ? FleetOrder::live
                                                    : FleetOrder::none;
    fleet_order(OrderKind::degrade, order, how_long, reason, std::move(done));
}

void Operators::fleet_circuit(CircuitForce force, Nanos how_long, const std::string& reason, Done done) {
    const FleetOrder order = force == CircuitForce::open     ? FleetOrder::open
                             : force == CircuitForce::closed ? FleetOrder::closed
                                                             : FleetOrder::none;
    fleet_order(OrderKind::circuit, order, how_long, reason, std::move(done));
}

void Operators::fleet_order(OrderKind kind, FleetOrder order, Nanos how_long, const std::string& reason, Done done) {
    Membership* membership = node_.membership();
    if (membership == nullptr)
        return done(fail(Code::unsupported, Origin::client,
                         "an order for the fleet needs coordination.kind = \"etcd\"; this node stands alone"));
    if (reason.empty() || reason.size() > kOverrideReasonBytesMax)
        return done(fail(Code::invalid, Origin::client, "an order for the fleet needs a reason of 1 to 256 bytes"));
    const std::string key = kind == OrderKind::circuit ? "circuit/fleet" : "degrade/fleet";
    const bool ends = order == FleetOrder::none;
    const std::string entry = fields({{"order", key},
                                      {"mode", ends ? "auto" : name(order)},
                                      {"reason", reason},
                                      {"for", format_duration(ends ? Nanos{0} : how_long)}});
    auto finish = [copy = *this, key, ends, order, done](Result<void> written) {
        // Nothing that stands is what was asked for, where nothing binds this node either.
        const bool nothing = ends && !written && written.error().code == Code::not_found;
        if (nothing && copy.node_.membership()->status().order == FleetOrder::none) written = {};
        if (!written) {
            const std::string_view fate = written.error().was_sent ? "not known" : "not stored";
            copy.node_.journal("override", copy.fields({{"order", key}, {"action", fate}}));
            return done(written);
        }
        log::warn("operator: {} = {} by {}", key, ends ? "auto" : name(order), copy.who_);
        done({});
    };
    const std::string by = who_ + " at " + node_.config().node.name;
    journal_then(
        "override", entry, [membership, order, kind, how_long, by, reason, finish, done](Result<void> written) {
            if (!written) return done(written);
            membership->order(order, how_long, by, reason, finish, kind);  // one kind's `auto` ends no other's order
        });
}

void Operators::accept_store(const std::string& reason, Done done) {
    Membership* membership = node_.membership();
    if (membership == nullptr)
        return done(fail(Code::unsupported, Origin::client,
                         "only a node with coordination.kind = \"etcd\" has a store to accept"));
    if (reason.empty() || reason.size() > kOverrideReasonBytesMax)
        return done(fail(Code::invalid, Origin::client, "a reason of 1 to 256 bytes is needed"));
    const FleetStatus status = membership->status();
    if (status.alarm.empty())
        return done(fail(Code::exists, Origin::client, "nothing is to be accepted: no alarm about the store stands"));
    const std::string entry = fields({{"event", "accepted"}, {"alarm", status.alarm}, {"reason", reason}});
    journal_then("fleet", entry, [membership, who = who_, alarm = status.alarm, done](Result<void> written) {
        if (!written) return done(written);
        log::warn("operator: the store is accepted by {}, in spite of: {}", who, alarm);
        membership->accept_store();
        done({});
    });
}

}  // namespace holdfast
