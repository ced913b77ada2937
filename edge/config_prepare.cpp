#include "edge/config_prepare.h"

#include <algorithm>
#include <map>

#include "edge/base/bytes.h"
#include "edge/base/crypto.h"

namespace holdfast {
namespace {

std::vector<const std::string*> tls_files(const Config& c) {
    return {&c.listen.certificate, &c.listen.key, &c.upstream.ca_file, &c.upstream.certificate, &c.upstream.key};
}

std::vector<std::string> differing(const Config& running, const Config& wanted) {
    std::map<std::string_view, std::string_view> before;
    for (const auto& setting : running.settings) before.emplace(setting.key, setting.value);
    std::vector<std::string> out;
    for (const auto& setting : wanted.settings) {
        const auto it = before.find(setting.key);
        if (it == before.end() || it->second != setting.value) out.push_back(setting.key);
        if (it != before.end()) before.erase(it);
    }
    for (const auto& [key, _] : before) out.emplace_back(key);
    return out;
}

void add_error(ConfigOutcome& outcome, const std::string& file, std::string message) {
    outcome.config.reset();
    ConfigProblem problem;
    problem.file = file;
    problem.message = std::move(message);
    outcome.errors.push_back(std::move(problem));
}

void load_tls(PreparedConfig& out, const ConfigEnvironment& env) {
    const Config& c = *out.outcome.config;
    out.tls_fingerprint = tls_fingerprint_of(c);
    if (c.listen.tls()) {
        auto made = TlsServerContext::load({c.listen.certificate, c.listen.key, ""}, env.now);
        if (!made) return add_error(out.outcome, out.texts.local_name, made.error().detail);
        out.server_tls = std::move(*made);
    }
    if (!needs_client_tls(c)) return;
    auto made = TlsClientContext::load({c.upstream.ca_file, c.upstream.certificate, c.upstream.key}, env.now);
    if (!made) return add_error(out.outcome, out.texts.local_name, made.error().detail);
    out.client_tls = std::move(*made);
}

}  // namespace

bool needs_client_tls(const Config& config) {
    if (!config.tracing.endpoint.url.empty() && config.tracing.endpoint.tls) return true;
    const UpstreamOptions& upstream = config.upstream.options;
    if (const auto shadow = parse_endpoint(upstream.mirror.url); shadow && shadow->tls) return true;
    return std::any_of(upstream.endpoints.begin(), upstream.endpoints.end(), [](const Endpoint& e) { return e.tls; });
}

std::string tls_fingerprint_of(const Config& config) {
    Sha256 hash;
    for (const std::string* path : tls_files(config)) {
        const auto text = path->empty() ? Result<std::string>(std::string()) : read_config_file(*path);
        const std::string size = std::to_string(text ? text->size() : 0) + ":";
        hash.update(size);
        if (text) hash.update(*text);
    }
    return to_hex(hash.finish());
}

std::vector<std::string> followed_files(const Config& config) {
    std::vector<std::string> out;
    for (const std::string* path : tls_files(config))
        if (!path->empty()) out.push_back(*path);
    out.insert(out.end(), config.secret_files.begin(), config.secret_files.end());
    return out;
}

PreparedConfig prepare_config(ConfigTexts texts, const ConfigEnvironment& env, const Config& running) {
    PreparedConfig out;
    out.texts = std::move(texts);
    ConfigOutcome wanted = parse_config(out.texts, env);
    if (!wanted.config) {
        out.outcome = std::move(wanted);
        if (running.listen.tls())
            if (const auto pair = TlsServerContext::load({running.listen.certificate, running.listen.key, ""}, env.now);
                !pair)
                out.certificate_problem = pair.error().detail;
        return out;
    }
    out.restart_needed = restart_needed(running, *wanted.config);
    out.other_key = wanted.config->cache.key != running.cache.key;
    if (out.restart_needed.empty()) {
        out.outcome = std::move(wanted);
    } else {
        // As it would be with the old values of those keys: that, too, must be a valid whole.
        out.outcome = parse_config(out.texts, env, &running);
        if (!out.outcome.config) return out;
        out.outcome.config->cache.key = running.cache.key;
    }
    out.changed = differing(running, *out.outcome.config);
    auto sets = SetFiles::load(out.outcome.config->prechecks);
    if (!sets) {
        add_error(out.outcome, out.texts.local_name, sets.error().detail);
        return out;
    }
    out.sets = std::move(*sets);
    load_tls(out, env);
    return out;
}

}  // namespace holdfast
