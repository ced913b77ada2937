#include "policy/credential.h"

#include <catch2/catch.hpp>

using namespace holdfast;

TEST_CASE("credential: sets that cannot be told apart or are weak are refused") {
    const std::string secret(16, 's');
    const auto refused = [](std::vector<CredentialSpec> specs) { return !CredentialSet::make(std::move(specs)); };
    CHECK_FALSE(refused({{"a", secret, "", {}, std::nullopt}}));
    CHECK_FALSE(refused({}));
    CHECK(refused({{"", secret, "", {}, std::nullopt}}));
    CHECK(refused({{"a b", secret, "", {}, std::nullopt}}));
    CHECK(refused({{std::string(65, 'a'), secret, "", {}, std::nullopt}}));
    CHECK(refused({{"a", std::string(15, 's'), "", {}, std::nullopt}}));
    CHECK(refused({{"a", std::string(kSecretBytesMax + 1, 's'), "", {}, std::nullopt}}));
    CHECK(refused({{"a", secret, "short", {}, std::nullopt}}));
    CHECK(refused({{"a", secret, secret, {}, std::nullopt}}));
    CHECK(refused({{"a", secret, "", {}, RateSpec{0, 1}}}));
    CHECK(refused({{"a", secret, "", {}, std::nullopt}, {"a", std::string(16, 't'), "", {}, std::nullopt}}));
    std::vector<CredentialSpec> many;
    for (std::size_t i = 0; i <= kCredentialsMax; ++i)
        many.push_back({"id" + std::to_string(i), secret, "", {}, std::nullopt});
    CHECK(refused(many));
    many.pop_back();
    CHECK_FALSE(refused(many));
}

TEST_CASE("credential: a caller has the scenes that it was given") {
    auto set = CredentialSet::make({{"a", std::string(16, 's'), "", {"LOGIN", "PAYMENT"}, RateSpec{5, 10}}});
    REQUIRE(set);
    REQUIRE(set->find("a"));
    CHECK(set->find("a")->allows("LOGIN"));
    CHECK_FALSE(set->find("a")->allows("login"));
    CHECK_FALSE(set->find("a")->allows(""));
    CHECK(set->find("b") == nullptr);
    CHECK(set->ids() == std::vector<std::string>{"a"});
}

TEST_CASE("credential: those with two active secrets are named, and no other") {
    const std::string now(16, 's'), before(16, 't');
    auto set = CredentialSet::make(
        {{"c", now, before, {}, std::nullopt}, {"a", now, before, {}, std::nullopt}, {"b", now, "", {}, std::nullopt}});
    REQUIRE(set);
    CHECK(set->rotating() == std::vector<std::string>{"a", "c"});
}
