// What operators have ordered and been told is done: the independent account beside the node's own. An order whose
// confirmation never came (a crash between) is unknown, and nothing is concluded from it.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "policy/degrade_mode.h"

namespace holdfast::sim {

class OrderBook {
  public:
    static constexpr Nanos kEndMargin = 150ms;  // clocks of node and world may drift apart

    // `scene` empty: the node's order.
    void begun(const std::string& scene) { standing_[scene].known = false; }
    void done(const std::string& scene, Mode mode, MonoTime since, MonoTime ends);
    bool pending(const std::string& scene) const;
    // The mode that binds the scene; nothing when an order that could bind it is unknown or about to end.
    std::optional<Mode> mode_of(const std::string& scene, MonoTime now) const;
    // Since when the scene has been degraded for certain; nothing when it is not.
    std::optional<MonoTime> degraded_since(const std::string& scene, MonoTime now) const;

  private:
    struct Standing {
        bool known = true;
        Mode mode = Mode::automatic;
        MonoTime since{}, ends{};
    };
    // The order that binds: the scene's own while it stands, else the node's. False: cannot be told.
    bool binding(const std::string& scene, MonoTime now, Standing& out) const;
    std::map<std::string, Standing> standing_;
};

}  // namespace holdfast::sim
