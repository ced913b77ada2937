#include "upstream/alipay_request.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "edge/base/bytes.h"

namespace holdfast {
namespace {

constexpr Nanos kChina = 8h;
constexpr std::string_view kTypeForm = "application/x-www-form-urlencoded;charset=UTF-8";

// In the order in which the official SDK puts them; `sign` comes last.
constexpr std::array<std::string_view, 13> kInQuery = {
    "method",     "app_id",         "charset",    "version",     "sign_type",           "timestamp", "format",
    "notify_url", "app_auth_token", "auth_token", "app_cert_sn", "alipay_root_cert_sn", "return_url"};

bool in_query(std::string_view name) {
    return std::find(kInQuery.begin(), kInQuery.end(), name) != kInQuery.end();
}

// Nothing where the source is absent; one that is there and empty is an empty text.
std::optional<std::string_view> value_of(std::string_view source, json::Value request) {
    if (source.starts_with('=')) return source.substr(1);
    return value_at(request, source).text();
}

// Of public parameters none is sent empty: not all of the official SDKs sign such a one alike.
void add(Form& form, std::string_view name, std::string_view value) {
    if (!value.empty()) form.add(std::string(name), std::string(value));
}

Form public_params(const AlipaySettings& s, WallTime now) {
    Form form;
    add(form, "method", s.method);
    add(form, "app_id", s.app_id);
    add(form, "charset", "utf-8");
    add(form, "version", "1.0");
    add(form, "sign_type", "RSA2");
    add(form, "timestamp", alipay_timestamp(now));
    add(form, "format", "JSON");
    add(form, "notify_url", s.notify_url);
    add(form, "app_auth_token", s.app_auth_token);
    add(form, "app_cert_sn", s.app_cert_sn);
    add(form, "alipay_root_cert_sn", s.root_cert_sn);
    return form;
}

void append_target(std::string& out, const Form& params, std::string_view sign) {
    out = "?";
    for (const std::string_view name : kInQuery)
        if (const std::string* value = params.find(name)) append_form_field(out, name, *value);
    append_form_field(out, "sign", sign);
}

std::string signed_by(const AlipaySettings& s, const Form& params) {
    return s.key->sign(sign_content(params, SignEmpty::drop, SignTypeField::keep));
}

void append_part(std::string& out, std::string_view boundary, std::string_view disposition, std::string_view content) {
    out.append("--").append(boundary).append("\r\nContent-Disposition: form-data; ").append(disposition);
    out.append("\r\n\r\n").append(content).append("\r\n");
}

// Text fields are signed like parameters, the file is not.
Result<AlipayRequest> with_file(const AlipaySettings& s, json::Value request, Form params, std::string_view nonce) {
    const auto encoded = value_of(s.request.file_source, request);
    const auto file = encoded && !encoded->empty() ? from_base64(*encoded) : std::nullopt;
    if (!file) return fail(Code::invalid, Origin::client, s.request.file_source + " is needed and not there");
    for (const AlipayField& f : s.request.fields)
        if (const auto value = value_of(f.source, request)) add(params, f.name, *value);
    const std::string boundary = "holdfast-" + std::string(nonce);
    AlipayRequest out;
    append_target(out.target, params, signed_by(s, params));
    out.content_type = "multipart/form-data; boundary=" + boundary;
    for (const FormField& f : params.fields())
        if (!in_query(f.name)) append_part(out.body, boundary, "name=\"" + f.name + "\"", f.value);
    append_part(out.body, boundary,
                "name=\"" + s.request.file_field + "\"; filename=\"image\"\r\nContent-Type: application/octet-stream",
                as_text(*file));
    out.body.append("--").append(boundary).append("--\r\n");
    return out;
}

}  // namespace

std::string alipay_timestamp(WallTime t) {
    std::string text = rfc3339(t + kChina).substr(0, 19);
    text[10] = ' ';
    return text;
}

std::optional<WallTime> parse_alipay_timestamp(std::string_view text) {
    if (text.size() != 19 || text[10] != ' ') return std::nullopt;
    std::string iso(text);
    iso[10] = 'T';
    const auto t = parse_rfc3339(iso + "Z");
    if (!t) return std::nullopt;
    return *t - kChina;
}

json::Value value_at(json::Value request, std::string_view path) {
    const auto dot = path.find('.');
    return dot == std::string_view::npos ? request[path] : request[path.substr(0, dot)][path.substr(dot + 1)];
}

std::string biz_content(const AlipayRequestMap& map, json::Value request) {
    std::string out;
    json::Writer w(out);
    w.begin_object();
    std::string_view inside;  // the object that is being written
    for (const AlipayField& f : map.fields) {
        const auto value = value_of(f.source, request);
        if (!value) continue;
        const auto dot = f.name.find('.');
        const std::string_view name(f.name);
        const std::string_view object = dot == std::string::npos ? std::string_view() : name.substr(0, dot);
        if (object != inside) {
            if (!inside.empty()) w.end_object();
            if (!object.empty()) w.key(object).begin_object();
            inside = object;
        }
        w.member(dot == std::string::npos ? name : name.substr(dot + 1), *value);
    }
    if (!inside.empty()) w.end_object();
    w.end_object();
    return out;
}

AlipayRequest lay_out_v2(const Form& params, std::string_view sign, SignEmpty empty) {
    AlipayRequest out;
    append_target(out.target, params, sign);
    out.content_type = kTypeForm;
    for (const FormField& f : params.fields())
        if (!in_query(f.name) && f.name != "sign" && (empty == SignEmpty::keep || !f.value.empty()))
            append_form_field(out.body, f.name, f.value);
    return out;
}

Result<AlipayRequest> alipay_request_v2(const AlipaySettings& s, json::Value request, WallTime now,
                                        std::string_view nonce) {
    Form params = public_params(s, now);
    if (!s.request.file_field.empty()) return with_file(s, request, std::move(params), nonce);
    std::string content = biz_content(s.request, request);
    if (s.cipher) {
        add(params, "encrypt_type", "AES");
        auto encrypted = s.cipher->encrypt(content);
        if (!encrypted) return tl::unexpected(encrypted.error());
        content = std::move(*encrypted);
    }
    add(params, "biz_content", content);
    return lay_out_v2(params, signed_by(s, params));
}

AlipayRequest alipay_request_anew(const AlipaySettings& s, const Form& call, WallTime now) {
    const Form ours = public_params(s, now);
    Form params;
    for (const FormField& f : ours.fields())
        if (f.name != "app_auth_token") add(params, f.name, f.value);
    for (const FormField& f : call.fields()) {
        const bool signers = f.name == "sign" || f.name == "app_cert_sn" || f.name == "alipay_root_cert_sn";
        if (!signers && params.find(f.name) == nullptr) add(params, f.name, f.value);
    }
    return lay_out_v2(params, signed_by(s, params));
}

std::string v3_path(std::string_view method) {
    std::string out = "/v3/";
    for (const char c : method) out += c == '.' ? '/' : c;
    return out;
}

std::string v3_auth_string(const AlipaySettings& s, WallTime now, std::string_view nonce) {
    std::string out = "app_id=" + s.app_id;
    if (!s.app_cert_sn.empty()) out += ",app_cert_sn=" + s.app_cert_sn;
    const auto ms = std::chrono::floor<Millis>(now.time_since_epoch()).count();
    out.append(",nonce=").append(nonce).append(",timestamp=").append(std::to_string(ms));
    return out;
}

std::string v3_sign_string(const AlipaySettings& s, std::string_view auth, const V3Call& call) {
    std::string out(auth);
    for (const std::string_view line : {call.method, call.path_and_query, call.body}) out.append(1, '\n').append(line);
    out += '\n';
    if (!s.app_auth_token.empty()) out.append(s.app_auth_token).append(1, '\n');
    return out;
}

AlipayRequest alipay_request_v3(const AlipaySettings& s, json::Value request, WallTime now, std::string_view nonce) {
    AlipayRequest out;
    out.target = v3_path(s.method);
    out.content_type = "application/json";
    out.body = biz_content(s.request, request);
    const std::string auth = v3_auth_string(s, now, nonce);
    const std::string sign = s.key->sign(v3_sign_string(s, auth, {"POST", out.target, out.body}));
    out.headers = "Authorization: ALIPAY-SHA256withRSA " + auth + ",sign=" + sign + "\r\n";
    if (!s.app_auth_token.empty()) out.headers += "alipay-app-auth-token: " + s.app_auth_token + "\r\n";
    if (!s.root_cert_sn.empty()) out.headers += "alipay-root-cert-sn: " + s.root_cert_sn + "\r\n";
    return out;
}

}  // namespace holdfast
