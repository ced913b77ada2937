#include "edge/base/bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace holdfast {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kHexUpper = "0123456789ABCDEF";
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kBad = 0xff;

constexpr std::array<std::uint8_t, 256> reverse(std::string_view alphabet) {
    std::array<std::uint8_t, 256> table{};
    table.fill(kBad);
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
    return table;
}
constexpr auto kFromHex = reverse(kHex);
constexpr auto kFromBase64 = reverse(kBase64);

std::uint8_t hex_any_case(char c) {
    return kFromHex[static_cast<unsigned char>(c >= 'A' && c <= 'F' ? c + 32 : c)];
}

constexpr std::array<bool, 256> bytes_of(std::string_view extra) {
    std::array<bool, 256> table{};
    for (int c = '0'; c <= '9'; ++c) table[c] = true;
    for (int c = 'a'; c <= 'z'; ++c) table[c] = true;
    for (int c = 'A'; c <= 'Z'; ++c) table[c] = true;
    for (char c : extra) table[static_cast<unsigned char>(c)] = true;
    return table;
}
constexpr auto kUnreserved = bytes_of("-._~");
constexpr auto kToken = bytes_of("!#$%&'*+-.^_`|~");

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

constexpr auto kLower = [] {
    std::array<unsigned char, 256> table{};
    for (std::size_t c = 0; c < table.size(); ++c)
        table[c] = static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    return table;
}();

struct SizeUnit {
    std::string_view name;
    std::uint64_t one;
};
constexpr std::array<SizeUnit, 5> kSizes{
    {{"TiB", 1ull << 40}, {"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}, {"B", 1}}};

// Length of the UTF-8 sequence that starts at `p` (RFC 3629 §4), or 0.
std::size_t utf8_sequence(const unsigned char* p, std::size_t left) {
    const auto tail = [&](std::size_t i) { return i < left && (p[i] & 0xc0) == 0x80; };
    if (p[0] < 0x80) return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) return tail(1) ? 2 : 0;
    if ((p[0] & 0xf0) == 0xe0) {
        if (!tail(1) || !tail(2)) return 0;
        const bool overlong = p[0] == 0xe0 && p[1] < 0xa0;
        const bool surrogate = p[0] == 0xed && p[1] > 0x9f;
        return overlong || surrogate ? 0 : 3;
    }
    if (p[0] < 0xf0 || p[0] > 0xf4 || !tail(1) || !tail(2) || !tail(3)) return 0;
    const bool overlong = p[0] == 0xf0 && p[1] < 0x90;
    const bool beyond = p[0] == 0xf4 && p[1] > 0x8f;
    return overlong || beyond ? 0 : 4;
}

}  // namespace

void append_hex(std::string& out, ByteSpan bytes) {
    const std::size_t at = out.size();
    out.resize(at + bytes.size() * 2);
    char* to = out.data() + at;
    const char* const digits = kHex.data();
    for (std::uint8_t b : bytes) {
        *to++ = digits[b >> 4];
        *to++ = digits[b & 15];
    }
}

std::string to_hex(ByteSpan bytes) {
    std::string out;
    append_hex(out, bytes);
    return out;
}

bool from_hex(std::string_view hex, std::span<std::uint8_t> out) {
    if (hex.size() != out.size() * 2) return false;
    const std::uint8_t* const table = kFromHex.data();
    const auto* from = reinterpret_cast<const unsigned char*>(hex.data());
    std::uint8_t seen = 0;
    for (std::uint8_t *to = out.data(), *const end = to + out.size(); to != end; ++to, from += 2) {
        const std::uint8_t hi = table[from[0]], lo = table[from[1]];
        seen |= hi | lo;
        *to = static_cast<std::uint8_t>(hi << 4 | (lo & 15));
    }
    return seen < 16;
}

std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out.push_back(text[i]);
            continue;
        }
        if (i + 2 >= text.size()) return std::nullopt;
        const std::uint8_t hi = hex_any_case(text[i + 1]), lo = hex_any_case(text[i + 2]);
        if (hi == kBad || lo == kBad) return std::nullopt;
        out.push_back(static_cast<char>(hi << 4 | lo));
        i += 2;
    }
    return out;
}

void append_percent_encoded(std::string& out, std::string_view text) {
    for (char c : text) {
        const auto b = static_cast<unsigned char>(c);
        if (kUnreserved[b]) {
            out.push_back(c);
        } else {
            out.push_back('%');
            out.push_back(kHexUpper[b >> 4]);
            out.push_back(kHexUpper[b & 15]);
        }
    }
}

