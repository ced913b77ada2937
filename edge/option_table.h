// The one list of configuration keys: path, kind, default, bounds, whether a reload applies it, what it means, and
// where it goes in Config. It drives reading, checking, dumping and the documentation; a key that is not here is an
// error.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "edge/config.h"

namespace holdfast {

enum class OptionKind : std::uint8_t {
    text,
    path,         // of something the node makes or serves: taken as it is
    input_file,   // of a file it reads: a relative name is looked up beside the configuration file
    secret_file,  // likewise, but first in $CREDENTIALS_DIRECTORY
    choice,       // one of `choices`
    boolean,
    integer,
    number,
    size,      // string, "4MiB"
    duration,  // string, "250ms"
    texts,     // list of strings
    integers,  // list of integers
    lists,     // table of lists of strings
    fields,    // table of strings
};
std::string_view described(OptionKind kind);  // "a duration such as \"250ms\""

struct OptionValue {
    OptionKind kind = OptionKind::text;
    std::string text;
    bool flag = false;
    std::uint64_t whole = 0;  // integers and sizes
    double number = 0;        // numbers, and whole as a number
    Nanos duration{};
    std::vector<std::string> texts;
    std::vector<std::uint64_t> integers;
    std::map<std::string, std::vector<std::string>> lists;
    std::map<std::string, std::string> fields;
};

enum class Reload : std::uint8_t { hot, restart };

// What a Config is filled through: the config, the element of a list that is being filled, and the file names that stay
// out of Config.
struct Draft {
    struct CredentialFiles {
        std::string secret, previous;
    };
    Config config;
    std::size_t at = 0;  // of [[credential]], [[precheck]], [[upstream.endpoint]], [[gateway.app]] or [scene.*]
    std::vector<CredentialFiles> credential_files;
};

struct Bounds {
    double min = 0;
    double max = 0;  // bytes, nanoseconds or plain, both included; for lists: how many entries; for texts: bytes
};

struct Option {
    // "limits.body_bytes"; "credential[].id" of each [[credential]]; "scene.*.degrade" of each [scene.NAME].
    std::string_view path;
    OptionKind kind = OptionKind::text;
    // As written in a file, without quotes; lists with commas. nullptr: none, and the key stays unset.
    const char* fallback = nullptr;
    Bounds bounds;
    Reload reload = Reload::hot;
    std::string_view doc;  // one sentence
    void (*apply)(Draft& draft, const OptionValue& value) = nullptr;
    std::string_view choices = {};  // "a|b|c"
    bool required = false;

    // The table that the key stands in: "limits", "credential[]", "scene.*", "upstream.circuit"; and the rest of the
    // path.
    std::string_view section() const;
    std::string_view leaf() const { return path.substr(section().size() + 1); }
};

std::span<const Option> options();
const Option* find_option(std::string_view path);
// The names that may stand below a table ("": the top), and whether `prefix` is a table at all.
std::vector<std::string_view> option_children(std::string_view prefix);
bool is_option_table(std::string_view prefix);

// The default as a value. Requires: option.fallback.
OptionValue fallback_of(const Option& option);
// The value as TOML, in its shortest form.
std::string to_toml(const OptionValue& value);
std::string toml_string(std::string_view text);  // quoted
std::string toml_key(std::string_view name);     // quoted where it must be
// "between 1KiB and 16MiB" in the option's own unit; empty when nothing is to be said.
std::string bounds_text(const Option& option);
bool within_bounds(const Option& option, const OptionValue& value);

// The parts of the table, one a file.
std::span<const Option> node_options();
std::span<const Option> upstream_options();
std::span<const Option> alipay_options();
std::span<const Option> gateway_options();
std::span<const Option> shaping_options();
std::span<const Option> policy_options();
std::span<const Option> source_options();

}  // namespace holdfast
