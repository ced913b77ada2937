#include "edge/operators.h"

#include <fmt/format.h>

#include <algorithm>

#include "edge/base/log.h"

namespace holdfast {
namespace {

// What could not be stored when it was asked for: it hides in this process all the same, and is written later.
constexpr std::string_view kHidesAlready = "hides, not on disk yet";

// The entry of an order that was refused although its own may be in the journal.
std::string not_carried_out(std::string fields, std::string_view why) {
    fields.pop_back();  // the brace
    fields += R"(,"action":"not carried out","why":)";
    json::append_quoted(fields, why);
    return fields + "}";
}

Result<void> unknown_scene(const std::string& scene) {
    return fail(Code::invalid, Origin::client, "scene \"" + scene + "\" is not configured");
}

}  // namespace

std::string Operators::fields(std::initializer_list<std::pair<std::string_view, std::string_view>> more) const {
    std::string out;
    json::Writer w(out);
    w.begin_object().member("by", who_);
    for (const auto& [key, value] : more) w.member(key, value);
    w.end_object();
    return out;
}

// An order that is entered before it stands; without a journal it is refused. Where the journal does not answer its
// entry may still be written, and must not read as if the order stood.
void Operators::journal_then(std::string_view kind, const std::string& fields, Done done) {
    node_.metrics().journalled(kind);
    auto told = [&node = node_, kind = std::string(kind), fields, done = std::move(done)](Result<void> written) {
        if (!written && written.error().code == Code::unavailable)
            node.journal(kind, not_carried_out(fields, written.error().detail));
        done(std::move(written));
    };
    node_.parts().storage.journal()->append(kind, fields, node_.loop().now().wall, std::move(told),
                                            Journal::Unwritten::given_up, kJournalWaitMax);
}

bool Operators::stands_for(const Scope& scope) const {
    const auto all = node_.parts().overrides.all(node_.loop().now());
    return std::any_of(all.begin(), all.end(), [&scope](const Override& order) {
        return order.scope == scope && order.mode != Mode::automatic;
    });
}

void Operators::degrade(Mode mode, const std::string& scene, Nanos how_long, const std::string& reason, Done done) {
    const Scope scope{scene.empty() ? Scope::Kind::node : Scope::Kind::scene, scene};
    const bool known = scene.empty() || node_.parts().snapshot->scene(scene) != nullptr;
    // An order outlives its scene when a reload takes that away, and can still be ended.
    if (!known && !(mode == Mode::automatic && stands_for(scope))) return done(unknown_scene(scene));
    if (mode == Mode::automatic) return clear(scope, false, reason, std::move(done));
    order({scope, mode, CircuitForce::none, reason, who_, how_long}, std::move(done));
}

void Operators::circuit(CircuitForce force, Nanos how_long, const std::string& reason, Done done) {
    const Scope scope{Scope::Kind::node, ""};
    if (force == CircuitForce::none) return clear(scope, true, reason, std::move(done));
    order({scope, Mode::automatic, force, reason, who_, how_long}, std::move(done));
}

void Operators::order(OverrideRequest request, Done done) {
    Parts& parts = node_.parts();
    auto proposed = parts.overrides.propose(request, parts.loop.now());
    if (!proposed) return done(tl::unexpected(proposed.error()));
    const std::string key = proposed->key(), text = proposed->encode();
    const std::string entry = fields({{"order", key},
                                      {"mode", name(proposed->mode)},
                                      {"force", name(proposed->force)},
                                      {"reason", proposed->reason},
                                      {"for", format_duration(proposed->granted)}});
    auto stand = [this_copy = *this, order = *proposed, key](Result<void> written, const Done& finish) mutable {
        Node& node = this_copy.node_;
        if (!written) {
            node.journal("override", this_copy.fields({{"order", key}, {"action", "not stored"}}));
            return finish(written);
        }
        if (auto stood = node.parts().overrides.stand(order); !stood) {
            StateStore& state = node.parts().storage.state();
            if (state.get(key) == order.encode()) state.erase_soon(key);  // else another order has the name since
            node.journal("override", this_copy.fields({{"order", key}, {"action", "refused"}}));
            return finish(tl::unexpected(stood.error()));
        }
        node.orders_changed();
        // A renewed order renews the outage that it made: the operator says that it goes on. No other order does.
        if (order.renews_outage())
            node.parts().outages.renew(order.scope, node.loop().now(), node.parts().storage.state());
        const std::string line = key + " = " +
                                 std::string(order.mode == Mode::automatic ? name(order.force) : name(order.mode)) +
                                 " by " + this_copy.who_ + ": " + order.reason;
        log::warn("operator: {}", line);
        node.events().add(node.loop().now().wall, "override", line);
        finish({});
    };
    journal_then("override", entry,
                 [&state = parts.storage.state(), key, text, stand, done](Result<void> written) mutable {
                     if (!written) return done(written);
                     state.put_durable(key, text, [stand, done](Result<void> stored) mutable { stand(stored, done); });
                 });
}

void Operators::clear(const Scope& scope, bool circuit, const std::string& reason, Done done) {
    Override shape;
    shape.scope = scope;
    shape.force = circuit ? CircuitForce::open : CircuitForce::none;
    shape.mode = circuit ? Mode::automatic : Mode::degraded;
    const std::string key = shape.key();
    auto finish = [act = *this, scope, circuit, key, done](Result<void> erased) {
        Node& node = act.node_;
        if (!erased) {
            node.journal("override", act.fields({{"order", key}, {"action", "not stored"}}));
            return done(erased);
        }
        node.parts().overrides.clear(scope, circuit);
        node.orders_changed();
        log::warn("operator: {} = auto by {}", key, act.who_);
        node.events().add(node.loop().now().wall, "override", key + " = auto by " + act.who_);
        done({});
    };
    const std::string entry = fields({{"order", key}, {"mode", "auto"}, {"reason", reason}});
    journal_then("override", entry, [&state = node_.parts().storage.state(), key, finish, done](Result<void> written) {
        if (!written) return done(written);
        if (!state.get(key)) return finish({});
        state.erase(key, finish);
    });
}

// What is in force before its entry is written: a failure of the entry must not read as if it were not.
Operators::Done Operators::stands(std::string what, Done done) const {
    return [what = std::move(what), who = who_, done = std::move(done)](Result<void> written) {
        if (written) return done(written);
        Error error = written.error();
        log::error("operator: {} by {} stands, but is not in the journal yet: {}", what, who, error.detail);
        error.detail = what + " stands, but is not in the journal: " + error.detail;
        done(tl::unexpected(std::move(error)));
    };
}

void Operators::revoke(const std::string& subject, Done done) {
    Storage& storage = node_.parts().storage;
    const std::string tag = storage.subject_tag(subject);
    // The hiding comes first: between it and the journal entry nobody is let in.
    storage.outcomes().revoke(subject, node_.loop().now(), [copy = *this, tag, done](Result<void> hidden) mutable {
        if (!hidden) {
            copy.node_.journal("revocation", copy.fields({{"subject", tag}, {"action", kHidesAlready}}));
            return done(hidden);
        }
        log::warn("operator: a revocation by {}", copy.who_);
        copy.node_.journal("revocation", copy.fields({{"subject", tag}}), copy.stands("the revocation", done));
    });
}

void Operators::purge(const std::string& scene, Done done) {
    Storage& storage = node_.parts().storage;
    if (!scene.empty() && node_.parts().snapshot->scene(scene) == nullptr) return done(unknown_scene(scene));
    const std::string which = scene.empty() ? "*" : scene;
    storage.outcomes().purge(scene, node_.loop().now(), [copy = *this, which, done](Result<void> hidden) mutable {
        if (!hidden) {
            copy.node_.journal("purge", copy.fields({{"scene", which}, {"action", kHidesAlready}}));
            return done(hidden);
        }
        log::warn("operator: a purge of {} by {}", which, copy.who_);
        copy.node_.journal("purge", copy.fields({{"scene", which}}), copy.stands("the purge", done));
    });
}

void Operators::reset_state(const std::string& reason, Done done) {
    if (reason.empty()) return done(fail(Code::invalid, Origin::client, "a reason is needed"));
    const std::string entry = fields({{"reason", reason}});
    journal_then("state_reset", entry, [node = &node_, reason, done](Result<void> written) {
        if (!written) return done(written);
        node->parts().storage.state().reset_sound(reason, done);
    });
}

void Operators::looked(std::string_view what, std::initializer_list<std::pair<std::string_view, std::string_view>> at,
                       std::function<void()> then) const {
    std::string out;
    json::Writer w(out);
    w.begin_object().member("by", who_).member("what", what);
    for (const auto& [key, value] : at) w.member(key, value);
    w.end_object();
    node_.journal("looked", out,
                  [told = fmt::format("{} by {}", what, who_), then = std::move(then)](const Result<void>& written) {
                      if (!written) log::warn("operator: {}, not in the journal: {}", told, written.error().detail);
                      then();
                  });
}

void Operators::drain(Done done) {
    log::warn("operator: drain by {}", who_);
    node_.drain(who_, stands("the drain", std::move(done)));
}

void Operators::reconcile(Done done) {
    auto run = [copy = *this, done](Result<void> written) {
        if (!written) return done(written);
        auto begun = copy.node_.reconciler().run();
        if (begun)
            log::info("operator: reconcile run by {}", copy.who_);
        else
            copy.node_.journal("override", copy.fields({{"order", "reconcile run"},
                                                        {"action", "refused"},
                                                        {"why", begun.error().detail}}));
        done(begun);
    };
    journal_then("override", fields({{"order", "reconcile run"}}), std::move(run));
}

void Operators::undrain(Done done) {
    const auto undrained = node_.undrain(who_, stands("the undrain", done));
    if (!undrained) return done(undrained);
    log::warn("operator: undrain by {}", who_);
}

void Operators::upgraded(Done done) {
    log::warn("operator: upgrade by {}", who_);
    std::string out;
    json::Writer(out).begin_object().member("by", who_).end_object();
    // It is under way already, and who asked follows it to its end: an ill journal is told, and changes nothing of
    // that.
    node_.journal("upgrade", out, [done = std::move(done)](const Result<void>& written) {
        if (!written) log::error("operator: the upgrade is not in the journal yet: {}", written.error().detail);
        done({});
    });
}

}  // namespace holdfast
