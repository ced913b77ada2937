// What operators have ordered (SPEC: operator override): degraded or live per scene, node or fleet, and the circuit
// forced open or closed. Each order has a reason, an author and an end, and ends by itself. The values are pure; the
// shell keeps encode() of each in state/ before it confirms the order, and feeds it back through restore().
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "edge/base/result.h"
#include "edge/base/time.h"
#include "policy/stamp.h"

namespace holdfast {

inline constexpr Nanos kOverrideForDefault = 15min;
inline constexpr Nanos kOverrideForMax = 4h;
inline constexpr Nanos kOverrideForMin = 1s;
inline constexpr std::size_t kOverrideReasonBytesMax = 256;
inline constexpr std::size_t kOverrideAuthorBytesMax = 128;
inline constexpr std::size_t kOverridesMax = 256; // scenes with an order of their own

// The reason of an order, or of anything else that an operator does: one line of UTF-8, since it ends up in the log,
// that is not blank.
bool is_reason(std::string_view text);

enum class Mode : std::uint8_t { automatic = 0, degraded = 1, live = 2 }; // the values of holdfast_mode
enum class CircuitForce : std::uint8_t { none = 0, open = 1, closed = 2 };
std::string_view name(Mode mode); // "auto", "degraded", "live"
std::string_view name(CircuitForce force);

// Whom an order binds.
struct Scope {
    enum class Kind : std::uint8_t { node = 1, scene = 2, fleet = 3 };
    Kind kind = Kind::node;
    std::string scene; // for Kind::scene
    bool operator==(const Scope&) const = default;
};
std::string_view name(Scope::Kind kind);

// One order. Exactly one of mode and force is set: `degrade` and `circuit` are two orders that may stand side by side.
struct Override {
    Scope scope;
    Mode mode = Mode::automatic;
    CircuitForce force = CircuitForce::none;
    std::string reason;
    std::string author; // who, as the admin socket saw it
    Stamp set;          // when it was given
    Nanos granted{0};   // how long it was given for
    MonoTime ends;      // in this boot
    Nanos remaining(Now now) const { return ends > now.mono ? ends - now.mono : Nanos{0}; }
    WallTime ends_wall(Now now) const { return now.wall + remaining(now); } // for people
    // It makes an outage; given again it says that the one under way goes on.
    bool renews_outage() const { return mode == Mode::degraded || force == CircuitForce::open; }
    std::string key() const; // "degrade/node", "degrade/scene/LOGIN", "circuit/node": the key in state/
    std::string encode() const;
};

// Strict: another version, a missing part, or bytes behind the end are Code::corrupt. `ends` is not in it.
Result<Override> decode_override(std::string_view text);

struct OverrideRequest {
    Scope scope;
    Mode mode = Mode::automatic;
    CircuitForce force = CircuitForce::none;
    std::string reason;
    std::string author;
    Nanos for_ = kOverrideForDefault;
};

class Overrides {
  public:
    explicit Overrides(std::uint64_t boot) : boot_(boot) {}

    // Judges an order and gives it its end; nothing stands until stand(). Refuses (Code::invalid) an order without
    // reason, out of bounds, with both or neither of mode and force, or a circuit order for a scene.
    Result<Override> propose(const OverrideRequest& request, Now now) const;
    // Lets a proposed order stand in place of an older one for the same scope. Code::full beyond kOverridesMax, which
    // the fleet's never is.
    Result<bool> stand(Override order);
    // `auto`: true when there was one.
    bool clear(const Scope& scope, bool circuit);
    // Of before a restart: it stands for what is certainly left of it, by both clocks and never longer than granted.
    // False, and nothing stands, when it is over.
    bool restore(Override order, Now now);
    // Removes and returns what is over.
    std::vector<Override> expire(Now now);

    // What binds a scene: its own order before the node's, the node's (of mode or circuit) before the fleet's.
    // Automatic when none stands.
    Mode mode_of(std::string_view scene, Now now) const;
    const Override* mode_order(std::string_view scene, Now now) const;
    // The node's circuit order, else the fleet's. A `degrade` order of the scene goes before it, as decide() does.
    CircuitForce force(Now now) const;
    const Override* force_order(Now now) const;
    std::vector<Override> all(Now now) const;
    std::optional<MonoTime> next_end() const;

  private:
    // Looks a scope up without building one.
    struct Before {
        using is_transparent = void;
        using View = std::pair<Scope::Kind, std::string_view>;
        static View view(const Scope& scope) { return {scope.kind, scope.scene}; }
        static View view(const View& scope) { return scope; }
        template <typename A, typename B>
        bool operator()(const A& a, const B& b) const {
            return view(a) < view(b);
        }
    };
    using Orders = std::map<Scope, Override, Before>;
    static const Override* standing(const Orders& orders, Scope::Kind kind, std::string_view scene, Now now);

    std::uint64_t boot_;
    Orders modes_;
    Orders forces_;
};

} // namespace holdfast
