#include "edge/config_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "edge/base/bytes.h"
#include "edge/config_syntax.h"
#include "edge/config_value.h"

namespace holdfast {
namespace {

constexpr std::size_t kChildrenShownMax = 12;  // of a table, in "expected one of …"

TextPlace place_of_position(const toml::source_position& at) {
    return {at.line, at.column};
}

std::string joined(std::string_view prefix, std::string_view key) {
    return prefix.empty() ? std::string(key) : fmt::format("{}.{}", prefix, key);
}

class Walk {
  public:
    Walk(ConfigText& out, ConfigProblems& problems) : out_(out), problems_(problems) {}

    // `pattern` is the table in the option table ("scene.*"), `path` the same with its instance ("scene.LOGIN").
    void table(const toml::table& t, std::string_view pattern, const std::string& path) {
        for (const auto& [key, node] : t) {
            const std::string child = joined(pattern, key.str());
            const std::string child_path = joined(path, toml_key(key.str()));
            if (const Option* option = find_option(child))
                value(*option, child_path, node);
            else if (is_option_table(child + ".*"))
                named_tables(node, child, child_path);
            else if (is_option_table(child + "[]"))
                list_of_tables(node, child, child_path);
            else if (is_option_table(child))
                below(node, child, child_path);
            else
                unknown(key, pattern, path);
        }
    }

  private:
    void value(const Option& option, const std::string& path, const toml::node& node) {
        ConfigText::Given given{&option, {}, holdfast::place_of(node)};
        if (auto v = read_value(option, path, node, problems_)) {
            given.value = std::move(*v);
            out_.given.emplace(path, std::move(given));
        } else {
            out_.tables.emplace(path, given.place);
        }
    }

    void below(const toml::node& node, const std::string& pattern, const std::string& path) {
        const auto* t = node.as_table();
        if (!t) {
            problems_.error(holdfast::place_of(node), fmt::format("{} is not a table", path),
                            fmt::format("[{}] or {} = {{ ... }}", path, path));
            return;
        }
        out_.tables.emplace(path, holdfast::place_of(node));
        table(*t, pattern, path);
    }

    void list_of_tables(const toml::node& node, const std::string& pattern, const std::string& path) {
        const auto* list = node.as_array();
        if (!list || !std::all_of(list->begin(), list->end(), [](const toml::node& n) { return n.is_table(); })) {
            problems_.error(holdfast::place_of(node), fmt::format("{} is not a list of tables", path),
                            fmt::format("[[{}]]", path));
            return;
        }
        std::size_t& count = pattern == "credential" ? out_.credentials
                             : pattern == "precheck" ? out_.prechecks
                             : pattern == "gateway.app" ? out_.gateway_apps
                                                        : out_.endpoints;
        const std::size_t max = pattern == "credential" ? kCredentialsMax
                                : pattern == "precheck" ? kPrechecksMax
                                : pattern == "gateway.app" ? kDropInAppsMax
                                                           : kEndpointsMax;
        if (list->size() > max) {
            problems_.error(holdfast::place_of((*list)[max]), fmt::format("too many [[{}]]", path),
                            fmt::format("at most {}", max));
            return;
        }
        count = list->size();
        for (std::size_t i = 0; i < list->size(); ++i)
            below((*list)[i], pattern + "[]", fmt::format("{}[{}]", path, i));
    }

    void named_tables(const toml::node& node, const std::string& pattern, const std::string& path) {
        const auto* t = node.as_table();
        if (!t) {
            problems_.error(holdfast::place_of(node), fmt::format("{} is not a table", path),
                            fmt::format("[{}.NAME]", path));
            return;
        }
        if (t->size() > kConfigScenesMax) {
            problems_.error(holdfast::place_of(node), fmt::format("too many [{}.NAME]", path),
                            fmt::format("at most {}", kConfigScenesMax));
            return;
        }
        for (const auto& [name, child] : *t) {
            out_.scenes.emplace_back(name.str());
            below(child, pattern + ".*", joined(path, toml_key(name.str())));
        }
    }

    void unknown(const toml::key& key, std::string_view pattern, const std::string& path) {
        const TextPlace at = place_of_position(key.source().begin);
        const auto children = option_children(pattern);
        std::string expected;
        if (children.size() <= kChildrenShownMax)
            for (const auto name : children) expected += (expected.empty() ? "one of " : ", ") + std::string(name);
        const std::string shown = joined(path, toml_key(key.str()));
        problems_.error(at, fmt::format("unknown key {}", shown.substr(0, 200)), expected,
                        suggestion(key.str(), children));
    }

    // The nearest neighbour, else the table that has a key of this name.
    static std::string suggestion(std::string_view typed, const std::vector<std::string_view>& children) {
        if (const auto near = nearest(typed, children); !near.empty()) return fmt::format("did you mean {}?", near);
        for (const auto& option : options()) {
            const auto dot = option.path.rfind('.');
            if (option.path.substr(dot + 1) != typed) continue;
            const auto table = option.path.substr(0, dot);
            return fmt::format("did you mean {} in [{}]?", typed,
                               table.ends_with("[]") ? "[" + std::string(table.substr(0, table.size() - 2)) + "]"
                                                     : std::string(table));
        }
        return {};
    }

    ConfigText& out_;
    ConfigProblems& problems_;
};

}  // namespace

TextPlace ConfigText::place_of(const std::string& key) const {
    if (const auto it = given.find(key); it != given.end()) return it->second.place;
    for (std::string path = key; !path.empty();) {
        if (const auto it = tables.find(path); it != tables.end()) return it->second;
        const auto dot = path.rfind('.');
        path.resize(dot == std::string::npos ? 0 : dot);
    }
    return {};
}

ConfigText read_config_text(std::string_view toml, ConfigProblems& problems) {
    ConfigText out;
    const ParsedToml parsed = parse_toml(toml, problems);
    out.whole = parsed.whole;
    Walk(out, problems).table(parsed.table, "", "");
    return out;
}

}  // namespace holdfast
