#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "edge/base/bytes.h"
#include "edge/config_check.h"
#include "policy/prechecks.h"
#include "policy/verify_request.h"

namespace holdfast {
namespace {

constexpr std::size_t kScenesShownMax = 12;

// Every scene that is named must exist, or the name would silently mean nothing.
void check_scene_names(ConfigCheck& c, const std::string& key, const std::vector<std::string>& scenes, bool star) {
    const std::vector<std::string_view> known(c.text.scenes.begin(), c.text.scenes.end());
    for (const auto& scene : scenes) {
        if (star && scene == "*") continue;
        if (std::find(c.text.scenes.begin(), c.text.scenes.end(), scene) != c.text.scenes.end() || !c.text.whole)
            continue;
        c.problems.error(c.at(key), fmt::format("{}: there is no [scene.{}]", key, toml_key(scene.substr(0, 64))),
                         known.empty() || known.size() > kScenesShownMax
                             ? "configured scenes"
                             : fmt::format("one of {}", fmt::join(known, ", ")),
                         did_you_mean(scene, known));
    }
}

void check_credentials(ConfigCheck& c) {
    auto& credentials = c.draft.config.credentials;
    if (credentials.empty())
        c.problems.error(c.at("credential"), "there is no [[credential]]: nobody could call",
                         "at least one, with id, secret_file and scenes");
    for (std::size_t i = 0; i < credentials.size(); ++i) {
        auto& credential = credentials[i];
        const std::string key = fmt::format("credential[{}]", i);
        if (!credential.id.empty() && !is_secret_id(credential.id))
            c.problems.error(c.at(key + ".id"), fmt::format("{}.id has other characters", key),
                             "1 to 64 of A-Za-z0-9_-");
        for (std::size_t j = 0; j < i; ++j)
            if (!credential.id.empty() && credentials[j].id == credential.id) {
                c.problems.error(c.at(key + ".id"), fmt::format("{}.id is there twice", key),
                                 "an id of its own for each credential");
                break;
            }
        check_scene_names(c, key + ".scenes", credential.scenes, false);
        if (credential.rate && credential.rate->per_second == 0)
            c.problems.error(c.at(key + ".rate"), fmt::format("{}.rate has no per_second", key),
                             "per_second, and burst if you like");
        else if (credential.rate && credential.rate->burst == 0)
            credential.rate->burst = std::max(1.0, std::floor(credential.rate->per_second));
    }
}

// Which keys of a precheck mean something for which kinds; the rest means something for all.
struct KeyOfKinds {
    std::string_view leaf, kinds;
};
constexpr std::array<KeyOfKinds, 16> kKeysOfKinds{{
    {"allow", "attribute|subject|device"},
    {"allow_prefix", "attribute|subject|device"},
    {"allow_file", "attribute|subject|device"},
    {"deny", "attribute|subject|device"},
    {"deny_prefix", "attribute|subject|device"},
    {"deny_file", "attribute|subject|device"},
    {"attribute", "attribute|residency|coupon"},
    {"optional", "attribute|residency|coupon"},
    {"attributes", "required"},
    {"regions", "residency"},
    {"coupon.", "coupon"},
    {"from_attribute", "coupon"},
    {"until_attribute", "coupon"},
    {"image.", "image"},
    {"by", "rate"},
    {"rate.", "rate"},
}};

bool means_something(std::string_view leaf, std::string_view kind) {
    for (const auto& [key, kinds] : kKeysOfKinds) {
        const bool mine = key.ends_with('.') ? leaf.starts_with(key) : leaf == key;
        if (mine) return fmt::format("|{}|", kinds).find(fmt::format("|{}|", kind)) != std::string::npos;
    }
    return true;
}

// Keys of other kinds are errors, unless they only repeat their default; as defaults they are not part of the effective
// configuration.
void check_precheck_keys(ConfigCheck& c, const std::string& key) {
    const auto kind_given = c.text.given.find(key + ".kind");
    const std::string kind = kind_given == c.text.given.end() ? "attribute" : kind_given->second.value.text;
    for (const auto& option : policy_options()) {
        if (option.section() != "precheck[]" || means_something(option.leaf(), kind)) continue;
        const std::string own = fmt::format("{}.{}", key, option.leaf());
        const auto given = c.text.given.find(own);
        if (given != c.text.given.end() &&
            (option.fallback == nullptr || to_toml(given->second.value) != to_toml(fallback_of(option))))
            c.problems.error(given->second.place, fmt::format("{} means nothing for kind = \"{}\"", own, kind),
                             "only keys of the rule's own kind");
        std::erase_if(c.draft.config.settings, [&own](const Config::Setting& setting) { return setting.key == own; });
    }
}

// Whether a value of this table, below `prefix`, could not be read: what it means with the others is then not known.
bool has_unread(const ConfigCheck& c, std::string_view section, const std::string& key, std::string_view prefix = {}) {
    return std::any_of(policy_options().begin(), policy_options().end(), [&](const Option& option) {
        return option.section() == section && option.leaf().starts_with(prefix) &&
               c.is_unread(fmt::format("{}.{}", key, option.leaf()));
    });
}

// The policy of a scene without the rungs of which a value could not be read: that error is enough.
ScenePolicy judged(const ConfigCheck& c, const std::string& key, const ScenePolicy& policy) {
    ScenePolicy out = policy;
    out.ladder = {};
    for (const Rung rung : policy.ladder)
        if (!has_unread(c, "scene.*", key, fmt::format("{}.", name(rung)))) out.ladder.add(rung);
    return out;
}

// What a rule's own values mean together. A fault that hangs on a value that could not be read is not told: that error
// is enough.
void check_rule(ConfigCheck& c, const std::string& key, const PrecheckRule& rule) {
    check_precheck_keys(c, key);
    // Taken for one that is not given, it would let everybody through whom `deny` does not name. Where all of the
    // rule's keys stand, as in what `config show` writes, it says nothing.
    if (c.is_given(key + ".allow") && !c.is_given(key + ".allow_file") && rule.allow.empty())
        c.problems.error(c.at(key + ".allow"), fmt::format("{}.allow is empty", key), "values, or no such key");
    const bool named = c.is_given(key + ".name");
    const std::string whose = named ? "precheck " + rule.name.substr(0, 64) : key;
    const std::string nearest = named ? key + ".name" : key;
    for (const auto& [keys, what] : Prechecks::faults_of(rule, c.draft.config.node.region)) {
        if (keys.front() == "name" && !named) continue;
        if (std::any_of(keys.begin(), keys.end(),
                        [&](std::string_view of) { return has_unread(c, "precheck[]", key, of); }))
            continue;
        std::string own = fmt::format("{}.{}", key, keys.front());
        if (own.ends_with('.')) own.pop_back();  // a table as a whole
        const bool there = c.is_given(own) || c.text.tables.contains(own);
        c.problems.error(c.at(there ? own : nearest), fmt::format("{}: {}", whose, what));
    }
    if (rule.kind == PrecheckRule::Kind::residency && c.draft.config.node.region.empty() && !c.is_unread("node.region"))
        c.problems.error(c.at(nearest), fmt::format("{} needs node.region", whose), "the region of this POP");
}

void check_prechecks(ConfigCheck& c) {
    auto& rules = c.draft.config.prechecks;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const std::string key = fmt::format("precheck[{}]", i);
        check_scene_names(c, key + ".scenes", rules[i].scenes, true);
        for (std::size_t j = 0; j < i; ++j)
            if (!rules[i].name.empty() && rules[j].name == rules[i].name)
                c.problems.error(c.at(key + ".name"), fmt::format("{}.name is there twice", key),
                                 "a name of its own for each rule");
        // Of an unknown kind it cannot be said what is wrong with the rest.
        if (!c.is_unread(key + ".kind")) check_rule(c, key, rules[i]);
    }
}

// A rung answers before those that the scene lists after it: one that nobody was verified for hides what is known.
void check_order(ConfigCheck& c, const std::string& key, const std::vector<std::string>& rungs, TextPlace place) {
    const auto weakest = std::find(rungs.begin(), rungs.end(), name(Rung::provisional));
    if (weakest == rungs.end() || weakest + 1 == rungs.end()) return;
    std::vector<std::string> better = rungs;
    const auto at = better.begin() + (weakest - rungs.begin());
    std::rotate(at, at + 1, better.end());
    OptionValue value;
    value.kind = OptionKind::texts;
    value.texts = std::move(better);
    c.problems.warn(place,
                    fmt::format("{}.degrade: provisional lets through unverified before {} is asked", key,
                                fmt::join(weakest + 1, rungs.end(), " or ")),
                    fmt::format("degrade = {}", to_toml(value)));
}

// The ladder as it is written; false: it holds what is no rung, or one twice.
bool check_ladder(ConfigCheck& c, const std::string& key, const std::vector<std::string>& rungs, TextPlace place) {
    Ladder seen;
    bool sound = true;
    for (const auto& rung : rungs) {
        const auto parsed = parse_rung(rung);
        if (!parsed)
            c.problems.error(place, fmt::format("{}.degrade cannot hold {}", key, toml_string(rung.substr(0, 64))),
                             "cache, feature, provisional", did_you_mean(rung, {"cache", "feature", "provisional"}));
        else if (!seen.add(*parsed))
            c.problems.error(place, fmt::format("{}.degrade holds \"{}\" twice", key, rung), "each rung once");
        else
            continue;
        sound = false;
    }
    return sound;
}

void check_scenes(ConfigCheck& c) {
    auto& scenes = c.draft.config.scenes;
    if (scenes.empty()) c.problems.error(c.at("scene"), "there is no [scene.NAME]", "at least one");
    for (const auto& scene : scenes) {
        const std::string key = "scene." + toml_key(scene.name);
        if (!is_scene(scene.name))
            c.problems.error(c.at(key), fmt::format("{} cannot be a scene", key), "1 to 64 of A-Za-z0-9_-.");
        if (scene.name == "other")
            c.problems.error(c.at(key), "scene.other cannot be a scene: metrics call so what is of none",
                             "another name");
        const auto ladder = c.text.given.find(key + ".degrade");
        if (ladder != c.text.given.end() && check_ladder(c, key, ladder->second.value.texts, ladder->second.place))
            check_order(c, key, ladder->second.value.texts, ladder->second.place);
        if (const auto fault = fault_of(judged(c, key, scene.policy))) {
            const auto colon = std::min(fault->find(':'), fault->size());
            c.problems.error(c.at(key + "." + fault->substr(0, colon)), fmt::format("{}.{}", key, *fault));
        }
    }
}

}  // namespace

void check_policy(ConfigCheck& c) {
    check_credentials(c);
    check_prechecks(c);
    check_scenes(c);
}

}  // namespace holdfast
