#include "upstream/alipay_reply.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "upstream/alipay_envelope.h"
#include "upstream/alipay_members.h"

namespace holdfast {
namespace {

constexpr std::size_t kCodeMax = 64;  // bytes of a code that are shown

std::string shown(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, kCodeMax)) out += c > ' ' && c < 0x7f ? c : '?';
    return out;
}

Code code_of(FailureKind failure) {
    switch (failure) {
        case FailureKind::throttled:
            return Code::throttled;
        case FailureKind::unavailable:
            return Code::unavailable;
        case FailureKind::rejected:
        case FailureKind::setup:
            return Code::denied;
        default:
            return Code::invalid;
    }
}

void end_with(GatewayReply& reply, FailureKind failure, std::string detail) {
    reply.central.failure = failure;
    reply.central.error = Error{code_of(failure), Origin::upstream, true, std::move(detail)};
}

// No answer in the protocol's sense: a failure of the centre, and no reason to ask again.
GatewayReply broken(std::string detail, bool signature = false) {
    GatewayReply reply;
    reply.central.kind = CallKind::failure;
    reply.central.no_retry = true;
    end_with(reply, signature ? FailureKind::bad_signature : FailureKind::invalid_response, std::move(detail));
    return reply;
}

std::optional<double> scaled(double score, double max) {
    const double out = score / max;
    return out >= 0 && out <= 1 ? std::optional(out) : std::nullopt;  // nor where it is no number
}

std::string read_id(json::Value v) {
    const auto text = v.text();
    const bool good = text && text->size() <= kVerificationIdMax &&
                      std::all_of(text->begin(), text->end(), [](char c) { return c > ' ' && c < 0x7f; });
    return good ? std::string(*text) : std::string();
}

void read_outcome(const AlipaySettings& s, json::Value node, std::string_view order_no, GatewayReply& reply) {
    const AlipayResponseMap& map = s.response;
    const json::Value about = node[map.order_no];
    const json::Value field = map.outcome.empty() ? json::Value() : node[map.outcome];
    const bool ours = !about || (about.text() && *about.text() == order_no);
    // A value of another kind is no absent one.
    const std::string text = read_alipay_text(field);
    const auto says = field && text.empty() ? std::nullopt : read_alipay_outcome(map, text);
    if (!ours || !(says || map.later)) {
        reply = broken(ours ? fmt::format("the gateway's answer has no {} that is known", map.outcome)
                            : std::string("the gateway's answer is about another order"));
        return;
    }
    if (map.later || says->pending) {
        reply.what = AlipayClass::pending;
        reply.central.pending_id = read_id(node[map.id]);
        return end_with(reply, FailureKind::pending, "the order has no outcome yet");
    }
    CentreOutcome outcome;
    outcome.verdict = says->verdict;
    outcome.verification_id = read_id(node[map.id]);
    if (!map.score.empty()) outcome.score = read_alipay_score(node[map.score], map.score_max);
    reply.central.failure = FailureKind::none;
    reply.central.outcome = std::move(outcome);
}

// A definite refusal of the business: a `fail` that is never used again for another request.
void refuse(GatewayReply& reply) {
    CentreOutcome outcome;
    outcome.verdict = Verdict::fail;
    outcome.max_age = Seconds(0);
    reply.central.failure = FailureKind::none;
    reply.central.outcome = std::move(outcome);
    reply.central.by_code = true;
}

// What the meaning of a code comes to; outcomes and pendings have been read already.
void settle(GatewayReply& reply, const AlipayMeaning& meaning, std::string detail) {
    reply.what = meaning.what;
    reply.listed = meaning.listed;
    reply.central.kind = meaning.kind;
    reply.central.no_retry = !meaning.retry;
    switch (meaning.what) {
        case AlipayClass::outcome:
        case AlipayClass::pending:
            return end_with(reply, FailureKind::pending, std::move(detail));
        case AlipayClass::unknown_result:
        case AlipayClass::transient:
            return end_with(reply, FailureKind::unavailable, std::move(detail));
        case AlipayClass::config:
            return end_with(reply, FailureKind::setup, std::move(detail));
        case AlipayClass::caller_error:
            return end_with(reply, FailureKind::caller_error, std::move(detail));
        case AlipayClass::throttled:
            return end_with(reply, FailureKind::throttled, std::move(detail));
        case AlipayClass::business:
            return end_with(reply, FailureKind::rejected, std::move(detail));
        case AlipayClass::protocol:
            reply = broken(std::move(detail));
            return;
    }
}