namespace {

// Whether all of `n` bytes are of the alphabet: arithmetic on ranges, without branches and with a fixed inner count, so
// that the compiler makes vectors of it. An image of megabytes goes through here on the loop.
bool all_base64(const unsigned char* p, std::size_t n) {
    constexpr std::size_t kStep = 64;
    const auto bad = [](unsigned char c) {
        const auto upper = static_cast<unsigned char>(c - 'A'), lower_case = static_cast<unsigned char>(c - 'a');
        const auto digit = static_cast<unsigned char>(c - '0');
        return static_cast<unsigned char>((upper > 25) & (lower_case > 25) & (digit > 9) & (c != '+') & (c != '/'));
    };
    for (; n >= kStep; p += kStep, n -= kStep) {
        unsigned char seen = 0;
        for (std::size_t i = 0; i < kStep; ++i) seen |= bad(p[i]);
        if (seen != 0) return false;
    }
    unsigned char seen = 0;
    for (std::size_t i = 0; i < n; ++i) seen |= bad(p[i]);
    return seen == 0;
}

}  // namespace

bool is_base64(std::string_view text) {
    if (text.size() % 4 != 0) return false;
    if (text.empty()) return true;
    const std::size_t pad = text.back() != '=' ? 0 : text[text.size() - 2] != '=' ? 1 : 2;
    if (!all_base64(reinterpret_cast<const unsigned char*>(text.data()), text.size() - pad)) return false;
    if (pad == 0) return true;
    const std::uint8_t last = kFromBase64[static_cast<unsigned char>(text[text.size() - pad - 1])];
    return (last & (pad == 1 ? 3 : 15)) == 0;
}

std::size_t base64_decoded_size(std::string_view text) {
    if (text.size() < 4) return 0;
    const std::size_t pad = text.back() != '=' ? 0 : text[text.size() - 2] != '=' ? 1 : 2;
    return text.size() / 4 * 3 - pad;
}

std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text, std::size_t bytes_max) {
    if (!is_base64(text)) return std::nullopt;
    const std::size_t size = std::min(base64_decoded_size(text), bytes_max);
    std::vector<std::uint8_t> out;
    out.reserve(size + 3);
    for (std::size_t i = 0; out.size() < size; i += 4) {
        std::uint32_t word = 0;
        for (std::size_t j = 0; j < 4; ++j)
            word = word << 6 | (kFromBase64[static_cast<unsigned char>(text[i + j])] & 63);
        out.push_back(static_cast<std::uint8_t>(word >> 16));
        out.push_back(static_cast<std::uint8_t>(word >> 8));
        out.push_back(static_cast<std::uint8_t>(word));
    }
    out.resize(size);
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

std::optional<std::uint64_t> parse_size(std::string_view text) {
    std::uint64_t number = 0;
    std::size_t at = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
        if (at >= 15) return std::nullopt;
        number = number * 10 + static_cast<std::uint64_t>(text[at] - '0');
    }
    if (at == 0) return std::nullopt;
    for (const SizeUnit& unit : kSizes) {
        if (text.substr(at) != unit.name) continue;
        std::uint64_t out;
        if (__builtin_mul_overflow(number, unit.one, &out)) return std::nullopt;
        return out;
    }
    return std::nullopt;
}

std::string format_size(std::uint64_t bytes) {
    for (const SizeUnit& unit : kSizes)
        if (bytes >= unit.one && bytes % unit.one == 0) return fmt::format("{}{}", bytes / unit.one, unit.name);
    return fmt::format("{}B", bytes);
}

bool is_http_token(std::string_view text) {
    bool all = !text.empty();
    for (char c : text) all &= kToken.data()[static_cast<unsigned char>(c)];
    return all;
}

bool is_utf8(std::string_view text) {
    const auto* p = reinterpret_cast<const unsigned char*>(text.data());
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t n = utf8_sequence(p + i, text.size() - i);
        if (n == 0) return false;
        i += n;
    }
    return true;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    const auto *x = reinterpret_cast<const unsigned char*>(a.data()), *const end = x + a.size();
    const auto* y = reinterpret_cast<const unsigned char*>(b.data());
    const unsigned char* const table = kLower.data();
    for (; x != end; ++x, ++y)
        if (*x != *y && table[*x] != table[*y]) return false;
    return true;
}

std::string to_lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    a = a.substr(0, 64);
    b = b.substr(0, 64);
    std::array<std::size_t, 65> row{};
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t swap = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = std::min({swap, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row[b.size()];
}

std::string_view nearest(std::string_view typed, std::span<const std::string_view> known) {
    std::string_view best;
    std::size_t best_distance = SIZE_MAX;
    for (std::string_view one : known) {
        const std::size_t d = edit_distance(typed, one);
        if (d < best_distance && d <= std::max<std::size_t>(1, one.size() / 3)) {
            best = one;
            best_distance = d;
        }
    }
    return best;
}

}  // namespace holdfast
