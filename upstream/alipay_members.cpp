#include "upstream/alipay_members.h"

#include <algorithm>

#include "edge/base/bytes.h"

namespace holdfast {
namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Whether it is a number as RFC 8259 writes them, of any length.
bool is_number(std::string_view text) {
    std::size_t at = 0;
    const auto digits = [&] {
        const std::size_t from = at;
        while (at < text.size() && is_digit(text[at])) ++at;
        return at > from;
    };
    const auto take = [&](std::string_view any) {
        const bool there = at < text.size() && any.find(text[at]) != std::string_view::npos;
        at += there ? 1 : 0;
        return there;
    };
    take("-");
    if (!take("0") && !digits()) return false;
    if (take(".") && !digits()) return false;
    if (take("eE")) {
        take("+-");
        if (!digits()) return false;
    }
    return at == text.size();
}

std::string_view empty_of_kind(std::string_view value) {
    switch (value.front()) {
        case '{':
            return "{}";
        case '[':
            return "[]";
        case '"':
            return "\"\"";
        case 't':
        case 'f':
        case 'n':
            return value;
        default:
            return "0";
    }
}

}  // namespace

void Members::skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
}

bool Members::take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
}

bool Members::begin() {
    skip_space();
    return take('{');
}

std::optional<Members::Member> Members::end() {
    skip_space();
    whole_ = at_ == text_.size();
    return std::nullopt;
}

std::optional<Members::Member> Members::next() {
    skip_space();
    if (first_ && take('}')) return end();
    if (!first_) {
        if (take('}')) return end();
        if (!take(',')) return std::nullopt;
        skip_space();
    }
    first_ = false;
    Member out;
    const std::size_t key_at = at_;
    if (!string()) return std::nullopt;
    out.key = text_.substr(key_at + 1, at_ - key_at - 2);
    skip_space();
    if (!take(':')) return std::nullopt;
    skip_space();
    const std::size_t from = at_;
    if (!value()) return std::nullopt;
    out.value = text_.substr(from, at_ - from);
    return out;
}

bool Members::escape() {
    constexpr std::string_view kPlain = "\"\\/bfnrt";
    if (at_ >= text_.size()) return false;
    if (kPlain.find(text_[at_]) != std::string_view::npos) {
        ++at_;
        return true;
    }
    if (!take('u') || text_.size() - at_ < 4) return false;
    const std::string_view hex = text_.substr(at_, 4);
    at_ += 4;
    return std::all_of(hex.begin(), hex.end(), [](char c) { return hex_value(c) >= 0; });
}

bool Members::string() {
    if (!take('"')) return false;
    while (at_ < text_.size()) {
        const char c = text_[at_++];
        if (c == '"') return true;
        if (static_cast<unsigned char>(c) < 0x20) return false;
        if (c == '\\' && !escape()) return false;
    }
    return false;
}

bool Members::scalar() {
    const std::size_t from = at_;
    const auto ends = [](char c) { return c == ',' || c == '}' || c == ']' || is_space(c); };
    while (at_ < text_.size() && !ends(text_[at_])) ++at_;
    const std::string_view text = text_.substr(from, at_ - from);
    return text == "true" || text == "false" || text == "null" || is_number(text);
}

bool Members::key() {
    skip_space();
    if (!string()) return false;
    skip_space();
    return take(':');
}

// A bracket, and the key of the first member behind a brace. Nothing where the text is broken, or too deep; else
// whether it is an empty one, which ends at once.
std::optional<bool> Members::opens() {
    if (open_.size() >= kDepthMax) return std::nullopt;
    const char bracket = text_[at_++];
    open_ += bracket;
    skip_space();
    if (at_ < text_.size() && text_[at_] == (bracket == '{' ? '}' : ']')) return true;
    return bracket == '[' || key() ? std::optional(false) : std::nullopt;
}

// What follows a value inside of brackets: their ends, or a comma and the next key. False: broken.
bool Members::closes() {
    while (!open_.empty()) {
        skip_space();
        const bool object = open_.back() == '{';
        if (take(',')) return !object || key();
        if (!take(object ? '}' : ']')) return false;
        open_.pop_back();
    }
    return true;
}

bool Members::value() {
    open_.clear();
    do {
        skip_space();
        if (at_ >= text_.size()) return false;
        const char c = text_[at_];
        if (c == '{' || c == '[') {
            const auto empty = opens();
            if (!empty) return false;
            if (!*empty) continue;
        } else if (c == '"' ? !string() : !scalar()) {
            return false;
        }
        if (!closes()) return false;
    } while (!open_.empty());
    return true;
}

Result<std::string> reduced(std::string_view object, const std::vector<std::string_view>& read) {
    const auto broken = [] { return fail(Code::invalid, Origin::client, "not well-formed JSON"); };
    if (!is_utf8(object)) return fail(Code::invalid, Origin::client, "not UTF-8");
    Members members(object);
    if (!members.begin()) return broken();
    std::string out = "{";
    for (auto member = members.next(); member; member = members.next()) {
        if (out.size() > 1) out += ',';
        const bool plain = member->key.find('\\') == std::string_view::npos;
        const bool kept = !plain || std::find(read.begin(), read.end(), member->key) != read.end();
        out.append(1, '"').append(member->key).append("\":");
        out.append(kept ? member->value : empty_of_kind(member->value));
    }
    if (!members.whole()) return broken();
    out += '}';
    return out;
}

}  // namespace holdfast
