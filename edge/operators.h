// What operators do to a node: each order is checked, journalled with who, when and why, made durable, and only then
// stands. What must stand whatever the journal does is in force first: a revocation and a purge, which hide, a drain
// and its end, an upgrade that has begun. Its entry is retried until the journal takes it, and counted as lost when the
// node ends without. Nobody waits for the journal for longer than kJournalWaitMax. The admin socket and nothing else
// calls this.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "edge/node.h"

namespace holdfast {

// About one endpoint of the upstream.
struct UpstreamOrder {
    enum class Kind { weight, eject, restore } kind = Kind::restore;
    std::string endpoint;  // its URL
    double weight = 0;
    Nanos how_long{0};  // of an ejection
    std::string reason;
};

class Operators {
  public:
    using Done = std::function<void(Result<void>)>;
    // `who` is what the admin socket saw of the peer, e.g. "uid 0".
    Operators(Node& node, std::string who) : node_(node), who_(std::move(who)) {}
    const std::string& who() const { return who_; }

    // Sets or (Mode::automatic) clears an order; `scene` empty: the node's. `done` when it is durable and stands.
    void degrade(Mode mode, const std::string& scene, Nanos how_long, const std::string& reason, Done done);
    void circuit(CircuitForce force, Nanos how_long, const std::string& reason, Done done);
    // The same for every node of the fleet: `done` when the fleet's store has it, refuses, or did not answer in time.
    void fleet_degrade(Mode mode, Nanos how_long, const std::string& reason, Done done);
    void fleet_circuit(CircuitForce force, Nanos how_long, const std::string& reason, Done done);
    // Believes what the store holds although it is older than what this node knows, or another cluster's.
    void accept_store(const std::string& reason, Done done);
    // It hides and is durable, then it is entered: `done` has an error that says so when the entry is not on disk.
    void revoke(const std::string& subject, Done done);
    // The same for records. `scene` empty: all. Refused (Code::invalid) for a scene that is not configured.
    void purge(const std::string& scene, Done done);
    void reset_state(const std::string& reason, Done done);
    // Refused (Code::denied) when too few endpoints would be left. Stands until a restart, a restore, or a reload that
    // changes the weight.
    void upstream(const UpstreamOrder& order, Done done);
    // What waits for reconciliation is asked now. Refused (Code::exists) while it is held back.
    void reconcile(Done done);
    // These stand at once, also while the journal is ill: such a node must be taken out of service, or be replaced.
    // Then `done` has an error that says so, and the entry is retried.
    void drain(Done done);
    void undrain(Done done);   // refused (Code::exists) when the node is ending
    void upgraded(Done done);  // an upgrade has begun
    // Somebody looks at what is known of one subject or request, and is shown it by `then`, once the entry is on disk.
    // Looking is allowed without a journal: a node whose disk is ill must be looked at. The log has it then, and the
    // entry is retried. `what` is "cache get", "policy test" or "explain".
    void looked(std::string_view what, std::initializer_list<std::pair<std::string_view, std::string_view>> at,
                std::function<void()> then) const;

  private:
    bool stands_for(const Scope& scope) const;  // an order of mode
    void order(OverrideRequest request, Done done);
    void fleet_order(OrderKind kind, FleetOrder order, Nanos how_long, const std::string& reason, Done done);
    void clear(const Scope& scope, bool circuit, const std::string& reason, Done done);
    std::string fields(std::initializer_list<std::pair<std::string_view, std::string_view>> more) const;
    Done stands(std::string what, Done done) const;
    void journal_then(std::string_view kind, const std::string& fields, std::function<void(Result<void>)> done);

    Node& node_;
    std::string who_;
};

}  // namespace holdfast
