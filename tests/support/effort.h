// How much a test that computes for long repeats itself. The release build does all of it; the sanitizers, under which
// a run costs four times as much, look for what a few runs show as well, and do a part.
#pragma once

#include <cstdint>

namespace holdfast {

// Of `runs` those that this build makes: all, or under the address sanitizer a quarter, at least one.
constexpr std::uint64_t effort(std::uint64_t runs) {
#if defined(__SANITIZE_ADDRESS__)
    return runs < 4 ? 1 : runs / 4;
#else
    return runs;
#endif
}

}  // namespace holdfast
