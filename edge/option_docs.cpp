#include "edge/option_docs.h"

#include <fmt/format.h>

#include "edge/base/json.h"
#include "edge/option_table.h"

namespace holdfast {
namespace {

// "credential[]" is written "[[credential]]", "scene.*" is written "[scene.NAME]".
std::string heading(std::string_view section) {
    if (section.ends_with("[]")) return fmt::format("[[{}]]", section.substr(0, section.size() - 2));
    if (section.ends_with(".*")) return fmt::format("[{}.NAME]", section.substr(0, section.size() - 2));
    return fmt::format("[{}]", section);
}

std::string_view word(OptionKind kind) {
    constexpr std::string_view kWords[] = {"text",    "path",   "file", "secret file", "choice", "boolean", "integer",
                                           "number", "size", "duration", "texts", "integers", "table of lists",
                                           "table of texts"};
    return kWords[static_cast<std::size_t>(kind)];
}

std::string_view reload_word(const Option& option) {
    return option.reload == Reload::hot ? "hot" : "restart";
}

std::vector<std::string> choices_of(const Option& option) {
    std::vector<std::string> out;
    for (std::string_view rest = option.choices; !rest.empty();) {
        const auto end = std::min(rest.find('|'), rest.size());
        out.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return out;
}

bool is_text(OptionKind kind) {
    return kind == OptionKind::text || kind == OptionKind::path || kind == OptionKind::input_file ||
           kind == OptionKind::secret_file;
}

// The bounds of a text are said only where they say something: that it must not be empty goes without saying.
std::string shown_bounds(const Option& option) {
    return is_text(option.kind) ? std::string() : bounds_text(option);
}

class Schema {
  public:
    explicit Schema(std::string& out) : w_(out) {}

    void write() {
        w_.begin_object()
            .member("$schema", "https://json-schema.org/draft/2020-12/schema")
            .member("title", "Configuration of a Holdfast node");
        members("");
        w_.end_object();
    }

  private:
    // The members of an object that is already open: `pattern` is a table of the option table, "" the whole file.
    void members(const std::string& pattern) {
        w_.member("type", "object").member("additionalProperties", false).key("properties").begin_object();
        std::vector<std::string_view> required;
        for (const auto name : option_children(pattern)) {
            if (name == "*") continue;
            const std::string child = pattern.empty() ? std::string(name) : pattern + "." + std::string(name);
            w_.key(name).begin_object();
            if (const Option* option = find_option(child)) {
                value(*option);
                if (option->required) required.push_back(name);
            } else {
                table(child);
            }
            w_.end_object();
        }
        w_.end_object();
        if (required.empty()) return;
        w_.key("required").begin_array();
        for (const auto name : required) w_.string(name);
        w_.end_array();
    }

    void table(const std::string& child) {
        if (is_option_table(child + "[]")) {
            w_.member("type", "array").key("items").begin_object();
            members(child + "[]");
            w_.end_object();
        } else if (is_option_table(child + ".*")) {
            w_.member("type", "object").key("additionalProperties").begin_object();
            members(child + ".*");
            w_.end_object();
        } else {
            members(child);
        }
    }

    void value(const Option& option) {
        const auto bounds = shown_bounds(option);
        w_.member("description", fmt::format("{}{}{}{}", option.doc, bounds.empty() ? "" : " (", bounds,
                                             bounds.empty() ? "" : ")"));
        type(option);
        if (option.fallback != nullptr) fallback(option);
        w_.member("x-reload", reload_word(option));
    }

    void list(std::string_view item_type, const Bounds& bounds) {
        w_.member("type", "array");
        w_.key("items").begin_object().member("type", item_type).end_object();
        w_.member("minItems", std::uint64_t(bounds.min)).member("maxItems", std::uint64_t(bounds.max));
    }

    void type(const Option& option) {
        const Bounds& b = option.bounds;
        switch (option.kind) {
            case OptionKind::boolean:
                w_.member("type", "boolean");
                return;
            case OptionKind::integer:
                w_.member("type", "integer").member("minimum", b.min).member("maximum", b.max);
                return;
            case OptionKind::number:
                w_.member("type", "number").member("minimum", b.min).member("maximum", b.max);
                return;
            case OptionKind::texts:
                return list("string", b);
            case OptionKind::integers:
                return list("integer", b);
            case OptionKind::lists:
                w_.member("type", "object").key("additionalProperties").begin_object().member("type", "array");
                w_.key("items").begin_object().member("type", "string").end_object().end_object();
                return;
            case OptionKind::fields:
                w_.member("type", "object").key("additionalProperties").begin_object().member("type", "string");
                w_.end_object();
                return;
            case OptionKind::choice:
                w_.key("enum").begin_array();
                for (const auto& choice : choices_of(option)) w_.string(choice);
                w_.end_array();
                return;
            case OptionKind::size:
            case OptionKind::duration:
                // Units as edge/base reads them; the bounds are in the description.
                w_.member("type", "string").member("pattern", option.kind == OptionKind::size
                                                                  ? "^[0-9]+(B|KiB|MiB|GiB|TiB)$"
                                                                  : "^[0-9]+(ns|us|ms|s|m|h|d)$");
                return;
            default:
                // The bounds of a text count bytes, a schema counts characters: only the upper one carries over.
                w_.member("type", "string").member("maxLength", std::uint64_t(b.max));
        }
    }

    void fallback(const Option& option) {
        const auto v = fallback_of(option);
        w_.key("default");
        if (option.kind == OptionKind::boolean || option.kind == OptionKind::integer ||
            option.kind == OptionKind::number || option.kind == OptionKind::integers) {
            w_.raw(to_toml(v));  // these are written alike in both
        } else if (option.kind == OptionKind::texts) {
            w_.begin_array();
            for (const auto& text : v.texts) w_.string(text);
            w_.end_array();
        } else if (option.kind == OptionKind::lists || option.kind == OptionKind::fields) {
            w_.begin_object().end_object();
        } else {
            w_.string(option.fallback);
        }
    }

    json::Writer w_;
};

std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|') out += '\\';
        out += c;
    }
    return out;
}

}  // namespace

