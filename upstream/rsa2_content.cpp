#include "upstream/rsa2_content.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <array>
#include <memory>

#include "edge/base/bytes.h"
#include "edge/base/check.h"
#include "upstream/rsa2_parts.h"

namespace holdfast::rsa2 {
namespace {

using Ciphering = Own<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

const EVP_CIPHER* cipher_for(std::size_t key_bytes) {
    return key_bytes == 16 ? EVP_aes_128_cbc() : key_bytes == 24 ? EVP_aes_192_cbc() : EVP_aes_256_cbc();
}

constexpr std::array<unsigned char, 16> kZeroIv{};

}  // namespace

Result<ContentCipher> ContentCipher::make(std::string_view key) {
    while (!key.empty() && (key.back() == '\n' || key.back() == '\r')) key.remove_suffix(1);
    auto raw = from_base64(key);
    if (!raw || (raw->size() != 16 && raw->size() != 24 && raw->size() != 32))
        return bad("is not the base64 of 16, 24 or 32 bytes");
    return ContentCipher(std::move(*raw));
}

Result<std::string> ContentCipher::encrypt(std::string_view plain) const {
    if (plain.size() > kContentMax)
        return fail(Code::invalid, Origin::client, "the contents have more than 16 MiB, too many to be encrypted");
    const Ciphering ctx(EVP_CIPHER_CTX_new());
    std::vector<unsigned char> out(plain.size() + 16);
    int n = 0, rest = 0;
    HF_CHECK(ctx && EVP_EncryptInit_ex2(ctx.get(), cipher_for(key_.size()), key_.data(), kZeroIv.data(), nullptr) == 1);
    HF_CHECK(EVP_EncryptUpdate(ctx.get(), out.data(), &n, octets(plain), static_cast<int>(plain.size())) == 1);
    HF_CHECK(EVP_EncryptFinal_ex(ctx.get(), out.data() + n, &rest) == 1);
    std::string text;
    append_base64(text, {out.data(), static_cast<std::size_t>(n + rest)});
    return text;
}

Result<std::string> ContentCipher::decrypt(std::string_view base64) const {
    if (base64.size() > 2 * kContentMax) return bad("the encrypted text is too long");
    const auto raw = from_base64(base64);
    if (!raw || raw->empty() || raw->size() % 16 != 0) return bad("the encrypted text is no base64 of whole blocks");
    const Ciphering ctx(EVP_CIPHER_CTX_new());
    std::string out(raw->size() + 16, '\0');
    auto* to = reinterpret_cast<unsigned char*>(out.data());
    int n = 0, rest = 0;
    HF_CHECK(ctx && EVP_DecryptInit_ex2(ctx.get(), cipher_for(key_.size()), key_.data(), kZeroIv.data(), nullptr) == 1);
    if (EVP_DecryptUpdate(ctx.get(), to, &n, raw->data(), static_cast<int>(raw->size())) != 1 ||
        EVP_DecryptFinal_ex(ctx.get(), to + n, &rest) != 1)
        return bad("the encrypted text does not decrypt under this key");
    out.resize(static_cast<std::size_t>(n + rest));
    return out;
}

}  // namespace holdfast::rsa2
