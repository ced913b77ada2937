#include "edge/client_service.h"

#include "edge/embedded.h"
#include "edge/host_list.h"
#include "edge/reject_log.h"
#include "edge/request_id.h"
#include "policy/verify_request.h"
#include "upstream/drop_in_answer.h"

namespace holdfast {
namespace {

constexpr std::string_view kVerifications = "/v1/verifications";
constexpr std::string_view kNotifications = "/v1/notifications/";
constexpr std::string_view kGateway = "/gateway.do";
constexpr std::string_view kTypeTwice = "Content-Type occurs more than once";
constexpr std::string_view kCoded = "a Content-Encoding other than identity";
constexpr std::string_view kAlipayV3 = "/v3/";  // who calls there reads code and message of a refusal

std::string_view reason_of(ApiCode code) {
    switch (code) {
        case ApiCode::method_not_allowed:
            return "method";
        case ApiCode::misdirected_request:
            return "host";
        case ApiCode::draining:
            return "draining";
        case ApiCode::not_found:
            return "not_found";
        case ApiCode::invalid_request:  // without a reason of its own: Content-Type twice
        case ApiCode::unsupported_media_type:
            return "content_type";
        case ApiCode::body_too_large:
            return "body_too_large";
        default:
            return "other";
    }
}

// The order of a path below kVerifications; empty: it is no such path.
std::string_view order_in(std::string_view path) {
    if (path.size() <= kVerifications.size() + 1 || !path.starts_with(kVerifications)) return {};
    if (path[kVerifications.size()] != '/') return {};
    const std::string_view order_no = path.substr(kVerifications.size() + 1);
    return is_order_no(order_no) ? order_no : std::string_view();
}

// Views of both.
SignedHead signed_head(const RequestHead& head, const HeadFields& fields) {
    return {head.method,          head.raw_path,    head.query,   head.host,
            fields.authorization, fields.timestamp, fields.nonce, fields.content_sha256};
}

}  // namespace

// A verification, or a look at the order of one: what requests_total counts. Anything else that is refused is counted
// by its reason alone, so that strangers weigh nothing in what alerts compare.
bool ClientService::asks_for_verification(const RequestHead& head) const {
    if (head.method == "GET") return !order_in(head.raw_path).empty();
    const bool gateway = head.raw_path == kGateway && serves_gateway();
    return head.method == "POST" && (gateway || head.raw_path == kVerifications);
}

HeadDecision ClientService::on_head(Connection& connection, const RequestHead& head, const PeerInfo& peer, Cap over) {
    const std::string_view path = head.raw_path;
    const bool get = head.method == "GET" || head.method == "HEAD";
    if (path == "/healthz")
        return get ? health()
                   : refuse(head, peer, ApiCode::method_not_allowed, "use GET", Seconds(0), "Allow: GET, HEAD\r\n");
    if (!serves_host(parts_.snapshot->config.listen.hosts, head.host))
        return refuse(head, peer, ApiCode::misdirected_request, "this node does not serve that host");
    if (parts_.refusing) return refuse(head, peer, ApiCode::draining, "this node is going away", jittered_second());
    if (exchanges_.size() >= parts_.in_flight_max)
        return refuse(head, peer, ApiCode::overloaded, "too many requests in flight", jittered_second(), {},
                      {"in_flight"});
    if (over != Cap::none)
        return refuse(head, peer, ApiCode::overloaded, told(over), jittered_second(), {},
                      {name(over), false, "shedding"});
    if (path == "/openapi.json")
        return get ? description()
                   : refuse(head, peer, ApiCode::method_not_allowed, "use GET", Seconds(0), "Allow: GET, HEAD\r\n");
    if (path.starts_with(kNotifications)) return notification(connection, head, peer);
    if (path.starts_with(kAlipayV3) && serves_gateway())
        return refuse(head, peer, ApiCode::not_found,
                      "this node serves version 2 of Alipay's protocol, POST /gateway.do, and not version 3");
    if (path == kGateway && serves_gateway()) {
        if (head.method != "POST")
            return refuse(head, peer, ApiCode::method_not_allowed, "use POST", Seconds(0), "Allow: POST\r\n");
        return drop_in(connection, head, peer);
    }
    if (path == kVerifications) {
        if (head.method != "POST")
            return refuse(head, peer, ApiCode::method_not_allowed, "use POST", Seconds(0), "Allow: POST\r\n");
        return begin(connection, head, peer, Exchange::Kind::verify, {});
    }
    if (const std::string_view order_no = order_in(path); !order_no.empty()) {
        if (head.method != "GET")
            return refuse(head, peer, ApiCode::method_not_allowed, "use GET", Seconds(0), "Allow: GET\r\n");
        return begin(connection, head, peer, Exchange::Kind::lookup, order_no);
    }
    return refuse(head, peer, ApiCode::not_found, "no such resource");
}

HeadDecision ClientService::begin(Connection& connection, const RequestHead& head, const PeerInfo& peer,
                                  Exchange::Kind kind, std::string_view order_no) {
    const HeadFields fields = fields_of(head.headers);
    if (fields.content_type.count > 1) return refuse(head, peer, ApiCode::invalid_request, kTypeTwice);
    const SignedHead signs = signed_head(head, fields);
    auto claimed = claim(signs, parts_.loop.now().wall, parts_.auth_terms());
    if (!claimed) return refuse_caller(head, peer, signs, claimed.error());
    const auto forged = forgery(head, *claimed);
    if (forged && head.expect_continue) return refuse_caller(head, peer, signs, *forged);
    Exchange::Begin begin;
    begin.kind = kind;
    begin.claim = std::move(*claimed);
    begin.order_no = order_no;
    begin.traceparent = fields.traceparent.value.substr(0, 256);
    begin.client = peer.address;
    if (is_coded(fields.content_encoding))
        begin.unread = kCoded;
    else if (kind != Exchange::Kind::lookup && !is_json(fields.content_type))
        begin.unread = "Content-Type must be application/json";
    return {&exchanges_.begin(connection, std::move(begin)), std::nullopt, forged.has_value()};
}

// What says of a body that it is not read as it stands, where it has to be read to know who calls.
std::optional<HeadDecision> ClientService::refuse_content(const RequestHead& head, const PeerInfo& peer,
                                                          const HeadFields& fields) {
    if (fields.content_type.count > 1) return refuse(head, peer, ApiCode::invalid_request, kTypeTwice);
    if (is_coded(fields.content_encoding)) return refuse(head, peer, ApiCode::unsupported_media_type, kCoded);
    return std::nullopt;
}

// Why the request cannot be authenticated whatever its body is. The head says so: what is signed is the body's claimed
// hash. An unknown caller and a wrong signature are told apart neither by the answer, nor by when it comes (at once
// where the client asks before it sends the body, else when the body has come), nor by the work. Small bodies that come
// unasked are not worth it.
std::optional<AuthFailure> ClientService::forgery(const RequestHead& head, const Claim& claim) const {
    const bool asks = head.expect_continue && head.has_body();
    const bool large = head.chunked || head.content_length.value_or(0) > kUntrustedBodyMax;
    if (!asks && !large) return std::nullopt;
    const auto verified = verify(claim, claim.content_sha256(), parts_.snapshot->credentials);
    return verified ? std::nullopt : std::optional(verified.error());
}

// It is signed in query and body; the head says nothing of who calls.
HeadDecision ClientService::drop_in(Connection& connection, const RequestHead& head, const PeerInfo& peer) {
    const HeadFields fields = fields_of(head.headers);
    if (auto refused = refuse_content(head, peer, fields)) return std::move(*refused);
    Exchange::Begin begin;
    begin.kind = Exchange::Kind::drop_in;
    begin.traceparent = fields.traceparent.value.substr(0, 256);
    begin.client = peer.address;
    begin.query = head.query;
    begin.form_body = is_form(fields.content_type);
    return {&exchanges_.begin(connection, std::move(begin)), std::nullopt};
}

// Alipay signs inside the body; a `central` centre signs the request like a caller does.
HeadDecision ClientService::notification(Connection& connection, const RequestHead& head, const PeerInfo& peer) {
    const std::string_view kind = std::string_view(head.raw_path).substr(kNotifications.size());
    if (!notices_.takes(kind)) return refuse(head, peer, ApiCode::not_found, "no such resource");
    if (head.method != "POST")
        return refuse(head, peer, ApiCode::method_not_allowed, "use POST", Seconds(0), "Allow: POST\r\n");
    const HeadFields fields = fields_of(head.headers);
    std::optional<Claim> claimed;
    if (kind == "central") {
        const SignedHead signs = signed_head(head, fields);
        auto made = claim(signs, parts_.loop.now().wall, parts_.auth_terms());
        if (!made) return refuse_caller(head, peer, signs, made.error());
        claimed = std::move(*made);
    }
    if (auto refused = refuse_content(head, peer, fields)) return std::move(*refused);
    if (head.content_length.value_or(0) > kNotifyBytesMax)
        return refuse(head, peer, ApiCode::body_too_large, "a notification has at most 256 KiB");
    const bool json = fields.content_type.count == 1 && is_json(fields.content_type);
    return {&notices_.begin(connection, json, std::move(claimed)), std::nullopt};
}

HeadDecision ClientService::refuse_caller(const RequestHead& head, const PeerInfo& peer, const SignedHead& signs,
                                          AuthFailure why) {
    parts_.metrics.auth_failed(api_code(why));
    Claimed said = claimed(signs, parts_.loop.now().wall);
    said.secret_id = parts_.snapshot->credentials.known(said.secret_id);
    if (why != AuthFailure::timestamp_out_of_window) said.skew.reset();
    const std::string text = message(why, signs, parts_.loop.now().wall, parts_.auth_terms());
    return refuse(head, peer, api_code(why), text, Seconds(0), {}, {name(why), true, {}, said});
}

HeadDecision ClientService::refuse(const RequestHead& head, const PeerInfo& peer, ApiCode code,
                                   std::string_view message, Seconds retry_after, std::string_view more_headers,
                                   WhyRefused why) {
    const Now now = parts_.loop.now();
    const std::string request_id = make_request_id(now.wall, parts_.rng);
    Reply reply = error_reply(code, message, request_id, retry_after);
    reply.headers += more_headers;
    // An SDK asks again as it does at Alipay.
    if (head.raw_path == kGateway && serves_gateway() && (code == ApiCode::overloaded || code == ApiCode::draining)) {
        reply.status = 200;
        reply.own_type = kDropInType;
        reply.body = parts_.snapshot->config.gateway.settings->refusal(DropInFault::unavailable, true);
        reply.headers.append("X-Edge-Code: ").append(text_of(code).code).append("\r\n");
    }
    if (code == ApiCode::request_expired)
        reply.headers += "X-Server-Time: " + std::to_string(unix_seconds(now.wall)) + "\r\n";
    if (asks_for_verification(head)) {
        parts_.metrics.refused(kSceneOther, code, Nanos(0));
        if (head.method == "POST") {
            ++parts_.refused;
            ++parts_.refused_by_head;
            parts_.note_refused(code, why.said.skew);
        }
    }
    RequestTrace trace;
    trace.request_id = request_id;
    trace.began = now.wall;
    trace.status = reply.status;
    trace.code = text_of(code).code;
    trace.reason = why.reason.empty() ? reason_of(code) : why.reason;
    if (why.auth) trace.auth = trace.reason;
    trace.claimed = why.said.secret_id;
    trace.skew = why.said.skew;
    const std::string_view counted = why.counted.empty() ? trace.reason : why.counted;
    if (is_reject_label(counted)) parts_.metrics.http_rejected(counted);
    keep_account(head, peer, reply, std::move(trace));
    return {nullptr, std::move(reply)};
}

void ClientService::keep_account(const RequestHead& head, const PeerInfo& peer, const Reply& reply,
                                 RequestTrace&& trace) {
    parts_.rejects->note(trace.reason, peer.address, parts_.loop.now().mono, head.content_length.value_or(0),
                         {trace.claimed, trace.skew});
    if (parts_.access.enabled()) {
        AccessLine line;
        line.time = trace.began;
        line.request_id = trace.request_id;
        line.client = peer.address;
        line.method = is_http_token(head.method) ? head.method.substr(0, 16) : "other";
        line.route = "none";
        line.claimed = trace.claimed;
        line.skew = trace.skew;
        line.code = trace.code;
        line.reason = trace.reason;
        line.status = reply.status;
        line.bytes_out = reply.body.size();
        parts_.access.write(line);
    }
    parts_.recent.add_refused(std::move(trace));
}

HeadDecision ClientService::health() const {
    Reply reply;
    reply.status = parts_.draining ? 503 : 200;
    reply.content_type = "text/plain; charset=utf-8";
    reply.body = parts_.draining ? "draining" : "ok";
    reply.headers = "Cache-Control: no-store\r\n";
    return {nullptr, std::move(reply)};
}

HeadDecision ClientService::description() {
    Reply reply;
    reply.body = kOpenApiJson;
    reply.headers = "Cache-Control: max-age=300\r\n";
    return {nullptr, std::move(reply)};
}

Seconds ClientService::jittered_second() {
    return Seconds(1 + static_cast<std::int64_t>(parts_.rng.below(3)));
}

}  // namespace holdfast
