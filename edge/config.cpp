#include "edge/config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "edge/base/bytes.h"
#include "edge/base/crypto.h"
#include "edge/config_check.h"
#include "edge/config_layers.h"
#include "edge/descriptors.h"

namespace holdfast {
namespace {

constexpr std::size_t kHashHexDigits = 16;

// "credential[]" with 2 is "credential[2]"; "scene.*" with LOGIN is "scene.LOGIN".
std::vector<std::string> instances(std::string_view section, const ConfigText& text) {
    std::vector<std::string> out;
    if (section == "scene.*") {
        for (const auto& name : text.scenes) out.push_back("scene." + toml_key(name));
    } else if (section.ends_with("[]")) {
        const std::string_view name = section.substr(0, section.size() - 2);
        const std::size_t n = name == "credential" ? text.credentials
                              : name == "precheck" ? text.prechecks
                              : name == "gateway.app" ? text.gateway_apps
                                                      : text.endpoints;
        for (std::size_t i = 0; i < n; ++i) out.push_back(fmt::format("{}[{}]", name, i));
    } else {
        out.emplace_back(section);
    }
    return out;
}

class Filler {
  public:
    Filler(Draft& draft, const ConfigText& text, ConfigProblems& problems)
        : draft_(draft), text_(text), problems_(problems) {}

    void fill() {
        auto& config = draft_.config;
        config.credentials.resize(text_.credentials);
        draft_.credential_files.resize(text_.credentials);
        config.prechecks.resize(text_.prechecks);
        config.gateway.apps.resize(text_.gateway_apps);
        config.upstream.options.endpoints.resize(text_.endpoints);
        for (const auto& name : text_.scenes) config.scenes.push_back({name, {}});
        const auto all = options();
        for (std::size_t at = 0; at < all.size();) {
            auto end = at;
            while (end < all.size() && all[end].section() == all[at].section()) ++end;
            const auto sections = instances(all[at].section(), text_);
            for (draft_.at = 0; draft_.at < sections.size(); ++draft_.at)
                for (auto i = at; i < end; ++i) one(all[i], sections[draft_.at]);
            at = end;
        }
    }

  private:
    void one(const Option& option, const std::string& section) {
        const std::string key = fmt::format("{}.{}", section, option.leaf());
        Config::Setting setting{key, {}, "default", option.reload == Reload::hot, section, std::string(option.leaf())};
        if (const auto it = text_.given.find(key); it != text_.given.end()) {
            option.apply(draft_, it->second.value);
            setting.value = to_toml(it->second.value);
            const auto& [_, value, place, origin] = it->second;
            setting.origin = origin.empty() ? fmt::format("{}:{}", problems_.file(place.text), place.line) : origin;
        } else if (option.fallback != nullptr) {
            const auto value = fallback_of(option);
            option.apply(draft_, value);
            setting.value = to_toml(value);
        } else {
            // A value that could not be read has been reported already.
            if (option.required && text_.whole && !text_.tables.contains(key))
                problems_.error(text_.place_of(section), fmt::format("{} is missing", key), std::string(option.doc));
            return;
        }
        draft_.config.settings.push_back(std::move(setting));
    }

