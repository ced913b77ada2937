#include "upstream/drop_in_answer.h"

#include "edge/base/json.h"

namespace holdfast {
namespace {

std::string_view msg_of(std::string_view code) {
    if (code == "20000") return "Service Currently Unavailable";
    if (code == "40001") return "Missing Required Arguments";
    if (code == "40002") return "Invalid Arguments";
    if (code == "40004") return "Business Failed";
    if (code == "40005") return "Call Limited";
    return "Insufficient Permissions";
}

// What the outcome field says; empty: it is left out, and nobody reads a pass in it.
std::string_view outcome_value(const DropInSettings& s, Outcome outcome) {
    const auto first = [](const std::vector<std::string>& list) {
        return list.empty() ? std::string_view() : std::string_view(list.front());
    };
    switch (outcome) {
        case Outcome::pass:
            return first(s.response().pass);
        case Outcome::fail:
            return first(s.response().fail);
        case Outcome::review:
            return first(s.response().review);
        case Outcome::provisional:
            return s.provisional;
    }
    return {};
}

// Alipay writes its numbers as texts.
std::string number_text(double v) {
    std::string out;
    json::Writer(out).number(v);
    return out;
}

}  // namespace

DropInRefusal drop_in_refusal(ApiCode code, std::string_view message) {
    switch (code) {
        case ApiCode::invalid_request:
        case ApiCode::order_conflict:
            return {"40002", "isv.invalid-parameter", message};
        case ApiCode::scene_forbidden:
            return {"40006", "isv.insufficient-isv-permissions", message};
        case ApiCode::precheck_denied:
            return {"40004", "PRECHECK_DENIED", message};
        case ApiCode::rate_limited:
            return {"40005", "isv.app-call-limited", message};
        default:
            return {"20000", "isp.unknow-error", message};
    }
}

std::string drop_in_node(const DropInRefusal& refusal, ApiCode code) {
    std::string out;
    json::Writer(out)
        .begin_object()
        .member("code", refusal.code)
        .member("msg", msg_of(refusal.code))
        .member("sub_code", refusal.sub_code)
        .member("sub_msg", refusal.sub_msg)
        .member("edge_code", text_of(code).code)
        .end_object();
    return out;
}

std::string drop_in_node(const DropInSettings& settings, const Answer& answer, std::string_view order_no,
                         bool repeated) {
    const AlipayResponseMap& map = settings.response();
    std::string out;
    json::Writer w(out);
    w.begin_object().member("code", "10000").member("msg", "Success");
    const std::string_view value = outcome_value(settings, answer.outcome);
    if (!map.outcome.empty() && !map.later && !value.empty()) w.member(map.outcome, value);
    if (!map.score.empty() && answer.score) w.member(map.score, number_text(*answer.score * map.score_max));
    if (!map.id.empty() && !answer.verification_id.empty()) w.member(map.id, answer.verification_id);
    if (!map.order_no.empty()) w.member(map.order_no, order_no);
    w.member("edge_degraded", answer.degraded() ? "true" : "false")
        .member("edge_source", name(answer.source))
        .member("edge_outcome", name(answer.outcome))
        .member("edge_repeated", repeated ? "true" : "false")
        .member("edge_decided_at", rfc3339(answer.decided_at))
        .member("edge_expires_at", rfc3339(answer.expires_at))
        .member("edge_age_seconds", std::to_string(answer.age.count()))
        .end_object();
    return out;
}

std::string drop_in_envelope(std::string_view name, std::string_view node, std::string_view sign) {
    std::string out;
    json::Writer(out).begin_object().key(name).raw(node).member("sign", sign).end_object();
    return out;
}

}  // namespace holdfast
