#include "upstream/traceparent.h"

#include <algorithm>
#include <span>

#include "edge/base/bytes.h"
#include "edge/base/crypto.h"

namespace holdfast {
namespace {

constexpr std::size_t kSize = kTraceparentBytes;

bool all_zero(std::string_view hex) {
    return hex.find_first_not_of('0') == std::string_view::npos;
}

std::string_view trimmed(std::string_view v) {
    while (!v.empty() && (v.front() == ' ' || v.front() == '\t')) v.remove_prefix(1);
    while (!v.empty() && (v.back() == ' ' || v.back() == '\t')) v.remove_suffix(1);
    return v;
}

template <std::size_t N>
bool hex_at(std::string_view text, std::size_t at, std::array<std::uint8_t, N>& out) {
    return from_hex(text.substr(at, 2 * N), out);
}

template <std::size_t Chars>
void random_id(std::array<char, Chars>& out) {
    std::array<std::uint8_t, Chars / 2> raw;
    do random_bytes(raw);
    while (std::all_of(raw.begin(), raw.end(), [](std::uint8_t b) { return b == 0; }));
    put_hex(out.data(), raw);
}

} // namespace

std::optional<Traceparent> parse_traceparent(std::string_view value) {
    const std::string_view v = trimmed(value);
    if (v.size() < kSize || v[2] != '-' || v[35] != '-' || v[52] != '-') return std::nullopt;
    std::array<std::uint8_t, 1> version, flags;
    std::array<std::uint8_t, 16> trace;
    std::array<std::uint8_t, 8> parent;
    if (!hex_at(v, 0, version) || !hex_at(v, 3, trace) || !hex_at(v, 36, parent) || !hex_at(v, 53, flags))
        return std::nullopt;
    if (version[0] == 0xff || (version[0] == 0 && v.size() != kSize)) return std::nullopt;
    if (v.size() > kSize && v[kSize] != '-') return std::nullopt;
    if (all_zero(v.substr(3, 32)) || all_zero(v.substr(36, 16))) return std::nullopt;
    Traceparent t;
    std::copy_n(v.begin() + 3, 32, t.trace_id.begin());
    std::copy_n(v.begin() + 36, 16, t.parent_id.begin());
    t.flags = flags[0];
    return t;
}

Traceparent child_of(const std::optional<Traceparent>& parent) {
    Traceparent t;
    if (parent) {
        t.trace_id = parent->trace_id;
        t.flags = parent->flags & 1;
    } else {
        random_id(t.trace_id);
    }
    random_id(t.parent_id);
    return t;
}

TraceText to_text(const Traceparent& t) {
    TraceText out;
    char* at = out.text.data();
    const auto put = [&at](std::string_view piece) { at = std::copy(piece.begin(), piece.end(), at); };
    put("00-");
    put({t.trace_id.data(), t.trace_id.size()});
    put("-");
    put({t.parent_id.data(), t.parent_id.size()});
    put("-");
    put_hex(at, {&t.flags, 1});
    return out;
}

} // namespace holdfast
