#include "tests/support/alipay_gateway.h"

#include <fmt/format.h>

#include "edge/base/bytes.h"

namespace holdfast {
namespace {

AlipayNode missing(std::string_view what) {
    return {"40001", "isv.missing-" + std::string(what), "缺少参数: " + std::string(what), {}};
}
AlipayNode invalid(std::string_view sub_code, std::string_view why) {
    return {"40002", std::string(sub_code), std::string(why), {}};
}

std::string html_escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '&') {
            out += "&amp;";
        } else if (c == '"') {
            out += "&quot;";
        } else {
            out += c;
        }
    }
    return out;
}

}  // namespace

std::string_view alipay_msg(std::string_view code) {
    static const std::map<std::string_view, std::string_view> all = {{"10000", "Success"},
                                                                     {"10003", "order created, in progress"},
                                                                     {"20000", "Service Currently Unavailable"},
                                                                     {"20001", "Insufficient Token Permissions"},
                                                                     {"40001", "Missing Required Arguments"},
                                                                     {"40002", "Invalid Arguments"},
                                                                     {"40003", "Insufficient Conditions"},
                                                                     {"40004", "Business Failed"},
                                                                     {"40005", "Call Limited"},
                                                                     {"40006", "Insufficient Permissions"}};
    const auto at = all.find(code);
    return at == all.end() ? "Unknown" : at->second;
}

Result<std::unique_ptr<AlipayGateway>> AlipayGateway::make(AlipaySetup setup) {
    std::unique_ptr<AlipayGateway> out(new AlipayGateway);
    auto app = RsaKey::read(setup.app_key);
    if (!app) return fail(Code::invalid, Origin::local, "the app's key: " + app.error().detail);
    auto own = RsaKey::read(setup.key);
    if (!own) return fail(Code::invalid, Origin::local, "the gateway's key: " + own.error().detail);
    if (!own->is_private()) return fail(Code::invalid, Origin::local, "the gateway's key is not a private one");
    out->app_key_ = std::move(*app);
    out->key_ = std::move(*own);
    out->wrong_key_ = RsaKey::generate();
    if (!setup.certificate.empty()) {
        for (const auto& [pem, sn, root] :
             {std::tuple{&setup.app_key, &out->app_sn_, false}, std::tuple{&setup.certificate, &out->own_sn_, false},
              std::tuple{&setup.roots, &out->root_sn_, true}}) {
            auto got = root ? root_certificate_sn(*pem) : certificate_sn(*pem);
            if (!got) return tl::unexpected(got.error());
            *sn = std::move(*got);
        }
    }
    out->setup_ = std::move(setup);
    return out;
}

bool AlipayGateway::takes(std::string_view path) {
    return path.ends_with("/gateway.do") || path.starts_with("/v3/");
}

AlipayReply AlipayGateway::answer(const MiniRequest& request, const AlipayPlan& plan, WallTime now,
                                  const Decide& decide) {
    AlipayReply reply =
        request.path.starts_with("/v3/") ? v3(request, plan, now, decide) : v2(request, plan, now, decide);
    if (reply.sub_code.empty())
        ++answered_;
    else
        ++refused_[reply.sub_code];
    return reply;
}

// Its app, what it says about itself, and only then its signature, as the real gateway does.
AlipayNode AlipayGateway::check_parameters(const AlipayForm& form, const AlipayPlan& plan, WallTime now) const {
    if (!form.repeated.empty()) return invalid("isv.invalid-parameter", "参数重复: " + form.repeated);
    if (form["app_id"].empty()) return missing("app-id");
    if (form["app_id"] != setup_.app_id) {
        AlipayNode node = invalid("isv.invalid-app-id", "无效的AppID参数");
        node.unsigned_ = true;
        return node;
    }
    if (form["method"].empty()) return missing("method");
    if (form["charset"] != "utf-8" && form["charset"] != "UTF-8") return invalid("isv.invalid-charset", "字符集错误");
    if (form["version"].empty()) return missing("version");
    if (form["version"] != "1.0") return invalid("isv.invalid-parameter", "版本错误");
    if (!form["format"].empty() && form["format"] != "JSON" && form["format"] != "json")
        return invalid("isv.invalid-format", "无效的数据格式");
    if (form["timestamp"].empty()) return missing("timestamp");
    const auto at = read_beijing_time(form["timestamp"]);
    const auto window = plan.timestamp_window;
    if (!at || (window.count() > 0 && (*at > now + window || *at + window < now)))
        return invalid("isv.invalid-timestamp", "非法的时间戳参数");
    if (form["sign_type"].empty()) return missing("signature-type");
    if (form["sign_type"] != "RSA2") return invalid("isv.invalid-signature-type", "无效签名类型");
    if (form["sign"].empty()) return missing("signature");
    if (AlipayNode node = check_certificates(form); !node.good()) return node;
    const std::string signed_text = sign_string(form.fields, {});
    if (!app_key_.verify(signed_text, form["sign"]))
        return invalid("isv.invalid-signature",
                       "验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配，网关生成的验签字符串为：" +
                           html_escaped(signed_text));
    if (!form["encrypt_type"].empty() && form["encrypt_type"] != "AES")
        return invalid("isv.invalid-encrypt-type", "无效的加密类型");
    return {};
}

