// The base64 half of bytes.h.
#include <algorithm>
#include <array>

#include "edge/base/byte_class.h"
#include "edge/base/bytes.h"

namespace holdfast {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr auto kFromBase64 = [] {
    std::array<std::uint8_t, 256> table{};
    table.fill(0xff);
    for (std::size_t i = 0; i < kBase64.size(); ++i)
        table[static_cast<unsigned char>(kBase64[i])] = static_cast<std::uint8_t>(i);
    return table;
}();

constexpr ByteClass kInside(kBase64);

}  // namespace

bool is_base64(std::string_view text) {
    if (text.size() % 4 != 0) return false;
    if (text.empty()) return true;
    const std::size_t pad = text.back() != '=' ? 0 : text[text.size() - 2] != '=' ? 1 : 2;
    // An image of megabytes goes through here on the loop.
    if (kInside.find_outside(text.substr(0, text.size() - pad)) < text.size() - pad) return false;
    if (pad == 0) return true;
    const std::uint8_t last = kFromBase64[static_cast<unsigned char>(text[text.size() - pad - 1])];
    return (last & (pad == 1 ? 3 : 15)) == 0;
}

std::size_t base64_decoded_size(std::string_view text) {
    if (text.size() < 4) return 0;
    const std::size_t pad = text.back() != '=' ? 0 : text[text.size() - 2] != '=' ? 1 : 2;
    return text.size() / 4 * 3 - pad;
}

std::size_t base64_head(std::string_view text, std::span<std::uint8_t> out) {
    const std::size_t size = std::min(base64_decoded_size(text), out.size());
    const auto* from = reinterpret_cast<const unsigned char*>(text.data());
    for (std::size_t at = 0; at < size; from += 4) {
        std::uint32_t word = 0;
        for (std::size_t j = 0; j < 4; ++j) word = word << 6 | (kFromBase64.data()[from[j]] & 63);
        for (int shift = 16; shift >= 0 && at < size; shift -= 8) out[at++] = static_cast<std::uint8_t>(word >> shift);
    }
    return size;
}

std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text, std::size_t bytes_max) {
    if (!is_base64(text)) return std::nullopt;
    std::vector<std::uint8_t> out(std::min(base64_decoded_size(text), bytes_max));
    base64_head(text, out);
    return out;
}

void append_base64(std::string& out, ByteSpan bytes) {
    std::size_t i = 0;
    for (; i + 3 <= bytes.size(); i += 3) {
        const std::uint32_t word = std::uint32_t(bytes[i]) << 16 | std::uint32_t(bytes[i + 1]) << 8 | bytes[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6) out.push_back(kBase64[word >> shift & 63]);
    }
    const std::size_t left = bytes.size() - i;
    if (left == 0) return;
    const std::uint32_t word = std::uint32_t(bytes[i]) << 16 | (left == 2 ? std::uint32_t(bytes[i + 1]) << 8 : 0);
    out.push_back(kBase64[word >> 18 & 63]);
    out.push_back(kBase64[word >> 12 & 63]);
    out.push_back(left == 2 ? kBase64[word >> 6 & 63] : '=');
    out.push_back('=');
}

}  // namespace holdfast
