#include "edge/reply.h"

#include "edge/base/json.h"

namespace holdfast {
namespace {

void add_header(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

Reply error_reply(ApiCode code, std::string_view message, std::string_view request_id, Seconds retry_after) {
    const ApiCodeText& text = text_of(code);
    Reply reply;
    reply.status = text.status;
    json::Writer(reply.body)
        .begin_object()
        .member("code", text.code)
        .member("message", message)
        .member("requestId", request_id)
        .end_object();
    if (!request_id.empty()) add_header(reply.headers, "X-Request-Id", request_id);
    reply.headers += "Cache-Control: no-store\r\n";
    if (text.status == 401) reply.headers += "WWW-Authenticate: HMAC-SHA256\r\n";
    if (retry_after > Seconds(0)) add_header(reply.headers, "Retry-After", std::to_string(retry_after.count()));
    return reply;
}

Reply answer_reply(const Answer& answer, const AnswerContext& context) {
    Reply reply;
    reply.body.reserve(320);
    json::Writer w(reply.body);
    w.begin_object()
        .member("requestId", context.request_id)
        .member("orderNo", context.order_no)
        .member("scene", context.scene)
        .member("outcome", name(answer.outcome));
    if (answer.score) w.member("score", *answer.score);
    w.member("source", name(answer.source))
        .member("degraded", answer.degraded())
        .member("decidedAt", rfc3339(answer.decided_at))
        .member("expiresAt", rfc3339(answer.expires_at))
        .member("ageSeconds", std::int64_t(answer.age.count()));
    if (!answer.verification_id.empty()) w.member("verificationId", answer.verification_id);
    if (context.show_final) w.member("final", !answer.degraded());
    w.end_object();
    reply.headers.reserve(200);
    add_header(reply.headers, "X-Request-Id", context.request_id);
    reply.headers += "Cache-Control: no-store\r\n";
    if (!context.cache_status.empty()) add_header(reply.headers, "Cache-Status", context.cache_status);
    if (!context.proxy_status.empty()) add_header(reply.headers, "Proxy-Status", context.proxy_status);
    return reply;
}

}  // namespace holdfast
