// Alipay's content encryption: what stands in biz_content and in an answer's node when a key for it is configured. It
// hides, it does not authenticate: the signature covers the encrypted text, and is verified before.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "edge/base/result.h"

namespace holdfast::rsa2 {

inline constexpr std::size_t kContentMax = 16u << 20;  // bytes of one text

// AES-CBC with a zero IV and PKCS#7 padding, base64 outside.
class ContentCipher {
  public:
    // `key`: base64 of 16, 24 or 32 bytes.
    static Result<ContentCipher> make(std::string_view key);
    // Code::invalid, Origin::client, for more than kContentMax bytes: what is encrypted holds what a caller sent.
    Result<std::string> encrypt(std::string_view plain) const;
    Result<std::string> decrypt(std::string_view base64) const;

  private:
    explicit ContentCipher(std::vector<unsigned char> key) : key_(std::move(key)) {}
    std::vector<unsigned char> key_;
};

}  // namespace holdfast::rsa2
