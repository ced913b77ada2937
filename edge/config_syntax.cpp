#include "edge/config_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "edge/base/bytes.h"
#include "edge/base/time.h"

namespace holdfast {
namespace {

// Lines and tables left out and read on, before giving up: each costs a parse of the whole text, and a text with more
// of them is seldom TOML at all, of which a few errors tell as much as a screen of them.
constexpr std::size_t kBrokenMax = 8;
constexpr std::string_view kBlanks = " \t\r";

std::size_t begin_of_line(std::string_view text, unsigned line) {
    std::size_t at = 0;
    for (unsigned i = 1; i < line; ++i) {
        const auto end = text.find('\n', at);
        if (end == std::string_view::npos) return text.size();
        at = end + 1;
    }
    return at;
}

std::size_t end_of_line(std::string_view text, std::size_t at) {
    return std::min(text.find('\n', at), text.size());
}

bool is_heading(std::string_view text, std::size_t line) {
    const auto first = text.find_first_not_of(kBlanks, line);
    return first != std::string_view::npos && text[first] == '[';
}

// To where the text is broken that is so from `begin` on: a line; with a heading all that stands below it, since nobody
// knows whose the keys are.
std::size_t end_of_broken(std::string_view text, std::size_t begin) {
    std::size_t end = end_of_line(text, begin);
    if (!is_heading(text, begin)) return end;
    while (end < text.size() && !is_heading(text, end + 1)) end = end_of_line(text, end + 1);
    return end;
}

// A file that some editors write, of which the parser only says that a byte is out of place.
std::string_view foreign_encoding(std::string_view text) {
    if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) return "UTF-16";
    return text.substr(0, 64).find('\0') == std::string_view::npos ? std::string_view() : "UTF-16 or UTF-32";
}

// A word outside of quotes that is a value of another language, or one that has lost its quotes.
std::string meant_by(std::string_view word) {
    const std::string lower = to_lower(word);
    if (lower == "true" || lower == "false") return word == lower ? "" : fmt::format("did you mean {}?", lower);
    constexpr std::array<std::string_view, 4> kYes{"yes", "no", "on", "off"};
    if (std::find(kYes.begin(), kYes.end(), lower) != kYes.end()) return "did you mean true or false?";
    if (word.find_first_not_of("0123456789.") == std::string_view::npos) return "";
    return parse_duration(word) || parse_size(word) ? fmt::format("did you mean \"{}\"?", word) : "";
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool holds_one_of(std::string_view text, std::initializer_list<std::string_view> marks) {
    return std::any_of(marks.begin(), marks.end(),
                       [text](std::string_view mark) { return text.find(mark) != std::string_view::npos; });
}

// The line without its texts and its comment; `open`: the quote that one of them lacks, or 0.
std::string without_texts(std::string_view line, char& open) {
    std::string out;
    open = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (open == '"' && c == '\\')
            ++i;
        else if (open != 0)
            open = c == open ? '\0' : open;
        else if (c == '#')
            return out;
        else if (c == '"' || c == '\'')
            open = c;
        else
            out += c;
    }
    return out;
}

}  // namespace

std::string slip_in(std::string_view line, std::string_view why) {
    if (why.find("cannot redefine existing table") != why.npos) return "its keys go below one heading";
    if (why.find("cannot redefine existing") != why.npos) return "it is there already: keep one of them";
    char open = 0;
    const std::string bare = without_texts(line, open);
    if (holds_one_of(bare, {"“", "”", "„", "‘", "’", "«", "»", "＂", "＇", "＝", "，", "［", "］"}))
        return "plain quotes, =, commas and brackets are meant, not typographic ones";
    for (std::size_t at = bare.find('='); at < bare.size();) {
        const auto begin = std::min(bare.find_first_not_of(" \t\r,=[]{}", at), bare.size());
        at = std::min(bare.find_first_of(" \t\r,=[]{}", begin), bare.size());
        if (std::string meant = meant_by(std::string_view(bare).substr(begin, at - begin)); !meant.empty())
            return meant;
    }
    if (open != 0) return fmt::format("a text that is not closed: {} is missing at its end", open);
    const auto first = std::min(bare.find_first_not_of(kBlanks), bare.size());
    if (bare.compare(first, 2, "//") == 0) return "a comment begins with #";
    const auto equals = bare.find('=');
    if (equals == bare.npos) return bare.find(':') == bare.npos ? "" : "between a key and its value stands =, not :";
    const auto value = std::min(bare.find_first_not_of(kBlanks, equals + 1), bare.size());
    const bool word = value < bare.size() && (is_letter(bare[value]) || bare[value] == '/');
    return word ? "a text stands between double quotes" : "";
}

ParsedToml parse_toml(std::string_view toml, ConfigProblems& problems) {
    ParsedToml out;
    if (const auto encoding = foreign_encoding(toml); !encoding.empty()) {
        problems.error({}, fmt::format("is in {}", encoding), "UTF-8", "save it as UTF-8: iconv -f UTF-16 -t UTF-8");
        out.whole = false;
        return out;
    }
    std::string text(toml);
    for (std::size_t broken = 1;; ++broken) {
        try {
            out.table = toml::parse(text);
            return out;
        } catch (const toml::parse_error& e) {
            out.whole = false;
            const TextPlace at{e.source().begin.line, e.source().begin.column};
            problems.error(at, std::string(e.description()), {}, slip_in(problems.excerpt(at), e.description()));
            const auto begin = begin_of_line(text, at.line);
            const auto end = end_of_broken(text, begin);
            const auto blank = text.find_first_not_of(kBlanks, begin) >= end_of_line(text, begin);
            if (blank || broken == kBrokenMax) return out;
            for (auto i = begin; i < end; ++i)
                if (text[i] != '\n') text[i] = ' ';
        }
    }
}

}  // namespace holdfast
