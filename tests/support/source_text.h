// C++ source as text, cut up just far enough for the house rules of tidy_test: lines, code with comments and literals
// blanked, includes, identifiers, and where functions begin and end. It is no parser; it knows the project's own
// clang-format style and nothing else.
#pragma once

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::tidy {

inline bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

inline std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const auto end = text.find('\n');
        out.push_back(text.substr(0, end));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return out;
}

// Line number of an offset, counted from 1.
inline int line_at(std::string_view text, std::size_t offset) {
    int line = 1;
    for (std::size_t i = 0; i < offset && i < text.size(); ++i) line += text[i] == '\n';
    return line;
}

// Characters of UTF-8 text: continuation bytes do not count.
inline std::size_t width(std::string_view line) {
    std::size_t n = 0;
    for (const char c : line) n += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    return n;
}

namespace detail {

// The end of what begins at `at`: a comment or a literal (one past its last byte), or `at` when it is neither.
inline std::size_t skip_raw_string(std::string_view t, std::size_t at) {
    const auto open = t.find('(', at);
    if (open == std::string_view::npos) return t.size();
    const std::string close = ")" + std::string(t.substr(at + 2, open - at - 2)) + "\"";
    const auto end = t.find(close, open);
    return end == std::string_view::npos ? t.size() : end + close.size();
}

inline std::size_t skip_quoted(std::string_view t, std::size_t at) {
    for (std::size_t i = at + 1; i < t.size(); ++i) {
        if (t[i] == '\\')
            ++i;
        else if (t[i] == t[at] || t[i] == '\n')
            return i + 1;
    }
    return t.size();
}

inline std::size_t skip_blank(std::string_view t, std::size_t at) {
    const bool after_word = at > 0 && is_word(t[at - 1]);
    if (t.substr(at, 2) == "//") return std::min(t.find('\n', at), t.size());
    if (t.substr(at, 2) == "/*") {
        const auto end = t.find("*/", at + 2);
        return end == std::string_view::npos ? t.size() : end + 2;
    }
    if (t.substr(at, 2) == "R\"" && !after_word) return skip_raw_string(t, at);
    if (t[at] == '"') return skip_quoted(t, at);
    if (t[at] == '\'' && !after_word) return skip_quoted(t, at); // after a word it groups digits
    return at;
}

} // namespace detail

// The same text with comments and literals as spaces; offsets and line breaks stay.
inline std::string code_only(std::string_view text) {
    std::string out(text);
    for (std::size_t i = 0; i < text.size();) {
        const auto end = detail::skip_blank(text, i);
        if (end == i) {
            ++i;
            continue;
        }
        for (; i < end; ++i)
            if (out[i] != '\n') out[i] = ' ';
    }
    return out;
}

struct Include {
    int line = 0;
    bool quoted = false;
    std::string path;
};

inline std::vector<Include> includes_of(std::string_view text) {
    std::vector<Include> out;
    int number = 0;
    for (auto line : lines_of(text)) {
        ++number;
        const auto hash = line.find_first_not_of(' ');
        if (hash == std::string_view::npos || line.substr(hash, 8) != "#include") continue;
        const auto open = line.find_first_of("<\"", hash);
        if (open == std::string_view::npos) continue;
        const auto close = line.find(line[open] == '<' ? '>' : '"', open + 1);
        if (close == std::string_view::npos) continue;
        out.push_back({number, line[open] == '"', std::string(line.substr(open + 1, close - open - 1))});
    }
    return out;
}

// A name followed by an opening parenthesis. `scope` is what stands before its "::" ("" for a leading one), and
// `member` is true after "." or "->".
struct CallSite {
    int line = 0;
    std::string name;
    std::string scope;
    bool qualified = false;
    bool member = false;
    std::size_t at = 0;
};

inline CallSite call_at(std::string_view code, std::size_t begin, std::size_t end) {
    CallSite call{line_at(code, begin), std::string(code.substr(begin, end - begin)), {}, false, false, begin};
    if (begin >= 2 && code.substr(begin - 2, 2) == "::") {
        call.qualified = true;
        std::size_t left = begin - 2;
        while (left > 0 && is_word(code[left - 1])) --left;
        call.scope = code.substr(left, begin - 2 - left);
    }
    call.member = (begin >= 1 && code[begin - 1] == '.') || (begin >= 2 && code.substr(begin - 2, 2) == "->");
    return call;
}

inline std::vector<CallSite> calls_of(std::string_view code) {
    std::vector<CallSite> out;
    for (std::size_t i = 0; i < code.size();) {
        if (!is_word(code[i])) {
            ++i;
            continue;
        }
        const std::size_t begin = i;
        while (i < code.size() && is_word(code[i])) ++i;
        const auto next = code.find_first_not_of(' ', i);
        if (next != std::string_view::npos && code[next] == '(') out.push_back(call_at(code, begin, i));
    }
    return out;
}

