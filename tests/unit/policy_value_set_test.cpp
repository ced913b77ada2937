#include "policy/value_set.h"

#include <catch2/catch.hpp>

using namespace holdfast;

TEST_CASE("value_set: lines, with either end, comments and empty lines left out") {
    const auto set = ValueSet::from_lines("# denied\nalice\r\n\nbob\nan na\nalice\n \t\nlast");
    REQUIRE(set);
    CHECK(set->size() == 4);
    CHECK(set->doubt().empty());
    for (std::string_view in : {"alice", "bob", "an na", "last"}) CHECK(set->contains(in));
    for (std::string_view out : {"", " ", "# denied", "alice\r", "Alice", "lastly"}) CHECK_FALSE(set->contains(out));
}

TEST_CASE("value_set: what editors leave around a value hides it from nobody") {
    const auto set = ValueSet::from_lines("\xef\xbb\xbfmallory\neve \r\n\ttrudy\t \n  carol");
    REQUIRE(set);
    CHECK(set->doubt().empty());
    for (std::string_view in : {"mallory", "eve", "trudy", "carol"}) CHECK(set->contains(in));
    // A value may begin and end with blanks: such a one is meant as well.
    for (std::string_view in : {"eve ", "  carol"}) CHECK(set->contains(in));
    for (std::string_view out : {"\xef\xbb\xbfmallory", "eve  ", " carol"}) CHECK_FALSE(set->contains(out));
    const auto commented = ValueSet::from_lines("\xef\xbb\xbf# none\n");
    REQUIRE(commented);
    CHECK(commented->size() == 0);
}

TEST_CASE("value_set: lines that no request can match are told, the first one with its number") {
    const auto set = ValueSet::from_lines(
        "alice\nbo\x01"
        "b\n\x7f\ncarol\xc2\x85\nan\ta\n\xef\xbb\xbf"
        "dave\n");
    REQUIRE(set);
    CHECK(set->doubt() == "line 2: holds a control character, so it matches nothing; 4 such lines");
    CHECK(set->contains("alice"));
    CHECK(ValueSet::from_lines(std::string("a\0l\0", 4))->doubt() ==
          "line 1: holds a control character, so it matches nothing");
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
