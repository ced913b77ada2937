#include "policy/prechecks.h"

#include <catch2/catch.hpp>

using namespace holdfast;
using Kind = PrecheckRule::Kind;

namespace {

const Now kNow{MonoTime(1000s), *parse_rfc3339("2026-03-15T12:00:00Z")};

PrecheckRule rule(std::string name, Kind kind) {
    PrecheckRule out;
    out.name = std::move(name);
    out.kind = kind;
    return out;
}

PrecheckRule rule_of_nobody() {
    PrecheckRule out = rule("nobody", Kind::subject);
    out.deny.exact = {"nobody"};
    return out;
}

PrecheckRule attribute_rule(std::string attribute, ValueMatch allow, ValueMatch deny = {}) {
    PrecheckRule out = rule("attr", Kind::attribute);
    out.attribute = std::move(attribute);
    out.allow = std::move(allow);
    out.deny = std::move(deny);
    return out;
}

struct Fixture {
    VerifyRequest request;
    Credential credential{"app", {"LOGIN", "PAYMENT"}, std::nullopt, 1};
    RateState rates{SipKey{}};
    RateState::Seats seats = rates.seat({"app", "other"});
    std::string region = "ap-northeast-1";
    Now now = kNow;
    Prechecks checks;

    Fixture() {
        rates.set_shares(seats);
        request.order_no = "o1";
        request.scene = "LOGIN";
        request.subject = "user-1";
    }
    void rules(std::vector<PrecheckRule> list) {
        auto made = Prechecks::make(std::move(list), region, rates);
        if (!made) FAIL(made.error().detail);
        checks = std::move(*made);
    }
    Fixture& with(std::string key, std::string value) {
        request.attributes.assign({{std::move(key), std::move(value)}});
        return *this;
    }
    Fixture& as(std::string id, std::optional<RateSpec> rate = {}) {
        credential.seat = (*seats)[id == "app" ? 0 : 1];
        credential.id = std::move(id);
        credential.rate = rate;
        return *this;
    }
    PrecheckResult run() { return checks.evaluate({request, credential, "192.0.2.1"}, now); }
    bool allowed() { return run().allowed; }
};

} // namespace

TEST_CASE("prechecks: a scene that the credential does not have is forbidden before anything else") {
    Fixture f;
    f.request.scene = "ADMIN";
    const auto result = f.run();
    CHECK_FALSE(result.allowed);
    CHECK(result.rule == kCredentialSceneRule);
    CHECK(result.code == ApiCode::scene_forbidden);
    f.request.scene = "LOGIN";
    CHECK(f.allowed());
}

TEST_CASE("prechecks: an allow list refuses other values and an absent attribute") {
    Fixture f;
    f.rules({attribute_rule("country", {{"JP", "KR"}, {"X-"}, ""})});
    CHECK(f.with("country", "JP").allowed());
    CHECK(f.with("country", "X-anything").allowed());
    for (std::string bad : {"CN", "jp", "", "JPN", "X"}) CHECK_FALSE(f.with("country", bad).allowed());
    CHECK_FALSE(f.with("province", "JP").allowed());
    const auto result = f.run();
    CHECK(result.rule == "attr");
    CHECK(result.why == "the attribute is missing: country");
    CHECK(result.code == ApiCode::precheck_denied);
    auto optional = attribute_rule("country", {{"JP"}, {}, ""});
    optional.optional = true;
    f.rules({optional});
    CHECK(f.with("province", "x").allowed());
    CHECK_FALSE(f.with("country", "x").allowed());
}

TEST_CASE("prechecks: a deny list lets everything else pass, and goes before an allow list") {
    Fixture f;
    f.rules({attribute_rule("province", {}, {{"11"}, {"9"}, ""})});
    CHECK(f.with("province", "12").allowed());
    CHECK(f.with("country", "JP").allowed());
    CHECK_FALSE(f.with("province", "11").allowed());
    CHECK_FALSE(f.with("province", "951").allowed());
    f.rules({attribute_rule("province", {{"11", "12"}, {}, ""}, {{"11"}, {}, ""})});
    CHECK(f.with("province", "12").allowed());
    CHECK_FALSE(f.with("province", "11").allowed());
}

TEST_CASE("prechecks: a set file that has not been read denies, and a new set takes over") {
    for (const bool deny : {true, false}) {
        Fixture f;
        const ValueMatch file{{}, {}, "/etc/sets/postal"};
        f.rules({deny ? attribute_rule("postalCode", {}, file) : attribute_rule("postalCode", file)});
        CHECK(f.checks.set_files() == std::vector<std::string>{"/etc/sets/postal"});
        CHECK_FALSE(f.with("postalCode", "100").allowed());
        CHECK_FALSE(f.checks.replace_set("/etc/sets/other", std::make_shared<const ValueSet>()));
        CHECK(
            f.checks.replace_set("/etc/sets/postal", std::make_shared<const ValueSet>(*ValueSet::from_lines("100\n"))));
        CHECK(f.with("postalCode", "100").allowed() == !deny);
        CHECK(f.with("postalCode", "200").allowed() == deny);
        CHECK(
            f.checks.replace_set("/etc/sets/postal", std::make_shared<const ValueSet>(*ValueSet::from_lines("200\n"))));
        CHECK(f.with("postalCode", "200").allowed() == !deny);
    }
}

