#include "upstream/rsa2.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>

#include "edge/base/bytes.h"
#include "edge/base/check.h"
#include "upstream/rsa2_parts.h"

namespace holdfast::rsa2 {
namespace {

using Key = Own<EVP_PKEY, EVP_PKEY_free>;
using Digesting = Own<EVP_MD_CTX, EVP_MD_CTX_free>;
using Bio = Own<BIO, BIO_free_all>;
using Cert = Own<X509, X509_free>;
using Number = Own<BIGNUM, BN_free>;

bool is_pem(std::string_view text) {
    return text.find("-----BEGIN ") != std::string_view::npos;
}

Bio reading(std::string_view text) {
    Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    HF_CHECK(bio != nullptr);
    return bio;
}

// An encrypted key must not make anybody wait for a terminal.
int no_password(char*, int, int, void*) {
    return 0;
}

// The DER inside bare base64, lines and spaces dropped.
std::optional<std::vector<std::uint8_t>> bare_der(std::string_view text) {
    std::string packed;
    for (const char c : text)
        if (c != '\n' && c != '\r' && c != ' ' && c != '\t') packed += c;
    if (packed.empty()) return std::nullopt;
    return from_base64(packed);
}

Result<void> check_key(EVP_PKEY* key) {
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) return bad("is no RSA key");
    const int bits = EVP_PKEY_get_bits(key);
    if (bits < kKeyBitsMin || bits > kKeyBitsMax)
        return bad(fmt::format("has {} bits, not {} to {}", bits, kKeyBitsMin, kKeyBitsMax));
    BIGNUM* e = nullptr;
    const bool got = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1;
    const Number exponent(e);
    if (!got || BN_is_odd(e) == 0 || BN_num_bits(e) < 2) return bad("has a public exponent that protects nothing");
    return {};
}

// Ready to be duplicated for each use: setting it up costs more than copying it.
Digesting prepared(EVP_PKEY* key, bool sign) {
    Digesting ctx(EVP_MD_CTX_new());
    EVP_PKEY_CTX* padding = nullptr;
    const auto init = sign ? EVP_DigestSignInit : EVP_DigestVerifyInit;
    HF_CHECK(ctx != nullptr && init(ctx.get(), &padding, EVP_sha256(), nullptr, key) == 1);
    HF_CHECK(EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PADDING) == 1);
    return ctx;
}

Digesting duplicate(const EVP_MD_CTX* from) {
    Digesting ctx(EVP_MD_CTX_new());
    HF_CHECK(ctx != nullptr && EVP_MD_CTX_copy_ex(ctx.get(), from) == 1);
    return ctx;
}

}  // namespace

struct PublicKey::State {
    Key key;
    Digesting verifying;
    static Result<std::shared_ptr<const State>> make(Key key) {
        if (auto checked = check_key(key.get()); !checked) return tl::unexpected(checked.error());
        auto state = std::make_shared<State>();
        state->verifying = prepared(key.get(), false);
        state->key = std::move(key);
        return std::shared_ptr<const State>(std::move(state));
    }
};

struct PrivateKey::State {
    Key key;
    Digesting signing;
};

Result<PublicKey> PublicKey::parse(std::string_view text) {
    if (text.size() > kKeyTextMax) return bad("is too long for a key");
    Key key;
    if (is_pem(text)) {
        if (text.find("-----BEGIN CERTIFICATE") != std::string_view::npos) return bad("is a certificate, not a key");
        if (text.find("PRIVATE KEY-----") != std::string_view::npos) return bad("is a private key, not a public one");
        key.reset(PEM_read_bio_PUBKEY(reading(text).get(), nullptr, no_password, nullptr));
    } else if (const auto der = bare_der(text)) {
        const unsigned char* at = der->data();
        key.reset(d2i_PUBKEY(nullptr, &at, static_cast<long>(der->size())));
        if (key && at != der->data() + der->size()) key.reset();
    }
    if (!key) return bad("is no public key (PEM, or the base64 of its DER)");
    auto state = State::make(std::move(key));
    if (!state) return tl::unexpected(state.error());
    return PublicKey(std::move(*state));
}

bool PublicKey::verify(std::string_view text, std::string_view signature) const {
    const auto raw = from_base64(signature);
    if (!raw || static_cast<int>(raw->size()) != EVP_PKEY_get_size(state_->key.get())) return false;
    const Digesting ctx = duplicate(state_->verifying.get());
    const bool good = EVP_DigestVerify(ctx.get(), raw->data(), raw->size(), octets(text), text.size()) == 1;
    if (!good) ERR_clear_error();
    return good;
}

bool PublicKey::operator==(const PublicKey& other) const {
    return EVP_PKEY_eq(state_->key.get(), other.state_->key.get()) == 1;
}

int PublicKey::bits() const {
    return EVP_PKEY_get_bits(state_->key.get());
}

