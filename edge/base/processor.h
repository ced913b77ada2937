// The processor that the programs are compiled for (packaging/cmake/Options.cmake). On an older one the first
// instruction that it lacks would end them with a signal and without a word.
#pragma once

namespace holdfast {

// What this processor lacks of it, or null. To be asked before anything else of the program runs: in a function with
// the attribute constructor(kFirst).
const char* missing_instructions();

inline constexpr int kFirst = 101;  // the earliest that is not the compiler's own; static objects come after it

}  // namespace holdfast
