#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "edge/base/bytes.h"
#include "edge/base/crypto.h"
#include "edge/base/file.h"
#include "edge/config_check.h"
#include "edge/set_files.h"

namespace holdfast {
namespace {

constexpr std::size_t kKeyBytes = 32;

// Reads the bytes of a secret; warns when everybody on the machine can do the same.
bool read_secret(ConfigCheck& c, const std::string& key, std::string& path, std::size_t bytes_max, std::string& out) {
    path = resolve_file(c, path, true);
    c.draft.config.secret_files.push_back(path);
    auto bytes = read_regular_file(path, bytes_max);
    if (!bytes) {
        c.problems.error(c.at(key), fmt::format("{}: {}: {}", key, path, bytes.error().detail),
                         "a file that the node can read");
        return false;
    }
    out = std::move(*bytes);
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && (info.st_mode & S_IROTH) != 0)
        c.problems.warn(c.at(key), fmt::format("{}: everybody can read {}", key, path),
                        fmt::format("chmod o-rwx {}", path));
    return true;
}

}  // namespace

std::optional<std::string> read_secret_file(ConfigCheck& c, const std::string& key, std::string& path,
                                            std::size_t bytes_max) {
    std::string out;
    if (!read_secret(c, key, path, bytes_max, out)) return std::nullopt;
    return out;
}

