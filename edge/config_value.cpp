#include "edge/config_value.h"

#include <fmt/format.h>

#include <cmath>
#include <sstream>

#include "edge/base/bytes.h"
#include "edge/base/printable.h"

namespace holdfast {
namespace {

// What the file has instead.
std::string_view described(toml::node_type type) {
    switch (type) {
        case toml::node_type::table:
            return "a table";
        case toml::node_type::array:
            return "a list";
        case toml::node_type::string:
            return "a string";
        case toml::node_type::integer:
            return "a whole number";
        case toml::node_type::floating_point:
            return "a number";
        case toml::node_type::boolean:
            return "true or false";
        default:
            return "a date or time";
    }
}

// How the same thing would be written rightly, where that can be guessed.
std::string rewritten(const Option& option, const toml::node& node) {
    const auto whole = node.is_integer() ? node.value<std::int64_t>() : std::nullopt;
    const auto text = node.is_string() ? node.value<std::string>() : std::nullopt;
    std::string guess;
    if (whole && *whole >= 0 && option.kind == OptionKind::duration) guess = fmt::format("\"{}s\"", *whole);
    if (whole && *whole >= 0 && option.kind == OptionKind::size)
        guess = toml_string(format_size(static_cast<std::uint64_t>(*whole)));
    if (text && option.kind == OptionKind::boolean && (*text == "true" || *text == "false")) guess = *text;
    if (text && option.kind == OptionKind::texts) guess = "[" + toml_string(shown_url(*text)) + "]";
    const bool number = option.kind == OptionKind::integer || option.kind == OptionKind::number;
    if (text && number && !text->empty() && text->find_first_not_of("0123456789.") == std::string::npos) guess = *text;
    return guess.empty() ? guess : "did you mean " + guess + "?";
}

std::string expectation(const Option& option) {
    if (option.kind == OptionKind::choice) return bounds_text(option);
    const std::string bounds = bounds_text(option);
    const bool numeric = option.kind == OptionKind::integer || option.kind == OptionKind::number ||
                         option.kind == OptionKind::size || option.kind == OptionKind::duration;
    return std::string(described(option.kind)) + (numeric ? ", " + bounds : "");
}

class Reader {
  public:
    Reader(const Option& option, const std::string& key, ConfigProblems& problems)
        : option_(option), key_(key), problems_(problems) {}

    std::optional<OptionValue> read(const toml::node& node) {
        OptionValue out;
        out.kind = option_.kind;
        if (!fill(out, node)) return std::nullopt;
        if (within_bounds(option_, out)) return out;
        if (option_.kind == OptionKind::choice)
            problems_.error(place_of(node), fmt::format("{} cannot be {}", key_, toml_string(out.text)),
                            bounds_text(option_), nearest_choice(out.text));
        else if (is_text() && out.text.empty())
            problems_.error(place_of(node), fmt::format("{} is empty", key_), expectation(option_));
        else
            problems_.error(place_of(node), fmt::format("{} is out of bounds", key_), bounds_text(option_));
        return std::nullopt;
    }

  private:
    bool is_text() const {
        return option_.kind == OptionKind::text || option_.kind == OptionKind::path ||
               option_.kind == OptionKind::input_file || option_.kind == OptionKind::secret_file;
    }

