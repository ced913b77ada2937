#include "edge/config_layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "edge/base/check.h"
#include "edge/config_value.h"

namespace holdfast {
namespace {

constexpr std::array<std::string_view, 12> kRemoteSections{"limits",          "drain",
                                                           "clock",           "log",
                                                           "upstream",        "upstream.endpoint[]",
                                                           "upstream.retry",  "upstream.circuit",
                                                           "upstream.health", "upstream.ejection",
                                                           "upstream.mirror", "precheck[]"};

bool is_bare_name(const std::string& name) {
    return name.find('/') == std::string::npos && !name.starts_with('.');
}

template <typename Map>
void erase_below(Map& map, std::string_view prefix) {
    std::erase_if(map, [prefix](const auto& entry) { return entry.first.starts_with(prefix); });
}

void drop_list(ConfigText& text, const std::string& name) {
    erase_below(text.given, name);
    erase_below(text.tables, name);
}

TextPlace at(TextPlace place) {
    return {place.line, place.column, 1};
}

std::vector<std::string> precheck_names(const ConfigText& text) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < text.prechecks; ++i)
        if (const auto it = text.given.find(fmt::format("precheck[{}].name", i)); it != text.given.end())
            out.push_back(it->second.value.text);
    return out;
}

// Who lays one check over the file may not know that it guards with others.
void tell_dropped_prechecks(const ConfigText& file, const ConfigText& remote, ConfigProblems& problems) {
    auto dropped = precheck_names(file);
    const auto kept = precheck_names(remote);
    std::erase_if(dropped,
                  [&kept](const auto& name) { return std::find(kept.begin(), kept.end(), name) != kept.end(); });
    if (dropped.empty()) return;
    problems.warn(
        at(remote.place_of("precheck[0]")),
        fmt::format("its [[precheck]] take the place of all of the file's, of which these no longer apply: {}",
                    fmt::join(dropped, ", ")),
        "whatever of them is meant to apply stands in the remote text too");
}

void check_remote(const ConfigText& remote, ConfigProblems& problems) {
    for (const auto& [key, given] : remote.given) {
        if (!may_be_remote(*given.option))
            problems.error(at(given.place),
                           fmt::format("{} cannot come from a remote source{}", key,
                                       given.option->reload == Reload::hot ? "" : ": it needs a restart"),
                           "limits, drain, clock, log level, upstream, prechecks and scenes; the rest is in the file",
                           "move it to the file of the node");
        else if (given.option->kind == OptionKind::input_file && !is_bare_name(given.value.text))
            problems.error(at(given.place), fmt::format("{} names a file outside of the configuration's folder", key),
                           "a bare name, of a file beside the configuration file");
    }
    if (remote.credentials > 0)
        problems.error(at(remote.place_of("credential[0]")), "[[credential]] cannot come from a remote source",
                       "credentials in the file of the node, beside their secrets");
    if (remote.given.empty() && remote.scenes.empty() && remote.whole && !problems.failed())
        problems.error({0, 0, 1}, "sets no key", "at least one key of the policy part: an empty one is refused");
}

}  // namespace

bool may_be_remote(const Option& option) {
    if (option.reload != Reload::hot) return false;
    const auto section = option.section();
    if (option.kind == OptionKind::input_file) return section == "precheck[]";
    if (option.kind == OptionKind::path || option.kind == OptionKind::secret_file) return false;
    return section == "scene.*" ||
           std::find(kRemoteSections.begin(), kRemoteSections.end(), section) != kRemoteSections.end();
}

void lay_over(ConfigText& text, ConfigText&& remote, ConfigProblems& problems) {
    check_remote(remote, problems);
    if (remote.prechecks > 0) {
        tell_dropped_prechecks(text, remote, problems);
        drop_list(text, "precheck");
        text.prechecks = remote.prechecks;
    }
    if (remote.endpoints > 0) {
        drop_list(text, "upstream.endpoint");
        text.endpoints = remote.endpoints;
    }
    if (!remote.scenes.empty()) {
        drop_list(text, "scene.");
        text.scenes = std::move(remote.scenes);
    }
    for (auto& [key, given] : remote.given) {
        given.place.text = 1;
        text.given.insert_or_assign(key, std::move(given));
    }
    for (auto& [path, place] : remote.tables) {
        place.text = 1;
        text.tables.insert_or_assign(path, place);
    }
    text.whole = text.whole && remote.whole;
}

void expand_credentials(ConfigText& text, const ConfigEnvironment& env, ConfigProblems& problems) {
    std::vector<std::string> unset;
    for (auto& [key, given] : text.given) {
        if (given.option->kind != OptionKind::input_file && given.option->kind != OptionKind::secret_file) continue;
        std::string& name = given.value.text;
        for (const std::string_view variable : {"${CREDENTIALS_DIRECTORY}/", "$CREDENTIALS_DIRECTORY/"}) {
            if (!name.starts_with(variable)) continue;
            if (env.credentials_dir.empty())
                unset.push_back(key);
            else
                name.replace(0, variable.size() - 1, env.credentials_dir);
            break;
        }
    }
    for (const std::string& key : unset) {
        const TextPlace place = text.given.at(key).place;
        problems.error(place, fmt::format("{}: CREDENTIALS_DIRECTORY is not set", key),
                       "a service with LoadCredential=, for which systemd sets it; or an absolute path",
                       "to check the file by hand: CREDENTIALS_DIRECTORY=/run/credentials/UNIT before the command, "
                       "as root");
        text.given.erase(key);  // not there for whoever asks next: this error is enough
        text.tables.emplace(key, place);
    }
}

void keep_running(ConfigText& text, const Config& running) {
    std::unordered_map<std::string_view, const Config::Setting*> settings;
    for (const auto& setting : running.settings)
        if (!setting.hot) settings.emplace(setting.key, &setting);
    for (const auto& option : options()) {
        if (option.reload == Reload::hot) continue;
        const std::string key(option.path);
        text.given.erase(key);
        const auto it = settings.find(key);
        if (it == settings.end() || it->second->origin == "default") continue;
        // A setting is kept as TOML that reads back to its value.
        const std::string line = "v = " + it->second->value;
        ConfigProblems none(line, "running");
        const auto table = toml::parse(line);
        auto value = read_value(option, key, *table.get("v"), none);
        HF_CHECK(value);
        text.given.emplace(key, ConfigText::Given{&option, std::move(*value), {}, it->second->origin});
    }
}

}  // namespace holdfast
