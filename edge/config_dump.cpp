#include <fmt/format.h>

#include <unordered_map>

#include "edge/base/json.h"
#include "edge/config.h"

namespace holdfast {
namespace {

// "credential[2]" is written "[[credential]]", "limits" is written "[limits]".
std::string heading(const std::string& section) {
    if (const auto bracket = section.rfind('['); bracket != std::string::npos && section.back() == ']')
        return fmt::format("[[{}]]", section.substr(0, bracket));
    return fmt::format("[{}]", section);
}

}  // namespace

std::string dump_config(const Config& config) {
    std::string out = fmt::format("# {} ({})\n", config.source, config.hash);
    const std::string* section = nullptr;
    for (const auto& setting : config.settings) {
        if (section == nullptr || *section != setting.section) out += "\n" + heading(setting.section) + "\n";
        section = &setting.section;
        out += fmt::format("{} = {}\n", setting.leaf, setting.value);
    }
    return out;
}

std::string dump_origins(const Config& config) {
    std::string out;
    for (const auto& setting : config.settings) {
        json::Writer(out)
            .begin_object()
            .member("key", setting.key)
            .member("value", setting.value)
            .member("origin", setting.origin)
            .member("reload", setting.hot ? "hot" : "restart")
            .end_object();
        out += '\n';
    }
    return out;
}

std::vector<std::string> restart_needed(const Config& running, const Config& wanted) {
    std::unordered_map<std::string_view, std::string_view> before;
    for (const auto& setting : running.settings)
        if (!setting.hot) before.emplace(setting.key, setting.value);
    std::vector<std::string> out;
    for (const auto& setting : wanted.settings) {
        if (setting.hot) continue;
        const auto it = before.find(setting.key);
        const bool other_text = it == before.end() || it->second != setting.value;
        const auto file = running.start_files.find(setting.key), now = wanted.start_files.find(setting.key);
        const bool both = file != running.start_files.end() && now != wanted.start_files.end();
        if (other_text || (both && file->second != now->second)) out.push_back(setting.key);
    }
    if (running.cache.key != wanted.cache.key) out.emplace_back("cache.key_file");
    return out;
}

}  // namespace holdfast