struct Function {
    int first_line = 0;
    int last_line = 0;
    std::string head; // what stands before its body, on one line
    int lines() const { return last_line - first_line + 1; }
};

namespace detail {

enum class Scope { outer, type, function, other };

inline bool has_word(std::string_view text, std::string_view word) {
    for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
        const bool left = at == 0 || !is_word(text[at - 1]);
        const bool right = at + word.size() >= text.size() || !is_word(text[at + word.size()]);
        if (left && right) return true;
    }
    return false;
}

inline std::string trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \n\t");
    if (begin == std::string_view::npos) return {};
    return std::string(text.substr(begin, text.find_last_not_of(" \n\t") - begin + 1));
}

inline std::string without_template(const std::string& head) {
    if (head.rfind("template", 0) != 0) return head;
    int depth = 0;
    for (std::size_t i = 0; i < head.size(); ++i) {
        depth += (head[i] == '<') - (head[i] == '>');
        if (head[i] == '>' && depth == 0) return without_template(trimmed(std::string_view(head).substr(i + 1)));
    }
    return head;
}

// What an opening brace outside of any function opens, told from the text since the last ';', '{' or '}'.
inline Scope scope_of(const std::string& whole) {
    const std::string head = without_template(whole);
    if (head.empty()) return Scope::function; // the body after a member initialised with braces
    if (has_word(head, "namespace") || head.rfind("extern", 0) == 0) return Scope::outer;
    const auto paren = head.find('(');
    for (const char* word : {"class", "struct", "union", "enum"})
        if (has_word(head.substr(0, paren), word)) return Scope::type;
    if (paren == std::string::npos || head.back() == '=' || head.back() == ',') return Scope::other;
    const bool ends = head.back() == ')' || head.back() == '&' || head.find(") ->") != std::string::npos ||
                      head.find(") :") != std::string::npos || head[0] == ',';
    if (ends) return Scope::function;
    for (const char* word : {"const", "noexcept", "override", "final", "mutable", "try"})
        if (head.size() > 8 && has_word(head.substr(head.size() - 8), word)) return Scope::function;
    return Scope::other;
}

inline std::string without_directives(std::string_view code) {
    std::string out(code);
    bool inside = false;
    for (std::size_t i = 0; i < out.size();) {
        auto end = out.find('\n', i);
        if (end == std::string::npos) end = out.size();
        const auto first = out.find_first_not_of(' ', i);
        inside = inside || (first < end && out[first] == '#');
        const bool goes_on = end > i && out[end - 1] == '\\';
        if (inside)
            for (auto k = i; k < end; ++k) out[k] = ' ';
        inside = inside && goes_on;
        i = end + 1;
    }
    return out;
}

// Whether the colon at `at` ends "public:" and the like.
inline bool ends_access(const std::string& code, std::size_t from, std::size_t at) {
    if (code[at] != ':') return false;
    const std::string word = trimmed(std::string_view(code).substr(from, at - from));
    return word == "public" || word == "private" || word == "protected";
}

} // namespace detail

// Functions with a body at namespace or class level; lambdas and local types count as part of the one around them.
inline std::vector<Function> functions_of(std::string_view blanked) {
    using detail::Scope;
    const std::string code = detail::without_directives(blanked);
    std::vector<Function> out;
    std::vector<Scope> scopes;
    std::size_t head_from = 0;
    int parens = 0;
    int inner = 0; // braces open inside the function that is being read, or inside parentheses
    for (std::size_t i = 0; i < code.size(); ++i) {
        const char c = code[i];
        const bool in_body = !scopes.empty() && (scopes.back() == Scope::function || scopes.back() == Scope::other);
        if (c == '{' && (in_body || parens > 0))
            ++inner;
        else if (c == '}' && inner > 0)
            --inner;
        else if (in_body && c != '}')
            continue;
        else if (c == '(')
            ++parens;
        else if (c == ')')
            --parens;
        else if (c == '{') {
            const std::string head = detail::trimmed(std::string_view(code).substr(head_from, i - head_from));
            scopes.push_back(detail::scope_of(head));
            if (scopes.back() == Scope::function) {
                const auto first = std::min(code.find_first_not_of(" \n\t", head_from), i);
                out.push_back({line_at(code, first), 0, head});
            }
            head_from = i + 1;
        } else if (c == '}' && !scopes.empty()) {
            if (scopes.back() == Scope::function) out.back().last_line = line_at(code, i);
            scopes.pop_back();
            head_from = i + 1;
        } else if (parens == 0 && (c == ';' || detail::ends_access(code, head_from, i)))
            head_from = i + 1;
    }
    return out;
}

} // namespace holdfast::tidy
