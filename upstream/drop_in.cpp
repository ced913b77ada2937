#include "upstream/drop_in.h"

#include <algorithm>

#include "edge/base/bytes.h"
#include "edge/base/check.h"
#include "policy/credential.h"
#include "upstream/alipay_envelope.h"
#include "upstream/drop_in_answer.h"

namespace holdfast {
namespace {

constexpr std::size_t kFaults = static_cast<std::size_t>(DropInFault::count_);
constexpr std::size_t kSignatureMax = 2048;  // base64 of the longest key's
constexpr std::string_view kMissing = "40001", kInvalid = "40002";

constexpr std::array<DropInFaultText, kFaults> kTexts{{
    {"10000", "", "", ApiCode::internal_error, "none"},
    {"20000", "isp.unknow-error", "the gateway cannot serve this call now", ApiCode::verification_unavailable,
     "unavailable"},
    {kMissing, "isv.missing-app-id", "app_id is missing", ApiCode::missing_credential, "missing_app_id"},
    {kInvalid, "isv.invalid-app-id", "app_id is not known here", ApiCode::invalid_signature, "invalid_app_id"},
    {kMissing, "isv.missing-method", "method is missing", ApiCode::invalid_request, "missing_method"},
    {kInvalid, "isv.invalid-method", "this gateway does not serve that method", ApiCode::invalid_request,
     "invalid_method"},
    {kInvalid, "isv.invalid-charset", "charset must be utf-8", ApiCode::invalid_request, "invalid_charset"},
    {kMissing, "isv.missing-version", "version is missing", ApiCode::invalid_request, "missing_version"},
    {kInvalid, "isv.invalid-parameter", "version must be 1.0", ApiCode::invalid_request, "invalid_version"},
    {kInvalid, "isv.invalid-format", "format must be JSON", ApiCode::invalid_request, "invalid_format"},
    {kMissing, "isv.missing-timestamp", "timestamp is missing", ApiCode::invalid_request, "missing_timestamp"},
    {kInvalid, "isv.invalid-timestamp", "timestamp is malformed, or too far from now", ApiCode::request_expired,
     "invalid_timestamp"},
    {kMissing, "isv.missing-signature-type", "sign_type is missing", ApiCode::missing_credential,
     "missing_signature_type"},
    {kInvalid, "isv.invalid-signature-type", "sign_type must be RSA2", ApiCode::invalid_request,
     "invalid_signature_type"},
    {kMissing, "isv.missing-signature", "sign is missing", ApiCode::missing_credential, "missing_signature"},
    {kInvalid, "isv.invalid-signature", "the signature is wrong, or not by the key of app_id",
     ApiCode::invalid_signature, "invalid_signature"},
    {kInvalid, "isv.invalid-encrypt-type", "encrypted contents are not served", ApiCode::invalid_request,
     "invalid_encrypt_type"},
    {kInvalid, "isv.invalid-parameter", "the query and the body are no form, or have a field twice",
     ApiCode::invalid_request, "invalid_form"},
    {kInvalid, "isv.illegal-json", "biz_content is no JSON object, or has a key twice", ApiCode::invalid_request,
     "illegal_json"},
    {kInvalid, "isv.invalid-parameter", "a field of biz_content is no text, or is not in an object",
     ApiCode::invalid_request, "invalid_content"},
    {kInvalid, "isv.invalid-parameter", "a field of biz_content asks for another check than this gateway serves",
     ApiCode::invalid_request, "another_check"},
}};

bool is_utf8_name(std::string_view charset) {
    return equal_ignoring_case(charset, "utf-8");
}

// How far it is ahead of now; nothing where it is malformed.
std::optional<Nanos> ahead(std::string_view timestamp, Nanos utc_offset, WallTime now) {
    const auto in_china = parse_alipay_timestamp(timestamp);
    return in_china ? std::optional<Nanos>((*in_china + Nanos(8h) - utc_offset) - now) : std::nullopt;
}

DropInFault check_timestamp(std::string_view text, Nanos utc_offset, WallTime now, Nanos window) {
    if (text.empty()) return DropInFault::missing_timestamp;
    const auto away = ahead(text, utc_offset, now);
    return !away || *away > window || -*away > window ? DropInFault::invalid_timestamp : DropInFault::none;
}

// What it says about itself, in the order in which the gateway looks: the app first, the signature last.
DropInFault check_parameters(const Form& form, const DropInSettings& s, const DropInApp* app, WallTime now,
                             Nanos window) {
    if (form.get("app_id").empty()) return DropInFault::missing_app_id;
    if (app == nullptr) return DropInFault::invalid_app_id;
    if (form.get("method").empty()) return DropInFault::missing_method;
    if (form.get("method") != s.method) return DropInFault::invalid_method;
    if (!is_utf8_name(form.get("charset"))) return DropInFault::invalid_charset;
    if (form.get("version").empty()) return DropInFault::missing_version;
    if (form.get("version") != "1.0") return DropInFault::invalid_version;
    if (const auto format = form.get("format"); !format.empty() && !equal_ignoring_case(format, "JSON"))
        return DropInFault::invalid_format;
    if (const auto fault = check_timestamp(form.get("timestamp"), app->utc_offset, now, window);
        fault != DropInFault::none)
        return fault;
    if (form.get("sign_type").empty()) return DropInFault::missing_signature_type;
    if (form.get("sign_type") != "RSA2") return DropInFault::invalid_signature_type;
    if (form.get("sign").empty()) return DropInFault::missing_signature;
    return form.get("sign").size() > kSignatureMax ? DropInFault::invalid_signature : DropInFault::none;
}

// SDKs differ on whether fields without a value are signed; both say the same about all others.
bool is_signed(const Form& form, const rsa2::PublicKey& key) {
    const std::string kept = sign_content(form, SignEmpty::keep, SignTypeField::keep);
    if (key.verify(kept, form.get("sign"))) return true;
    const std::string dropped = sign_content(form, SignEmpty::drop, SignTypeField::keep);
    return dropped != kept && key.verify(dropped, form.get("sign"));
}

// Everything that is signed but for the time, so that the same thing asked again is known, and nothing else is.
std::string content_tag(const Form& form) {
    Form timeless;
    for (const FormField& f : form.fields())
        if (f.name != "timestamp") timeless.add(f.name, f.value);
    const std::string content = sign_content(timeless, SignEmpty::drop, SignTypeField::keep);
    return to_hex(Sha256::of(content));
}

// Whether what stands there, if anything does, is a text, and what it is in an object. An object that was written into
// a string would go on with what no precheck has seen.
bool is_readable(json::Value content, std::string_view path) {
    const json::Value outer = content[path.substr(0, path.find('.'))];
    if (path.find('.') != std::string_view::npos && outer && !outer.is(json::Kind::object)) return false;
    const json::Value value = value_at(content, path);
    return !value || value.text();
}

// Fills call.request by the mapping.
DropInFault translate(const DropInSettings& s, const Form& form, DropInCall& call) {
    json::Document doc;
    const auto root = doc.parse(form.get("biz_content"));
    if (!root || !root->is(json::Kind::object)) return DropInFault::illegal_json;
    for (const AlipayField& f : s.request.fields)
        if (!f.source.starts_with('=') && !is_readable(*root, f.source)) return DropInFault::invalid_content;
    for (const AlipayField& f : s.constants)
        if (const json::Value value = value_at(*root, f.name);
            !is_readable(*root, f.name) || (value && *value.text() != f.source.substr(1)))
            return DropInFault::another_check;
    std::string& out = call.request;
    out = biz_content(s.request, *root);
    out.pop_back();
    if (out.size() > 1) out += ',';
    out += "\"gateway\":";
    json::Writer(out)
        .begin_object()
        .member("appId", form.get("app_id"))
        .member("content", content_tag(form))
        .end_object();
    out += '}';
    call.digest = Sha256::of(out);
    return DropInFault::none;
}

}  // namespace

const DropInFaultText& text_of(DropInFault fault) {
    return kTexts[static_cast<std::size_t>(fault)];
}

const DropInApp* DropInSettings::app(std::string_view app_id) const {
    for (const DropInApp& one : apps)
        if (one.app_id == app_id) return &one;
    return nullptr;
}

void DropInSettings::sign_refusals() {
    HF_CHECK(key.has_value());
    for (std::size_t i = 1; i < kFaults; ++i) {
        const DropInFaultText& t = kTexts[i];
        const std::string node = drop_in_node({t.code, t.sub_code, t.sub_msg}, t.api);
        const std::string sign = key->sign(node);  // the same: it covers the node, not its name
        refusals[2 * i] = drop_in_envelope("error_response", node, sign);
        refusals[2 * i + 1] = drop_in_envelope(node_name(method), node, sign);
    }
}

AlipayRequestMap inverted(const AlipayRequestMap& map) {
    AlipayRequestMap out;
    for (const AlipayField& f : map.fields)
        if (!f.source.starts_with('=')) out.fields.push_back({f.source, f.name});
    std::sort(out.fields.begin(), out.fields.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return out;
}

std::vector<AlipayField> constants_of(const AlipayRequestMap& map) {
    std::vector<AlipayField> out;
    for (const AlipayField& f : map.fields)
        if (f.source.starts_with('=')) out.push_back(f);
    return out;
}

std::string kept_call(const Forward& call) {
    std::string out = call.request.target.substr(1);
    return (out += '&') += call.request.body;
}

std::string kept_call(const Forward& call, json::Value request) {
    std::string out = call.request.target.substr(1);
    append_form_field(out, "biz_content", biz_content(call.settings->request, request));
    return out;
}

DropInCall read_drop_in(const DropInSettings& s, const DropInWire& wire, WallTime now, Nanos window) {
    DropInCall out;
    Form form;
    const bool query = parse_form(wire.query, form).has_value();
    const bool body = wire.is_form && query && parse_form(wire.body, form).has_value();
    out.named = query && form.get("method") == s.method;
    out.fault = DropInFault::invalid_form;
    if (!body) return out;
    if (is_secret_id(form.get("app_id"))) out.app_id = form.get("app_id");
    const DropInApp* app = s.app(form.get("app_id"));
    out.fault = check_parameters(form, s, app, now, window);
    if (out.fault == DropInFault::invalid_timestamp)
        if (const auto away = ahead(form.get("timestamp"), app->utc_offset, now))
            out.skew = std::chrono::floor<Seconds>(*away);
    if (out.fault != DropInFault::none) return out;
    out.fault = DropInFault::invalid_signature;
    if (!is_signed(form, *app->key)) return out;
    // One without a value is none, as with all others.
    out.fault = !form.get("encrypt_type").empty() ? DropInFault::invalid_encrypt_type : translate(s, form, out);
    if (out.fault != DropInFault::none) return out;
    out.credential = app->credential;
    if (const std::string_view token = form.get("app_auth_token"); !token.empty())
        out.merchant = to_hex(Sha256::of(token)).substr(0, kMerchantMarkBytes);
    // Owners: as DropInCall says.
    const bool own_app = app->app_id == app->settings->app_id;
    out.forward = std::make_shared<const Forward>(
        Forward{lay_out_v2(form, form.get("sign"), SignEmpty::keep), app->settings, own_app});
    return out;
}

}  // namespace holdfast
