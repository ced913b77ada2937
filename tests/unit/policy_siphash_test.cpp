#include "policy/siphash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <set>
#include <string>

#include "edge/base/bytes.h"

using namespace holdfast;

namespace {

SipKey counting_key() {
    SipKey key;
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i);
    return key;
}

// OpenSSL's SipHash, an implementation that is not ours.
std::string reference(const SipKey& key, std::string_view text, std::size_t size) {
    EVP_MAC* mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
    EVP_MAC_CTX* ctx = EVP_MAC_CTX_new(mac);
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end()};
    std::string out(size, '\0');
    std::size_t n = 0;
    const bool good = EVP_MAC_init(ctx, key.data(), key.size(), params) == 1 &&
                      EVP_MAC_update(ctx, reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1 &&
                      EVP_MAC_final(ctx, reinterpret_cast<unsigned char*>(out.data()), &n, size) == 1;
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    REQUIRE(good);
    return out;
}

} // namespace

TEST_CASE("siphash: the published vector of 15 bytes") {
    std::string text;
    for (char c = 0; c < 15; ++c) text.push_back(c);
    CHECK(siphash64(counting_key(), text) == 0xa129ca6149be45e5ull);
}

TEST_CASE("siphash: equals OpenSSL's at every length, in both widths") {
    std::string text;
    for (int n = 0; n < 70; ++n) {
        const std::uint64_t narrow = siphash64(counting_key(), text);
        CHECK(reference(counting_key(), text, 8) == std::string(reinterpret_cast<const char*>(&narrow), 8));
        const Hash128 wide = siphash128(counting_key(), text);
        CHECK(reference(counting_key(), text, 16) == std::string(as_text(wide)));
        text.push_back(static_cast<char>(n * 37));
    }
}

TEST_CASE("siphash: parts keep their borders") {
    const SipKey key = counting_key();
    const std::string long_text(255, 'a'), longer(400, 'a');
    std::set<std::uint64_t> seen{siphash64(key, {"ab", "c"}),
                                 siphash64(key, {"a", "bc"}),
                                 siphash64(key, {"abc", ""}),
                                 siphash64(key, {"", "abc"}),
                                 siphash64(key, {"abc"}),
                                 siphash64(key, {long_text, ""}),
                                 siphash64(key, {longer, ""}),
                                 siphash64(key, {"", long_text}),
                                 siphash64(key, {long_text, long_text, longer, longer})};
    CHECK(seen.size() == 9);
}
