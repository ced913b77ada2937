#include <catch2/catch.hpp>

#include "policy/prechecks.h"

using namespace holdfast;
using Kind = PrecheckRule::Kind;

namespace {

PrecheckRule bare_rule(std::string name, Kind kind) {
    PrecheckRule out;
    out.name = std::move(name);
    out.kind = kind;
    return out;
}

PrecheckRule attribute_allows(std::string attribute, ValueMatch allow) {
    PrecheckRule out = bare_rule("attr", Kind::attribute);
    out.attribute = std::move(attribute);
    out.allow = std::move(allow);
    return out;
}

Result<Prechecks> made_of(std::vector<PrecheckRule> rules) {
    RateState rates{SipKey{}};
    return Prechecks::make(std::move(rules), "r", rates);
}

std::string fault(PrecheckRule one) {
    const auto made = made_of({std::move(one)});
    return made ? "" : made.error().detail;
}

} // namespace

TEST_CASE("prechecks: rules that cannot work are refused by name") {
    CHECK(fault(bare_rule("x", Kind::attribute)) == "precheck x: needs attribute");
    CHECK(fault(attribute_allows("country", {})) == "precheck attr: needs allow or deny");
    CHECK(fault(attribute_allows("country", {{}, {""}, ""})) != "");
    CHECK(fault(attribute_allows(std::string(65, 'a'), {{"x"}, {}, ""})) != "");
    for (Kind kind : {Kind::required, Kind::residency, Kind::image, Kind::subject, Kind::device, Kind::rate})
        CHECK(fault(bare_rule("x", kind)).starts_with("precheck x: "));
    CHECK(fault(bare_rule("", Kind::coupon)) != "");
    CHECK(fault(bare_rule("a b", Kind::coupon)) != "");
    CHECK(fault(bare_rule(std::string(kCredentialRateRule), Kind::coupon)) != "");
    CHECK(fault(bare_rule("x", Kind::coupon)).empty());
    PrecheckRule image = bare_rule("x", Kind::image);
    image.image_types = {"gif"};
    CHECK(fault(image) != "");
    image.image_types = {};
    image.image_bytes_min = 10;
    image.image_bytes_max = 5;
    CHECK(fault(image) != "");
    CHECK_FALSE(made_of({bare_rule("x", Kind::coupon), bare_rule("x", Kind::coupon)}));
}

TEST_CASE("prechecks: more rules than the maximum are refused") {
    std::vector<PrecheckRule> many;
    for (std::size_t i = 0; i < kPrechecksMax; ++i) many.push_back(bare_rule("r" + std::to_string(i), Kind::coupon));
    CHECK(made_of(many));
    many.push_back(bare_rule("last", Kind::coupon));
    CHECK_FALSE(made_of(many));
}
