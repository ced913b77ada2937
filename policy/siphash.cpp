#include "policy/siphash.h"

#include <bit>
#include <cstddef>
#include <cstring>

#include "edge/base/check.h"

namespace holdfast {
namespace {

static_assert(std::endian::native == std::endian::little, "words are read as they lie in memory");

struct State {
    std::uint64_t v0, v1, v2, v3;

    void round() {
        v0 += v1;
        v1 = std::rotl(v1, 13) ^ v0;
        v0 = std::rotl(v0, 32);
        v2 += v3;
        v3 = std::rotl(v3, 16) ^ v2;
        v0 += v3;
        v3 = std::rotl(v3, 21) ^ v0;
        v2 += v1;
        v1 = std::rotl(v1, 17) ^ v2;
        v2 = std::rotl(v2, 32);
    }
    void absorb(std::uint64_t word) {
        v3 ^= word;
        round();
        round();
        v0 ^= word;
    }
    std::uint64_t squeeze() {
        for (int i = 0; i < 4; ++i) round();
        return v0 ^ v1 ^ v2 ^ v3;
    }
};

State begin(const SipKey& key, bool wide) {
    std::uint64_t k0, k1;
    std::memcpy(&k0, key.data(), 8);
    std::memcpy(&k1, key.data() + 8, 8);
    return {k0 ^ 0x736f6d6570736575ull, k1 ^ 0x646f72616e646f6dull ^ (wide ? 0xeeu : 0u), k0 ^ 0x6c7967656e657261ull,
            k1 ^ 0x7465646279746573ull};
}

State absorb_all(const SipKey& key, std::string_view text, bool wide) {
    State state = begin(key, wide);
    const char* p = text.data();
    std::size_t left = text.size();
    for (; left >= 8; p += 8, left -= 8) {
        std::uint64_t word;
        std::memcpy(&word, p, 8);
        state.absorb(word);
    }
    std::uint64_t last = static_cast<std::uint64_t>(text.size()) << 56;
    std::uint64_t tail = 0;
    if (left > 0 && text.size() >= 8) {  // one load that overlaps the word before
        std::memcpy(&tail, p + left - 8, 8);
        tail >>= 8 * (8 - left);
    } else if (left > 0) {
        std::memcpy(&tail, p, left);
    }
    state.absorb(last | tail);
    return state;
}

Hash128 wide_hash(State state) {
    state.v2 ^= 0xee;
    const std::uint64_t low = state.squeeze();
    state.v1 ^= 0xdd;
    const std::uint64_t high = state.squeeze();
    Hash128 out;
    std::memcpy(out.data(), &low, 8);
    std::memcpy(out.data() + 8, &high, 8);
    return out;
}

// The parts one after another with their lengths, each in at most kPartMax + 1 bytes.
constexpr std::size_t kPartMax = 255;
constexpr std::size_t kJoinedMax = kSipPartsMax * (kPartMax + 1);

std::string_view join(const SipKey& key, std::initializer_list<std::string_view> parts, char* to) {
    HF_CHECK(parts.size() <= kSipPartsMax);
    char* at = to;
    for (std::string_view part : parts) {
        if (part.size() < kPartMax) {
            *at++ = static_cast<char>(part.size());
            if (!part.empty()) std::memcpy(at, part.data(), part.size());
            at += part.size();
            continue;
        }
        const Hash128 folded = siphash128(key, part);
        *at++ = static_cast<char>(kPartMax);
        std::memcpy(at, folded.data(), folded.size());
        at += folded.size();
    }
    return {to, static_cast<std::size_t>(at - to)};
}

} // namespace

std::uint64_t siphash64(const SipKey& key, std::string_view text) {
    State state = absorb_all(key, text, false);
    state.v2 ^= 0xff;
    return state.squeeze();
}

Hash128 siphash128(const SipKey& key, std::string_view text) {
    return wide_hash(absorb_all(key, text, true));
}

// Left uninitialized: clearing a kilobyte would cost as much as the hash.
Hash128 siphash128(const SipKey& key, std::initializer_list<std::string_view> parts) {
    __attribute__((uninitialized)) char joined[kJoinedMax];
    return siphash128(key, join(key, parts, joined));
}

std::uint64_t siphash64(const SipKey& key, std::initializer_list<std::string_view> parts) {
    __attribute__((uninitialized)) char joined[kJoinedMax];
    return siphash64(key, join(key, parts, joined));
}

} // namespace holdfast
