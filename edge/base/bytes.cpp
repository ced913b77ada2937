#include "edge/base/bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "edge/base/byte_class.h"

namespace holdfast {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kHexUpper = "0123456789ABCDEF";
constexpr std::uint8_t kBad = 0xff;

constexpr std::array<std::uint8_t, 256> reverse(std::string_view alphabet) {
    std::array<std::uint8_t, 256> table{};
    table.fill(kBad);
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
    return table;
}
constexpr auto kFromHex = reverse(kHex);

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

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

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

namespace {

static_assert(std::endian::native == std::endian::little, "digits are read eight at a time as they lie in memory");

constexpr std::uint64_t kOnes = 0x0101010101010101;

std::uint64_t word_at(const char* from) {
    std::uint64_t word;
    std::memcpy(&word, from, sizeof word);
    return word;
}

// All bytes of a text of less than eight, some of them twice: equal for equal texts only of the same size.
std::uint64_t short_word(std::string_view text) {
    const std::size_t size = text.size();
    if (size >= 4) {
        std::uint32_t first, last;
        std::memcpy(&first, text.data(), 4);
        std::memcpy(&last, text.data() + size - 4, 4);
        return std::uint64_t(last) << 32 | first;
    }
    const auto byte = [&text](std::size_t i) { return std::uint64_t(static_cast<unsigned char>(text.data()[i])); };
    return size == 0 ? 0 : byte(0) | byte(size / 2) << 8 | byte(size - 1) << 16;
}

using Vector = ByteClass::Vector;
typedef std::uint16_t Pairs __attribute__((vector_size(16)));

// Sixteen digits as eight bytes; `bad` gets bits where one is no lower-case digit.
std::uint64_t sixteen_hex(const char* from, Vector& bad) {
    Vector c;
    std::memcpy(&c, from, sizeof c);
    const Vector digit = c - '0', letter = c - 'a';
    const Vector is_digit = Vector(digit <= 9), is_letter = Vector(letter <= 5);
    bad |= ~(is_digit | is_letter);
    const auto value = Pairs((digit & is_digit) | ((letter + 10) & is_letter));
    const Vector bytes = Vector(value << 4 | value >> 8);  // the first digit of a pair is its low half
    const Vector low = look_up(bytes, Vector{0, 2, 4, 6, 8, 10, 12, 14});
    std::uint64_t out;
    std::memcpy(&out, &low, sizeof out);
    return out;
}

// The reverse.
std::uint64_t hex_of_four(std::uint32_t bytes) {
    std::uint64_t x = bytes;
    x = (x | x << 16) & 0x0000ffff0000ffff;
    x = (x | x << 8) & 0x00ff00ff00ff00ff;
    const std::uint64_t value = ((x >> 4) & kOnes * 0x0f) | ((x & 0x000f000f000f000f) << 8);
    const std::uint64_t letters = ((value + kOnes * 6) >> 4) & kOnes;
    return value + kOnes * '0' + letters * ('a' - 10 - '0');
}

// Whether two words that differ in bit 5 of some bytes at the most differ in the case of letters only.
bool same_letters(std::uint64_t x, std::uint64_t apart) {
    const std::uint64_t low = (x | kOnes * 0x20) & kOnes * 0x7f;
    const std::uint64_t letters = (low + kOnes * (0x80 - 'a')) & ~(low + kOnes * (0x7f - 'z')) & ~x;
    return (apart << 2 & ~letters & kOnes * 0x80) == 0;
}

}  // namespace

void put_hex(char* to, ByteSpan bytes) {
    const std::uint8_t *from = bytes.data(), *const end = from + bytes.size();
    for (; end - from >= 4; from += 4, to += 8) {
        std::uint32_t four;
        std::memcpy(&four, from, sizeof four);
        const std::uint64_t digits = hex_of_four(four);
        std::memcpy(to, &digits, sizeof digits);
    }
    for (; from != end; ++from) {
        *to++ = kHex.data()[*from >> 4];
        *to++ = kHex.data()[*from & 15];
    }
}

void append_hex(std::string& out, ByteSpan bytes) {
    const std::size_t at = out.size();
    out.resize(at + bytes.size() * 2);
    put_hex(out.data() + at, bytes);
}

std::string to_hex(ByteSpan bytes) {
    std::string out;
    append_hex(out, bytes);
    return out;
}

bool from_hex(std::string_view hex, std::span<std::uint8_t> out) {
    if (hex.size() != out.size() * 2) return false;
    const char* from = hex.data();
    std::uint8_t *to = out.data(), *const end = to + out.size();
    Vector bad{};
    for (; end - to >= 8; to += 8, from += 16) {
        const std::uint64_t eight = sixteen_hex(from, bad);
        std::memcpy(to, &eight, sizeof eight);
    }
    auto words = std::bit_cast<std::array<std::uint64_t, 2>>(bad);
    for (; to != end; ++to, from += 2) {
        const std::uint8_t hi = kFromHex.data()[static_cast<unsigned char>(from[0])];
        const std::uint8_t lo = kFromHex.data()[static_cast<unsigned char>(from[1])];
        words[0] |= (hi | lo) & 0xf0;
        *to = static_cast<std::uint8_t>(hi << 4 | (lo & 15));
    }
    return (words[0] | words[1]) == 0;
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
    return !text.empty() && kTokenBytes.find_outside(text) == text.size();
}

std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
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
    const auto same = [](std::uint64_t x, std::uint64_t y) {
        const std::uint64_t apart = x ^ y;
        return apart == 0 || ((apart & ~(kOnes * 0x20)) == 0 && same_letters(x, apart));
    };
    if (a.size() < 8) return same(short_word(a), short_word(b));
    const std::size_t last = a.size() - 8;  // the last eight overlap those before them
    for (std::size_t at = 0; at < last; at += 8)
        if (!same(word_at(a.data() + at), word_at(b.data() + at))) return false;
    return same(word_at(a.data() + last), word_at(b.data() + last));
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
    const std::string wanted = to_lower(typed);
    std::string_view best, longer;
    std::size_t best_distance = SIZE_MAX;
    for (std::string_view one : known) {
        const std::string have = to_lower(one);
        const std::size_t d = edit_distance(wanted, have), shared = std::min(wanted.size(), have.size());
        if (d < best_distance && d <= std::max<std::size_t>(1, one.size() / 3)) best = one, best_distance = d;
        if (longer.empty() && shared >= 3 && have.compare(0, shared, wanted, 0, shared) == 0) longer = one;
    }
    return best.empty() ? longer : best;
}

}  // namespace holdfast
