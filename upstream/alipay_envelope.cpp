#include "upstream/alipay_envelope.h"

#include <algorithm>

namespace holdfast {
namespace {

tl::unexpected<Error> bad(std::string detail) {
    return fail(Code::invalid, Origin::upstream, "the gateway's answer " + std::move(detail), true);
}

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Walks the members of the top-level object by quotes, escapes and brackets alone. What it sees is compared with what
// the strict parser has seen of the same text, so it need not judge anything by itself.
class Walk {
  public:
    explicit Walk(std::string_view text) : text_(text) {}

    struct Member {
        std::string_view key, value;
    };
    bool begin() {
        skip_space();
        return take('{');
    }
    // The next member; nothing at the end of the object, or where the text is broken (see whole()).
    std::optional<Member> next() {
        skip_space();
        if (take('}')) return end();
        if (!first_ && !take(',')) return std::nullopt;
        first_ = false;
        skip_space();
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
    bool whole() const { return whole_; }

  private:
    void skip_space() {
        while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    }
    bool take(char c) {
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    std::optional<Member> end() {
        skip_space();
        whole_ = at_ == text_.size();
        return std::nullopt;
    }
    bool string() {
        if (!take('"')) return false;
        for (; at_ < text_.size(); ++at_) {
            if (text_[at_] == '\\')
                ++at_;
            else if (text_[at_] == '"')
                return take('"');
        }
        return false;
    }
    bool value() {
        if (at_ >= text_.size()) return false;
        if (text_[at_] == '"') return string();
        if (text_[at_] == '{' || text_[at_] == '[') return brackets();
        const std::size_t from = at_;
        while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '}' && !is_space(text_[at_])) ++at_;
        return at_ > from;
    }
    bool brackets() {
        std::size_t depth = 0;
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '"') {
                if (!string()) return false;
                continue;
            }
            ++at_;
            if (c == '{' || c == '[') ++depth;
            if ((c == '}' || c == ']') && --depth == 0) return true;
        }
        return false;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    bool first_ = true;
    bool whole_ = false;
};

bool takes(std::optional<std::string>& to, json::Value value) {
    const auto text = value.text();
    if (!text) return false;
    to = std::string(*text);
    return true;
}

}  // namespace

std::string node_name(std::string_view method) {
    std::string out(method);
    std::replace(out.begin(), out.end(), '.', '_');
    return out + "_response";
}

Result<Envelope> open_envelope(std::string_view text, std::string_view method, json::Document& doc) {
    const auto root = doc.parse(text);
    if (!root) return bad("is no JSON: " + root.error().detail);
    if (!root->is(json::Kind::object)) return bad("is no object");
    if (root->size() > kEnvelopeMembersMax) return bad("has too many members");
    const std::string wanted = node_name(method);
    Envelope out;
    Walk walk(text);
    if (!walk.begin()) return bad("is no object");
    json::Value seen = root->first();
    for (auto member = walk.next(); member; member = walk.next(), seen = seen.next()) {
        // Both readings see the same key, and the key is written without escapes.
        if (!seen || seen.key() != member->key) return bad("has a key written with escapes");
        if (member->key == "sign") {
            if (!takes(out.sign, seen)) return bad("has a sign that is no text");
        } else if (member->key == "alipay_cert_sn") {
            if (!takes(out.cert_sn, seen)) return bad("has an alipay_cert_sn that is no text");
        } else if (member->key.ends_with("_response")) {
            const bool error = member->key == "error_response";
            if (!error && member->key != wanted) return bad("is of another method");
            if (!out.node.empty()) return bad("has more than one node");
            if (!seen.is(json::Kind::object) && !seen.is(json::Kind::string)) return bad("has a node of another kind");
            out.node = member->value;
            out.is_error = error;
            out.encrypted = seen.is(json::Kind::string);
        }
    }
    if (!walk.whole() || seen) return bad("cannot be taken apart");
    if (out.node.empty()) return bad("has no node");
    return out;
}

}  // namespace holdfast
