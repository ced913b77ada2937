#include "edge/base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <cstring>

#include "edge/base/check.h"
#include "edge/base/md5.h"

namespace holdfast {
namespace {

// Fetched once and kept for the life of the process.
const EVP_CIPHER* aes_gcm() {
    static EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
    return cipher;
}

unsigned char* octets(std::string& s) {
    return reinterpret_cast<unsigned char*>(s.data());
}

constexpr std::size_t kIv = 12, kTag = 16;

}  // namespace

struct AesGcm::State {
    EVP_CIPHER_CTX* sealing = EVP_CIPHER_CTX_new();
    EVP_CIPHER_CTX* opening = EVP_CIPHER_CTX_new();
    ~State() {
        EVP_CIPHER_CTX_free(sealing);
        EVP_CIPHER_CTX_free(opening);
    }
};

AesGcm::AesGcm(std::span<const std::uint8_t, 32> key) : state_(std::make_unique<State>()) {
    HF_CHECK(EVP_EncryptInit_ex2(state_->sealing, aes_gcm(), key.data(), nullptr, nullptr) == 1);
    HF_CHECK(EVP_DecryptInit_ex2(state_->opening, aes_gcm(), key.data(), nullptr, nullptr) == 1);
}
AesGcm::~AesGcm() = default;
AesGcm::AesGcm(AesGcm&&) noexcept = default;
AesGcm& AesGcm::operator=(AesGcm&&) noexcept = default;

void AesGcm::seal(std::string_view plain, std::string_view aad, std::string& out) {
    out.resize(plain.size() + kOverhead);
    unsigned char* iv = octets(out);
    unsigned char* cipher = iv + kIv;
    random_bytes({iv, kIv});
    EVP_CIPHER_CTX* ctx = state_->sealing;
    int n = 0;
    HF_CHECK(EVP_EncryptInit_ex2(ctx, nullptr, nullptr, iv, nullptr) == 1);
    HF_CHECK(EVP_EncryptUpdate(ctx, nullptr, &n, octets(aad), static_cast<int>(aad.size())) == 1);
    HF_CHECK(EVP_EncryptUpdate(ctx, cipher, &n, octets(plain), static_cast<int>(plain.size())) == 1);
    HF_CHECK(EVP_EncryptFinal_ex(ctx, cipher + n, &n) == 1);
    HF_CHECK(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, kTag, cipher + plain.size()) == 1);
}

bool AesGcm::open(std::string_view sealed, std::string_view aad, std::string& out) {
    out.clear();
    if (sealed.size() < kOverhead) return false;
    const std::size_t size = sealed.size() - kOverhead;
    out.resize(size);
    std::array<unsigned char, kTag> tag;
    std::memcpy(tag.data(), sealed.data() + kIv + size, kTag);
    EVP_CIPHER_CTX* ctx = state_->opening;
    int n = 0;
    const bool good = EVP_DecryptInit_ex2(ctx, nullptr, nullptr, octets(sealed), nullptr) == 1 &&
                      EVP_DecryptUpdate(ctx, nullptr, &n, octets(aad), static_cast<int>(aad.size())) == 1 &&
                      EVP_DecryptUpdate(ctx, octets(out), &n, octets(sealed) + kIv, static_cast<int>(size)) == 1 &&
                      EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, kTag, tag.data()) == 1 &&
                      EVP_DecryptFinal_ex(ctx, octets(out) + n, &n) == 1;
    if (!good) out.clear();
    return good;
}

std::string md5_hex(std::string_view bytes) {
    static EVP_MD* const md = EVP_MD_fetch(nullptr, "MD5", nullptr);
    std::array<std::uint8_t, 16> digest{};
    HF_CHECK(md != nullptr && EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, md, nullptr) == 1);
    return to_hex(digest);
}

bool constant_time_equal(ByteSpan a, ByteSpan b) {
    if (a.size() != b.size()) return false;
    if (a.size() % 8 != 0) return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
    // Digests: every word is looked at whatever the ones before say, and the compiler may not know what they say.
    std::uint64_t apart = 0;
    for (std::size_t at = 0; at < a.size(); at += 8) {
        std::uint64_t x, y;
        std::memcpy(&x, a.data() + at, 8);
        std::memcpy(&y, b.data() + at, 8);
        apart |= x ^ y;
        __asm__ volatile("" : "+r"(apart));
    }
    return apart == 0;
}

void random_bytes(std::span<std::uint8_t> out) {
    // RAND_bytes costs a locked DRBG call; a small pool per thread serves the many 12-byte IVs and 8-byte ids.
    thread_local std::array<unsigned char, 1024> pool;
    thread_local std::size_t left = 0;
    if (out.size() > pool.size() / 4) {
        HF_CHECK(RAND_bytes(out.data(), static_cast<int>(out.size())) == 1);
        return;
    }
    if (left < out.size()) {
        HF_CHECK(RAND_bytes(pool.data(), static_cast<int>(pool.size())) == 1);
        left = pool.size();
    }
    unsigned char* from = pool.data() + (pool.size() - left);
    std::memcpy(out.data(), from, out.size());
    OPENSSL_cleanse(from, out.size());
    left -= out.size();
}

std::uint64_t random_u64() {
    std::uint64_t out;
    random_bytes({reinterpret_cast<std::uint8_t*>(&out), sizeof out});
    return out;
}

}  // namespace holdfast
