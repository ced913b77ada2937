// SHA-256 and HMAC over OpenSSL's SHA256_* functions, which OpenSSL 3 marks as deprecated in favour of EVP. It is the
// same code underneath; but EVP 3.0 allocates, copies and frees three contexts for each HMAC, which costs as many
// instructions as two blocks of SHA-256, on a path that every request takes.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "edge/base/crypto.h"

namespace holdfast {

struct Sha256::State {
    SHA256_CTX hash;
    bool begun = false;
    void begin() {
        if (begun) return;
        SHA256_Init(&hash);
        begun = true;
    }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
void Sha256::reset() {
    state_->begun = false;
}

void Sha256::update(std::string_view bytes) {
    state_->begin();
    SHA256_Update(&state_->hash, bytes.data(), bytes.size());
}

Digest Sha256::finish() {
    Digest out;
    state_->begin();
    SHA256_Final(out.data(), &state_->hash);
    state_->begun = false;
    return out;
}

Digest Sha256::of(std::string_view bytes) {
    SHA256_CTX hash;
    Digest out;
    SHA256_Init(&hash);
    SHA256_Update(&hash, bytes.data(), bytes.size());
    SHA256_Final(out.data(), &hash);
    return out;
}

// After the padded key: whoever holds these can sign as if he had the key.
struct HmacSha256::State {
    SHA256_CTX inner, outer;
    ~State() {
        OPENSSL_cleanse(&inner, sizeof inner);
        OPENSSL_cleanse(&outer, sizeof outer);
    }
};

HmacSha256::HmacSha256(std::string_view key) : state_(std::make_unique<State>()) {
    std::array<unsigned char, SHA256_CBLOCK> pad{};
    if (key.size() > pad.size()) {
        SHA256_CTX hash;
        SHA256_Init(&hash);
        SHA256_Update(&hash, key.data(), key.size());
        SHA256_Final(pad.data(), &hash);
        OPENSSL_cleanse(&hash, sizeof hash);
    } else {
        std::copy(key.begin(), key.end(), pad.begin());
    }
    const auto absorb = [&pad](SHA256_CTX& hash, unsigned char mask) {
        for (unsigned char& byte : pad) byte ^= mask;
        SHA256_Init(&hash);
        SHA256_Update(&hash, pad.data(), pad.size());
    };
    absorb(state_->inner, 0x36);
    absorb(state_->outer, 0x36 ^ 0x5c);  // takes the first mask away again
    OPENSSL_cleanse(pad.data(), pad.size());
}
HmacSha256::~HmacSha256() = default;
HmacSha256::HmacSha256(HmacSha256&&) noexcept = default;
HmacSha256& HmacSha256::operator=(HmacSha256&&) noexcept = default;

Digest HmacSha256::of(std::string_view bytes) {
    Digest out;
    SHA256_CTX hash = state_->inner;
    SHA256_Update(&hash, bytes.data(), bytes.size());
    SHA256_Final(out.data(), &hash);
    hash = state_->outer;
    SHA256_Update(&hash, out.data(), out.size());
    SHA256_Final(out.data(), &hash);
    return out;
}

}  // namespace holdfast
