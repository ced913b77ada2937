#include "upstream/notification.h"

#include <algorithm>
#include <utility>

#include "policy/verify_request.h"
#include "upstream/alipay_reply.h"
#include "upstream/alipay_request.h"

namespace holdfast {
namespace {

tl::unexpected<Error> bad(std::string detail) {
    return fail(Code::invalid, Origin::upstream, "the notification " + std::move(detail));
}
tl::unexpected<Error> denied(std::string detail) {
    return fail(Code::denied, Origin::upstream, "the notification " + std::move(detail));
}

bool is_id(std::string_view text, std::size_t max) {
    return !text.empty() && text.size() <= max &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

// Most products sign without sign_type (and with fields that are empty, some without them), a few with it.
bool verified(const rsa2::PublicKey& key, const Form& form) {
    const std::string_view sign = form.get("sign");
    constexpr std::pair<SignEmpty, SignTypeField> kForms[] = {{SignEmpty::keep, SignTypeField::drop},
                                                              {SignEmpty::drop, SignTypeField::drop},
                                                              {SignEmpty::keep, SignTypeField::keep},
                                                              {SignEmpty::drop, SignTypeField::keep}};
    std::string tried;
    for (const auto& [empty, sign_type] : kForms) {
        std::string text = sign_content(form, empty, sign_type);
        if (text == tried) continue;
        if (key.verify(text, sign)) return true;
        tried = std::move(text);
    }
    return false;
}

// A field of the form, or of the JSON in its biz_content, where newer products put them.
std::string field(const Form& form, json::Value content, const std::string& name) {
    if (name.empty()) return {};
    if (const std::string* value = form.find(name)) return *value;
    return read_alipay_text(content[name]);
}

std::optional<double> score_in(const Form& form, json::Value content, const AlipayResponseMap& map) {
    if (map.score.empty()) return std::nullopt;
    const std::string* text = form.find(map.score);
    return text != nullptr ? read_alipay_score(*text, map.score_max)
                           : read_alipay_score(content[map.score], map.score_max);
}

}  // namespace

Result<Form> read_notification_fields(std::string_view body, bool is_json, json::Document& doc) {
    if (body.size() > kNotifyBytesMax) return bad("is too long");
    if (!is_json) return parse_form(body);
    const auto root = doc.parse(body);
    if (!root || !root->is(json::Kind::object)) return bad("is no JSON object");
    Form form;
    for (json::Value one = root->first(); one; one = one.next()) {
        const auto text = one.text();
        if (!text || one.key().empty() || one.key().size() > kFormNameMax) return bad("has a field that is no text");
        if (form.full()) return bad("has too many fields");
        form.add(std::string(one.key()), std::string(*text));
    }
    return form;
}

Result<Notification> read_alipay_notification(const AlipaySettings& s, const Form& form, json::Document& doc) {
    // A message that says it is signed otherwise is refused, also when it would verify so.
    if (form.get("sign_type") != "RSA2") return denied("is not signed with RSA2");
    if (form.get("sign").empty()) return denied("is not signed");
    const rsa2::PublicKey* key = s.verifier(form.get("alipay_cert_sn"));
    if (key == nullptr && s.verifiers.size() == 1 && form.find("alipay_cert_sn") == nullptr)
        key = &s.verifiers.front().key;  // notifications need not name their certificate
    if (key == nullptr) return denied("names a certificate that is not configured");
    if (!verified(*key, form)) return denied("has a wrong signature");
    if (form.get("app_id") != s.app_id) return denied("is for another app_id");
    Notification out;
    out.id = form.get("notify_id");
    if (!is_id(out.id, kNotifyIdMax)) return bad("has no notify_id");
    json::Value content;
    std::string opened;
    if (const std::string* text = form.find("biz_content"); text != nullptr && !text->empty()) {
        if (!form.get("encrypt_type").empty()) {
            if (!s.cipher) return bad("is encrypted, and content_key_file is not set");
            auto plain = s.cipher->decrypt(*text);
            if (!plain) return bad("does not decrypt with content_key_file");
            opened = std::move(*plain);
            text = &opened;
        }
        const auto root = doc.parse(*text);
        if (!root) return bad("has a biz_content that is no JSON: " + root.error().detail);
        if (!root->is(json::Kind::object)) return bad("has a biz_content that is no JSON object");
        content = *root;
    }
    out.order_no = field(form, content, s.response.order_no);
    if (!out.order_no.empty() && !is_order_no(out.order_no)) return bad("has an order number that is none of ours");
    out.verification_id = field(form, content, s.response.id);
    if (!is_id(out.verification_id, kVerificationIdMax)) out.verification_id.clear();
    out.sent = parse_alipay_timestamp(form.get("notify_time")).value_or(WallTime{});
    // F of an API where it also says "not yet" decides nothing here either.
    const std::string value = field(form, content, s.response.outcome);
    const auto says = value.empty() ? std::nullopt : read_alipay_outcome(s.response, value);
    if (!says || says->pending) return out;
    CentreOutcome outcome;
    outcome.verdict = says->verdict;
    outcome.verification_id = out.verification_id;
    outcome.score = score_in(form, content, s.response);
    out.outcome = std::move(outcome);
    return out;
}

}  // namespace holdfast
