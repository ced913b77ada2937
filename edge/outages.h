// Whether there is an outage for a scene, and since when: the node's (circuit not closed, or the node forced degraded)
// and those of scenes that were forced degraded on their own, which let nobody through elsewhere.
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
    // From the state of before a restart. A value that does not read back is no outage, so nothing provisional.
    void restore(const StateStore& state, Now now);

  private:
    static void save(StateStore& state, const std::string& name, const Outage& outage, Now now);
    std::uint64_t boot_;
    MonoTime kept_{};
    Outage node_;
    std::map<std::string, Outage, std::less<>> scenes_;  // at most kOutageScenesMax
};

}  // namespace holdfast
