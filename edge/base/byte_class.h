// Which bytes of ASCII a text may hold, looked up sixteen at a time by the halves of a byte: a high half has a bit of
// its own, and each low one the bits of the high ones that it goes with.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "edge/base/byte_vector.h"

namespace holdfast {

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

    // Where the first byte stands that is not; the size when all are.
    std::size_t find_outside(std::string_view text) const {
        std::size_t at = 0;
        // Four at a time, as long as there is nothing to find.
        for (; text.size() - at >= 4 * sizeof(Vector); at += 4 * sizeof(Vector)) {
            std::array<Vector, 4> some;
            std::memcpy(&some, text.data() + at, sizeof some);
            const Vector found = Vector(inside(some[0]) == 0) | Vector(inside(some[1]) == 0) |
                                 Vector(inside(some[2]) == 0) | Vector(inside(some[3]) == 0);
            if (first_set(found) < sizeof(Vector)) break;
        }
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
    // Not zero in each byte that is of the class, zero in others.
    Vector inside(Vector bytes) const {
        const auto high = std::bit_cast<Vector>(high_), low = std::bit_cast<Vector>(low_);
        return look_up(high, bytes >> 4) & look_up(low, bytes & 15);
    }
    std::size_t outside(Vector bytes) const { return first_set(Vector(inside(bytes) == 0)); }

    alignas(16) std::array<unsigned char, 16> high_{}, low_{};
};

// tchar of RFC 9110 §5.6.2.
inline constexpr ByteClass kTokenBytes("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

}  // namespace holdfast
