#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "policy/precheck_compiled.h"
#include "policy/verify_request.h"

namespace holdfast {
namespace {

using Kind = PrecheckRule::Kind;
using Fault = std::optional<std::string>;

Fault match_fault(std::string_view field, const ValueMatch& match) {
    for (const std::string& prefix : match.prefix)
        if (prefix.empty() || prefix.size() > kValueBytesMax)
            return fmt::format("{}: a prefix must have 1 to {} bytes", field, kValueBytesMax);
    return std::nullopt;
}

Fault list_fault(const PrecheckRule& rule) {
    if (rule.allow.empty() && rule.deny.empty()) return "needs allow or deny";
    if (auto fault = match_fault("allow", rule.allow)) return fault;
    return match_fault("deny", rule.deny);
}

Fault attribute_name_fault(std::string_view name) {
    if (name.empty()) return "needs attribute";
    if (name.size() > kAttributeKeyBytesMax) return fmt::format("attribute: at most {} bytes", kAttributeKeyBytesMax);
    return std::nullopt;
}

Fault image_fault(const PrecheckRule& rule) {
    for (const std::string& type : rule.image_types)
        if (type != "jpeg" && type != "png") return fmt::format("image type \"{}\": must be jpeg or png", type);
    if (rule.image_bytes_max != 0 && rule.image_bytes_min > rule.image_bytes_max)
        return "image size: minimum above maximum";
    const bool bounds = rule.image_bytes_min != 0 || rule.image_bytes_max != 0;
    if (!rule.image_required && rule.image_types.empty() && !bounds) return "needs a requirement, types or a size";
    return std::nullopt;
}

Fault required_fault(const PrecheckRule& rule) {
    if (rule.attributes.empty() || rule.attributes.size() > kAttributesMax)
        return fmt::format("needs 1 to {} attributes", kAttributesMax);
    for (const std::string& attribute : rule.attributes)
        if (auto fault = attribute_name_fault(attribute)) return fault;
    return std::nullopt;
}

Fault residency_fault(const PrecheckRule& rule) {
    if (rule.regions.empty()) return "needs regions with their countries";
    return attribute_name_fault(rule.attribute);
}

Fault kind_fault(const PrecheckRule& rule) {
    switch (rule.kind) {
        case Kind::attribute:
            if (auto fault = attribute_name_fault(rule.attribute)) return fault;
            return list_fault(rule);
        case Kind::required:
            return required_fault(rule);
        case Kind::residency:
            return residency_fault(rule);
        case Kind::coupon:
            if (auto fault = attribute_name_fault(rule.attribute)) return fault;
            return form_fault(rule.coupon);
        case Kind::image:
            return image_fault(rule);
        case Kind::subject:
        case Kind::device:
            return list_fault(rule);
        case Kind::rate:
            if (!is_valid(rule.rate)) return "rate: per_second must be above 0 and burst at least 1";
            return std::nullopt;
    }
    return "unknown kind";
}

void fill_defaults(PrecheckRule& rule) {
    if (rule.kind == Kind::residency && rule.attribute.empty()) rule.attribute = "country";
    if (rule.kind == Kind::coupon && rule.attribute.empty()) rule.attribute = "coupon";
    if (!rule.optional)
        rule.optional = rule.kind == Kind::coupon || (rule.kind == Kind::attribute && rule.allow.empty());
}

Result<CompiledMatch> compile(const ValueMatch& match) {
    CompiledMatch out;
    auto exact = ValueSet::from_list(match.exact);
    if (!exact) return tl::unexpected(exact.error());
    out.exact = std::move(*exact);
    out.prefix = match.prefix;
    out.file = match.file;
    out.given = !match.empty();
    return out;
}

Result<CompiledRule> compile(PrecheckRule rule, const std::string& region) {
    CompiledRule out;
    auto allow = compile(rule.allow);
    if (!allow) return tl::unexpected(allow.error());
    auto deny = compile(rule.deny);
    if (!deny) return tl::unexpected(deny.error());
    if (const auto served = rule.regions.find(region); served != rule.regions.end()) {
        auto countries = ValueSet::from_list(served->second);
        if (!countries) return tl::unexpected(countries.error());
        out.countries = std::move(*countries);
        out.region_known = true;
    }
    out.allow = std::move(*allow);
    out.deny = std::move(*deny);
    out.rule = std::move(rule);
    return out;
}

} // namespace

Result<Prechecks> Prechecks::make(std::vector<PrecheckRule> rules, std::string region) {
    const auto bad = [](std::string_view rule, std::string_view what) {
        return fail(Code::invalid, Origin::local, fmt::format("precheck {}: {}", rule.substr(0, 64), what));
    };
    if (rules.size() > kPrechecksMax)
        return fail(Code::too_large, Origin::local, fmt::format("more than {} prechecks", kPrechecksMax));
    Prechecks out;
    std::set<std::string> names{std::string(kCredentialSceneRule), std::string(kCredentialRateRule)};
    for (PrecheckRule& rule : rules) {
        if (!is_scene(rule.name)) return bad(rule.name, "name must be 1 to 64 of A-Za-z0-9_-.");
        if (!names.insert(rule.name).second) return bad(rule.name, "the name is taken");
        fill_defaults(rule);
        if (auto fault = kind_fault(rule)) return bad(rule.name, *fault);
        const std::string name = rule.name;
        auto compiled = compile(std::move(rule), region);
        if (!compiled) return bad(name, compiled.error().detail);
        out.state_->rules.push_back(std::move(*compiled));
    }
    return out;
}

} // namespace holdfast
