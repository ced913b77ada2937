// What a request would get, without asking anybody or spending anything: for `holdfastctl policy test` and `cache get`.
#include "edge/admin_service.h"
#include "edge/unplaced.h"
#include "policy/decision.h"
#include "policy/feature_match.h"

namespace holdfast {
namespace {

std::string_view word(PrecheckRow::Says says) {
    switch (says) {
        case PrecheckRow::Says::passes:
            return "pass";
        case PrecheckRow::Says::denies:
            return "deny";
        case PrecheckRow::Says::not_for_scene:
            return "skip";
    }
    return "skip";
}

// The facts of a centre that cannot be asked, for the ladder's view.
Facts degraded_facts(Node& node, const Credential& credential, const VerifyRequest& request, const ScenePolicy& policy,
                     const Believed& believed) {
    Parts& parts = node.parts();
    const Now now = node.loop().now();
    Facts facts = facts_now(parts, request.terms);
    facts.gate = Gate::open;
    facts.circuit_open = true;
    facts.failures_diverse = true;
    facts.outage = parts.outages.facts(request.scene, now);
    if (const auto& found = believed.outcome) {
        const bool comparable =
            similarity(request.feature, request.feature_model, found->outcome.feature, found->outcome.feature_model)
                .has_value();
        note_known(facts, *found, comparable);
    }
    const std::uint64_t subject = parts.budget.subject_hash(credential.id, request.scene, request.subject);
    const BudgetLimits limits = provisional_limits(parts, policy);
    const EvidenceVault* vault = parts.storage.evidence();
    facts.provisional = {parts.budget.has_scene_room(request.scene, limits, now),
                         parts.budget.has_subject_room(subject, limits, now), parts.storage.can_answer_provisional(),
                         vault != nullptr && vault->has_room(64u << 10)};
    return facts;
}

// A request that a precheck denies comes neither to the centre nor to the ladder.
void write_denied(json::Writer& w, const PrecheckRow* rule) {
    const ApiCode code = rule != nullptr ? rule->code : ApiCode::scene_forbidden;
    w.member("allowed", false).member("code", text_of(code).code);
    w.member("message", rule != nullptr ? rule->rule + ": " + rule->why : "the scene is not configured");
    w.key("live").begin_object().member("admitted", false).member("why", "precheck").end_object();
    w.key("degraded").begin_object().member("answer", "deny").member("why", "precheck");
    w.key("rungs").begin_array().end_array().end_object();
}

void write_ladder(json::Writer& w, const Decision& decision, const ScenePolicy& policy) {
    w.key("degraded").begin_object().member("answer", name(decision.kind));
    w.member("why", decision.bar != LadderBar::none ? name(decision.bar) : name(decision.kind));
    w.key("rungs").begin_array();
    for (const Rung rung : policy.ladder) {
        const RungSays says = decision.rungs[static_cast<std::size_t>(rung)];
        w.begin_object()
            .member("rung", name(rung))
            .member("answers", says == RungSays::answers)
            .member("why", name(says))
            .end_object();
    }
    w.end_array().end_object();
}

}  // namespace

std::string policy_test_json(Node& node, const Credential& credential, std::string_view client,
                             const VerifyRequest& request) {
    const Now now = node.loop().now();
    const Snapshot& snapshot = *node.parts().snapshot;
    const auto rows = snapshot.prechecks.explain({request, credential, client}, now);
    const SceneRuntime* scene = snapshot.scene(request.scene);
    const PrecheckRow* denied = nullptr;
    for (const PrecheckRow& row : rows)
        if (denied == nullptr && row.says == PrecheckRow::Says::denies) denied = &row;
    std::string out;
    json::Writer w(out);
    w.begin_object().key("prechecks").begin_array();
    for (const PrecheckRow& row : rows) {
        w.begin_object().member("name", row.rule).member("result", word(row.says));
        if (!row.why.empty()) w.member("detail", row.why);
        w.end_object();
    }
    w.end_array();
    if (denied != nullptr || scene == nullptr) {
        write_denied(w, denied);
        w.end_object();
        return out;
    }
    const ScenePolicy& policy = scene->config->policy;
    w.member("allowed", true);
    const CircuitState state = node.parts().upstream.circuit().state();
    const Mode mode = node.parts().overrides.mode_of(request.scene, now);
    const bool live = mode == Mode::live || (mode == Mode::automatic && state == CircuitState::closed);
    w.key("live").begin_object().member("admitted", live);
    w.member("why", mode != Mode::automatic ? name(mode) : name(state)).end_object();
    const SubjectKey key{credential.id, request.subject, request.scene, request.device};
    const Believed believed = believed_of(node.parts(), key, now);
    Decision decision = decide(degraded_facts(node, credential, request, policy, believed), policy);
    RungSays& cache = decision.rungs[static_cast<std::size_t>(Rung::cache)];
    if (cache == RungSays::absent) cache = believed.absent;
    write_ladder(w, decision, policy);
    w.end_object();
    return out;
}

std::string cached_json(Node& node, const OutcomeRecord& record, std::string_view scene_name) {
    const SceneRuntime* scene = node.parts().snapshot->scene(scene_name);
    Facts facts;
    facts.clock_trusted = node.parts().clock_trusted;
    facts.state_sound = node.parts().storage.state().sound();
    facts.cached = facts_of(record);
    const RungSays says = cache_rung(facts, scene == nullptr ? ScenePolicy{} : scene->config->policy);
    std::string out;
    json::Writer w(out);
    w.begin_object().member("outcome", name(record.outcome.verdict));
    if (record.outcome.score) w.member("score", *record.outcome.score);
    w.member("decidedAt", rfc3339(record.decided.wall)).member("ageSeconds", in_seconds(record.age));
    if (record.outcome.max_age) w.member("maxAgeSeconds", std::int64_t(record.outcome.max_age->count()));
    if (!record.outcome.verification_id.empty()) w.member("verificationId", record.outcome.verification_id);
    w.member("feature", !record.outcome.feature.empty())
        .member("revoked", false)
        .member("usable", says == RungSays::answers)
        .member("why", name(says))
        .end_object();
    return out;
}

}  // namespace holdfast
