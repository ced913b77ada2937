#include "policy/value_set.h"

#include <catch2/catch.hpp>

using namespace holdfast;

TEST_CASE("value_set: lines, with either end, comments and empty lines left out") {
    const auto set = ValueSet::from_lines("# denied\nalice\r\n\nbob\n  carol\nalice\nlast");
    REQUIRE(set);
    CHECK(set->size() == 4);
    for (std::string_view in : {"alice", "bob", "  carol", "last"}) CHECK(set->contains(in));
    for (std::string_view out : {"", "carol", "# denied", "alice\r", "Alice", "lastly"})
        CHECK_FALSE(set->contains(out));
}

TEST_CASE("value_set: an empty text is an empty set") {
    const auto set = ValueSet::from_lines("");
    REQUIRE(set);
    CHECK(set->size() == 0);
    CHECK_FALSE(set->contains(""));
    CHECK_FALSE(ValueSet().contains("x"));
}

TEST_CASE("value_set: a bad line is refused with its number") {
    const auto not_text = ValueSet::from_lines("a\nb\n\xff\n");
    REQUIRE_FALSE(not_text);
    CHECK(not_text.error().detail.starts_with("line 3:"));
    CHECK(ValueSet::from_lines(std::string(256, 'a')));
    CHECK_FALSE(ValueSet::from_lines(std::string(257, 'a')));
}

TEST_CASE("value_set: a list holds the empty text when it says so") {
    const auto set = ValueSet::from_list({"", "x"});
    REQUIRE(set);
    CHECK(set->contains(""));
    CHECK_FALSE(ValueSet::from_list({"\xff"}));
}

TEST_CASE("value_set: more values than the maximum are refused") {
    std::string lines;
    for (std::size_t i = 0; i <= kValueSetMax; ++i) lines += "x\n";
    CHECK_FALSE(ValueSet::from_lines(lines));
    lines.resize(lines.size() - 2);
    CHECK(ValueSet::from_lines(lines)->size() == 1);
}
