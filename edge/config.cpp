#include "edge/config.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "edge/base/bytes.h"
#include "edge/base/crypto.h"
#include "edge/config_check.h"

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
            setting.origin = fmt::format("{}:{}", problems_.file(), it->second.place.line);
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
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        env.descriptors_max = limit.rlim_cur;
    env.now = WallClock::read();
    return env;
}

ConfigOutcome parse_config(std::string_view toml, const std::string& name, const ConfigEnvironment& env) {
    if (toml.size() > kConfigBytesMax) return unreadable(name, fmt::format("has more than {} bytes", kConfigBytesMax));
    ConfigProblems problems(toml, name);
    ConfigText text = read_config_text(toml, problems);
    Draft draft;
    Filler(draft, text, problems).fill();
    draft.config.source = name;
    const auto slash = name.rfind('/');
    ConfigCheck check{draft, text, env, slash == std::string::npos ? std::string{} : name.substr(0, slash), problems};
    // With a line left out, what the rest means together cannot be judged.
    if (text.whole) {
        check_node(check);
        check_upstream(check);
        check_coordination(check);
        check_policy(check);
        if (env.check_files) check_files(check);
    }
    ConfigOutcome out;
    const bool failed = problems.failed();
    problems.move_into(out);
    if (failed) return out;
    draft.config.hash = hash_of(draft.config);
    out.config = std::move(draft.config);
    return out;
}

ConfigOutcome load_config(const std::string& path, const ConfigEnvironment& env) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return unreadable(path, fmt::format("cannot be opened: {}", std::strerror(errno)));
    std::string text(kConfigBytesMax + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (in.bad()) return unreadable(path, fmt::format("cannot be read: {}", std::strerror(errno)));
    text.resize(static_cast<std::size_t>(in.gcount()));
    return parse_config(text, path, env);
}

}  // namespace holdfast
