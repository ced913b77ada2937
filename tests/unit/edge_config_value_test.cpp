// Single values of a configuration at the ends of what TOML can hold.
#include "edge/config_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>

using namespace holdfast;

TEST_CASE("config value: a whole number that no double equals is one, and is judged by the bounds") {
    std::size_t numbers = 0;
    for (const Option& option : options()) {
        if (option.kind != OptionKind::number) continue;
        ++numbers;
        for (const std::int64_t whole :
             {(std::int64_t{1} << 53) + 1, -(std::int64_t{1} << 53) - 1, std::numeric_limits<std::int64_t>::max(),
              std::numeric_limits<std::int64_t>::min()}) {
            const std::string line = fmt::format("x = {}", whole);
            const toml::table parsed = toml::parse(line);
            ConfigProblems problems(line, "f");
            INFO(option.path << ": " << line);
            CHECK_FALSE(read_value(option, "x", *parsed.get("x"), problems));
            ConfigOutcome outcome;
            problems.move_into(outcome);
            REQUIRE(outcome.errors.size() == 1);
            CHECK(outcome.errors[0].message == "x is out of bounds");
            CHECK(outcome.errors[0].column == 5);
        }
    }
    CHECK(numbers >= 10);
}
