#include "edge/outages.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "edge/base/check.h"
#include "edge/base/log.h"

namespace holdfast {
namespace {

constexpr std::string_view kNode = "outage/node";
constexpr std::string_view kScene = "outage/scene/";
constexpr std::string_view kApart = "outage/apart/";  // as kScene, and OfScene::apart

}  // namespace

void Outages::save(StateStore& state, const std::string& name, const Outage& outage, Now now) {
    const std::string text = outage.encode(now);
    if (text.empty())
        state.erase_soon(name);
    else
        state.put_soon(name, text);
}

std::string Outages::name_of(const std::string& scene, bool apart) {
    return std::string(apart ? kApart : kScene) + scene;
}

// For one more: the first without an order leaves, which has the node's outage from then on.
void Outages::make_room(StateStore& state) {
    if (scenes_.size() < kOutageScenesMax) return;
    const auto free = std::find_if(scenes_.begin(), scenes_.end(), [](const auto& s) { return !s.second.ordered; });
    HF_CHECK(free != scenes_.end());  // there are no more orders than places, and one of them has none yet
    state.erase_soon(name_of(free->first, free->second.apart));
    scenes_.erase(free);
}

void Outages::note_orders(const Overrides& overrides, Now now, StateStore& state) {
    for (auto& [scene, own] : scenes_) own.ordered = false;
    std::vector<std::string> fresh;
    for (const Override& order : overrides.all(now)) {
        if (order.scope.kind != Scope::Kind::scene || order.mode == Mode::automatic) continue;
        const auto at = scenes_.find(order.scope.scene);
        if (at == scenes_.end())
            fresh.push_back(order.scope.scene);
        else
            at->second.ordered = true;
    }
    for (const std::string& scene : fresh) {
        make_room(state);
        scenes_.emplace(scene, OfScene{Outage(boot_), true});
    }
}

void Outages::observe(bool circuit_closed, const Overrides& overrides, Now now, StateStore& state) {
    const bool node_forced = overrides.mode_of({}, now) == Mode::degraded;
    if (node_.observe(circuit_closed, node_forced, now)) save(state, std::string(kNode), node_, now);
    const bool node_active = node_.facts(now).active;
    note_orders(overrides, now, state);
    for (auto at = scenes_.begin(); at != scenes_.end();) {
        auto& [scene, own] = *at;
        // It goes on where the circuit, or the node's order, takes over before the scene's own order ends.
        const bool forced = overrides.mode_of(scene, now) == Mode::degraded;
        const bool changed = own.outage.observe(circuit_closed, forced, now);
        const bool active = own.outage.facts(now).active;
        const bool apart = node_active && (own.apart || !active);
        const bool renamed = apart != std::exchange(own.apart, apart);
        if (changed || renamed) save(state, name_of(scene, apart), own.outage, now);
        if (renamed) state.erase_soon(name_of(scene, !apart));
        at = own.ordered || active ? std::next(at) : scenes_.erase(at);
    }
}

// Written again while it lasts, so that after a reboot little of its length hangs on the wall clock alone.
void Outages::keep(Now now, StateStore& state) {
    if (now.mono - kept_ < kKeepEvery) return;
    kept_ = now.mono;
    if (node_.facts(now).active) save(state, std::string(kNode), node_, now);
    for (const auto& [scene, own] : scenes_)
        if (own.outage.facts(now).active) save(state, name_of(scene, own.apart), own.outage, now);
}

void Outages::renew(const Scope& scope, Now now, StateStore& state) {
    const bool all = scope.kind != Scope::Kind::scene;
    if (all) {
        node_.renew(now);
        save(state, std::string(kNode), node_, now);
    }
    for (auto& [scene, own] : scenes_) {
        if (!all && scene != scope.scene) continue;
        own.outage.renew(now);
        save(state, name_of(scene, own.apart), own.outage, now);
    }
}

OutageFacts Outages::facts(std::string_view scene, Now now) const {
    const auto at = scenes_.find(scene);
    if (at == scenes_.end()) return node_.facts(now);
    const OutageFacts own = at->second.outage.facts(now);
    return at->second.apart ? own : longer(node_.facts(now), own);
}

void Outages::restore(const StateStore& state, const Overrides& overrides, Now now) {
    const auto read = [&](Outage& outage, const std::string& name, const std::string& text) {
        if (const auto done = outage.decode(text, now); !done)
            log::warn("state: {} does not read back ({}); no outage is assumed", name, done.error().detail);
    };
    if (const auto text = state.get(kNode)) read(node_, std::string(kNode), *text);
    for (const std::string_view prefix : {kApart, kScene})
        for (const auto& [name, text] : state.list(prefix)) {
            if (scenes_.size() >= kOutageScenesMax) break;
            const auto [at, fresh] = scenes_.try_emplace(name.substr(prefix.size()), OfScene{Outage(boot_)});
            if (!fresh) continue;
            at->second.apart = prefix == kApart;
            read(at->second.outage, name, text);
        }
    for (const Override& order : overrides.all(now)) {
        if (!order.renews_outage() || order.scope.kind == Scope::Kind::fleet) continue;
        const bool all = order.scope.kind == Scope::Kind::node;
        if (all) node_.renew_as_of(order.set, now);
        for (auto& [scene, own] : scenes_)
            if (all || scene == order.scope.scene) own.outage.renew_as_of(order.set, now);
    }
}

}  // namespace holdfast
