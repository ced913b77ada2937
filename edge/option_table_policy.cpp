// The keys of callers and of what they may get: [[credential]], [[precheck]], [scene.NAME].
#include "edge/option_put.h"

namespace holdfast {
namespace {

using namespace put;
using K = OptionKind;
using R = PrecheckRule;
using S = ScenePolicy;
constexpr auto kHot = Reload::hot;

void set_secret(Draft& d, const OptionValue& v) {
    d.credential_files[d.at].secret = v.text;
}
void set_previous(Draft& d, const OptionValue& v) {
    d.credential_files[d.at].previous = v.text;
}
RateSpec& credential_rate(Draft& d) {
    auto& rate = d.config.credentials[d.at].rate;
    return rate ? *rate : rate.emplace(RateSpec{0, 0});
}
void set_rate(Draft& d, const OptionValue& v) {
    credential_rate(d).per_second = v.number;
}
void set_burst(Draft& d, const OptionValue& v) {
    credential_rate(d).burst = v.number;
}

constexpr std::string_view kKinds = "attribute|required|residency|coupon|image|subject|device|rate";
constexpr std::string_view kAlphabets = "digits|upper|alphanumeric|any";
constexpr std::string_view kChecks = "none|luhn|mod11_10";
constexpr std::string_view kRateBy = "credential|subject|address";
void set_kind(Draft& d, const OptionValue& v) {
    d.config.prechecks[d.at].kind = static_cast<R::Kind>(choice(kKinds, v.text));
}
void set_alphabet(Draft& d, const OptionValue& v) {
    d.config.prechecks[d.at].coupon.alphabet = static_cast<CouponForm::Alphabet>(choice(kAlphabets, v.text));
}
void set_check(Draft& d, const OptionValue& v) {
    d.config.prechecks[d.at].coupon.check = static_cast<CouponForm::Check>(choice(kChecks, v.text));
}
void set_rate_by(Draft& d, const OptionValue& v) {
    d.config.prechecks[d.at].rate_by = static_cast<R::RateBy>(choice(kRateBy, v.text));
}
void set_ladder(Draft& d, const OptionValue& v) {
    for (const auto& rung : v.texts)
        if (const auto parsed = parse_rung(rung)) d.config.scenes[d.at].policy.ladder.add(*parsed);
}

// clang-format off
const Option kRows[] = {
    {"credential[].id", K::text, nullptr, {1, kSecretIdBytesMax}, kHot, "1 to 64 of A-Za-z0-9_-",
     in_credential<&CredentialSpec::id>, {}, true},
    {"credential[].secret_file", K::secret_file, nullptr, {1, 3000}, kHot, "its bytes less one final newline",
     set_secret, {}, true},
    {"credential[].previous_secret_file", K::secret_file, "", {0, 3000}, kHot,
     "the other active secret, for a rotation", set_previous},
    {"credential[].scenes", K::texts, nullptr, {1, 256}, kHot, "scenes that it may ask for",
     in_credential<&CredentialSpec::scenes>, {}, true},
    {"credential[].rate.per_second", K::number, nullptr, {0.001, kRatePerSecondMax}, kHot,
     "requests a second; without it no limit", set_rate},
    {"credential[].rate.burst", K::number, nullptr, {1, kRateBurstMax}, kHot,
     "how many may come at once; without it as many as per_second", set_burst},

    {"precheck[].name", K::text, nullptr, {1, 64}, kHot, "shown in errors, logs and metrics", in_precheck<&R::name>, {},
     true},
    {"precheck[].kind", K::choice, "attribute", {}, kHot, "what it checks", set_kind, kKinds},
    {"precheck[].scenes", K::texts, "*", {1, 256}, kHot, "scenes that it is for; \"*\": all", in_precheck<&R::scenes>},
    {"precheck[].attribute", K::text, "", {0, 64}, kHot,
     "attribute: whose value is checked; residency: default country; coupon: default coupon",
     in_precheck<&R::attribute>},
    {"precheck[].attributes", K::texts, "", {0, 32}, kHot, "required: all of these, not empty",
     in_precheck<&R::attributes>},
    {"precheck[].allow", K::texts, "", {0, 10000}, kHot, "attribute, subject, device: exact values that pass",
     in_precheck<&R::allow, &ValueMatch::exact>},
    {"precheck[].allow_prefix", K::texts, "", {0, 10000}, kHot, "beginnings of values that pass",
     in_precheck<&R::allow, &ValueMatch::prefix>},
    {"precheck[].allow_file", K::input_file, "", {0, 3000}, kHot,
     "file of values that pass, one a line; read again on change", in_precheck<&R::allow, &ValueMatch::file>},
    {"precheck[].deny", K::texts, "", {0, 10000}, kHot, "exact values that are denied; deny wins",
     in_precheck<&R::deny, &ValueMatch::exact>},
    {"precheck[].deny_prefix", K::texts, "", {0, 10000}, kHot, "beginnings of values that are denied",
     in_precheck<&R::deny, &ValueMatch::prefix>},
    {"precheck[].deny_file", K::input_file, "", {0, 3000}, kHot,
     "file of values that are denied, one a line; read again on change", in_precheck<&R::deny, &ValueMatch::file>},
    {"precheck[].optional", K::boolean, nullptr, {}, kHot,
     "whether a request without the attribute passes; default: no for allow and residency, yes for deny and coupon",
     in_precheck<&R::optional>},
    {"precheck[].regions", K::lists, "", {0, 256}, kHot,
     "residency: node region = countries whose subjects it may serve", in_precheck<&R::regions>},
    {"precheck[].coupon.prefix", K::text, "", {0, 128}, kHot, "coupon: how the code begins",
     in_precheck<&R::coupon, &CouponForm::prefix>},
    {"precheck[].coupon.length", K::integer, "0", {0, kCouponBytesMax}, kHot, "coupon: of the whole code; 0: any",
     in_precheck<&R::coupon, &CouponForm::length>},
    {"precheck[].coupon.alphabet", K::choice, "alphanumeric", {}, kHot, "coupon: of the part after the prefix",
     set_alphabet, kAlphabets},
    {"precheck[].coupon.check", K::choice, "none", {}, kHot, "coupon: what its last digit is", set_check, kChecks},
    {"precheck[].coupon.from_at", K::integer, nullptr, {0, kCouponBytesMax - 8}, kHot,
     "coupon: where YYYYMMDD of its first day stands in the code, from 0", in_precheck<&R::coupon,
     &CouponForm::from_at>},
    {"precheck[].coupon.until_at", K::integer, nullptr, {0, kCouponBytesMax - 8}, kHot,
     "coupon: where YYYYMMDD of its last day stands in the code, from 0", in_precheck<&R::coupon,
     &CouponForm::until_at>},
    {"precheck[].from_attribute", K::text, "", {0, 64}, kHot, "coupon: attribute with its first day",
     in_precheck<&R::from_attribute>},
    {"precheck[].until_attribute", K::text, "", {0, 64}, kHot, "coupon: attribute with its last day",
     in_precheck<&R::until_attribute>},
    {"precheck[].image.required", K::boolean, "false", {}, kHot, "image: a request without one is denied",
     in_precheck<&R::image_required>},
    {"precheck[].image.types", K::texts, "", {0, 2}, kHot, "image: of jpeg and png; []: both",
     in_precheck<&R::image_types>},
    {"precheck[].image.bytes_min", K::size, "0B", {0, 16 * kMiB}, kHot, "image: least size, decoded; 0B: none",
     in_precheck<&R::image_bytes_min>},
    {"precheck[].image.bytes_max", K::size, "0B", {0, 16 * kMiB}, kHot, "image: greatest size, decoded; 0B: none",
     in_precheck<&R::image_bytes_max>},
    {"precheck[].by", K::choice, "subject", {}, kHot,
     "rate: whose requests are counted together; up to 131072 subjects or addresses, each until its burst is back; "
     "one more gets 503", set_rate_by, kRateBy},
    {"precheck[].rate.per_second", K::number, nullptr, {0.00001, kRatePerSecondMax}, kHot, "rate: requests a second",
     in_precheck<&R::rate, &RateSpec::per_second>},
    {"precheck[].rate.burst", K::number, "1", {1, kRateBurstMax}, kHot, "rate: how many may come at once",
     in_precheck<&R::rate, &RateSpec::burst>},

    {"scene.*.degrade", K::texts, "", {0, kRungs}, kHot,
     "the ladder: of cache, feature, provisional; they answer in the order written here; []: deny", set_ladder},
    {"scene.*.cache.max_age", K::duration, "0s", {0, 30 * kDay}, kHot, "age of a pass that still answers",
     in_scene<&S::cache, &CachePolicy::max_age>},
    {"scene.*.cache.fail_max_age", K::duration, "30s", {0, 30 * kDay}, kHot, "the same for fail and review",
     in_scene<&S::cache, &CachePolicy::fail_max_age>},
    {"scene.*.cache.overrun", K::integer, "0", {0, kOverrunPercentMax}, kHot,
     "percent beyond the centre's own maxAgeSeconds", in_scene<&S::cache, &CachePolicy::overrun_percent>},
    {"scene.*.require_device", K::boolean, "false", {}, kHot, "records without a device do not answer",
     in_scene<&S::cache, &CachePolicy::require_device>},
    {"scene.*.feature.max_age", K::duration, "0s", {0, 365 * kDay}, kHot, "age of a feature that still compares",
     in_scene<&S::feature, &FeaturePolicy::max_age>},
    {"scene.*.feature.threshold", K::number, "1", {0.000001, 1}, kHot, "least cosine similarity of a pass",
     in_scene<&S::feature, &FeaturePolicy::threshold>},
    {"scene.*.provisional.after", K::duration, "60s", {0, 4 * kHour}, kHot, "how long the outage has lasted",
     in_scene<&S::provisional, &ProvisionalPolicy::after>},
    {"scene.*.provisional.budget_per_minute", K::integer, "0", {0, kBudgetPerMinuteMax}, kHot, "answers of this scene",
     in_scene<&S::provisional, &ProvisionalPolicy::budget_per_minute>},
    {"scene.*.provisional.per_subject_per_hour", K::integer, "1", {0, kPerSubjectPerHourMax}, kHot,
     "answers of one subject", in_scene<&S::provisional, &ProvisionalPolicy::per_subject_per_hour>},
    {"scene.*.provisional.hard_stop", K::duration, "30m", {0, 4 * kHour}, kHot,
     "no more of them in an outage older than this, unless the operator renews it", in_scene<&S::provisional,
     &ProvisionalPolicy::hard_stop>},
    {"scene.*.keep_evidence", K::boolean, "true", {}, kHot,
     "the evidence of a provisional answer is kept, sealed, until it is reconciled", in_scene<&S::keep_evidence>},
};
// clang-format on

} // namespace

std::span<const Option> policy_options() {
    return kRows;
}

} // namespace holdfast
