#include "edge/option_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "edge/base/bytes.h"
#include "edge/base/check.h"

namespace holdfast {
namespace {

// Tables that a dump writes under a heading of their own; all other tables below them are written with dotted keys.
constexpr std::array<std::string_view, 12> kSections{
    "credential[]",     "precheck[]",      "scene.*",           "upstream.endpoint[]", "upstream.retry",
    "upstream.circuit", "upstream.health", "upstream.ejection", "upstream.mirror",     "upstream.alipay.response",
    "upstream.alipay",  "gateway.app[]"};

std::vector<std::string> split(std::string_view text, char at) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const auto end = std::min(text.find(at), text.size());
        out.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

// The shortest text that reads back; whole numbers without a fraction.
std::string number_text(double v) {
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, v);
    std::string out(buffer, end.ptr);
    return out;
}

std::string in_unit(OptionKind kind, double v) {
    if (kind == OptionKind::size) return format_size(static_cast<std::uint64_t>(v));
    if (kind == OptionKind::duration) return format_duration(Nanos(static_cast<std::int64_t>(v)));
    return v < 1e15 && v == std::floor(v) ? std::to_string(static_cast<std::int64_t>(v)) : number_text(v);
}

template <typename List, typename Write>
std::string list_text(const List& list, Write write) {
    std::string out = "[";
    for (const auto& item : list) {
        if (out.size() > 1) out += ", ";
        out += write(item);
    }
    return out + "]";
}

std::string texts_text(const std::vector<std::string>& texts) {
    return list_text(texts, [](const std::string& t) { return toml_string(t); });
}

bool is_number(OptionKind kind) {
    return kind == OptionKind::integer || kind == OptionKind::number || kind == OptionKind::size ||
           kind == OptionKind::duration;
}

}  // namespace

std::string_view described(OptionKind kind) {
    switch (kind) {
        case OptionKind::text:
            return "a string";
        case OptionKind::path:
            return "a path in quotes";
        case OptionKind::input_file:
        case OptionKind::secret_file:
            return "the path of a file in quotes";
        case OptionKind::choice:
            return "one of its words in quotes";
        case OptionKind::boolean:
            return "true or false";
        case OptionKind::integer:
            return "a whole number";
        case OptionKind::number:
            return "a number";
        case OptionKind::size:
            return "a size in quotes, such as \"512B\", \"16KiB\", \"4MiB\"";
        case OptionKind::duration:
            return "a duration in quotes, such as \"250ms\", \"10s\", \"15m\", \"6h\"";
        case OptionKind::texts:
            return "a list of strings";
        case OptionKind::integers:
            return "a list of whole numbers";
        case OptionKind::lists:
            return "a table of lists of strings";
        case OptionKind::fields:
            return "a table of strings";
    }
    return "";
}

std::string_view Option::section() const {
    for (const auto section : kSections)
        if (path.size() > section.size() && path.starts_with(section) && path[section.size()] == '.') return section;
    return path.substr(0, path.find('.'));
}

std::span<const Option> options() {
    static const std::vector<Option> all = [] {
        std::vector<Option> out;
        for (const auto part :
             {node_options(), source_options(), upstream_options(), shaping_options(), alipay_options(),
              gateway_options(), policy_options()})
            out.insert(out.end(), part.begin(), part.end());
        return out;
    }();
    return all;
}

const Option* find_option(std::string_view path) {
    for (const auto& option : options())
        if (option.path == path) return &option;
    return nullptr;
}

std::vector<std::string_view> option_children(std::string_view prefix) {
    std::vector<std::string_view> out;
    for (const auto& option : options()) {
        std::string_view rest = option.path;
        if (!prefix.empty()) {
            if (!rest.starts_with(prefix) || rest.size() <= prefix.size() || rest[prefix.size()] != '.') continue;
            rest.remove_prefix(prefix.size() + 1);
        }
        auto child = rest.substr(0, rest.find('.'));
        if (child.ends_with("[]")) child.remove_suffix(2);
        if (std::find(out.begin(), out.end(), child) == out.end()) out.push_back(child);
    }
    return out;
}

bool is_option_table(std::string_view prefix) {
    return std::any_of(options().begin(), options().end(), [prefix](const Option& option) {
        return option.path.size() > prefix.size() && option.path.starts_with(prefix) &&
               option.path[prefix.size()] == '.';
    });
}

