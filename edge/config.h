// The configuration of a node as one immutable value: what every part is made from, and where each setting came from.
// Loading reports all errors of a file in one run and yields a Config only when there are none. Which keys exist, with
// their bounds and defaults, is option_table.h. Secrets are read from their files; nothing here prints one.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/log.h"
#include "edge/base/result.h"
#include "edge/base/time.h"
#include "edge/config_parts.h"

namespace holdfast {

struct Config {
    NodeConfig node;
    ListenConfig listen;
    AdminConfig admin;
    LimitsConfig limits;
    DrainConfig drain;
    AuthConfig auth;
    ClockConfig clock;
    LogConfig log;
    TracingConfig tracing;
    std::vector<CredentialSpec> credentials;
    UpstreamConfig upstream;
    GatewayConfig gateway;
    CoordinationConfig coordination;
    CacheConfig cache;
    OrdersConfig orders;
    ReconcileConfig reconcile;
    ConfigSourceConfig config_source;
    RegistrationConfig registration;
    std::vector<PrecheckRule> prechecks; // in order
    std::vector<SceneConfig> scenes;

    // One line of `config show`: every key of the option table, set or defaulted, in the order of the table.
    struct Setting {
        std::string key;     // "limits.body_bytes", "scene.LOGIN.cache.max_age", "credential[0].id"
        std::string value;   // as TOML; secrets are never values
        std::string origin;  // "file:line" or "default"
        bool hot = false;    // a reload applies it
        std::string section; // "limits", "scene.LOGIN", "credential[0]": where a dump writes it
        std::string leaf;    // the rest of the key
    };
    std::vector<Setting> settings;
    std::string source;           // what it was read from, for people
    std::string kind = "file";    // the same as a word: file, etcd, consul, nacos; or rollback
    std::vector<std::string> secret_files;  // where its secrets were read from
    // SHA-256 of the files that only a start reads, by the key that names them: such a key is changed when its file is.
    std::map<std::string, std::string> start_files;
    std::string hash;             // 16 hex digits over all settings and the bytes of the secrets (keyed, one way)
    std::uint64_t generation = 0; // counted by whoever adopts it

    const SceneConfig* scene(std::string_view name) const; // nullptr: not configured
};

struct ConfigProblem {
    std::string file;
    unsigned line = 0;   // from 1; 0: the problem has no place in the file
    unsigned column = 0; // from 1, in bytes
    std::string message;
    std::string expected;   // empty: said by the message
    std::string suggestion; // "did you mean …", or how to fix it; may be empty
    std::string excerpt;    // the line of the file
    bool passes = false;    // by itself: the dates of a certificate, while the file stays as it is
};

struct ConfigOutcome {
    std::optional<Config> config; // there if and only if errors is empty
    std::optional<Config> seen;   // else what could be read, with defaults for the rest: to look by, never to run
    std::vector<ConfigProblem> errors;
    std::vector<ConfigProblem> warnings;
    // Whether a later try may succeed with the same files: every error passes.
    bool passes() const {
        return !errors.empty() && std::all_of(errors.begin(), errors.end(), [](const auto& e) { return e.passes; });
    }
};

inline constexpr std::size_t kConfigBytesMax = 4u << 20;
inline constexpr std::size_t kProblemsMax = 100; // shown in one run; the last then says how many more there are

// Where files named by the configuration are looked up and what the machine allows; taken from the process by default.
struct ConfigEnvironment {
    std::string credentials_dir;       // $CREDENTIALS_DIRECTORY; empty: not set
    std::string host_name;             // default of node.name
    std::uint64_t descriptors_max = 0; // RLIMIT_NOFILE; 0: not known
    WallTime now{};                    // for the dates of certificates
    bool check_files = true;           // false: secrets and certificates are not opened (fuzzing, packaged file)
    static ConfigEnvironment of_process();
};

// What a configuration is made of: the file's text, and what a remote source lays over its policy part.
struct ConfigTexts {
    std::string local;
    std::string local_name;  // how messages and origins call it
    std::string folder;      // where relative names of files are looked up; empty: the working folder
    std::optional<std::string> remote;
    std::string remote_name;  // "etcd:holdfast/config"
    bool operator==(const ConfigTexts&) const = default;
};
// The file of a configuration as text; an error is a sentence.
Result<std::string> read_config_file(const std::string& path);
ConfigTexts texts_of(const std::string& path, std::string text);
ConfigOutcome unreadable_config(const std::string& path, std::string why);

ConfigOutcome load_config(const std::string& path, const ConfigEnvironment& env = ConfigEnvironment::of_process());
// The same from text; `name` stands for the file in messages.
ConfigOutcome parse_config(std::string_view toml, const std::string& name, const ConfigEnvironment& env);
// `running`: keys that need a restart keep the values that they have there, and what was read from their files,
// whatever the texts and the files say now.
ConfigOutcome parse_config(const ConfigTexts& texts, const ConfigEnvironment& env, const Config* running = nullptr);

// "file:line:column: error: message", the line, a caret, what was expected, a suggestion. Ends with a newline.
std::string render(const ConfigProblem& problem, std::string_view severity = "error");
std::string render_all(const ConfigOutcome& outcome); // errors, then warnings

// The effective configuration as TOML that parses back to the same settings.
std::string dump_config(const Config& config);
// The same with the origin of each value: {"key","value","origin","reload"} a line.
std::string dump_origins(const Config& config);
// Keys that differ between two configurations, or whose files do, and that need a restart to take effect.
std::vector<std::string> restart_needed(const Config& running, const Config& wanted);

} // namespace holdfast
