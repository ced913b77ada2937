#include "upstream/alipay_envelope.h"

#include <algorithm>

#include "upstream/alipay_members.h"

namespace holdfast {
namespace {

tl::unexpected<Error> bad(std::string detail) {
    return fail(Code::invalid, Origin::upstream, "the gateway's answer " + std::move(detail), true);
}

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
    const auto outside = reduced(text, {"sign", "alipay_cert_sn"});
    if (!outside) return bad("is no JSON object: " + outside.error().detail);
    const auto root = doc.parse(*outside);
    if (!root) return bad("cannot be read: " + root.error().detail);
    if (root->size() > kEnvelopeMembersMax) return bad("has too many members");
    const std::string wanted = node_name(method);
    Envelope out;
    Members walk(text);
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
