#include "upstream/alipay_settings.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace holdfast {
namespace {

bool listed(const std::vector<std::string>& list, std::string_view text) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

AlipayResponseMap passed_field(std::vector<std::string> fail, std::vector<std::string> pending) {
    AlipayResponseMap out;
    out.outcome = "passed";
    out.pass = {"T"};
    out.fail = std::move(fail);
    out.pending = std::move(pending);
    return out;
}

AlipayResponseMap state_field() {
    AlipayResponseMap out;
    out.outcome = "certify_state";
    out.pass = {"SUCCESS"};
    out.fail = {"FAIL"};
    out.pending = {"PROCESSING"};
    return out;
}

// The answer holds a number to ask with; the result comes later, in the field of a notification.
AlipayResponseMap started(AlipayResponseMap notified) {
    notified.pending.emplace_back();
    notified.later = true;
    return notified;
}

AlipayPreset verify_preset() {
    AlipayPreset out{{}, passed_field({"F"}, {})};
    out.request.fields = {{"face_image", "evidence.image"},
                          {"outer_order_no", "orderNo"},
                          {"user_id", "subject"},
                          {"verify_scene", "scene"}};
    out.response.score = "score";
    return out;
}

// `more`: fields that not every API which begins a verification has.
AlipayPreset initialize_preset(std::string biz_code, bool nested, AlipayResponseMap notified,
                               std::vector<AlipayField> more = {}) {
    const std::string in = nested ? "identity_param." : "";
    AlipayPreset out{{}, started(std::move(notified))};
    std::vector<AlipayField>& fields = out.request.fields;
    fields = {{"biz_code", "=" + biz_code},          {in + "cert_name", "attributes.certName"},
              {in + "cert_no", "attributes.certNo"}, {in + "cert_type", "=IDENTITY_CARD"},
              {in + "identity_type", "=CERT_INFO"},  {"outer_order_no", "orderNo"}};
    std::move(more.begin(), more.end(), std::back_inserter(fields));
    std::sort(fields.begin(), fields.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return out;
}

AlipayPreset query_preset(AlipayResponseMap response) {
    AlipayPreset out{{}, std::move(response)};
    out.request.fields = {{"certify_id", "attributes.certifyId"}};
    return out;
}

AlipayPreset state_query_preset() {
    AlipayResponseMap response = state_field();
    response.score = "score";
    response.score_max = 100;
    return query_preset(std::move(response));
}

AlipayPreset source_certify_preset() {
    AlipayPreset out{{}, passed_field({"F"}, {})};
    out.request.fields = {{"cert_name", "attributes.certName"},
                          {"cert_no", "attributes.certNo"},
                          {"cert_type", "=IDENTITY_CARD"},
                          {"outer_biz_no", "orderNo"}};
    out.request.file_field = "file_content";
    out.request.file_source = "evidence.image";
    out.response.score = "score";
    out.response.score_max = 100;
    out.response.id = "certify_no";
    out.response.order_no = "outer_biz_no";
    return out;
}

}  // namespace

const rsa2::PublicKey* AlipaySettings::verifier(std::string_view cert_sn) const {
    for (const AlipayVerifier& one : verifiers)
        if (one.sn.empty() || one.sn == cert_sn) return &one.key;
    return nullptr;
}

std::optional<AlipayPreset> alipay_preset(std::string_view method) {
    constexpr std::string_view kData = "datadigital.fincloud.generalsaas.face.";
    if (method == "alipay.user.faceverify.verify") return verify_preset();
    if (method == "alipay.user.certify.open.initialize")
        return initialize_preset(
            "FACE", true, passed_field({"F"}, {}),
            {{"face_contrast_picture", "evidence.image"}, {"merchant_config.return_url", "attributes.returnUrl"}});
    // F says "failed" and "not done yet" alike.
    if (method == "alipay.user.certify.open.query") return query_preset(passed_field({}, {"F"}));
    if (!method.starts_with(kData)) return std::nullopt;
    const std::string_view rest = method.substr(kData.size());
    if (rest == "certify.initialize")
        return initialize_preset("FUTURE_TECH_BIZ_FACE_SDK", true, passed_field({"F"}, {}));
    if (rest == "certify.query") return query_preset(passed_field({"F"}, {}));
    if (rest == "verification.initialize")
        return initialize_preset("DATA_DIGITAL_BIZ_CODE_FACE_VERIFICATION", false, state_field());
    if (rest == "verification.query") return state_query_preset();
    if (rest == "source.certify") return source_certify_preset();
    return std::nullopt;
}

bool is_alipay_source(std::string_view source) {
    constexpr std::array<std::string_view, 7> kKnown = {
        "orderNo", "scene", "subject", "device", "evidence.image", "evidence.feature", "evidence.featureModel"};
    if (source.starts_with('=')) return source.size() > 1;
    if (source.starts_with("attributes.")) return source.size() > 11;
    return std::find(kKnown.begin(), kKnown.end(), source) != kKnown.end();
}

std::optional<AlipaySays> read_alipay_outcome(const AlipayResponseMap& map, std::string_view text) {
    // The order is that of caution: should a value be listed twice, it is no pass.
    if (listed(map.pending, text)) return AlipaySays{true, Verdict::review};
    if (text.empty()) return std::nullopt;
    if (listed(map.fail, text)) return AlipaySays{false, Verdict::fail};
    if (listed(map.review, text)) return AlipaySays{false, Verdict::review};
    if (listed(map.pass, text)) return AlipaySays{false, Verdict::pass};
    return std::nullopt;
}

}  // namespace holdfast