AlipayNode AlipayGateway::check_certificates(const AlipayForm& form) const {
    if (own_sn_.empty()) return {};
    if (form["app_cert_sn"].empty()) return invalid("isv.missing-app-cert-sn", "缺少应用公钥证书SN");
    if (form["alipay_root_cert_sn"].empty()) return invalid("isv.missing-alipay-root-cert-sn", "缺少根证书SN");
    if (form["app_cert_sn"] != app_sn_) return invalid("isv.app-cert-expired", "应用公钥证书不可用");
    if (form["alipay_root_cert_sn"] != root_sn_) return invalid("isv.invalid-parameter", "根证书SN不匹配");
    return {};
}

bool AlipayGateway::flatten(std::string_view text, std::map<std::string, std::string>& biz) {
    const auto root = document_.parse(text);
    if (!root || !root->is(json::Kind::object)) return false;
    const auto add = [&biz](json::Value value, const std::string& name) {
        if (value.text())
            biz[name] = std::string(*value.text());
        else if (value.integer())
            biz[name] = std::to_string(*value.integer());
    };
    for (auto member = root->first(); member; member = member.next()) {
        const std::string name(member.key());
        add(member, name);
        for (auto inner = member.first(); inner; inner = inner.next())
            add(inner, name + "." + std::string(inner.key()));
    }
    return true;
}

// The business fields: biz_content where there is one, else the other fields of the form (file APIs, old ones).
AlipayNode AlipayGateway::read_biz(Call& call) {
    const std::string& content = call.form["biz_content"];
    call.encrypted = call.form["encrypt_type"] == "AES";
    if (!call.encrypted) {
        call.biz = call.form.fields;
        if (!content.empty() && !flatten(content, call.biz)) return invalid("isv.illegal-json", "JSON格式错误");
        return {};
    }
    if (setup_.aes_key.empty())
        return invalid("isv.decryption-error-not-valid-encrypt-key", "解密出错，未设置密钥");
    const auto plain = aes_decrypt(setup_.aes_key, content);
    if (!plain) return {"40003", "isv.decryption-error-unknown", "解密出错，未知错误", {}};
    if (!flatten(*plain, call.biz)) return invalid("isv.illegal-json", "JSON格式错误");
    return {};
}

AlipayReply AlipayGateway::v2(const MiniRequest& request, const AlipayPlan& plan, WallTime now, const Decide& decide) {
    AlipayReply reply;
    reply.content_type = "text/html;charset=utf-8";  // though it is JSON: so does the real one
    reply.fields = fmt::format("trace_id: {:032x}\r\n", answered_ + refused_.size() + 1);
    Call call;
    const std::string_view type = request.header("Content-Type");
    bool read = read_form(request.query, call.form);
    if (type.starts_with("multipart/form-data"))
        read = read && read_multipart(type, request.body, call.form);
    else if (!request.body.empty())
        read = read && type.starts_with("application/x-www-form-urlencoded") && read_form(request.body, call.form);
    call.method = call.form["method"];
    AlipayNode node = read ? check_parameters(call.form, plan, now) : invalid("isv.invalid-parameter", "参数无效");
    if (node.good()) node = read_biz(call);
    if (node.good()) node = serve(call, plan, decide);
    if (!node.good()) reply.sub_code = node.sub_code;
    reply.body = envelope(call, node, plan.forge);
    return reply;
}

}  // namespace holdfast
