// The few primitives that the project uses, over OpenSSL: its EVP with every algorithm fetched once and contexts reused
// (a fetch per call costs more than the hash in OpenSSL 3.0), but for SHA-256 (crypto_sha256.cpp says why). Objects are
// not thread-safe; make one per thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "edge/base/bytes.h"

namespace holdfast {

using Digest = std::array<std::uint8_t, 32>;

// SHA-256 (FIPS 180-4), streamed. A finished object begins anew with the next update.
class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    void reset();
    void update(std::string_view bytes);
    Digest finish();
    static Digest of(std::string_view bytes);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// HMAC-SHA256 (RFC 2104) under one key; the padded key is hashed once.
class HmacSha256 {
  public:
    explicit HmacSha256(std::string_view key);
    ~HmacSha256();
    HmacSha256(HmacSha256&&) noexcept;
    HmacSha256& operator=(HmacSha256&&) noexcept;
    Digest of(std::string_view bytes);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// AES-256-GCM (NIST SP 800-38D) with a random 12-byte IV per message: sealed = iv ‖ ciphertext ‖ 16-byte tag.
class AesGcm {
  public:
    static constexpr std::size_t kOverhead = 12 + 16;
    explicit AesGcm(std::span<const std::uint8_t, 32> key);
    ~AesGcm();
    AesGcm(AesGcm&&) noexcept;
    AesGcm& operator=(AesGcm&&) noexcept;
    void seal(std::string_view plain, std::string_view aad, std::string& out);  // replaces out
    // False when the bytes do not verify under this key and aad; out is then empty.
    [[nodiscard]] bool open(std::string_view sealed, std::string_view aad, std::string& out);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

bool constant_time_equal(ByteSpan a, ByteSpan b);  // false at once when the sizes differ
void random_bytes(std::span<std::uint8_t> out);    // from the system's generator; HF_CHECKs that it works
std::uint64_t random_u64();

}  // namespace holdfast