OptionValue fallback_of(const Option& option) {
    HF_CHECK(option.fallback != nullptr);
    const std::string_view text = option.fallback;
    OptionValue v;
    v.kind = option.kind;
    switch (option.kind) {
        case OptionKind::boolean:
            v.flag = text == "true";
            break;
        case OptionKind::integer:
            v.whole = std::stoull(option.fallback);
            break;
        case OptionKind::number:
            v.number = std::stod(option.fallback);
            break;
        case OptionKind::size:
            v.whole = parse_size(text).value();
            break;
        case OptionKind::duration:
            v.duration = parse_duration(text).value();
            break;
        case OptionKind::texts:
            v.texts = split(text, ',');
            break;
        case OptionKind::integers:
            for (const auto& item : split(text, ',')) v.integers.push_back(std::stoull(item));
            break;
        case OptionKind::lists:
        case OptionKind::fields:
            break;
        default:
            v.text = text;
    }
    if (option.kind == OptionKind::integer || option.kind == OptionKind::size) v.number = static_cast<double>(v.whole);
    return v;
}

std::string toml_string(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20 || byte == 0x7f) {
            constexpr char kHex[] = "0123456789ABCDEF";
            out += "\\u00";
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        } else {
            out += c;
        }
    }
    return out + "\"";
}

std::string toml_key(std::string_view name) {
    const bool bare = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
    return bare ? std::string(name) : toml_string(name);
}

std::string to_toml(const OptionValue& v) {
    switch (v.kind) {
        case OptionKind::boolean:
            return v.flag ? "true" : "false";
        case OptionKind::integer:
            return std::to_string(v.whole);
        case OptionKind::number:
            return in_unit(OptionKind::number, v.number);
        case OptionKind::size:
            return toml_string(format_size(v.whole));
        case OptionKind::duration:
            return toml_string(format_duration(v.duration));
        case OptionKind::texts:
            return texts_text(v.texts);
        case OptionKind::integers:
            return list_text(v.integers, [](std::uint64_t i) { return std::to_string(i); });
        case OptionKind::lists: {
            std::string out = "{";
            for (const auto& [name, list] : v.lists)
                out += (out.size() > 1 ? ", " : " ") + toml_key(name) + " = " + texts_text(list);
            return out + (v.lists.empty() ? "}" : " }");
        }
        case OptionKind::fields: {
            std::string out = "{";
            for (const auto& [name, text] : v.fields)
                out += (out.size() > 1 ? ", " : " ") + toml_key(name) + " = " + toml_string(text);
            return out + (v.fields.empty() ? "}" : " }");
        }
        default:
            return toml_string(v.text);
    }
}

std::string bounds_text(const Option& option) {
    if (option.kind == OptionKind::choice) {
        std::string out;
        for (const auto& word : split(option.choices, '|')) out += (out.empty() ? "one of " : ", ") + toml_string(word);
        return out;
    }
    const auto& [min, max] = option.bounds;
    if (is_number(option.kind)) return in_unit(option.kind, min) + " to " + in_unit(option.kind, max);
    const bool entries = option.kind == OptionKind::texts || option.kind == OptionKind::integers ||
                         option.kind == OptionKind::lists || option.kind == OptionKind::fields;
    if (entries) return in_unit(OptionKind::integer, min) + " to " + in_unit(OptionKind::integer, max) + " entries";
    if (option.kind == OptionKind::boolean) return "";
    return in_unit(OptionKind::integer, min) + " to " + in_unit(OptionKind::integer, max) + " bytes";
}

bool within_bounds(const Option& option, const OptionValue& v) {
    const auto inside = [&option](double x) { return x >= option.bounds.min && x <= option.bounds.max; };
    switch (option.kind) {
        case OptionKind::boolean:
            return true;
        case OptionKind::choice: {
            const auto words = split(option.choices, '|');
            return std::find(words.begin(), words.end(), v.text) != words.end();
        }
        case OptionKind::integer:
        case OptionKind::size:
            return inside(static_cast<double>(v.whole));
        case OptionKind::number:
            return inside(v.number);
        case OptionKind::duration:
            return inside(static_cast<double>(v.duration.count()));
        case OptionKind::texts:
            return inside(static_cast<double>(v.texts.size()));
        case OptionKind::integers:
            return inside(static_cast<double>(v.integers.size()));
        case OptionKind::lists:
            return inside(static_cast<double>(v.lists.size()));
        case OptionKind::fields:
            return inside(static_cast<double>(v.fields.size()));
        default:
            return inside(static_cast<double>(v.text.size()));
    }
}

}  // namespace holdfast
