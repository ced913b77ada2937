#include "edge/outages.h"

#include "edge/base/log.h"

namespace holdfast {
namespace {

constexpr std::string_view kNode = "outage/node";
constexpr std::string_view kScene = "outage/scene/";

}  // namespace

void Outages::save(StateStore& state, const std::string& name, const Outage& outage, Now now) {
    const std::string text = outage.encode(now);
    if (text.empty())
        state.erase_soon(name);
    else
        state.put_soon(name, text);
}

void Outages::observe(bool circuit_closed, const Overrides& overrides, Now now, StateStore& state) {
    bool node_forced = false;
    std::map<std::string, bool, std::less<>> scene_forced;
    for (const Override& order : overrides.all(now)) {
        if (order.mode != Mode::degraded) continue;
        if (order.scope.kind == Scope::Kind::scene)
            scene_forced[order.scope.scene] = true;
        else
            node_forced = true;
    }
    if (node_.observe(circuit_closed, node_forced, now)) save(state, std::string(kNode), node_, now);
    for (const auto& [scene, forced] : scene_forced)
        if (scenes_.size() < kOutageScenesMax) scenes_.try_emplace(scene, boot_);
    for (auto at = scenes_.begin(); at != scenes_.end();) {
        const std::string name = std::string(kScene) + at->first;
        const bool forced = scene_forced.contains(at->first);
        // It goes on where the circuit, or the node's order, takes over before the scene's own order ends.
        if (at->second.observe(circuit_closed, forced || node_forced, now)) save(state, name, at->second, now);
        at = forced || at->second.facts(now).active ? std::next(at) : scenes_.erase(at);
    }
}

// Written again while it lasts, so that after a reboot little of its length hangs on the wall clock alone.
void Outages::keep(Now now, StateStore& state) {
    if (now.mono - kept_ < kKeepEvery) return;
    kept_ = now.mono;
    if (node_.facts(now).active) save(state, std::string(kNode), node_, now);
    for (const auto& [scene, outage] : scenes_)
        if (outage.facts(now).active) save(state, std::string(kScene) + scene, outage, now);
}

void Outages::renew(const Scope& scope, Now now, StateStore& state) {
    const bool all = scope.kind != Scope::Kind::scene;
    if (all) {
        node_.renew(now);
        save(state, std::string(kNode), node_, now);
    }
    for (auto& [scene, outage] : scenes_) {
        if (!all && scene != scope.scene) continue;
        outage.renew(now);
        save(state, std::string(kScene) + scene, outage, now);
    }
}

OutageFacts Outages::facts(std::string_view scene, Now now) const {
    const auto at = scenes_.find(scene);
    return at == scenes_.end() ? node_.facts(now) : longer(node_.facts(now), at->second.facts(now));
}

void Outages::restore(const StateStore& state, Now now) {
    const auto read = [&](Outage& outage, const std::string& name, const std::string& text) {
        if (const auto done = outage.decode(text, now); !done)
            log::warn("state: {} does not read back ({}); no outage is assumed", name, done.error().detail);
    };
    if (const auto text = state.get(kNode)) read(node_, std::string(kNode), *text);
    for (const auto& [name, text] : state.list(kScene)) {
        if (scenes_.size() >= kOutageScenesMax) break;
        read(scenes_.try_emplace(name.substr(kScene.size()), boot_).first->second, name, text);
    }
}

}  // namespace holdfast
