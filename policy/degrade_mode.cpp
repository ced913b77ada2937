#include "policy/degrade_mode.h"

#include <fmt/format.h>

#include <algorithm>

#include "edge/base/bytes.h"
#include "policy/pack.h"
#include "policy/verify_request.h"

namespace holdfast {
namespace {

constexpr std::uint8_t kVersion = 1;

tl::unexpected<Error> bad(std::string detail) {
    return fail(Code::invalid, Origin::client, std::move(detail));
}

bool is_line(std::string_view text, std::size_t bytes_max) {
    return !text.empty() && text.size() <= bytes_max && is_utf8(text) &&
           std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// Nothing of it shows.
bool is_blank(std::string_view text) {
    constexpr std::string_view kUnseen[] = {" ",      "\u00a0", "\u00ad", "\u1680", "\u2000", "\u2001", "\u2002",
                                            "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009",
                                            "\u200a", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2028",
                                            "\u2029", "\u202f", "\u205f", "\u2060", "\u3000", "\ufeff"};
    while (!text.empty()) {
        const auto* at = std::find_if(std::begin(kUnseen), std::end(kUnseen),
                                      [&](std::string_view one) { return text.substr(0, one.size()) == one; });
        if (at == std::end(kUnseen)) return false;
        text.remove_prefix(at->size());
    }
    return true;
}

// What is wrong with the words of an order, whoever wrote them down.
std::optional<std::string> fault_of(const Override& order) {
    if ((order.mode == Mode::automatic) == (order.force == CircuitForce::none))
        return "exactly one of degrade and circuit must be ordered";
    if (order.scope.kind == Scope::Kind::scene ? !is_scene(order.scope.scene) : !order.scope.scene.empty())
        return "scope: a scene's order names a scene, no other does";
    if (order.force != CircuitForce::none && order.scope.kind == Scope::Kind::scene)
        return "scope: the circuit cannot be forced for one scene";
    if (!is_reason(order.reason))
        return fmt::format("reason: must be one line of 1 to {} bytes that says something", kOverrideReasonBytesMax);
    if (!is_line(order.author, kOverrideAuthorBytesMax))
        return fmt::format("author: must be one line of 1 to {} bytes", kOverrideAuthorBytesMax);
    if (order.granted < kOverrideForMin || order.granted > kOverrideForMax)
        return fmt::format("for: must be {} to {}", format_duration(kOverrideForMin), format_duration(kOverrideForMax));
    return std::nullopt;
}

} // namespace

bool is_reason(std::string_view text) {
    return is_line(text, kOverrideReasonBytesMax) && !is_blank(text);
}

std::string_view name(Mode mode) {
    switch (mode) {
        case Mode::automatic:
            return "auto";
        case Mode::degraded:
            return "degraded";
        case Mode::live:
            return "live";
    }
    return "auto";
}

std::string_view name(CircuitForce force) {
    switch (force) {
        case CircuitForce::none:
            return "none";
        case CircuitForce::open:
            return "open";
        case CircuitForce::closed:
            return "closed";
    }
    return "none";
}

std::string_view name(Scope::Kind kind) {
    switch (kind) {
        case Scope::Kind::node:
            return "node";
        case Scope::Kind::scene:
            return "scene";
        case Scope::Kind::fleet:
            return "fleet";
    }
    return "node";
}

std::string Override::key() const {
    std::string out = force == CircuitForce::none ? "degrade/" : "circuit/";
    out += name(scope.kind);
    if (scope.kind == Scope::Kind::scene) out += '/' + scope.scene;
    return out;
}

std::string Override::encode() const {
    std::string out;
    pack::put(out, kVersion);
    pack::put(out, static_cast<std::uint8_t>(scope.kind));
    pack::put(out, static_cast<std::uint8_t>(mode));
    pack::put(out, static_cast<std::uint8_t>(force));
    pack::put_text(out, scope.scene);
    pack::put_text(out, reason);
    pack::put_text(out, author);
    pack::put_stamp(out, set);
    pack::put(out, static_cast<std::int64_t>(granted.count()));
    return out;
}

Result<Override> decode_override(std::string_view text) {
    const auto corrupt = [](std::string_view what) {
        return fail(Code::corrupt, Origin::store, fmt::format("override: {}", what));
    };
    pack::Reader reader(text);
    if (reader.get<std::uint8_t>() != kVersion) return corrupt("unknown version");
    const auto kind = reader.get<std::uint8_t>(), mode = reader.get<std::uint8_t>(), force = reader.get<std::uint8_t>();
    if (kind < 1 || kind > 3 || mode > 2 || force > 2) return corrupt("unknown kind");
    Override out;
    out.scope.kind = static_cast<Scope::Kind>(kind);
    out.mode = static_cast<Mode>(mode);
    out.force = static_cast<CircuitForce>(force);
    out.scope.scene = reader.text();
    out.reason = reader.text();
    out.author = reader.text();
    out.set = reader.stamp();
    out.granted = reader.span(kOverrideForMax);
    if (!reader.finished()) return corrupt("malformed");
    if (const auto fault = fault_of(out)) return corrupt(*fault);
    return out;
}

Result<Override> Overrides::propose(const OverrideRequest& request, Now now) const {
    Override out{request.scope,  request.mode,      request.force, request.reason,
                 request.author, stamp(now, boot_), request.for_,  {}};
    if (auto fault = fault_of(out)) return bad(std::move(*fault));
    out.ends = now.mono + out.granted;
    return out;
}

Result<bool> Overrides::stand(Override order) {
    auto& orders = order.force == CircuitForce::none ? modes_ : forces_;
    const bool has_place = order.scope.kind == Scope::Kind::fleet || orders.contains(order.scope);  // one, for ever
    if (!has_place && orders.size() >= kOverridesMax)
        return fail(Code::full, Origin::client, fmt::format("{} orders stand already", kOverridesMax));
    Scope scope = order.scope;
    orders.insert_or_assign(std::move(scope), std::move(order));
    return true;
}

bool Overrides::clear(const Scope& scope, bool circuit) {
    return (circuit ? forces_ : modes_).erase(scope) > 0;
}

bool Overrides::restore(Override order, Now now) {
    Nanos used = youngest_age(order.set, now, boot_);
    // Within one boot the monotonic clock says it all; else the wall clock may end it sooner, never later.
    if (boot_ == 0 || order.set.boot != boot_) used = std::max(used, Nanos(now.wall - order.set.wall));
    if (used >= order.granted) return false;
    order.ends = now.mono + (order.granted - used);
    return stand(std::move(order)).has_value();
}

std::vector<Override> Overrides::expire(Now now) {
    std::vector<Override> out;
    for (auto* orders : {&modes_, &forces_}) {
        for (auto at = orders->begin(); at != orders->end();) {
            if (at->second.ends > now.mono) {
                ++at;
                continue;
            }
            out.push_back(std::move(at->second));
            at = orders->erase(at);
        }
    }
    return out;
}

const Override* Overrides::standing(const Orders& orders, Scope::Kind kind, std::string_view scene, Now now) {
    const auto at = orders.find(std::pair(kind, scene));
    return at == orders.end() || at->second.ends <= now.mono ? nullptr : &at->second;
}

const Override* Overrides::mode_order(std::string_view scene, Now now) const {
    if (modes_.empty()) return nullptr;
    if (const Override* order = standing(modes_, Scope::Kind::scene, scene, now)) return order;
    if (const Override* order = standing(modes_, Scope::Kind::node, {}, now)) return order;
    if (standing(forces_, Scope::Kind::node, {}, now) != nullptr) return nullptr;
    return standing(modes_, Scope::Kind::fleet, {}, now);
}

Mode Overrides::mode_of(std::string_view scene, Now now) const {
    const Override* order = mode_order(scene, now);
    return order == nullptr ? Mode::automatic : order->mode;
}

const Override* Overrides::force_order(Now now) const {
    if (const Override* order = standing(forces_, Scope::Kind::node, {}, now)) return order;
    return standing(forces_, Scope::Kind::fleet, {}, now);
}

CircuitForce Overrides::force(Now now) const {
    const Override* order = force_order(now);
    return order == nullptr ? CircuitForce::none : order->force;
}

std::vector<Override> Overrides::all(Now now) const {
    std::vector<Override> out;
    for (const auto* orders : {&modes_, &forces_})
        for (const auto& [scope, order] : *orders)
            if (order.ends > now.mono) out.push_back(order);
    return out;
}

std::optional<MonoTime> Overrides::next_end() const {
    std::optional<MonoTime> out;
    for (const auto* orders : {&modes_, &forces_})
        for (const auto& [scope, order] : *orders)
            if (!out || order.ends < *out) out = order.ends;
    return out;
}

} // namespace holdfast
