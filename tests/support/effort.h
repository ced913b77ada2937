// How much a test that computes for long repeats itself. The release build does all of it; the sanitizers, under which
// a run costs four to eight times as much, look for what a few runs show as well, and do a part.
#pragma once

#include <algorithm>
#include <cstdint>

namespace holdfast {

// Of `runs` those that this build makes: all, or under the address sanitizer a tenth, so that the tests that compute
// for long take it no longer than the release build; at least `least`, of what shows only over several.
constexpr std::uint64_t effort(std::uint64_t runs, std::uint64_t least = 1) {
#if defined(__SANITIZE_ADDRESS__)
    return std::max(runs / 10, least);
#else
    return std::max(runs, least);
#endif
}

}  // namespace holdfast
