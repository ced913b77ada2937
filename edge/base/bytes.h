// Text forms of bytes: hex, percent (RFC 3986 section 2.1), base64 (RFC 4648 section 4, padded); size literals; UTF-8;
// edit distance. Not for cryptography (crypto.h) nor for JSON (json.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

using ByteSpan = std::span<const std::uint8_t>;
inline ByteSpan as_bytes(std::string_view s) {
    return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}
inline const unsigned char* octets(std::string_view s) {  // as OpenSSL takes them
    return as_bytes(s).data();
}
inline std::string_view as_text(ByteSpan b) {
    return {reinterpret_cast<const char*>(b.data()), b.size()};
}

void append_hex(std::string& out, ByteSpan bytes);  // lower case
void put_hex(char* to, ByteSpan bytes);             // the same, where there is room for two digits a byte
std::string to_hex(ByteSpan bytes);
// Fills `out` from exactly 2·out.size() lower-case hex digits; false for anything else.
bool from_hex(std::string_view hex, std::span<std::uint8_t> out);

// Decodes %XX once; '+' stays a plus. Nothing on a truncated or non-hex escape.
std::optional<std::string> percent_decode(std::string_view text);
// Everything but A-Za-z0-9-._~ as %XX, upper-case hex.
void append_percent_encoded(std::string& out, std::string_view text);

// Whether `text` is padded standard base64 without white space (canonical: unused bits are zero). Empty text is.
bool is_base64(std::string_view text);
// The decoded size of valid base64.
std::size_t base64_decoded_size(std::string_view text);
// The first `bytes_max` decoded bytes, or nothing when `text` is not valid base64.
std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text, std::size_t bytes_max = SIZE_MAX);
// The first bytes of what valid base64 decodes to, at most as many as `out` has room for; how many.
std::size_t base64_head(std::string_view text, std::span<std::uint8_t> out);
void append_base64(std::string& out, ByteSpan bytes);
// Of a hexadecimal digit of either case; -1 for another character.
constexpr int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Literals of the configuration: "16KiB", "4MiB", "1GiB", "512B". Nothing for other text or on overflow.
std::optional<std::uint64_t> parse_size(std::string_view text);
std::string format_size(std::uint64_t bytes);

// Whether every byte of `text` is one that the predicate table of RFC 9110 §5.6.2 calls tchar, and it is not empty.
bool is_http_token(std::string_view text);
// Valid UTF-8 without surrogates and overlong forms (RFC 3629).
bool is_utf8(std::string_view text);
// Whether the byte of a UTF-8 text is the first of a character, and how many of those there are.
constexpr bool begins_character(char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}
std::size_t characters(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b);  // ASCII
std::string to_lower(std::string_view text);                       // ASCII

// Damerau-free Levenshtein distance, for "did you mean"; texts are cut at 64 bytes.
std::size_t edit_distance(std::string_view a, std::string_view b);
// The nearest of `known` within a third of its length, else the first that begins with `typed` or that `typed` begins
// with, from three bytes on; empty: none. ASCII case counts for nothing.
std::string_view nearest(std::string_view typed, std::span<const std::string_view> known);

}  // namespace holdfast
