#include "edge/config_boot.h"

#include <fmt/format.h>

#include "edge/config_reader.h"

namespace holdfast {
namespace {

// Also of a file that has errors elsewhere: a rollback holds through them. Empty: none is named.
std::string data_dir_of(const std::string& text, const std::string& name) {
    ConfigProblems problems(text, name);
    const ConfigText read = read_config_text(text, problems);
    const auto it = read.given.find("node.data_dir");
    return it == read.given.end() ? std::string() : it->second.value.text;
}

bool from_hold(BootConfig& out, const ConfigHistory& history, const ConfigHold& hold, const std::string& path,
               const ConfigEnvironment& env) {
    const auto version = history.read(hold.generation);
    if (!version) {
        out.notes.push_back(fmt::format("a rollback holds generation {}, but {}: the file is taken", hold.generation,
                                        version.error().detail));
        return false;
    }
    ConfigTexts texts = version->texts;
    texts.folder = texts_of(path, {}).folder;
    ConfigOutcome outcome = parse_config(texts, env);
    if (!outcome.config) {
        out.notes.push_back(
            fmt::format("a rollback holds generation {}, which does not load any more ({}): the file is taken",
                        hold.generation, outcome.errors.front().message));
        return false;
    }
    out.notes.push_back(
        fmt::format("generation {} is held since {} by {}: {} is not in force until `holdfastctl config reload`",
                    hold.generation, rfc3339(hold.since), hold.by, path));
    outcome.config->kind = "rollback";
    out.texts = std::move(texts);
    out.outcome = std::move(outcome);
    out.hold = hold;
    out.remote_revision = version->remote_revision;
    return true;
}

// Its last good text stands in until the source answers, however many starts had to do without it.
void with_last_remote(BootConfig& out, const ConfigHistory& history, const ConfigEnvironment& env) {
    const std::string name = remote_name(out.outcome.config->config_source);
    if (name.empty()) return;
    const auto last = history.newest_of(name);
    if (!last) return;
    ConfigTexts texts = out.texts;
    texts.remote = last->texts.remote;
    texts.remote_name = name;
    ConfigOutcome outcome = parse_config(texts, env);
    if (!outcome.config) {
        out.notes.push_back(fmt::format("the last good text of {} does not fit the file any more ({}): the file alone "
                                        "is taken until it answers",
                                        name, outcome.errors.front().message));
        return;
    }
    outcome.config->kind = out.outcome.config->config_source.kind;
    for (const ConfigProblem& warning : outcome.warnings)
        out.notes.push_back(fmt::format("{}:{}: {}", warning.file, warning.line, warning.message));
    out.texts = std::move(texts);
    out.outcome = std::move(outcome);
    out.remote_revision = last->remote_revision;
}

}  // namespace

std::string history_folder(const std::string& data_dir) {
    return data_dir + "/config";
}

std::string remote_name(const ConfigSourceConfig& source) {
    return source.kind == "file" ? std::string() : source.kind + ":" + source.path;
}

BootConfig boot_config(const std::string& path, const ConfigEnvironment& env) {
    BootConfig out;
    auto text = read_config_file(path);
    if (!text) {
        out.outcome = unreadable_config(path, text.error().detail);
        return out;
    }
    const std::string data_dir = data_dir_of(*text, path);
    out.texts = texts_of(path, std::move(*text));
    const ConfigHistory history(history_folder(data_dir));
    const auto newest = data_dir.empty() ? std::nullopt : history.newest();
    const auto hold = data_dir.empty() ? std::nullopt : history.held();
    if (!hold || !from_hold(out, history, *hold, path, env)) {
        out.outcome = parse_config(out.texts, env);
        if (!out.outcome.config) return out;
        if (newest) with_last_remote(out, history, env);
    }
    Config& config = *out.outcome.config;
    out.known = newest && newest->hash == config.hash;
    config.generation = newest ? newest->generation + (out.known ? 0 : 1) : 1;
    return out;
}

}  // namespace holdfast
