// Whether there is an outage for a scene, and since when: the circuit is not closed, or the order that binds the scene
// says `degraded`. The node's outage is that of every scene without an order of its own. A scene that has or had one
// keeps a clock of its own, so that what is ordered elsewhere lets nobody through in it, nor ages it.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "cache/state_store.h"
#include "policy/degrade_mode.h"
#include "policy/outage.h"

namespace holdfast {

inline constexpr std::size_t kOutageScenesMax = kOverridesMax;

class Outages {
  public:
    explicit Outages(std::uint64_t boot) : boot_(boot), node_(boot) {}

    // Call at each transition of the circuit and of an order, and before facts(). What changed is written to `state`.
    void observe(bool circuit_closed, const Overrides& overrides, Now now, StateStore& state);
    // The operator lets provisional answers of the outages under way go on: all of them, or that of one scene under an
    // order of its own.
    void renew(const Scope& scope, Now now, StateStore& state);
    static constexpr Nanos kKeepEvery = 30s;
    void keep(Now now, StateStore& state);  // for the tick
    OutageFacts facts(std::string_view scene, Now now) const;
    const Outage& node() const { return node_; }
    // From the state of before a restart. A value that does not read back is no outage, so nothing provisional. What an
    // order that stands has renewed stays renewed, also where only the order was written any more.
    void restore(const StateStore& state, const Overrides& overrides, Now now);

  private:
    struct OfScene {
        Outage outage;
        bool ordered = false;  // it has an order of its own now
        // An outage of the node was none here: that one's age says nothing about this scene, as long as it lasts.
        bool apart = false;
    };
    using Scenes = std::map<std::string, OfScene, std::less<>>;
    static std::string name_of(const std::string& scene, bool apart);
    static void save(StateStore& state, const std::string& name, const Outage& outage, Now now);
    void note_orders(const Overrides& overrides, Now now, StateStore& state);
    void make_room(StateStore& state);
    std::uint64_t boot_;
    MonoTime kept_{};
    Outage node_;
    Scenes scenes_;  // at most kOutageScenesMax
};

}  // namespace holdfast
