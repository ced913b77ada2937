// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash for tables that strangers fill, a tenth of the cost of an
// HMAC. Not for signatures: those are HMAC-SHA256 (crypto.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace holdfast {

using SipKey = std::array<std::uint8_t, 16>;
using Hash128 = std::array<std::uint8_t, 16>;

std::uint64_t siphash64(const SipKey& key, std::string_view text);
Hash128 siphash128(const SipKey& key, std::string_view text);
// Of at most kSipPartsMax texts, each preceded by its length, so that ("ab","c") and ("a","bc") differ; a text of 255
// bytes or more is folded to its own hash first.
inline constexpr std::size_t kSipPartsMax = 4;
Hash128 siphash128(const SipKey& key, std::initializer_list<std::string_view> parts);
std::uint64_t siphash64(const SipKey& key, std::initializer_list<std::string_view> parts);

} // namespace holdfast