TEST_CASE("prechecks: required attributes are present and not empty") {
    Fixture f;
    PrecheckRule required = rule("need", Kind::required);
    required.attributes = {"country", "province"};
    f.rules({required});
    f.request.attributes = {{"country", "JP"}, {"province", "13"}};
    CHECK(f.allowed());
    f.request.attributes = {{"country", "JP"}, {"province", ""}};
    CHECK_FALSE(f.allowed());
    CHECK_FALSE(f.with("country", "JP").allowed());
    CHECK(f.run().why == "a required attribute is missing: province");
}

TEST_CASE("prechecks: residency serves only the countries of the node's region") {
    Fixture f;
    PrecheckRule residency = rule("residency", Kind::residency);
    residency.regions = {{"ap-northeast-1", {"JP", "KR"}}, {"eu-central-1", {"DE"}}};
    f.rules({residency});
    CHECK(f.with("country", "KR").allowed());
    CHECK_FALSE(f.with("country", "DE").allowed());
    CHECK_FALSE(f.with("nationality", "JP").allowed());
    f.region = "us-east-1";
    f.rules({residency});
    CHECK_FALSE(f.with("country", "JP").allowed());
    f.region = "eu-central-1";
    residency.attribute = "home";
    f.rules({residency});
    CHECK(f.with("home", "DE").allowed());
}

TEST_CASE("prechecks: a coupon's form and the dates beside it") {
    Fixture f;
    PrecheckRule coupon = rule("coupon", Kind::coupon);
    coupon.coupon = {"HF", 13, CouponForm::Alphabet::digits, CouponForm::Check::luhn, {}, {}};
    coupon.from_attribute = "couponFrom";
    coupon.until_attribute = "couponUntil";
    f.rules({coupon});
    CHECK(f.allowed());
    const auto run = [&f](std::string code, std::string from, std::string until) {
        f.request.attributes = {{"coupon", code}, {"couponFrom", from}, {"couponUntil", until}};
        return std::string(f.run().why);
    };
    CHECK(run("HF79927398713", "2026-03-15", "2026-03-15") == "");
    CHECK(run("HF79927398714", "2026-03-15", "2026-03-15") == "the coupon's check digit is wrong");
    CHECK(run("HF79927398713", "2026-03-16", "2026-03-17") == "the coupon is not valid yet");
    CHECK(run("HF79927398713", "2026-03-01", "20260314") == "the coupon has expired");
    CHECK(run("HF79927398713", "tomorrow", "20260316") == "the coupon has a malformed date");
    coupon.optional = false;
    f.rules({coupon});
    CHECK_FALSE(f.with("country", "JP").allowed());
}

TEST_CASE("prechecks: an image's presence, type and size") {
    Fixture f;
    PrecheckRule image = rule("image", Kind::image);
    image.image_required = true;
    image.image_types = {"jpeg"};
    image.image_bytes_min = 100;
    image.image_bytes_max = 200;
    f.rules({image});
    CHECK_FALSE(f.allowed());
    f.request.has_image = true;
    const auto with = [&f](std::string type, std::size_t bytes) {
        f.request.image_type = std::move(type);
        f.request.image_bytes = bytes;
        return f.allowed();
    };
    CHECK(with("jpeg", 100));
    CHECK(with("jpeg", 200));
    CHECK_FALSE(with("jpeg", 99));
    CHECK_FALSE(with("jpeg", 201));
    CHECK_FALSE(with("png", 150));
    image.image_required = false;
    f.rules({image});
    f.request.has_image = false;
    CHECK(f.allowed());
}

TEST_CASE("prechecks: denied subjects and devices") {
    Fixture f;
    PrecheckRule subject = rule("subjects", Kind::subject), device = rule("devices", Kind::device);
    subject.deny.exact = {"user-2"};
    device.deny = {{""}, {"emulator-"}, ""};
    f.request.device = "d1";
    f.rules({subject, device});
    CHECK(f.allowed());
    f.request.subject = "user-2";
    CHECK(f.run().rule == "subjects");
    f.request.subject = "user-1";
    for (std::string bad : {"", "emulator-5"}) {
        f.request.device = bad;
        CHECK(f.run().rule == "devices");
    }
}

