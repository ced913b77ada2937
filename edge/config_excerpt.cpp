#include "edge/config_excerpt.h"

#include <algorithm>
#include <array>

#include "edge/base/bytes.h"
#include "edge/base/printable.h"
#include "edge/option_table.h"

namespace holdfast {
namespace {

constexpr std::size_t kDepthMax = 64;     // of brackets that are told apart
constexpr std::string_view kHidden = "...";
constexpr std::string_view kBlank = " \t\r";
// The last one is only a secret where it is a key: [[credential]] is an ordinary table.
constexpr std::array<std::string_view, 5> kSecretWords{"secret", "passw", "token", "private", "credential"};

using Carry = ConfigExcerpts::Carry;

using Cut = TextRange;

bool holds_word(std::string_view text, std::size_t words = kSecretWords.size()) {
    const std::string lower = to_lower(text);
    return std::any_of(kSecretWords.begin(), kSecretWords.begin() + static_cast<std::ptrdiff_t>(words),
                       [&lower](std::string_view word) { return lower.find(word) != std::string::npos; });
}

// Of a key below its table: one that sounds like a secret and is not the name of a file, and each "key" that is not the
// name of a file by the option table.
bool sounds_secret(const std::string& section, const std::string& key) {
    if (key.find('\\') != std::string::npos) return true;
    const std::string lower = to_lower(key);
    if (lower.ends_with("_file")) return false;
    if (holds_word(key) || holds_word(section, kSecretWords.size() - 1)) return true;
    return lower.ends_with("key") && find_option(section.empty() ? key : section + "." + key) == nullptr;
}

bool is_bare(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

// "[a.b]" and "[[a.b]]": what stands between, without quotes and blanks; nothing for another line.
std::string header_of(std::string_view line, bool quoted_too) {
    const auto begin = line.find_first_not_of(kBlank);
    if (begin == std::string_view::npos || line[begin] != '[') return {};
    line.remove_prefix(begin + 1);
    if (line.starts_with("[")) line.remove_prefix(1);
    const auto end = line.find(']');
    if (end == std::string_view::npos) return {};
    std::string name;
    for (const char c : line.substr(0, end)) {
        if (is_bare(c) || c == '.')
            name += c;
        else if (kBlank.find(c) == std::string_view::npos && !(quoted_too && (c == '"' || c == '\'')))
            return {};
    }
    line.remove_prefix(end + 1);
    if (line.starts_with("]")) line.remove_prefix(1);
    const auto after = line.find_first_not_of(kBlank);
    return after == std::string_view::npos || line[after] == '#' ? name : std::string();
}

class LineScan {
  public:
    LineScan(std::string_view line, std::string& section, Carry& carry)
        : line_(line),
          section_(section),
          carry_(carry),
          open_(carry.depth),
          worded_(holds_word(line)),
          pem_(line.rfind("-----BEGIN")) {}

    // What is to be hidden of the line; section and carry are then those of the next one.
    std::vector<Cut> run() {
        const bool inside = !carry_.delimiter.empty() || carry_.hidden_depth > 0;
        if (carry_.delimiter.size() < 3) {
            if (std::string name = header_of(line_, !inside); !name.empty()) {
                section_ = std::move(name);
                carry_ = {};
                at_ = std::min(line_.find('#'), line_.size());
                comment();
                return std::move(cuts_);
            }
        }
        if (inside) leave();
        while (blanks(), at_ < line_.size()) item();
        carry_.depth = static_cast<std::uint32_t>(open_.size());
        if (!inside) return std::move(cuts_);
        const auto begin = std::min(line_.find_first_not_of(kBlank), line_.size());
        return begin == line_.size() ? std::vector<Cut>() : std::vector<Cut>{{begin, line_.size()}};
    }

  private:
    char next() const { return at_ < line_.size() ? line_[at_] : '\0'; }
    void blanks() { at_ = std::min(line_.find_first_not_of(kBlank, at_), line_.size()); }
    void cut(std::size_t begin, std::size_t end) {
        if (begin >= end) return;
        const bool adjacent =
            !cuts_.empty() && line_.substr(cuts_.back().end, begin - cuts_.back().end).find_first_not_of(kBlank) ==
                                  std::string_view::npos;
        if (adjacent)
            cuts_.back().end = end;
        else
            cuts_.push_back({begin, end});
    }
    void cut_rest() {
        blanks();
        cut(at_, line_.size());
        at_ = line_.size();
    }
    void comment() {
        if (at_ < line_.size()) cut(at_ + 1, line_.size());
        at_ = line_.size();
    }

    // What the line begins within, to its end or that of the line.
    void leave() {
        if (!carry_.delimiter.empty() && !text_to(carry_.delimiter)) return;
        carry_.delimiter = {};
        if (carry_.hidden_depth > 0) brackets();
    }

    // Behind the delimiter; false: it is not in this line.
    bool text_to(std::string_view delimiter) {
        const bool escapes = delimiter.front() == '"';
        for (; at_ < line_.size(); ++at_) {
            if (escapes && line_[at_] == '\\') {
                ++at_;
            } else if (line_.substr(at_).starts_with(delimiter)) {
                at_ += delimiter.size();
                return true;
            }
        }
        at_ = line_.size();
        return false;
    }
    std::string_view delimiter() const {
        const std::string_view rest = line_.substr(at_);
        for (const std::string_view one : {"\"\"\"", "'''", "\"", "'"})
            if (rest.starts_with(one)) return one;
        return {};
    }
    // A text; false: it goes on behind the line, or its end is missing.
    bool text() {
        carry_.delimiter = delimiter();
        at_ += carry_.delimiter.size();
        if (!text_to(carry_.delimiter)) return false;
        carry_.delimiter = {};
        return true;
    }
    // A hidden value in brackets, to the last of them or to the end of the line.
    void brackets() {
        for (; at_ < line_.size(); ++at_) {
            while (!delimiter().empty())
                if (!text()) return;
            const char c = next();
            if (c == '#') at_ = line_.size();
            if (c == '{' || c == '[') ++carry_.hidden_depth;
            if ((c == '}' || c == ']') && --carry_.hidden_depth == 0) {
                ++at_;
                return;
            }
        }
        at_ = std::min(at_, line_.size());
    }

    // "a.'b'.c" before an equals sign; nothing, and nowhere gone, for anything else.
    std::string key() {
        const std::size_t begin = at_;
        std::string out;
        for (blanks(); at_ < line_.size() && line_[at_] != '='; blanks()) {
            const char c = line_[at_];
            if (is_bare(c) || c == '.') {
                out += c;
                ++at_;
            } else if (const auto quote = delimiter(); quote.size() == 1) {
                const std::size_t from = ++at_;
                if (!text_to(quote)) break;
                out += line_.substr(from, at_ - 1 - from);
            } else {
                break;
            }
        }
        if (next() == '=' && !out.empty()) return out;
        at_ = begin;
        return {};
    }

    bool holds_word_before(std::string_view ends) const {
        return worded_ && holds_word(line_.substr(at_, line_.find_first_of(ends, at_) - at_));
    }

    void item() {
        const char c = next();
        if (c == '#') return comment();
        if (c == ',') return void(++at_);
        if (c == '}' || c == ']') {
            if (!open_.empty()) open_.pop_back();
            ++at_;
            return;
        }
        const std::string name = key();
        if (name.empty()) return value({}, open_.empty() && holds_word_before(","));
        ++at_;
        blanks();
        const std::string whole = open_.empty() || open_.back().empty() ? name : open_.back() + "." + name;
        value(whole, sounds_secret(section_, whole) || (pem_ != std::string_view::npos && pem_ >= at_));
    }

    void value(const std::string& name, bool secret) {
        const std::size_t begin = at_;
        const char c = next();
        if ((c == '{' || c == '[') && !secret) {
            if (open_.size() >= kDepthMax) return cut_rest();
            open_.push_back(name);
            ++at_;
            return;
        }
        if (c == '{' || c == '[') {
            brackets();
        } else if (!delimiter().empty()) {
            const bool ended = text();
            // One whose end is missing may have swallowed what follows. The lines behind a secret one are the rest of
            // it, as when a key in PEM was put between quotes; those behind another are read as lines.
            if (!ended && !secret) {
                if (holds_word(line_.substr(begin))) cut(begin, at_);
                if (carry_.delimiter.size() == 1) carry_.delimiter = {};
            }
        } else {
            // Without quotes nobody knows where it ends.
            secret = secret || holds_word_before(",}]#") || !url_secrets(line_.substr(begin)).empty();
            at_ = secret ? line_.size() : std::min(line_.find_first_of(",}]#", at_), line_.size());
        }
        if (secret) cut(begin, at_);
        else
            for (const Cut& one : url_secrets(line_.substr(begin, at_ - begin)))
                cut(begin + one.begin, begin + one.end);
        blanks();
        const bool goes_on = at_ == line_.size() || std::string_view(",}]#").find(line_[at_]) != std::string_view::npos;
        if (!goes_on || (secret && open_.empty())) cut_rest();
    }

    std::string_view line_;
    std::string& section_;
    Carry& carry_;
    std::vector<std::string> open_;  // the keys whose brackets are open
    std::vector<Cut> cuts_;
    bool worded_ = false;  // a word for secrets stands somewhere in the line
    std::size_t pem_ = 0;  // where the last text in PEM begins
    std::size_t at_ = 0;
};

}  // namespace

ConfigExcerpts::ConfigExcerpts(std::string_view text) {
    Carry carry;
    std::string section;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const bool returns = end > 0 && text[end - 1] == '\r';
        lines_.push_back({text.substr(0, returns ? end - 1 : end), carry, sections_.size() - 1});
        LineScan(lines_.back().text, section, carry).run();
        if (section != sections_.back()) sections_.push_back(section);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

std::string ConfigExcerpts::at(unsigned line, unsigned column) const {
    if (line == 0 || line > lines_.size()) return {};
    const Line& one = lines_[line - 1];
    Carry carry = one.carry;
    std::string section = sections_[one.section], out;
    std::size_t done = 0;
    for (const Cut& cut : LineScan(one.text, section, carry).run()) {
        out.append(one.text.substr(done, cut.begin - done)).append(kHidden);
        done = cut.end;
        // What the column points at stays in its place; how long the value is, the column itself has told.
        const std::size_t width = characters(one.text.substr(cut.begin, cut.end - cut.begin));
        if (column > characters(one.text.substr(0, cut.end)) && width > kHidden.size())
            out.append(width - kHidden.size(), ' ');
    }
    out = printable(out.append(one.text.substr(done)));
    if (out.size() > kShownMax) {
        std::size_t end = kShownMax;
        while (end > 0 && !begins_character(out[end])) --end;
        out.resize(end);
        out += " ...";
    }
    return out;
}

}  // namespace holdfast
