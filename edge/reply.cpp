#include "edge/reply.h"

#include "edge/base/json.h"

namespace holdfast {
namespace {

void add_header(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

// All texts with one growth; literals are then moved word by word. Each `append` is a call of fifty instructions.
template <class... Texts>
void append_all(std::string& out, Texts... texts) {
    const std::size_t before = out.size();
    out.resize(before + (texts.size() + ...));
    char* at = out.data() + before;
    ((at += texts.copy(at, texts.size())), ...);
}

}  // namespace

Reply error_reply(ApiCode code, std::string_view message, std::string_view request_id, Seconds retry_after,
                  bool challenge) {
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
    if (text.status == 401 && challenge) reply.headers += "WWW-Authenticate: HMAC-SHA256\r\n";
    if (retry_after > Seconds(0)) add_header(reply.headers, "Retry-After", std::to_string(retry_after.count()));
    return reply;
}

// Written by hand: every answer passes here, and all names and most values need no look. Ids and scenes were checked
// when they were read; what the centre made is quoted with care.
Reply answer_reply(const Answer& answer, const AnswerContext& context) {
    using std::string_view_literals::operator""sv;
    Reply reply;
    std::string& out = reply.body;
    out.reserve(400);
    append_all(out, "{\"requestId\":\""sv, context.request_id, "\",\"orderNo\":\""sv, context.order_no,
               "\",\"scene\":\""sv, context.scene, "\",\"outcome\":\""sv, name(answer.outcome),
               answer.score ? "\",\"score\":"sv : "\""sv);
    if (answer.score) json::Writer(out).number(*answer.score);
    append_all(out, ",\"source\":\""sv, name(answer.source), "\",\"degraded\":"sv,
               answer.degraded() ? "true"sv : "false"sv, ",\"decidedAt\":\""sv);
    append_rfc3339(out, answer.decided_at);
    out.append("\",\"expiresAt\":\""sv);
    append_rfc3339(out, answer.expires_at);
    out.append("\",\"ageSeconds\":"sv);
    json::Writer(out).integer(answer.age.count());
    if (!answer.verification_id.empty()) {
        out.append(",\"verificationId\":"sv);
        json::append_quoted(out, answer.verification_id);
    }
    if (context.show_final) out.append(answer.degraded() ? ",\"final\":false"sv : ",\"final\":true"sv);
    out.append("}"sv);
    reply.headers.reserve(200);
    append_all(reply.headers, "X-Request-Id: "sv, context.request_id, "\r\nCache-Control: no-store\r\n"sv);
    if (!context.cache_status.empty())
        append_all(reply.headers, "Cache-Status: "sv, context.cache_status, "\r\n"sv);
    if (!context.proxy_status.empty())
        append_all(reply.headers, "Proxy-Status: "sv, context.proxy_status, "\r\n"sv);
    return reply;
}

}  // namespace holdfast