TEST_CASE("prechecks: rates per credential, subject and address are kept apart and say when to come again") {
    Fixture f;
    PrecheckRule subject = rule("per-subject", Kind::rate), address = rule("per-address", Kind::rate);
    subject.rate_by = PrecheckRule::RateBy::subject;
    subject.rate = {1, 2};
    address.rate_by = PrecheckRule::RateBy::address;
    address.rate = {1, 3};
    f.rules({subject, address});
    CHECK(f.allowed());
    CHECK(f.allowed());
    const auto refused = f.run();
    CHECK(refused.rule == "per-subject");
    CHECK(refused.code == ApiCode::rate_limited);
    CHECK(refused.retry_after == Nanos(1s));
    f.request.subject = "user-2";
    CHECK(f.allowed());
    CHECK(f.run().rule == "per-address");
    f.credential.rate = RateSpec{1, 1};
    f.now.mono += 10s;
    CHECK(f.allowed());
    CHECK(f.run().rule == kCredentialRateRule);
}

TEST_CASE("prechecks: a reload of the rules refills no rate") {
    Fixture f;
    PrecheckRule rate = rule("r", Kind::rate);
    rate.rate = {0.1, 1};
    for (const auto by : {PrecheckRule::RateBy::subject, PrecheckRule::RateBy::credential}) {
        rate.rate_by = by;
        f.rules({rate});
        CHECK(f.allowed());
        f.rules({rate, rule_of_nobody()});
        CHECK(f.run().rule == "r");
    }
    f.rules({});
    CHECK(f.as("app", RateSpec{0.1, 1}).allowed());
    f.rules({});
    CHECK(f.run().rule == kCredentialRateRule);
}

TEST_CASE("prechecks: a credential without a place for its rate is refused, not unlimited") {
    Fixture f;
    f.credential.rate = RateSpec{1, 1};
    CHECK_FALSE(f.allowed());  // rules that were never made
    f.rules({});
    f.credential.seat = kNoSeat;
    CHECK(f.run().code == ApiCode::overloaded);
}

TEST_CASE(
    "prechecks: a flood of one credential's subjects takes no other credential its rate, nor another rule its keys") {
    Fixture f;
    PrecheckRule slow = rule("per-hour", Kind::rate), address = rule("per-address", Kind::rate),
                 calls = rule("calls", Kind::rate);
    slow.rate = {0.0028, 10};
    address.rate_by = PrecheckRule::RateBy::address;
    address.rate = {2000, 4000};
    calls.rate_by = PrecheckRule::RateBy::credential;
    calls.rate = {0.01, 200'010};
    f.rules({calls, address, slow});
    const RateSpec ample{2000, 4000};
    f.request.subject = "quiet";
    REQUIRE(f.as("app", ample).allowed());
    f.as("other");
    for (int i = 0; i < 200'000; ++i) {
        f.request.subject = "flood-" + std::to_string(i);
        f.now.mono += 1ms;  // no limit but the table holds them back
        (void)f.run();
    }
    f.request.subject = "quiet";
    CHECK(f.as("app", ample).run().rule == "");
    for (int i = 0; i < 1000; ++i) {
        f.request.subject = "new-" + std::to_string(i);
        CHECK(f.run().code != ApiCode::rate_limited);
        CHECK(f.run().allowed);
    }
}

TEST_CASE("prechecks: rules are evaluated in order, and only for their scenes") {
    Fixture f;
    PrecheckRule first = rule("first", Kind::subject), second = rule("second", Kind::subject);
    first.deny.exact = second.deny.exact = {"user-1"};
    first.scenes = {"PAYMENT"};
    second.scenes = {"*"};
    f.rules({first, second});
    CHECK(f.run().rule == "second");
    f.request.scene = "PAYMENT";
    CHECK(f.run().rule == "first");
}

TEST_CASE("prechecks: explaining says every rule and spends nothing") {
    Fixture f;
    PrecheckRule rate = rule("rate", Kind::rate), subject = rule("subject", Kind::subject),
                 other = rule("other", Kind::subject);
    rate.rate = {1, 1};
    subject.deny.exact = {"user-1"};
    other.deny.exact = {"user-1"};
    other.scenes = {"PAYMENT"};
    f.rules({rate, subject, other});
    f.credential.rate = RateSpec{1, 1};
    std::vector<PrecheckRow> rows;
    for (int i = 0; i < 5; ++i) rows = f.checks.explain({f.request, f.credential, "192.0.2.1"}, f.now);
    REQUIRE(rows.size() == 5);
    using Says = PrecheckRow::Says;
    const std::vector<Says> expected{Says::passes, Says::passes, Says::passes, Says::denies, Says::not_for_scene};
    for (std::size_t i = 0; i < rows.size(); ++i) {
        CHECK(rows[i].rule == f.checks.rule_names()[i]);
        CHECK(rows[i].says == expected[i]);
    }
    CHECK(f.run().rule == "subject");
    CHECK(f.run().rule == kCredentialRateRule);
}

TEST_CASE("prechecks: no answer names a value of the request") {
    Fixture f;
    f.rules({attribute_rule("country", {{"JP"}, {}, ""})});
    CHECK(f.with("country", "secret-value").run().why.find("secret") == std::string_view::npos);
}