namespace {

void read_credential(ConfigCheck& c, std::size_t i) {
    auto& credential = c.draft.config.credentials[i];
    auto& files = c.draft.credential_files[i];
    const auto load = [&c](const std::string& key, std::string& path, std::string& secret) {
        if (path.empty() || !read_secret(c, key, path, kSecretBytesMax + 1, secret)) return;
        if (!secret.empty() && secret.back() == '\n') secret.pop_back();
        if (secret.size() < kSecretBytesMin || secret.size() > kSecretBytesMax)
            c.problems.error(
                c.at(key), fmt::format("{}: the secret has {} bytes", key, secret.size()),
                fmt::format("{} to {} bytes, one final newline not counted", kSecretBytesMin, kSecretBytesMax));
    };
    const std::string key = fmt::format("credential[{}]", i);
    load(key + ".secret_file", files.secret, credential.secret);
    load(key + ".previous_secret_file", files.previous, credential.previous_secret);
    if (!credential.secret.empty() && credential.secret == credential.previous_secret)
        c.problems.error(c.at(key + ".previous_secret_file"), fmt::format("{}: both secrets are the same", key),
                         "two different ones");
}

void read_notify_secret(ConfigCheck& c) {
    auto& upstream = c.draft.config.upstream;
    std::string& secret = upstream.notify_secret;
    const std::string key = "upstream.notify_secret_file";
    if (upstream.notify_secret_file.empty()) return;
    if (!read_secret(c, key, upstream.notify_secret_file, kSecretBytesMax + 1, secret)) return;
    if (!secret.empty() && secret.back() == '\n') secret.pop_back();
    if (secret.size() < kSecretBytesMin || secret.size() > kSecretBytesMax)
        c.problems.error(
            c.at(key), fmt::format("{}: the secret has {} bytes", key, secret.size()),
            fmt::format("{} to {} bytes, one final newline not counted", kSecretBytesMin, kSecretBytesMax));
}

// As one word of a command that is suggested.
std::string shell_word(const std::string& text) {
    constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-+:@%";
    if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
    std::string out = "'";
    for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

// The file that is there may hold the key that the memory is sealed under, or another secret: what is suggested is run
// as it stands, so it writes to no file that exists (set -C).
std::string other_key(const std::string& path) {
    std::string fresh = path + ".new";
    for (int i = 2; ::access(fresh.c_str(), F_OK) == 0 && i < 100; ++i) fresh = fmt::format("{}.new-{}", path, i);
    return fmt::format(
        "the right file, or a new key: (set -C; umask 077; head -c 32 /dev/urandom > {}); under a new one all that was "
        "remembered, and the evidence that waits for reconciliation, is lost",
        shell_word(fresh));
}

void read_cache_key(ConfigCheck& c) {
    auto& cache = c.draft.config.cache;
    std::string bytes;
    if (cache.key_file.empty() || !read_secret(c, "cache.key_file", cache.key_file, 1u << 16, bytes)) return;
    if (bytes.size() != kKeyBytes) {
        const bool newline = bytes.size() == kKeyBytes + 1 && bytes.back() == '\n';
        c.problems.error(c.at("cache.key_file"),
                         fmt::format("cache.key_file: {} has {} bytes", cache.key_file, bytes.size()),
                         newline ? "exactly 32 bytes: the last one is a newline, as editors add it"
                                 : "exactly 32 bytes, a final newline counted",
                         newline ? "truncate -s 32 " + shell_word(cache.key_file) : other_key(cache.key_file));
        return;
    }
    std::memcpy(cache.key.data(), bytes.data(), kKeyBytes);
}

// The files that the road to the fleet's store needs; only where there is one.
void check_coordination_files(ConfigCheck& c) {
    auto& coordination = c.draft.config.coordination;
    if (!coordination.shared()) return;
    std::string& password = coordination.etcd.password;
    if (!coordination.password_file.empty() &&
        read_secret(c, "coordination.password_file", coordination.password_file, kSecretBytesMax + 1, password)) {
        if (password.ends_with('\n')) password.pop_back();
        if (password.empty())
            c.problems.error(c.at("coordination.password_file"),
                             fmt::format("coordination.password_file: {} is empty", coordination.password_file),
                             "the password of coordination.user");
    }
    check_client_tls(c, "coordination", {coordination.ca_file, coordination.certificate, coordination.key});
}

void read_access(ConfigCheck& c, const std::string& section, RemoteAccess& access) {
    check_client_tls(c, section, {access.ca_file, access.certificate, access.key});
    for (const auto& [key, path, to] : {std::tuple("password_file", &access.password_file, &access.password),
                                        std::tuple("token_file", &access.token_file, &access.token)}) {
        if (path->empty() || !read_secret(c, section + "." + key, *path, kSecretBytesMax + 1, *to)) continue;
        if (!to->empty() && to->back() == '\n') to->pop_back();
        const auto bad = [](char b) { return static_cast<unsigned char>(b) < 0x20 || b == 0x7f; };
        if (to->empty() || std::any_of(to->begin(), to->end(), bad))
            c.problems.error(c.at(section + "." + key), fmt::format("{}.{}: {} holds no secret", section, key, *path),
                             "printable bytes and at most one final newline");
    }
}

void check_set_files(ConfigCheck& c) {
    for (std::size_t i = 0; i < c.draft.config.prechecks.size(); ++i) {
        auto& rule = c.draft.config.prechecks[i];
        for (auto* match : {&rule.allow, &rule.deny}) {
            if (match->file.empty()) continue;
            const std::string key = fmt::format("precheck[{}].{}_file", i, match == &rule.allow ? "allow" : "deny");
            match->file = resolve_file(c, match->file, false);
            if (const auto set = read_value_set(match->file); !set) {
                c.problems.error(c.at(key), fmt::format("{}: {}", key, set.error().detail),
                                 "a file that the node can read, with one value a line");
            } else if (const std::string& doubt = (*set)->doubt(); !doubt.empty()) {
                c.problems.warn(c.at(key), fmt::format("{}: {}: {}", key, match->file, doubt),
                                "one value a line, as UTF-8");
            }
        }
    }
}

// The digests of what only a start reads; the memory's key is compared by itself, since the stores are sealed under it.
void note_start_files(ConfigCheck& c) {
    for (const Option& option : options()) {
        const bool secret = option.kind == OptionKind::secret_file;
        const std::string key(option.path);
        const auto given = c.text.given.find(key);
        if (option.reload == Reload::hot || (!secret && option.kind != OptionKind::input_file)) continue;
        if (given == c.text.given.end() || key == "cache.key_file") continue;
        const auto text = read_config_file(resolve_file(c, given->second.value.text, secret));
        if (text) c.draft.config.start_files.emplace(key, to_hex(Sha256::of(*text)));
    }
}

// The new files have been judged: what was read from the old ones goes on.
void keep_start_files(ConfigCheck& c) {
    if (c.running == nullptr) return;
    Config& config = c.draft.config;
    const Config& running = *c.running;
    config.start_files = running.start_files;
    config.coordination.etcd.password = running.coordination.etcd.password;
    config.upstream.notify_secret = running.upstream.notify_secret;
    const auto access = [](RemoteAccess& to, const RemoteAccess& from) {
        to.password = from.password;
        to.token = from.token;
    };
    access(config.config_source.access, running.config_source.access);
    access(config.registration.access, running.registration.access);
}

}  // namespace

std::string resolve_file(const ConfigCheck& c, const std::string& name, bool secret) {
    if (name.empty() || name.front() == '/') return name;
    if (secret && !c.env.credentials_dir.empty()) {
        const std::string there = c.env.credentials_dir + "/" + name;
        if (::access(there.c_str(), F_OK) == 0) return there;
    }
    return c.folder.empty() ? name : c.folder + "/" + name;
}

void check_files(ConfigCheck& c) {
    for (std::size_t i = 0; i < c.draft.config.credentials.size(); ++i) read_credential(c, i);
    read_cache_key(c);
    check_set_files(c);
    auto& config = c.draft.config;
    if (config.config_source.kind != "file") read_access(c, "config_source", config.config_source.access);
    if (config.registration.kind != "none") read_access(c, "registration", config.registration.access);
    check_listener_tls(c);
    auto& upstream = config.upstream;
    check_client_tls(c, "upstream", {upstream.ca_file, upstream.certificate, upstream.key});
    check_coordination_files(c);
    if (c.draft.config.upstream.kind == "alipay") read_alipay_files(c);
    read_gateway_files(c);
    read_notify_secret(c);
    note_start_files(c);
    keep_start_files(c);
    check_opened(c);
}

}  // namespace holdfast