GatewayReply by_status(const AlipayMeaning& meaning, int status) {
    GatewayReply reply;
    settle(reply, meaning, fmt::format("the gateway answered {}", status));
    if (status == 504) end_with(reply, FailureKind::timeout, reply.central.error.detail);
    return reply;
}

// Whether something in this class of answer counts only when it is signed.
bool needs_signature(AlipayClass what) {
    return what == AlipayClass::outcome || what == AlipayClass::pending || what == AlipayClass::business;
}

GatewayReply read_node(const AlipaySettings& s, json::Value node, bool is_error, bool is_signed,
                      std::string_view order_no) {
    const auto code = node["code"].text();
    if (!code) return broken("the gateway's answer has no code");
    const std::string_view sub_code = node["sub_code"].text().value_or("");
    const AlipayMeaning meaning = meaning_v2(*code, sub_code);
    GatewayReply reply;
    const std::string said = fmt::format("the gateway answered {} {}", shown(*code), shown(sub_code));
    if (needs_signature(meaning.what) && !is_signed) {
        reply = broken(said + ", not signed", true);
    } else if (is_error && (meaning.what == AlipayClass::outcome || meaning.what == AlipayClass::pending)) {
        reply = broken(said + " as an error");
    } else {
        settle(reply, meaning, said);
        if (meaning.what == AlipayClass::outcome) read_outcome(s, node, order_no, reply);
        if (meaning.what == AlipayClass::pending) reply.central.pending_id = read_id(node[s.response.id]);
        if (meaning.what == AlipayClass::business && meaning.kind == CallKind::success) refuse(reply);
    }
    reply.code = shown(*code);
    reply.sub_code = shown(sub_code);
    reply.is_signed = is_signed;
    return reply;
}

// The members of an answer that are read, with all its keys; what else it holds may be of any size.
Result<json::Value> parse_read(std::string_view text, const AlipayResponseMap& map, json::Document& doc) {
    const auto small = reduced(text, {"code", "sub_code", map.order_no, map.outcome, map.score, map.id});
    if (!small) return tl::unexpected(small.error());
    return doc.parse(*small);
}

GatewayReply read_v2(const AlipaySettings& s, const AlipayAnswer& answer, std::string_view order_no,
                    json::Document& doc) {
    if (answer.status != 200)
        return by_status(meaning_http(answer.status, !answer.retry_after.empty()), answer.status);
    const auto envelope = open_envelope(answer.body, s.method, doc);
    if (!envelope) return broken(envelope.error().detail);
    const bool is_signed = envelope->sign.has_value();
    if (is_signed) {
        const rsa2::PublicKey* key = s.verifier(envelope->cert_sn.value_or(""));
        if (key == nullptr) return broken("the gateway's answer names a certificate that is not configured", true);
        if (!key->verify(envelope->node, *envelope->sign))
            return broken("the signature of the gateway's answer is wrong", true);
    }
    std::string plain(envelope->node);
    if (envelope->encrypted) {
        // Only what is verified is decrypted, and only where that is configured.
        const auto text = doc.parse(envelope->node);
        if (!is_signed || !s.cipher || !text) return broken("the gateway's answer is encrypted", !is_signed);
        auto opened = s.cipher->decrypt(text->text().value_or(""));
        if (!opened) return broken("the gateway's answer: " + opened.error().detail);
        plain = std::move(*opened);
    }
    const auto node = parse_read(plain, s.response, doc);
    if (!node || !node->is(json::Kind::object)) return broken("the node of the gateway's answer is no object");
    return read_node(s, *node, envelope->is_error, is_signed, order_no);
}

// A success that says nothing: where an absent field says "not yet" it is that, else an answer without an outcome.
GatewayReply without_content(const AlipayResponseMap& map, GatewayReply reply) {
    const auto says = read_alipay_outcome(map, "");
    if (map.later || (says && says->pending))
        reply.what = AlipayClass::pending;
    else
        end_with(reply, FailureKind::rejected, "the gateway answered 204, without an outcome");
    return reply;
}

