// The cryptography of the Alipay double, straight over OpenSSL and shared with nothing of the product: that the two
// agree is what the tests show. Slow and simple; a key or a certificate that cannot be read is an error in words.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "edge/base/result.h"

namespace holdfast {

enum class RsaHash { sha256, sha1 };  // RSA2 and, to forge, the old RSA

class RsaKey {
  public:
    // A private key (PKCS#1 or PKCS#8), a public key or a certificate, as PEM.
    static Result<RsaKey> read(std::string_view pem);
    static RsaKey generate();                                                       // 2048 bits
    std::string sign(std::string_view text, RsaHash hash = RsaHash::sha256) const;  // base64; Requires: a private key
    bool verify(std::string_view text, std::string_view base64) const;              // SHA-256 and nothing else
    bool is_private() const { return private_; }
    std::string public_pem() const;

  private:
    std::shared_ptr<void> key_;  // owners: the copies of this key
    bool private_ = false;
};

// AES-128-CBC, zero IV, PKCS#7; the key and the encrypted text are base64. Nothing for what does not decrypt.
std::optional<std::string> aes_encrypt(std::string_view key_base64, std::string_view plain);
std::optional<std::string> aes_decrypt(std::string_view key_base64, std::string_view base64);

// md5(issuer DN in RFC 2253 order + decimal serial), in hex: of the first certificate, or of every one in the bundle
// that an RSA key has signed, joined with '_'.
Result<std::string> certificate_sn(std::string_view pem);
Result<std::string> root_certificate_sn(std::string_view bundle);

}  // namespace holdfast
