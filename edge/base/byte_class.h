// Which bytes of ASCII a text may hold, looked up sixteen at a time by the halves of a byte: a high half has a bit of
// its own, and each low one the bits of the high ones that it goes with.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

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

class ByteClass {
  public:
    using Vector = ByteVector;

    // Requires: all of `members` from 0x20 to 0x7f, one bit for each of these six high halves.
    constexpr explicit ByteClass(std::string_view members) {
        for (const char c : members) {
            const auto byte = static_cast<unsigned char>(c);
            const auto bit = static_cast<unsigned char>(1u << ((byte >> 4) - 2));
            high_[byte >> 4] = bit;
            low_[byte & 15] |= bit;
        }
    }

    // Not zero in each byte that is of the class, zero in others.
    Vector inside(Vector bytes) const {
        const auto high = std::bit_cast<Vector>(high_), low = std::bit_cast<Vector>(low_);
        return look_up(high, bytes >> 4) & look_up(low, bytes & 15);
    }
    // Where the first byte stands that is not; the size when all are.
    std::size_t find_outside(std::string_view text) const {
        std::size_t at = 0;
        for (; text.size() - at >= sizeof(Vector); at += sizeof(Vector)) {
            Vector some;
            std::memcpy(&some, text.data() + at, sizeof some);
            if (const std::size_t n = outside(some); n < sizeof(Vector)) return at + n;
        }
        Vector rest{};  // filled up with what is in no class
        if (at < text.size()) std::memcpy(&rest, text.data() + at, text.size() - at);
        return at + outside(rest);
    }

  private:
    std::size_t outside(Vector bytes) const {
        const auto words = std::bit_cast<std::array<std::uint64_t, 2>>(Vector(inside(bytes) == 0));
        if (words[0] != 0) return static_cast<std::size_t>(std::countr_zero(words[0])) / 8;
        return words[1] == 0 ? sizeof(Vector) : 8 + static_cast<std::size_t>(std::countr_zero(words[1])) / 8;
    }

    alignas(16) std::array<unsigned char, 16> high_{}, low_{};
};

// tchar of RFC 9110 §5.6.2.
inline constexpr ByteClass kTokenBytes("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

}  // namespace holdfast
