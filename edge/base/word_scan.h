// Text looked at eight bytes at a time, for what every request passes: heads, header values, JSON strings. Each test
// gives the high bits of the bytes it is about: zero exactly when there is none; above the lowest, bits mean nothing.
// Source: the well-known zero-byte test, (x - 0x01…) & ~x & 0x80….
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "edge/base/byte_vector.h"

namespace holdfast::word_scan {

inline constexpr std::uint64_t kOnes = 0x0101010101010101;
inline constexpr std::uint64_t kHighs = kOnes * 0x80;

inline std::uint64_t equal_to(std::uint64_t word, unsigned char byte) {
    const std::uint64_t x = word ^ (kOnes * byte);
    return (x - kOnes) & ~x & kHighs;
}
// Below 0x20, or 0x7f.
inline std::uint64_t control(std::uint64_t word) {
    return (((word - kOnes * 0x20) & ~word) & kHighs) | equal_to(word, 0x7f);
}

// The OR of `test` over all words; the last one is filled up with 'x'.
template <class Test>
std::uint64_t any(std::string_view text, Test test) {
    std::uint64_t out = 0;
    const char* at = text.data();
    std::size_t left = text.size();
    for (; left >= 8; at += 8, left -= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        out |= test(word);
    }
    if (left > 0) {
        std::uint64_t word = kOnes * 'x';
        std::memcpy(&word, at, left);
        out |= test(word);
    }
    return out;
}

// Where the first control character (a tab too) stands at or after `from`; the size when there is none.
inline std::size_t find_control(std::string_view text, std::size_t from) {
    for (; text.size() - from >= sizeof(ByteVector); from += sizeof(ByteVector)) {
        ByteVector some;
        std::memcpy(&some, text.data() + from, sizeof some);
        const std::size_t at = first_set(ByteVector(some <= 0x1f) | ByteVector(some == 0x7f));
        if (at < sizeof(ByteVector)) return from + at;
    }
    for (; text.size() - from >= 8; from += 8) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + from, 8);
        if (const std::uint64_t found = control(word); found != 0)
            return from + static_cast<std::size_t>(std::countr_zero(found)) / 8;
    }
    for (; from < text.size(); ++from) {
        const auto c = static_cast<unsigned char>(text[from]);
        if (c < 0x20 || c == 0x7f) break;
    }
    return from;
}

// Whether there is a control character: below space, delete, or U+0080 to U+009F. Requires: `text` is UTF-8.
inline bool has_control(std::string_view text) {
    // Nothing to look at more closely.
    if (any(text, [](std::uint64_t w) { return control(w) | equal_to(w, 0xc2); }) == 0) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto b = static_cast<unsigned char>(text[i]);
        if (b < 0x20 || b == 0x7f) return true;
        if (b == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;
    }
    return false;
}

}  // namespace holdfast::word_scan
