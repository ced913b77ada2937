#include "policy/prechecks.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/precheck_compiled.h"

namespace holdfast {
namespace {

using Kind = PrecheckRule::Kind;

// What one rule says of one request: empty `why` passes.
struct Says {
    std::string_view why;
    ApiCode code = ApiCode::precheck_denied;
    Nanos retry_after{0};
    std::string_view attribute{};  // that it is about; empty: none
};

Says missing(std::string_view why, std::string_view attribute) {
    return {why, ApiCode::precheck_denied, Nanos(0), attribute};
}

Says judge_list(const CompiledRule& rule, std::string_view value) {
    if (rule.deny.given) {
        if (rule.deny.matches(value)) return {"is on the deny list"};
        if (rule.deny.unknown()) return {"the deny list's file has not been read"};
    }
    if (rule.allow.given && !rule.allow.matches(value))
        return {rule.allow.unknown() ? "the allow list's file has not been read" : "is not on the allow list"};
    return {};
}

Says judge_attribute(const CompiledRule& rule, const VerifyRequest& request) {
    const std::string* value = request.attribute(rule.rule.attribute);
    if (value == nullptr)
        return *rule.rule.optional ? Says{} : missing("the attribute is missing", rule.rule.attribute);
    return judge_list(rule, *value);
}

Says judge_required(const CompiledRule& rule, const VerifyRequest& request) {
    for (const std::string& name : rule.rule.attributes) {
        const std::string* value = request.attribute(name);
        if (value == nullptr || value->empty()) return missing("a required attribute is missing", name);
    }
    return {};
}

Says judge_residency(const CompiledRule& rule, const VerifyRequest& request) {
    if (!rule.region_known) return {"nothing is declared for this node's region"};
    const std::string* country = request.attribute(rule.rule.attribute);
    if (country == nullptr)
        return *rule.rule.optional ? Says{} : missing("the subject's country is missing", rule.rule.attribute);
    if (!rule.countries.contains(*country)) return {"the subject's country is not served in this region"};
    return {};
}

std::string_view words(CouponFault fault) {
    switch (fault) {
        case CouponFault::none:
            return {};
        case CouponFault::length:
            return "the coupon has a wrong length";
        case CouponFault::prefix:
            return "the coupon has a wrong prefix";
        case CouponFault::alphabet:
            return "the coupon has a wrong character";
        case CouponFault::check_digit:
            return "the coupon's check digit is wrong";
        case CouponFault::malformed_date:
            return "the coupon has a malformed date";
        case CouponFault::not_yet_valid:
            return "the coupon is not valid yet";
        case CouponFault::expired:
            return "the coupon has expired";
    }
    return "the coupon is not valid";
}

// A date attribute that the rule names and the request has; one that is absent says nothing.
CouponFault judge_dates(const PrecheckRule& rule, const VerifyRequest& request, WallTime now) {
    for (const bool end : {false, true}) {
        const std::string& name = end ? rule.until_attribute : rule.from_attribute;
        const std::string* text = name.empty() ? nullptr : request.attribute(name);
        if (text == nullptr) continue;
        const auto day = parse_day(*text, end);
        if (!day) return CouponFault::malformed_date;
        if (!end && now < *day) return CouponFault::not_yet_valid;
        if (end && now > *day) return CouponFault::expired;
    }
    return CouponFault::none;
}

Says judge_coupon(const CompiledRule& rule, const VerifyRequest& request, WallTime now) {
    const std::string* code = request.attribute(rule.rule.attribute);
    if (code == nullptr) return *rule.rule.optional ? Says{} : missing("the coupon is missing", rule.rule.attribute);
    CouponFault fault = check_coupon(rule.rule.coupon, *code, now);
    if (fault == CouponFault::none) fault = judge_dates(rule.rule, request, now);
    return {words(fault)};
}

Says judge_image(const CompiledRule& compiled, const VerifyRequest& request) {
    const PrecheckRule& rule = compiled.rule;
    if (!request.has_image) return rule.image_required ? Says{"an image is required"} : Says{};
    const auto& types = rule.image_types;
    if (!types.empty() && std::find(types.begin(), types.end(), request.image_type) == types.end())
        return {"the image's type is not accepted"};
    if (request.image_bytes < rule.image_bytes_min) return {"the image is too small"};
    if (rule.image_bytes_max != 0 && request.image_bytes > rule.image_bytes_max) return {"the image is too large"};
    return {};
}

Says says_of(const RateVerdict& verdict) {
    if (verdict.allowed) return {};
    if (verdict.no_room)
        return {"too many are counted: no room for one more", ApiCode::overloaded, verdict.retry_after};
    return {"too many requests", ApiCode::rate_limited, verdict.retry_after};
}

// Spends; a request that is answered by the record of its order spends nothing.
struct Take {
    const PrecheckInput& input;
    MonoTime now;
    RateVerdict operator()(CredentialRates& rates, const RateSpec& spec) const {
        return input.repeated ? RateVerdict{} : rates.take(input.credential.seat, spec, now);
    }
    RateVerdict operator()(RateTable& table, std::string_view key, const RateSpec& spec) const {
        return input.repeated ? RateVerdict{} : table.take(input.credential.seat, key, spec, now);
    }
};

struct Peek {
    const PrecheckInput& input;
    MonoTime now;
    RateVerdict operator()(const CredentialRates& rates, const RateSpec& spec) const {
        return rates.peek(input.credential.seat, spec, now);
    }
    RateVerdict operator()(RateTable& table, std::string_view key, const RateSpec& spec) const {
        return table.peek(input.credential.seat, key, spec, now);
    }
};

template <typename Rate>
Says judge_rate(const CompiledRule& rule, const PrecheckInput& input, const Rate& rate) {
    if (rule.by_credential != nullptr) return says_of(rate(*rule.by_credential, rule.rule.rate));
    const bool by_address = rule.rule.rate_by == PrecheckRule::RateBy::address;
    const std::string_view key = by_address ? input.address : std::string_view(input.request.subject);
    return says_of(rate(*rule.by_key, key, rule.rule.rate));
}

// `rate` takes or peeks: the only difference between evaluating and explaining.
template <typename Rate>
Says judge(const CompiledRule& rule, const PrecheckInput& input, Now now, const Rate& rate) {
    const VerifyRequest& request = input.request;
    switch (rule.rule.kind) {
        case Kind::attribute:
            return judge_attribute(rule, request);
        case Kind::required:
            return judge_required(rule, request);
        case Kind::residency:
            return judge_residency(rule, request);
        case Kind::coupon:
            return judge_coupon(rule, request, now.wall);
        case Kind::image:
            return judge_image(rule, request);
        case Kind::subject:
            return judge_list(rule, request.subject);
        case Kind::device:
            return judge_list(rule, request.device);
        case Kind::rate:
            return judge_rate(rule, input, rate);
    }
    return {"unknown kind of rule"};
}

Says judge_scene(const PrecheckInput& input) {
    if (input.credential.allows(input.request.scene)) return {};
    return {"the credential may not use this scene", ApiCode::scene_forbidden};
}

template <typename Rate>
Says judge_credential_rate(CredentialRates* rates, const PrecheckInput& input, const Rate& rate) {
    if (!input.credential.rate) return {};
    if (rates == nullptr) return {"nothing counts its requests"};
    return says_of(rate(*rates, *input.credential.rate));
}

std::string text_of(const Says& says) {
    return says.attribute.empty() ? std::string(says.why) : fmt::format("{}: {}", says.why, says.attribute);
}

PrecheckResult refuse(std::string_view rule, const Says& says) {
    return {false, rule, says.code, says.retry_after, text_of(says)};
}

PrecheckRow row(std::string_view rule, const Says& says) {
    const auto verdict = says.why.empty() ? PrecheckRow::Says::passes : PrecheckRow::Says::denies;
    return {std::string(rule), verdict, text_of(says), says.code};
}

} // namespace

bool CompiledMatch::matches(std::string_view value) const {
    if (exact.contains(value)) return true;
    for (const std::string& one : prefix)
        if (value.starts_with(one)) return true;
    return file_set != nullptr && file_set->contains(value);
}

bool CompiledRule::covers(std::string_view scene) const {
    const auto& scenes = rule.scenes;
    return scenes.empty() || std::any_of(scenes.begin(), scenes.end(),
                                         [scene](const std::string& one) { return one == "*" || one == scene; });
}

Prechecks::Prechecks() : state_(std::make_unique<State>()) {}
Prechecks::~Prechecks() = default;
Prechecks::Prechecks(Prechecks&&) noexcept = default;
Prechecks& Prechecks::operator=(Prechecks&&) noexcept = default;

PrecheckResult Prechecks::evaluate(const PrecheckInput& input, Now now) const {
    const Take take{input, now.mono};
    CredentialRates* const own = state_->credential_rate.get();
    if (const Says says = judge_scene(input); !says.why.empty()) return refuse(kCredentialSceneRule, says);
    if (const Says says = judge_credential_rate(own, input, take); !says.why.empty())
        return refuse(kCredentialRateRule, says);
    for (const CompiledRule& rule : state_->rules) {
        if (!rule.covers(input.request.scene)) continue;
        if (const Says says = judge(rule, input, now, take); !says.why.empty()) return refuse(rule.rule.name, says);
    }
    return {};
}

std::vector<PrecheckRow> Prechecks::explain(const PrecheckInput& input, Now now) const {
    const Peek peek{input, now.mono};
    CredentialRates* const own = state_->credential_rate.get();
    std::vector<PrecheckRow> out{row(kCredentialSceneRule, judge_scene(input)),
                                 row(kCredentialRateRule, judge_credential_rate(own, input, peek))};
    for (const CompiledRule& rule : state_->rules) {
        if (rule.covers(input.request.scene))
            out.push_back(row(rule.rule.name, judge(rule, input, now, peek)));
        else
            out.push_back({rule.rule.name, PrecheckRow::Says::not_for_scene, {}});
    }
    return out;
}

std::vector<std::string> Prechecks::rule_names() const {
    std::vector<std::string> out{std::string(kCredentialSceneRule), std::string(kCredentialRateRule)};
    for (const CompiledRule& rule : state_->rules) out.push_back(rule.rule.name);
    return out;
}

std::vector<std::string> Prechecks::set_files() const {
    std::vector<std::string> out;
    for (const CompiledRule& rule : state_->rules)
        for (const CompiledMatch* match : {&rule.allow, &rule.deny})
            if (!match->file.empty()) out.push_back(match->file);
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

bool Prechecks::replace_set(std::string_view file, std::shared_ptr<const ValueSet> set) {
    bool named = false;
    for (CompiledRule& rule : state_->rules) {
        for (CompiledMatch* match : {&rule.allow, &rule.deny}) {
            if (match->file.empty() || match->file != file) continue;
            match->file_set = set;
            named = true;
        }
    }
    return named;
}

} // namespace holdfast
