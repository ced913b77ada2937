#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "edge/base/bytes.h"
#include "edge/base/json.h"
#include "edge/base/word_scan.h"

namespace holdfast::json {

namespace {

// Whether every byte may stand between quotes as it is. ASCII only: other text is looked at closely.
bool is_plain(std::string_view text) {
    return word_scan::any(text, [](std::uint64_t word) {
               return word_scan::control(word) | word_scan::equal_to(word, '"') | word_scan::equal_to(word, '\\') |
                      (word & word_scan::kHighs);
           }) == 0;
}

void append_escaped(std::string& out, std::string_view text) {
    for (char c : text) {
        const auto b = static_cast<unsigned char>(c);
        switch (c) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            default:
                if (b < 0x20 || b == 0x7f)
                    fmt::format_to(std::back_inserter(out), "\\u{:04x}", b);
                else
                    out.push_back(c);
        }
    }
}

}  // namespace

namespace {

constexpr std::string_view kQuote = "\"", kCommaQuote = ",\"";

// `before` and `after` around the text, written in one step.
void append_between(std::string& out, std::string_view before, std::string_view text, std::string_view after) {
    const std::size_t at = out.size();
    out.resize(at + before.size() + text.size() + after.size());
    char* to = out.data() + at;
    std::memcpy(to, before.data(), before.size());
    if (!text.empty()) std::memcpy(to + before.size(), text.data(), text.size());
    std::memcpy(to + before.size() + text.size(), after.data(), after.size());
}

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
    if (is_plain(text)) return append_between(out, kQuote, text, kQuote);
    out.push_back('"');
    if (is_utf8(text)) {
        append_escaped(out, text);
    } else {
        for (char c : text) {
            if (static_cast<unsigned char>(c) < 0x80)
                append_escaped(out, {&c, 1});
            else
                out += "\xef\xbf\xbd";
        }
    }
    out.push_back('"');
}

void Writer::separate() {
    if (comma_) out_.push_back(',');
    comma_ = true;
}
Writer& Writer::begin_object() {
    separate();
    out_.push_back('{');
    comma_ = false;
    return *this;
}
Writer& Writer::end_object() {
    out_.push_back('}');
    comma_ = true;
    return *this;
}
Writer& Writer::begin_array() {
    separate();
    out_.push_back('[');
    comma_ = false;
    return *this;
}
Writer& Writer::end_array() {
    out_.push_back(']');
    comma_ = true;
    return *this;
}
Writer& Writer::key(Key name) {
    if (name.plain) {
        append_between(out_, comma_ ? kCommaQuote : kQuote, name.text, "\":");
    } else {
        separate();
        append_quoted(out_, name.text);
        out_.push_back(':');
    }
    comma_ = false;
    return *this;
}
Writer& Writer::string(std::string_view text) {
    if (comma_ && is_plain(text)) {
        append_between(out_, kCommaQuote, text, kQuote);
        return *this;
    }
    separate();
    append_quoted(out_, text);
    return *this;
}
Writer& Writer::integer(std::int64_t v) {
    separate();
    const fmt::format_int text(v);
    out_.append(text.data(), text.size());
    return *this;
}
Writer& Writer::unsigned_integer(std::uint64_t v) {
    separate();
    const fmt::format_int text(v);
    out_.append(text.data(), text.size());
    return *this;
}
namespace {

// A number that reads back from at most three decimals, as scores do, at a tenth of the general way's cost; null when
// it is another. Below 100 no other form is shorter.
char* put_thousandths(char* to, double v) {
    if (!(v >= 0 && v < 100) || std::signbit(v)) return nullptr;
    auto thousandths = static_cast<unsigned>(v * 1000 + 0.5);
    if (thousandths / 1000.0 != v) return nullptr;
    const unsigned whole = thousandths / 1000;
    if (whole >= 10) *to++ = static_cast<char>('0' + whole / 10);
    *to++ = static_cast<char>('0' + whole % 10);
    thousandths %= 1000;
    if (thousandths == 0) return to;
    *to++ = '.';
    for (unsigned place = 100; thousandths != 0; thousandths %= place, place /= 10)
        *to++ = static_cast<char>('0' + thousandths / place);
    return to;
}

}  // namespace

Writer& Writer::number(double v) {
    if (!std::isfinite(v)) return null();
    separate();
    std::array<char, 32> text;  // the longest shortest form has 24 characters
    char* end = put_thousandths(text.data(), v);
    if (end == nullptr) end = std::to_chars(text.data(), text.data() + text.size(), v).ptr;
    out_.append(text.data(), end);
    return *this;
}
Writer& Writer::boolean(bool v) {
    return raw(v ? "true" : "false");
}
Writer& Writer::null() {
    return raw("null");
}
Writer& Writer::raw(std::string_view json) {
    separate();
    out_ += json;
    return *this;
}

// Depth is bounded by kDepthMax, which parsing enforced.
void copy(Writer& to, Value from) {
    switch (from.kind()) {
        case Kind::null:
            to.null();
            return;
        case Kind::boolean:
            to.boolean(*from.boolean());
            return;
        case Kind::string:
            to.string(*from.text());
            return;
        case Kind::number:
            if (const auto n = from.integer())
                to.integer(*n);
            else if (const auto u = from.unsigned_integer())
                to.unsigned_integer(*u);
            else
                to.number(*from.number());
            return;
        case Kind::object:
            to.begin_object();
            for (Value v = from.first(); v; v = v.next()) copy(to.key(v.key()), v);
            to.end_object();
            return;
        case Kind::array:
            to.begin_array();
            for (Value v = from.first(); v; v = v.next()) copy(to, v);
            to.end_array();
            return;
    }
}

}  // namespace holdfast::json
