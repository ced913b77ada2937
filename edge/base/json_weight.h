// What a JSON text would cost to parse, seen before it is parsed: a parser that turns numbers of more digits than a
// double has into doubles takes up to 15 us for each, so that 4 MiB of them would hold up the loop for two seconds.
#pragma once

#include <cstddef>
#include <string_view>

namespace holdfast::json {

inline constexpr std::size_t kWeighedBytes = 4096;  // shorter texts cost less than 3 ms whatever is in them
// Of a value outside strings, on average of as many as there may be: a double that reads back has 24 at most.
inline constexpr std::size_t kValueBytesMax = 32;
// A number with an exponent and more characters is a long power: those with an exponent near 300 are the slow ones.
inline constexpr std::size_t kLongNumber = 20;
inline constexpr std::size_t kLongPowersMax = 64;  // which take a millisecond

struct Weight {
    std::size_t values = 0;       // commas and one: no text has more scalars
    std::size_t bytes = 0;        // outside strings, without white space, commas, colons and brackets
    std::size_t long_powers = 0;  // numbers with an exponent that are longer than kLongNumber
};

// One pass; strings are skipped over at the speed of memchr. Any text will do, also what is no JSON.
Weight weigh(std::string_view text);

}  // namespace holdfast::json