    Draft& draft_;
    const ConfigText& text_;
    ConfigProblems& problems_;
};

// Over everything that makes two configurations differ; keyed, so that it gives no way to try secrets against it.
std::string hash_of(const Config& config) {
    std::string all;
    for (const auto& setting : config.settings) all += setting.key + "=" + setting.value + "\n";
    for (const auto& credential : config.credentials)
        all += fmt::format("{}:{}{}:{}", credential.secret.size(), credential.secret, credential.previous_secret.size(),
                           credential.previous_secret);
    all += fmt::format("{}:{}", config.coordination.etcd.password.size(), config.coordination.etcd.password);
    all += config.gateway.files;
    HmacSha256 keyed(as_text(config.cache.key));
    return to_hex(keyed.of(all)).substr(0, kHashHexDigits);
}

ConfigOutcome unreadable(const std::string& path, std::string why) {
    ConfigOutcome out;
    ConfigProblem problem;
    problem.file = path;
    problem.message = std::move(why);
    out.errors.push_back(std::move(problem));
    return out;
}

}  // namespace

const SceneConfig* Config::scene(std::string_view name) const {
    for (const auto& one : scenes)
        if (one.name == name) return &one;
    return nullptr;
}

ConfigEnvironment ConfigEnvironment::of_process() {
    ConfigEnvironment env;
    if (const char* dir = std::getenv("CREDENTIALS_DIRECTORY")) env.credentials_dir = dir;
    char name[256] = {};
    if (::gethostname(name, sizeof name - 1) == 0) env.host_name = name;
    env.descriptors_max = holdfast::descriptors_max();
    env.now = WallClock::read();
    return env;
}

ConfigOutcome parse_config(std::string_view toml, const std::string& name, const ConfigEnvironment& env) {
    return parse_config(texts_of(name, std::string(toml)), env);
}

ConfigOutcome parse_config(const ConfigTexts& texts, const ConfigEnvironment& env, const Config* running) {
    const std::string& name = texts.local_name;
    const std::string* over = texts.remote ? &*texts.remote : nullptr;
    for (const auto& [text, of] : {std::pair(&texts.local, &name), std::pair(over, &texts.remote_name)})
        if (text != nullptr && text->size() > kConfigBytesMax)
            return unreadable(*of, fmt::format("has more than {} bytes", kConfigBytesMax));
    ConfigProblems problems(texts.local, name);
    ConfigText text = read_config_text(texts.local, problems);
    if (texts.remote) {
        ConfigProblems remote_problems(*texts.remote, texts.remote_name);
        ConfigText remote = read_config_text(*texts.remote, remote_problems);
        problems.absorb(std::move(remote_problems));
        lay_over(text, std::move(remote), problems);
    }
    if (env.check_files) expand_credentials(text, env, problems);
    if (running != nullptr) keep_running(text, *running);
    Draft draft;
    Filler(draft, text, problems).fill();
    draft.config.source = texts.remote ? fmt::format("{} over {}", texts.remote_name, name) : name;
    ConfigCheck check{draft, text, env, texts.folder, problems, running};
    // With a line left out, what the rest means together cannot be judged.
    if (text.whole) {
        check_node(check);
        check_sources(check);
        check_upstream(check);
        check_coordination(check);
        check_policy(check);
        check_gateway(check);
        if (env.check_files) check_files(check);
    }
    ConfigOutcome out;
    const bool failed = problems.failed();
    problems.move_into(out);
    if (failed) {
        out.seen = std::move(draft.config);
        return out;
    }
    draft.config.hash = hash_of(draft.config);
    out.config = std::move(draft.config);
    return out;
}

ConfigTexts texts_of(const std::string& path, std::string text) {
    const auto slash = path.rfind('/');
    std::string folder = slash == std::string::npos ? std::string{} : path.substr(0, slash);
    return {std::move(text), path, std::move(folder), std::nullopt, {}};
}

Result<std::string> read_config_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return fail(Code::io, Origin::local, fmt::format("cannot be opened: {}", std::strerror(errno)));
    std::string text(kConfigBytesMax + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (in.bad()) return fail(Code::io, Origin::local, fmt::format("cannot be read: {}", std::strerror(errno)));
    text.resize(static_cast<std::size_t>(in.gcount()));
    return text;
}

ConfigOutcome unreadable_config(const std::string& path, std::string why) {
    return unreadable(path, std::move(why));
}

ConfigOutcome load_config(const std::string& path, const ConfigEnvironment& env) {
    auto text = read_config_file(path);
    if (!text) return unreadable(path, text.error().detail);
    return parse_config(texts_of(path, std::move(*text)), env);
}

}  // namespace holdfast
