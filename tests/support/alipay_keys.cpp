#include "tests/support/alipay_keys.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <vector>

#include "edge/base/bytes.h"
#include "edge/base/check.h"

namespace holdfast {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

Bio open_text(std::string_view text) {
    return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free};
}

std::string taken(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

EVP_PKEY* raw(const std::shared_ptr<void>& key) {
    return static_cast<EVP_PKEY*>(key.get());
}

std::shared_ptr<void> owned(EVP_PKEY* key) {
    return {key, [](void* k) { EVP_PKEY_free(static_cast<EVP_PKEY*>(k)); }};
}

std::string sn_of(const X509* certificate) {
    const Bio out(BIO_new(BIO_s_mem()), &BIO_free);
    X509_NAME_print_ex(out.get(), X509_get_issuer_name(certificate), 0,
                       XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB));
    BIGNUM* serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr);
    char* decimal = BN_bn2dec(serial);
    const std::string text = taken(out.get()) + decimal;
    OPENSSL_free(decimal);
    BN_free(serial);
    std::uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HF_CHECK(EVP_Digest(text.data(), text.size(), digest, &size, EVP_md5(), nullptr) == 1);
    return to_hex({digest, size});
}

std::optional<std::string> crypt(std::string_view key_base64, std::string_view in, bool encrypt) {
    const auto key = from_base64(key_base64);
    if (!key || key->size() != 16) return std::nullopt;
    const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> ctx(EVP_CIPHER_CTX_new(),
                                                                              &EVP_CIPHER_CTX_free);
    const std::uint8_t iv[16] = {};
    std::string out(in.size() + 32, '\0');
    auto* to = reinterpret_cast<std::uint8_t*>(out.data());
    int head = 0, tail = 0;
    if (EVP_CipherInit_ex(ctx.get(), EVP_aes_128_cbc(), nullptr, key->data(), iv, encrypt ? 1 : 0) != 1 ||
        EVP_CipherUpdate(ctx.get(), to, &head, as_bytes(in).data(), static_cast<int>(in.size())) != 1 ||
        EVP_CipherFinal_ex(ctx.get(), to + head, &tail) != 1)
        return std::nullopt;
    out.resize(static_cast<std::size_t>(head + tail));
    return out;
}

}  // namespace

Result<RsaKey> RsaKey::read(std::string_view pem) {
    RsaKey out;
    EVP_PKEY* key = PEM_read_bio_PrivateKey(open_text(pem).get(), nullptr, nullptr, nullptr);
    out.private_ = key != nullptr;
    if (key == nullptr) key = PEM_read_bio_PUBKEY(open_text(pem).get(), nullptr, nullptr, nullptr);
    if (key == nullptr) {
        const Certificate one(PEM_read_bio_X509(open_text(pem).get(), nullptr, nullptr, nullptr), &X509_free);
        if (one) key = X509_get_pubkey(one.get());
    }
    if (key == nullptr) return fail(Code::invalid, Origin::local, "neither a key nor a certificate in PEM");
    out.key_ = owned(key);
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) return fail(Code::invalid, Origin::local, "the key is not RSA");
    return out;
}

RsaKey RsaKey::generate() {
    RsaKey out;
    out.key_ = owned(EVP_RSA_gen(2048));
    out.private_ = true;
    HF_CHECK(out.key_);
    return out;
}

std::string RsaKey::sign(std::string_view text, RsaHash hash) const {
    HF_CHECK(private_);
    const Context ctx(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    const EVP_MD* md = hash == RsaHash::sha256 ? EVP_sha256() : EVP_sha1();
    HF_CHECK(EVP_DigestSignInit(ctx.get(), nullptr, md, nullptr, raw(key_)) == 1);
    std::size_t size = 0;
    const auto bytes = as_bytes(text);
    HF_CHECK(EVP_DigestSign(ctx.get(), nullptr, &size, bytes.data(), bytes.size()) == 1);
    std::vector<std::uint8_t> signature(size);
    HF_CHECK(EVP_DigestSign(ctx.get(), signature.data(), &size, bytes.data(), bytes.size()) == 1);
    std::string out;
    append_base64(out, {signature.data(), size});
    return out;
}

bool RsaKey::verify(std::string_view text, std::string_view base64) const {
    const auto signature = from_base64(base64);
    if (!signature || signature->empty()) return false;
    const Context ctx(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    if (EVP_DigestVerifyInit(ctx.get(), nullptr, EVP_sha256(), nullptr, raw(key_)) != 1) return false;
    return EVP_DigestVerify(ctx.get(), signature->data(), signature->size(), as_bytes(text).data(), text.size()) == 1;
}

std::string RsaKey::public_pem() const {
    const Bio out(BIO_new(BIO_s_mem()), &BIO_free);
    HF_CHECK(PEM_write_bio_PUBKEY(out.get(), raw(key_)) == 1);
    return taken(out.get());
}

std::optional<std::string> aes_encrypt(std::string_view key_base64, std::string_view plain) {
    const auto sealed = crypt(key_base64, plain, true);
    if (!sealed) return std::nullopt;
    std::string out;
    append_base64(out, as_bytes(*sealed));
    return out;
}

std::optional<std::string> aes_decrypt(std::string_view key_base64, std::string_view base64) {
    const auto sealed = from_base64(base64);
    if (!sealed) return std::nullopt;
    return crypt(key_base64, as_text({sealed->data(), sealed->size()}), false);
}

Result<std::string> certificate_sn(std::string_view pem) {
    const Certificate one(PEM_read_bio_X509(open_text(pem).get(), nullptr, nullptr, nullptr), &X509_free);
    if (!one) return fail(Code::invalid, Origin::local, "no certificate in PEM");
    return sn_of(one.get());
}

Result<std::string> root_certificate_sn(std::string_view bundle) {
    const Bio in = open_text(bundle);
    std::string out;
    for (;;) {
        const Certificate one(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr), &X509_free);
        if (!one) break;
        char oid[64] = {};
        const X509_ALGOR* algorithm = nullptr;
        X509_get0_signature(nullptr, &algorithm, one.get());
        OBJ_obj2txt(oid, sizeof oid, algorithm->algorithm, 1);
        if (!std::string_view(oid).starts_with("1.2.840.113549.1.1")) continue;
        out += (out.empty() ? "" : "_") + sn_of(one.get());
    }
    if (out.empty()) return fail(Code::invalid, Origin::local, "no certificate with an RSA signature in PEM");
    return out;
}

}  // namespace holdfast
