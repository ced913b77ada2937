// What the face APIs of the double answer to a call whose signature is good.
#include <fmt/format.h>

#include "edge/base/rng.h"
#include "tests/support/alipay_gateway.h"
#include "tests/support/centre_plan.h"

namespace holdfast {
namespace {

AlipayNode lacks(std::string_view field) {
    return {"40004", "INVALID_PARAMETER", fmt::format("参数有误: {}", field), {}};
}

std::string value_of(const std::map<std::string, std::string>& biz, std::initializer_list<const char*> names) {
    for (const char* name : names)
        if (const auto at = biz.find(name); at != biz.end() && !at->second.empty()) return at->second;
    return {};
}

std::string subject_of(const std::map<std::string, std::string>& biz) {
    return value_of(biz, {"user_id", "identity_param.cert_no", "cert_no", "outer_order_no", "outer_biz_no"});
}

double score_of(Verdict verdict, std::string_view subject) {
    const double base = verdict == Verdict::pass ? 0.9 : 0.1;
    return base + static_cast<double>(subject_hash(subject) % 90) / 1000;
}

// Of the data APIs, whose full score is 100.
std::string percent_of(Verdict verdict, std::string_view subject) {
    return fmt::format("{:.1f}", 100 * score_of(verdict, subject));
}

bool image(std::string_view bytes) {
    return bytes.starts_with("\xff\xd8\xff") || bytes.starts_with("\x89PNG\r\n\x1a\n");
}

const char* passed(Verdict verdict) {
    return verdict == Verdict::pass ? "T" : "F";
}

}  // namespace

std::string certify_id_of(std::string_view order_no) {
    const std::uint64_t hash = subject_hash(order_no);
    return fmt::format("{:016x}{:016x}", hash, Rng(hash).next());
}

AlipayNode AlipayGateway::serve(const Call& call, const AlipayPlan& plan, const Decide& decide) {
    if (!plan.code.empty()) return {plan.code, plan.sub_code, "按命令返回", {}};
    const std::string& m = call.method;
    if (m == "alipay.user.faceverify.verify") return verified(call, plan, decide);
    if (m == "datadigital.fincloud.generalsaas.face.source.certify") return source_certified(call, decide);
    if (m == "alipay.user.certify.open.initialize" || m == "datadigital.fincloud.generalsaas.face.certify.initialize" ||
        m == "datadigital.fincloud.generalsaas.face.verification.initialize")
        return initialized(call);
    if (m == "datadigital.fincloud.generalsaas.face.certify.verify") {
        const std::string id = value_of(call.biz, {"certify_id"});
        if (!checks_.contains(id)) return lacks("certify_id");
        return {"10000", {}, {}, fmt::format(R"(,"certify_url":"https://openapi.example/certify?id={}")", id)};
    }
    if (m == "alipay.user.certify.open.query" || m == "datadigital.fincloud.generalsaas.face.certify.query" ||
        m == "datadigital.fincloud.generalsaas.face.verification.query")
        return queried(call, plan, decide);
    return {"40002", "isv.invalid-method", "不存在的方法名", {}};
}

AlipayNode AlipayGateway::verified(const Call& call, const AlipayPlan& plan, const Decide& decide) {
    const std::string order = value_of(call.biz, {"outer_order_no"}), scene = value_of(call.biz, {"verify_scene"});
    if (order.empty() || order.size() > 64) return lacks("outer_order_no");
    if (scene.empty()) return lacks("verify_scene");
    const std::string id = certify_id_of(order);
    const AlipayAsk ask{call.method, order, subject_of(call.biz), scene, call.form["notify_url"]};
    if (plan.pending) {
        remember(id, {ask.order_no, ask.subject, ask.scene, ask.notify_url});
        if (told_ && !ask.notify_url.empty()) told_(ask);
        return {"10003", {}, {}, fmt::format(R"(,"certify_id":"{}")", id)};
    }
    const Verdict verdict = decide(ask);
    remember(id, {ask.order_no, ask.subject, ask.scene, ask.notify_url});
    if (told_ && !ask.notify_url.empty()) told_(ask);
    return {"10000",
            {},
            {},
            fmt::format(R"(,"passed":"{}","score":{:.3f},"certify_id":"{}")", passed(verdict),
                        score_of(verdict, ask.subject), id)};
}

AlipayNode AlipayGateway::initialized(const Call& call) {
    const bool open = call.method == "alipay.user.certify.open.initialize";
    const std::string order = value_of(call.biz, {"outer_order_no"});
    if (order.empty() || order.size() > (open ? 32u : 64u)) return lacks("outer_order_no");
    for (const char* field : {"biz_code"})
        if (value_of(call.biz, {field}).empty()) return lacks(field);
    if (value_of(call.biz, {"identity_param.cert_no", "cert_no"}).empty()) return lacks("cert_no");
    // Its page must know where to go back to.
    if (open && value_of(call.biz, {"merchant_config.return_url"}).empty()) return lacks("merchant_config");
    const std::string id = certify_id_of(order);
    const AlipayAsk ask{call.method, order, subject_of(call.biz), "", call.form["notify_url"]};
    remember(id, {order, ask.subject, "", ask.notify_url});
    if (told_ && !ask.notify_url.empty()) told_(ask);
    std::string members = fmt::format(R"(,"certify_id":"{}")", id);
    if (call.method.ends_with("verification.initialize"))
        members += fmt::format(R"(,"web_url":"https://openapi.example/face?id={}")", id);
    return {"10000", {}, {}, members};
}

AlipayNode AlipayGateway::queried(const Call& call, const AlipayPlan& plan, const Decide& decide) {
    const auto at = checks_.find(value_of(call.biz, {"certify_id"}));
    if (at == checks_.end()) return lacks("certify_id");
    Check& check = at->second;
    const bool by_state = call.method.ends_with("verification.query");
    if (check.queries < plan.processing) {
        ++check.queries;
        return {"10000", {}, {}, by_state ? R"(,"certify_state":"PROCESSING")" : R"(,"passed":"F")"};
    }
    const Verdict verdict = decide({call.method, check.order_no, check.subject, check.scene, ""});
    if (!by_state) return {"10000", {}, {}, fmt::format(R"(,"passed":"{}")", passed(verdict))};
    return {"10000",
            {},
            {},
            fmt::format(R"(,"certify_state":"{}","score":"{}","attack_flag":"F")",
                        verdict == Verdict::pass ? "SUCCESS" : "FAIL", percent_of(verdict, check.subject))};
}

// Pure server side: the picture is a file, which is not signed.
AlipayNode AlipayGateway::source_certified(const Call& call, const Decide& decide) {
    const std::string order = value_of(call.biz, {"outer_biz_no"});
    for (const char* field : {"outer_biz_no", "cert_name", "cert_no", "cert_type"})
        if (value_of(call.biz, {field}).empty()) return lacks(field);
    const auto file = call.form.files.find("file_content");
    if (file == call.form.files.end()) return lacks("file_content");
    if (file->second.size() > kFileBytesMax) return {"40002", "isv.invalid-file-size", "文件大小无效", {}};
    if (!image(file->second)) return {"40002", "isv.invalid-file-extension", "文件扩展名无效", {}};
    const AlipayAsk ask{call.method, order, subject_of(call.biz), "", ""};
    const Verdict verdict = decide(ask);
    std::string members = fmt::format(R"(,"certify_no":"{}","passed":"{}","score":"{}","quality":"0.9")",
                                      certify_id_of(order), passed(verdict), percent_of(verdict, ask.subject));
    if (verdict != Verdict::pass) members += R"(,"mismatch_reason":"人脸比对不一致")";
    return {"10000", {}, {}, members};
}

void AlipayGateway::remember(const std::string& certify_id, Check check) {
    const auto [at, added] = checks_.try_emplace(certify_id, std::move(check));
    if (!added) return;
    order_.push_back(certify_id);
    if (order_.size() <= kChecksMax) return;
    checks_.erase(order_.front());
    order_.pop_front();
}

std::string AlipayGateway::notify_url(const std::string& order_no) const {
    const auto at = checks_.find(certify_id_of(order_no));
    return at == checks_.end() ? std::string() : at->second.notify_url;
}

}  // namespace holdfast
