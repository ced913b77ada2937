// RSA2, Alipay's name for RSASSA-PKCS1-v1_5 with SHA-256 (protocols of its OpenAPI), and what goes with it: keys
// and certificates with their serial numbers. Nothing else is ever signed or believed: no SHA-1, no
// key below 2048 bits. Slow (a signature takes most of a millisecond): for the thread pool, never for the loop.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "edge/base/result.h"
#include "edge/base/time.h"

namespace holdfast::rsa2 {

inline constexpr int kKeyBitsMin = 2048;
inline constexpr int kKeyBitsMax = 8192;
inline constexpr std::size_t kKeyTextMax = 64u << 10;      // bytes of a key or certificate file
inline constexpr std::size_t kBundleCertificatesMax = 64;  // in one file of root certificates

// One half of a pair. Copies are cheap and share the key; any thread may use them at the same time.
class PublicKey {
  public:
    // PEM (PUBLIC KEY), or the bare base64 of its DER as Alipay's console shows it.
    static Result<PublicKey> parse(std::string_view text);
    // Whether `signature` (base64) is a good one of exactly these bytes. False for anything malformed.
    bool verify(std::string_view text, std::string_view signature) const;
    bool operator==(const PublicKey& other) const;
    int bits() const;

  private:
    friend class PrivateKey;
    friend Result<struct Certificate> read_certificate(std::string_view pem);
    struct State;
    explicit PublicKey(std::shared_ptr<const State> state) : state_(std::move(state)) {}
    std::shared_ptr<const State> state_;  // owners: every copy, in the settings and in jobs of the thread pool
};

class PrivateKey {
  public:
    // PEM or bare base64, PKCS#1 or PKCS#8, not encrypted. It signs once, and what it signs must verify: a damaged key
    // is Code::invalid like any other text that is no key.
    static Result<PrivateKey> parse(std::string_view text);
    // base64; empty, which nobody takes for a signature, when OpenSSL fails.
    std::string sign(std::string_view text) const;
    PublicKey public_half() const;
    int bits() const;

  private:
    struct State;
    explicit PrivateKey(std::shared_ptr<const State> state) : state_(std::move(state)) {}
    std::shared_ptr<const State> state_;  // owners: every copy, in the settings and in jobs of the thread pool
};

struct Certificate {
    // What Alipay calls the certificate's SN: hex(md5(issuer in RFC 2253 order + serial number in decimal)).
    std::string sn;
    PublicKey key;
    WallTime not_before{}, not_after{};
};
// The first certificate of a PEM text.
Result<Certificate> read_certificate(std::string_view pem);
// alipay_root_cert_sn: the SNs of all certificates of the bundle that are signed with RSA, joined by '_'.
Result<std::string> root_sn(std::string_view bundle_pem);

}  // namespace holdfast::rsa2
