// The double's second wire format: the signature in the headers of request and answer, errors by HTTP status.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "tests/support/alipay_gateway.h"

namespace holdfast {
namespace {

constexpr std::string_view kScheme = "ALIPAY-SHA256withRSA ";

std::map<std::string, std::string> pairs_of(std::string_view text) {
    std::map<std::string, std::string> out;
    while (!text.empty()) {
        const std::string_view piece = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), piece.size() + 1));
        const auto equals = std::min(piece.find('='), piece.size());
        out.emplace(piece.substr(0, equals), piece.substr(std::min(piece.size(), equals + 1)));
    }
    return out;
}

AlipayNode v3_error(std::string_view sub_code, std::string_view why) {
    return {"40002", "isv." + std::string(sub_code), std::string(why), {}};
}

std::string method_of(std::string_view path) {
    std::string out(path.substr(4));
    std::replace(out.begin(), out.end(), '/', '.');
    return out;
}

int status_of(const AlipayNode& node) {
    if (node.code == "10000") return 200;
    if (node.code == "10003") return 202;
    if (node.code == "20000") return 500;
    if (node.code == "20001") return 401;
    if (node.code == "40005") return 429;
    if (node.code == "40006") return 403;
    return 400;
}

std::string without_prefix(const std::string& sub_code) {
    return sub_code.substr(
        sub_code.starts_with("isv.") || sub_code.starts_with("aop.") || sub_code.starts_with("isp.") ? 4 : 0);
}

}  // namespace

// App, time, and only then the signature over authString, METHOD, path?query, body and, where sent, the auth token.
AlipayNode AlipayGateway::check_v3(const MiniRequest& request, const AlipayPlan& plan, WallTime now) {
    const std::string_view header = request.header("Authorization");
    if (!header.starts_with(kScheme)) return v3_error("missing-timestamp", "缺少认证信息");
    const std::string_view given = header.substr(kScheme.size());
    const auto fields = pairs_of(given);
    const auto get = [&fields](const char* name) {
        const auto at = fields.find(name);
        return at == fields.end() ? std::string() : at->second;
    };
    if (get("app_id") != setup_.app_id) return v3_error("invalid-app-id", "无效的AppID参数");
    const std::string stamp = get("timestamp");
    std::int64_t millis = 0;
    const auto [end, error] = std::from_chars(stamp.data(), stamp.data() + stamp.size(), millis);
    if (stamp.empty()) return v3_error("missing-timestamp", "缺少时间戳参数");
    const WallTime at{Millis(millis)};
    const auto window = plan.timestamp_window;
    if (error != std::errc() || end != stamp.data() + stamp.size() ||
        (window.count() > 0 && (at > now + window || at + window < now)))
        return v3_error("illegal-timestamp", "非法的时间戳参数");
    if (get("nonce").empty()) return v3_error("invalid-parameter", "缺少随机串");
    if (!own_sn_.empty() && (get("app_cert_sn") != app_sn_ || request.header("alipay-root-cert-sn") != root_sn_))
        return v3_error("app-cert-expired", "应用公钥证书不可用");
    const auto sign_at = given.find(",sign=");
    if (sign_at == std::string_view::npos) return v3_error("missing-signature", "缺少签名参数");
    std::string text = fmt::format("{}\n{}\n{}{}{}\n{}\n", given.substr(0, sign_at), request.method, request.path,
                                   request.query.empty() ? "" : "?", request.query, request.body);
    if (const auto token = request.header("alipay-app-auth-token"); !token.empty()) text += fmt::format("{}\n", token);
    if (!app_key_.verify(text, given.substr(sign_at + 6))) return v3_error("invalid-signature", "验签出错");
    if (nonces_.size() >= kChecksMax) nonces_.clear();
    repeated_nonces_ += !nonces_.insert(get("nonce")).second;
    return {};
}

AlipayReply AlipayGateway::v3(const MiniRequest& request, const AlipayPlan& plan, WallTime now, const Decide& decide) {
    AlipayReply reply;
    reply.content_type = "application/json;charset=utf-8";
    reply.fields = fmt::format("alipay-trace-id: {:032x}\r\n", answered_ + refused_.size() + 1);
    Call call;
    call.method = method_of(request.path);
    AlipayNode node = check_v3(request, plan, now);
    if (node.good() && request.method == "GET") {
        if (!read_form(request.query, call.form)) node = v3_error("invalid-parameter", "参数无效");
        call.biz = call.form.fields;
    } else if (node.good() && !request.body.empty() && !flatten(request.body, call.biz)) {
        node = v3_error("illegal-json", "JSON格式错误");
    }
    if (node.good()) call.form.fields["notify_url"] = call.biz["notify_url"];
    if (node.good()) node = serve(call, plan, decide);
    reply.status = status_of(node);
    if (!node.good()) {  // errors carry no signature
        reply.sub_code = node.sub_code;
        reply.body = "{\"code\":";
        json::append_quoted(reply.body, without_prefix(node.sub_code));
        reply.body += ",\"message\":";
        json::append_quoted(reply.body, node.sub_msg);
        reply.body += R"(,"links":[{"link":"https://open.example/doc","desc":"solution"}]})";
        return reply;
    }
    reply.body = "{" + node.members.substr(std::min<std::size_t>(1, node.members.size())) + "}";
    const Forge forge = plan.forge;
    if (forge == Forge::unsigned_) return reply;
    const std::string stamp = std::to_string(std::chrono::duration_cast<Millis>(now.time_since_epoch()).count());
    const std::string nonce = certify_id_of(stamp + reply.body);
    std::string sign = (forge == Forge::wrong_key ? wrong_key_ : key_)
                           .sign(stamp + "\n" + nonce + "\n" + reply.body + "\n",
                                 forge == Forge::sha1 ? RsaHash::sha1 : RsaHash::sha256);
    if (forge == Forge::bad_base64) sign = "@@@";
    if (forge == Forge::tampered) reply.body.insert(1, " ");
    reply.fields +=
        fmt::format("alipay-timestamp: {}\r\nalipay-nonce: {}\r\nalipay-signature: {}\r\n", stamp, nonce, sign);
    if (!own_sn_.empty())
        reply.fields += fmt::format("alipay-sn: {}\r\n", forge == Forge::unknown_cert ? std::string(32, '0') : own_sn_);
    return reply;
}

}  // namespace holdfast
