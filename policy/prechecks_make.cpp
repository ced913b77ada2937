#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "policy/precheck_compiled.h"
#include "policy/verify_request.h"

namespace holdfast {
namespace {

using Kind = PrecheckRule::Kind;

class Faults {
  public:
    using Keys = std::vector<std::string_view>;
    void add(Keys keys, std::string what) { all_.push_back({std::move(keys), std::move(what)}); }
    std::vector<PrecheckFault> take() { return std::move(all_); }

    void of_match(std::string_view field, const ValueMatch& match) {
        const auto is_bad = [](const std::string& p) { return p.empty() || p.size() > kValueBytesMax; };
        if (std::any_of(match.prefix.begin(), match.prefix.end(), is_bad))
            add({field == "allow" ? "allow_prefix" : "deny_prefix"},
                fmt::format("{}: a prefix must have 1 to {} bytes", field, kValueBytesMax));
        of_set(field, match.exact);
    }
    void of_lists(const PrecheckRule& rule) {
        if (rule.allow.empty() && rule.deny.empty()) add({"allow", "deny"}, "needs allow or deny");
        of_match("allow", rule.allow);
        of_match("deny", rule.deny);
    }
    void of_attribute(std::string_view key, std::string_view name) {
        if (name.empty()) return add({key}, "needs attribute");
        if (name.size() > kAttributeKeyBytesMax)
            add({key}, fmt::format("attribute: at most {} bytes", kAttributeKeyBytesMax));
    }
    void of_image(const PrecheckRule& rule) {
        for (const std::string& type : rule.image_types)
            if (type != "jpeg" && type != "png")
                add({"image.types"}, fmt::format("image type \"{}\": must be jpeg or png", type));
        if (rule.image_bytes_max != 0 && rule.image_bytes_min > rule.image_bytes_max)
            add({"image.bytes_min", "image.bytes_max"}, "image size: minimum above maximum");
        const bool bounds = rule.image_bytes_min != 0 || rule.image_bytes_max != 0;
        if (!rule.image_required && rule.image_types.empty() && !bounds)
            add({"image."}, "needs a requirement, types or a size");
    }
    void of_required(const PrecheckRule& rule) {
        if (rule.attributes.empty() || rule.attributes.size() > kAttributesMax)
            return add({"attributes"}, fmt::format("needs 1 to {} attributes", kAttributesMax));
        for (const std::string& attribute : rule.attributes) of_attribute("attributes", attribute);
    }
    void of_residency(const PrecheckRule& rule, const std::string& region) {
        if (rule.regions.empty()) add({"regions"}, "needs regions with their countries");
        of_attribute("attribute", rule.attribute);
        if (const auto served = rule.regions.find(region); served != rule.regions.end())
            of_set("regions", served->second);
    }
    void of_coupon(const PrecheckRule& rule) {
        of_attribute("attribute", rule.attribute);
        for (std::string& fault : form_faults(rule.coupon)) add({"coupon."}, std::move(fault));
    }
    void of_kind(const PrecheckRule& rule, const std::string& region) {
        switch (rule.kind) {
            case Kind::attribute:
                of_attribute("attribute", rule.attribute);
                return of_lists(rule);
            case Kind::required:
                return of_required(rule);
            case Kind::residency:
                return of_residency(rule, region);
            case Kind::coupon:
                return of_coupon(rule);
            case Kind::image:
                return of_image(rule);
            case Kind::subject:
            case Kind::device:
                return of_lists(rule);
            case Kind::rate:
                if (!is_valid(rule.rate)) add({"rate."}, "rate: per_second must be above 0 and burst at least 1");
                return;
        }
        add({"kind"}, "unknown kind");
    }

  private:
    void of_set(std::string_view key, const std::vector<std::string>& values) {
        if (const auto set = ValueSet::from_list(values); !set) add({key}, set.error().detail);
    }

    std::vector<PrecheckFault> all_;
};

bool is_built_in(std::string_view name) {
    return name == kCredentialSceneRule || name == kCredentialRateRule;
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

void find_state(CompiledRule& out, RateState& rates) {
    const PrecheckRule& rule = out.rule;
    if (rule.kind != Kind::rate) return;
    if (rule.rate_by == PrecheckRule::RateBy::credential)
        out.by_credential = rates.credential_rates(rule.name);
    else
        out.by_key = rates.table(rule.name, rule.rate_by == PrecheckRule::RateBy::address ? "address" : "subject");
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

std::vector<PrecheckFault> Prechecks::faults_of(const PrecheckRule& rule, const std::string& region) {
    Faults out;
    if (!is_scene(rule.name)) out.add({"name"}, "name must be 1 to 64 of A-Za-z0-9_-.");
    if (is_built_in(rule.name)) out.add({"name"}, "the name is taken");
    PrecheckRule whole = rule;
    fill_defaults(whole);
    out.of_kind(whole, region);
    return out.take();
}

Result<Prechecks> Prechecks::make(std::vector<PrecheckRule> rules, std::string region, RateState& rates) {
    const auto bad = [](std::string_view rule, std::string_view what) {
        return fail(Code::invalid, Origin::local, fmt::format("precheck {}: {}", rule.substr(0, 64), what));
    };
    if (rules.size() > kPrechecksMax)
        return fail(Code::too_large, Origin::local, fmt::format("more than {} prechecks", kPrechecksMax));
    Prechecks out;
    std::set<std::string> names;
    for (PrecheckRule& rule : rules) {
        if (const auto faults = faults_of(rule, region); !faults.empty()) return bad(rule.name, faults.front().what);
        if (!names.insert(rule.name).second) return bad(rule.name, "the name is taken");
        fill_defaults(rule);
        const std::string name = rule.name;
        auto compiled = compile(std::move(rule), region);
        if (!compiled) return bad(name, compiled.error().detail);
        find_state(*compiled, rates);
        out.state_->rules.push_back(std::move(*compiled));
    }
    out.state_->credential_rate = rates.credential_rates(kCredentialRateRule);
    return out;
}

} // namespace holdfast