std::string dump_options() {
    std::string out;
    for (const auto& option : options()) {
        json::Writer w(out);
        w.begin_object()
            .member("key", option.path)
            .member("section", option.section())
            .member("heading", heading(option.section()))
            .member("name", option.leaf())
            .member("kind", word(option.kind))
            .member("expects", described(option.kind));
        if (option.fallback != nullptr) w.member("default", to_toml(fallback_of(option)));
        if (const auto bounds = shown_bounds(option); !bounds.empty()) w.member("bounds", bounds);
        if (!option.choices.empty()) {
            w.key("choices").begin_array();
            for (const auto& choice : choices_of(option)) w.string(choice);
            w.end_array();
        }
        w.member("required", option.required)
            .member("reload", reload_word(option))
            .member("doc", option.doc)
            .end_object();
        out += '\n';
    }
    return out;
}

std::string dump_schema() {
    std::string out;
    Schema(out).write();
    return out + "\n";
}

std::string dump_reference() {
    std::string out =
        "# Configuration reference\n\n"
        "Made from the option table by `holdfast --dump-reference`; a test compares the two. A key marked *restart*\n"
        "is read at start only: a reload that changes it says so, and the rest of the file takes effect.\n\n"
        "A *file* with a relative name is looked up beside the configuration file, a *secret file* first in\n"
        "`$CREDENTIALS_DIRECTORY`. Both may begin with `${CREDENTIALS_DIRECTORY}/`, which systemd sets for a service\n"
        "with `LoadCredential=`; no other variable is looked at.\n";
    std::string_view section;
    for (const auto& option : options()) {
        if (option.section() != section) {
            section = option.section();
            out += fmt::format("\n## `{}`\n\n| key | value | default | reload | meaning |\n|---|---|---|---|---|\n",
                               heading(section));
        }
        const auto bounds = shown_bounds(option);
        const std::string value = option.kind == OptionKind::choice ? bounds
                                  : bounds.empty()                  ? std::string(word(option.kind))
                                                                    : fmt::format("{}, {}", word(option.kind), bounds);
        const std::string fallback = option.required              ? "required"
                                     : option.fallback == nullptr ? "none"
                                                                  : "`" + to_toml(fallback_of(option)) + "`";
        out += fmt::format("| `{}` | {} | {} | {} | {} |\n", option.leaf(), cell(value), cell(fallback),
                           reload_word(option), cell(option.doc));
    }
    return out;
}

}  // namespace holdfast