GatewayReply read_v3_error(const AlipaySettings& s, const AlipayAnswer& answer, json::Document& doc) {
    const auto root = parse_read(answer.body, s.response, doc);
    const std::string_view code = root ? (*root)["code"].text().value_or("") : std::string_view();
    GatewayReply reply;
    settle(reply, meaning_v3(answer.status, code, !answer.retry_after.empty()),
           fmt::format("the gateway answered {} {}", answer.status, shown(code)));
    reply.code = shown(code);
    return reply;
}

// A signed answer of v3 whose code denies what its status says: a code of v3, or a number as v2 has them.
GatewayReply by_code(const AlipaySettings& s, json::Value node, std::string_view order_no) {
    const auto code = node["code"].text();
    if (!code) return broken("the gateway's answer has a code that is no text");
    const bool number = std::all_of(code->begin(), code->end(), [](char c) { return c >= '0' && c <= '9'; });
    if (number) return read_node(s, node, false, true, order_no);
    GatewayReply reply;
    settle(reply, meaning_v3(400, *code), fmt::format("the gateway answered {} with a good status", shown(*code)));
    reply.code = shown(*code);
    reply.is_signed = true;
    return reply;
}

GatewayReply read_v3(const AlipaySettings& s, const AlipayAnswer& answer, std::string_view order_no,
                    json::Document& doc) {
    const AlipayMeaning meaning = meaning_v3(answer.status, "");
    if (!(meaning.what == AlipayClass::outcome || meaning.what == AlipayClass::pending))
        return read_v3_error(s, answer, doc);
    const rsa2::PublicKey* key = s.verifier(answer.v3_sn);
    const std::string text = fmt::format("{}\n{}\n{}\n", answer.v3_timestamp, answer.v3_nonce, answer.body);
    if (key == nullptr || answer.v3_timestamp.empty() || answer.v3_nonce.empty() ||
        !key->verify(text, answer.v3_signature))
        return broken("the signature of the gateway's answer is wrong, or not there", true);
    GatewayReply reply;
    settle(reply, meaning, fmt::format("the gateway answered {}", answer.status));
    reply.is_signed = true;
    if (answer.status == 204) return without_content(s.response, std::move(reply));
    const auto node = parse_read(answer.body, s.response, doc);
    const json::Value code = node && node->is(json::Kind::object) ? (*node)["code"] : json::Value();
    if (code && code.text() != "10000") return by_code(s, *node, order_no);
    if (meaning.what == AlipayClass::pending) {
        if (node) reply.central.pending_id = read_id((*node)[s.response.id]);
        return reply;
    }
    if (!node || !node->is(json::Kind::object)) return broken("the gateway's answer is no object");
    read_outcome(s, *node, order_no, reply);
    return reply;
}

}  // namespace

void blame_caller(GatewayReply& reply, bool own_app) {
    FailureKind& failure = reply.central.failure;
    if (failure == FailureKind::setup && !reply.code.empty()) failure = FailureKind::caller_setup;
    if (failure == FailureKind::bad_signature && !own_app) failure = FailureKind::caller_signature;
}

std::string read_alipay_text(json::Value v) {
    if (const auto text = v.text()) return std::string(*text);
    if (const auto flag = v.boolean()) return *flag ? "true" : "false";
    return {};
}

std::optional<double> read_alipay_score(std::string_view text, double max) {
    double parsed = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    return error == std::errc() && end == text.data() + text.size() ? scaled(parsed, max) : std::nullopt;
}

std::optional<double> read_alipay_score(json::Value v, double max) {
    if (const auto text = v.text()) return read_alipay_score(*text, max);
    const auto number = v.number();
    return number ? scaled(*number, max) : std::nullopt;
}

GatewayReply read_alipay(const AlipaySettings& s, const AlipayAnswer& answer, std::string_view order_no,
                        json::Document& doc) {
    const bool v2 = s.protocol == AlipayProtocol::v2;
    GatewayReply reply = v2 ? read_v2(s, answer, order_no, doc) : read_v3(s, answer, order_no, doc);
    if (reply.central.failure == FailureKind::throttled)
        reply.central.retry_after = parse_retry_after(answer.retry_after, answer.now);
    reply.central.said = reply.code;
    if (!reply.sub_code.empty()) reply.central.said.append(1, ' ').append(reply.sub_code);
    reply.central.trace = shown(answer.trace);
    return reply;
}

}  // namespace holdfast
