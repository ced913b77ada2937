// Sixteen bytes at a time, by gcc's and clang's vectors: comparing two gives all bits of a byte, or none. The two steps
// that they have no operator for use an instruction of the processor where it is known to have it.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#ifdef __SSSE3__
#include <tmmintrin.h>
#endif

namespace holdfast {

typedef unsigned char ByteVector __attribute__((vector_size(16)));

// Requires: all indices below 16.
inline ByteVector look_up(ByteVector table, ByteVector indices) {
#ifdef __SSSE3__
    return ByteVector(_mm_shuffle_epi8(__m128i(table), __m128i(indices)));
#else
    ByteVector out;
    for (int i = 0; i < 16; ++i) out[i] = table[indices[i]];
    return out;
#endif
}

// Which byte is the first that is not zero; 16 when none is. Requires: each has all bits or none.
inline std::size_t first_set(ByteVector mask) {
#ifdef __SSSE3__
    const auto bits = static_cast<unsigned>(_mm_movemask_epi8(__m128i(mask)));
    return static_cast<std::size_t>(std::countr_zero(bits | 1u << 16));
#else
    const auto words = std::bit_cast<std::array<std::uint64_t, 2>>(mask);
    return static_cast<std::size_t>(words[0] != 0 ? std::countr_zero(words[0]) : 64 + std::countr_zero(words[1])) / 8;
#endif
}

}  // namespace holdfast