Result<PrivateKey> PrivateKey::parse(std::string_view text) {
    if (text.size() > kKeyTextMax) return bad("is too long for a key");
    Key key;
    if (is_pem(text)) {
        if (text.find("ENCRYPTED") != std::string_view::npos) return bad("is encrypted: keys are kept in clear");
        key.reset(PEM_read_bio_PrivateKey(reading(text).get(), nullptr, no_password, nullptr));
    } else if (const auto der = bare_der(text)) {
        const unsigned char* at = der->data();
        key.reset(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(der->size())));
        if (key && at != der->data() + der->size()) key.reset();
    }
    if (!key) return bad("is no private key (PKCS#1 or PKCS#8, as PEM or the base64 of its DER)");
    if (auto checked = check_key(key.get()); !checked) return tl::unexpected(checked.error());
    auto state = std::make_shared<State>();
    state->signing = prepared(key.get(), true);
    state->key = std::move(key);
    PrivateKey out(std::move(state));
    constexpr std::string_view kProbe = "holdfast";
    if (!out.public_half().verify(kProbe, out.sign(kProbe)))
        return bad("is damaged: its parts do not belong together, what it signs does not verify");
    return out;
}

std::string PrivateKey::sign(std::string_view text) const {
    std::array<unsigned char, kKeyBitsMax / 8> raw;
    std::size_t size = raw.size();
    const Digesting ctx = duplicate(state_->signing.get());
    std::string out;
    if (EVP_DigestSign(ctx.get(), raw.data(), &size, octets(text), text.size()) != 1) {
        ERR_clear_error();
        return out;
    }
    append_base64(out, {raw.data(), size});
    return out;
}

PublicKey PrivateKey::public_half() const {
    EVP_PKEY* key = state_->key.get();
    HF_CHECK(EVP_PKEY_up_ref(key) == 1);
    auto state = PublicKey::State::make(Key(key));
    HF_CHECK(state.has_value());  // it has passed the same checks
    return PublicKey(std::move(*state));
}

int PrivateKey::bits() const {
    return EVP_PKEY_get_bits(state_->key.get());
}

namespace {

// RFC 2253 order without escapes of UTF-8, as the official tools write an issuer.
std::string issuer_of(const X509* cert) {
    Bio out(BIO_new(BIO_s_mem()));
    HF_CHECK(out != nullptr);
    const unsigned long how = XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB);
    if (X509_NAME_print_ex(out.get(), X509_get_issuer_name(cert), 0, how) < 0) return {};
    char* text = nullptr;
    const long size = BIO_get_mem_data(out.get(), &text);
    return std::string(text, static_cast<std::size_t>(size));
}

Result<std::string> sn_of(const X509* cert) {
    const Number number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), nullptr));
    char* decimal = number ? BN_bn2dec(number.get()) : nullptr;
    if (decimal == nullptr) return bad("has no readable serial number");
    const std::string text = issuer_of(cert) + decimal;
    OPENSSL_free(decimal);
    std::array<unsigned char, EVP_MAX_MD_SIZE> md5;
    unsigned int size = 0;
    if (EVP_Digest(text.data(), text.size(), md5.data(), &size, EVP_md5(), nullptr) != 1)
        return bad("cannot be named: this machine's OpenSSL has no MD5");
    return to_hex({md5.data(), size});
}

bool signed_with_rsa(const X509* cert) {
    const X509_ALGOR* algorithm = nullptr;
    X509_get0_signature(nullptr, &algorithm, cert);
    const ASN1_OBJECT* object = nullptr;
    X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
    std::array<char, 128> oid{};
    OBJ_obj2txt(oid.data(), static_cast<int>(oid.size()), object, 1);
    return std::string_view(oid.data()).starts_with("1.2.840.113549.1.1");
}

WallTime time_of(const ASN1_TIME* time) {
    tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return WallTime{};
    return WallTime(Seconds(timegm(&parts)));
}

}  // namespace

Result<Certificate> read_certificate(std::string_view pem) {
    if (pem.size() > kKeyTextMax) return bad("is too long for a certificate");
    const Cert cert(PEM_read_bio_X509(reading(pem).get(), nullptr, no_password, nullptr));
    if (!cert) return bad("is no certificate (PEM)");
    auto sn = sn_of(cert.get());
    if (!sn) return tl::unexpected(sn.error());
    Key key(X509_get_pubkey(cert.get()));
    if (!key) return bad("holds no key that can be read");
    auto state = PublicKey::State::make(std::move(key));
    if (!state) return tl::unexpected(state.error());
    return Certificate{std::move(*sn), PublicKey(std::move(*state)), time_of(X509_get0_notBefore(cert.get())),
                       time_of(X509_get0_notAfter(cert.get()))};
}

Result<std::string> root_sn(std::string_view bundle) {
    if (bundle.size() > kKeyTextMax * kBundleCertificatesMax) return bad("is too long for a bundle of certificates");
    const Bio from = reading(bundle);
    std::string out;
    for (std::size_t n = 0;; ++n) {
        const Cert cert(PEM_read_bio_X509(from.get(), nullptr, no_password, nullptr));
        if (!cert) break;
        if (n == kBundleCertificatesMax) return bad("holds too many certificates");
        if (!signed_with_rsa(cert.get())) continue;
        auto sn = sn_of(cert.get());
        if (!sn) return sn;
        if (!out.empty()) out += '_';
        out += *sn;
    }
    // The end of the text is no error; a certificate that cannot be read is one.
    const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (!ended) return bad("holds a certificate that cannot be read");
    if (out.empty()) return bad("holds no certificate that is signed with RSA");
    return out;
}

}  // namespace holdfast::rsa2