    std::string nearest_choice(const std::string& typed) const {
        std::vector<std::string_view> words;
        for (std::string_view rest = option_.choices; !rest.empty();) {
            const auto end = std::min(rest.find('|'), rest.size());
            words.push_back(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        return did_you_mean(typed, words);
    }

    bool wrong(const toml::node& node) {
        problems_.error(place_of(node), fmt::format("{} is {}", key_, described(node.type())), expectation(option_),
                        rewritten(option_, node));
        return false;
    }
    bool malformed(const toml::node& node, const std::string& text) {
        problems_.error(place_of(node), fmt::format("{} cannot be {}", key_, toml_string(text.substr(0, 64))),
                        expectation(option_));
        return false;
    }

    bool fill(OptionValue& out, const toml::node& node) {
        switch (option_.kind) {
            case OptionKind::boolean:
                if (!node.is_boolean()) return wrong(node);
                out.flag = *node.value<bool>();
                return true;
            case OptionKind::integer:
                return fill_integer(out, node);
            case OptionKind::number:
                if (!node.is_number()) return wrong(node);
                // By its own type: the library makes no double of a whole number above 2^53.
                out.number =
                    node.is_integer() ? static_cast<double>(*node.value<std::int64_t>()) : *node.value<double>();
                return finite(out.number, node);
            case OptionKind::size:
            case OptionKind::duration:
                return fill_literal(out, node);
            case OptionKind::texts:
                return fill_texts(out.texts, node);
            case OptionKind::integers:
                return fill_integers(out, node);
            case OptionKind::lists:
                return fill_lists(out, node);
            case OptionKind::fields:
                return fill_fields(out, node);
            default:
                if (!node.is_string()) return wrong(node);
                out.text = *node.value<std::string>();
                return is_line(out.text, node);
        }
    }

    // Names end up in lines of the log, labels of metrics and fields of requests; a NUL would end that of a file early.
    bool is_line(const std::string& text, const toml::node& node) {
        if (printable(text) == text) return true;
        problems_.error(place_of(node), fmt::format("{} holds a control character", key_), "one line of plain text");
        return false;
    }

    bool finite(double v, const toml::node& node) {
        if (std::isfinite(v)) return true;
        problems_.error(place_of(node), fmt::format("{} is not finite", key_), expectation(option_));
        return false;
    }

    bool fill_integer(OptionValue& out, const toml::node& node) {
        if (!node.is_integer()) return wrong(node);
        const auto v = *node.value<std::int64_t>();
        if (v < 0) {
            problems_.error(place_of(node), fmt::format("{} is out of bounds", key_), bounds_text(option_));
            return false;
        }
        out.whole = static_cast<std::uint64_t>(v);
        out.number = static_cast<double>(v);
        return true;
    }

    bool fill_literal(OptionValue& out, const toml::node& node) {
        if (!node.is_string()) return wrong(node);
        const auto text = *node.value<std::string>();
        if (option_.kind == OptionKind::size) {
            const auto size = parse_size(text);
            if (!size) return malformed(node, text);
            out.whole = *size;
            out.number = static_cast<double>(*size);
            return true;
        }
        const auto duration = parse_duration(text);
        if (!duration) return malformed(node, text);
        out.duration = *duration;
        return true;
    }

    bool fill_texts(std::vector<std::string>& out, const toml::node& node) {
        const auto* list = node.as_array();
        if (!list) return wrong(node);
        for (const auto& item : *list) {
            if (!item.is_string()) return wrong(item);
            out.push_back(*item.value<std::string>());
        }
        return true;
    }

    bool fill_integers(OptionValue& out, const toml::node& node) {
        const auto* list = node.as_array();
        if (!list) return wrong(node);
        for (const auto& item : *list) {
            const auto v = item.is_integer() ? item.value<std::int64_t>() : std::nullopt;
            if (!v || *v < 0 || *v > std::numeric_limits<std::uint32_t>::max()) return wrong(item);
            out.integers.push_back(static_cast<std::uint64_t>(*v));
        }
        return true;
    }

    bool fill_lists(OptionValue& out, const toml::node& node) {
        const auto* table = node.as_table();
        if (!table) return wrong(node);
        for (const auto& [name, list] : *table)
            if (!fill_texts(out.lists[std::string(name.str())], list)) return false;
        return true;
    }

    bool fill_fields(OptionValue& out, const toml::node& node) {
        const auto* table = node.as_table();
        if (!table) return wrong(node);
        for (const auto& [name, text] : *table) {
            if (!text.is_string()) return wrong(text);
            out.fields.emplace(std::string(name.str()), *text.value<std::string>());
        }
        return true;
    }

    const Option& option_;
    const std::string& key_;
    ConfigProblems& problems_;
};

}  // namespace

TextPlace place_of(const toml::node& node) {
    return {node.source().begin.line, node.source().begin.column};
}

std::optional<OptionValue> read_value(const Option& option, const std::string& key, const toml::node& node,
                                      ConfigProblems& problems) {
    return Reader(option, key, problems).read(node);
}

}  // namespace holdfast
