#include "edge/net/tls_files.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <optional>

#include "edge/base/file.h"
#include "edge/net/tls_bio.h"

namespace holdfast {
namespace {

struct BioDeleter {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioPtr = std::unique_ptr<BIO, BioDeleter>;

auto invalid(std::string detail) {
    ERR_clear_error();
    return fail(Code::invalid, Origin::local, std::move(detail));
}

auto outdated(const std::string& what, WallTime now) {
    return fail(Code::outdated, Origin::local, what + ", and the clock says " + rfc3339(now));
}

Result<std::string> read_pem(const std::string& path) {
    auto text = read_regular_file(path, kPemBytesMax);
    if (text) return text;
    Error& error = text.error();
    if (error.code == Code::invalid || error.code == Code::too_large)
        error.detail = path + " " + error.detail;
    else
        error.detail = "cannot read " + path + ": " + error.detail;
    return text;
}

BioPtr over(const std::string& text) {
    return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// A passphrase is never asked for on a terminal.
int no_passphrase(char*, int, int, void*) {
    return -1;
}

std::optional<WallTime> to_wall(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
    return from_unix_seconds(timegm(&parts));
}

}  // namespace

Result<std::vector<OpensslPtr<X509>>> read_certificates(const std::string& path) {
    const auto text = read_pem(path);
    if (!text) return tl::unexpected(text.error());
    const BioPtr bio = over(*text);
    std::vector<OpensslPtr<X509>> out;
    ERR_clear_error();
    while (X509* found = PEM_read_bio_X509(bio.get(), nullptr, &no_passphrase, nullptr)) out.emplace_back(found);
    // The end of the file reads as "no start line"; anything else is damage, even behind good certificates.
    const unsigned long error = ERR_peek_last_error();
    const bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (out.empty()) return invalid(path + " holds no certificate in PEM form");
    if (!at_end) return invalid(path + ": a certificate in it is damaged");
    return out;
}

Result<OpensslPtr<EVP_PKEY>> read_private_key(const std::string& path) {
    auto text = read_pem(path);
    if (!text) return tl::unexpected(text.error());
    const BioPtr bio = over(*text);
    ERR_clear_error();
    OpensslPtr<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_passphrase, nullptr));
    OPENSSL_cleanse(text->data(), text->size());
    if (key == nullptr) return invalid(path + " holds no private key in PEM form without a passphrase");
    ERR_clear_error();
    return key;
}

Result<void> check_key_file(const std::string& path) {
    const auto key = read_private_key(path);
    if (!key) return tl::unexpected(key.error());
    return {};
}

Result<WallTime> use_certificate(SSL_CTX* context, const std::string& certificate_path, const std::string& key_path,
                                 WallTime now) {
    auto chain = read_certificates(certificate_path);
    if (!chain) return tl::unexpected(chain.error());
    auto key = read_private_key(key_path);
    if (!key) return tl::unexpected(key.error());
    X509* leaf = chain->front().get();
    if (X509_check_private_key(leaf, key->get()) != 1)
        return invalid("the key in " + key_path + " does not belong to the certificate in " + certificate_path);
    const auto begin = to_wall(X509_get0_notBefore(leaf));
    const auto end = to_wall(X509_get0_notAfter(leaf));
    if (!begin || !end) return invalid(certificate_path + ": the certificate's dates are unreadable");
    if (now > *end) return outdated(certificate_path + ": the certificate expired at " + rfc3339(*end), now);
    if (now < *begin)
        return outdated(certificate_path + ": the certificate is not valid before " + rfc3339(*begin), now);
    if (SSL_CTX_use_certificate(context, leaf) != 1) return invalid(certificate_path + ": " + take_openssl_error());
    if (SSL_CTX_use_PrivateKey(context, key->get()) != 1) return invalid(key_path + ": " + take_openssl_error());
    for (std::size_t i = 1; i < chain->size(); ++i)
        if (SSL_CTX_add1_chain_cert(context, (*chain)[i].get()) != 1)
            return invalid(certificate_path + ": " + take_openssl_error());
    return *end;
}

Result<bool> use_ca_file(SSL_CTX* context, const std::string& path) {
    const auto found = read_certificates(path);
    if (!found) return tl::unexpected(found.error());
    for (const auto& certificate : *found)
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate.get()) != 1)
            return invalid(path + ": " + take_openssl_error());
    return true;
}

Result<OpensslPtr<SSL_CTX>> make_tls_context(bool server) {
    OpensslPtr<SSL_CTX> context(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
    if (context == nullptr || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20:!PSK") != 1)
        return fail(Code::internal, Origin::local, "cannot set up TLS: " + take_openssl_error());
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_max_early_data(context.get(), 0);
    SSL_CTX_set_recv_max_early_data(context.get(), 0);
    SSL_CTX_set_read_ahead(context.get(), 0);
    return context;
}

}  // namespace holdfast
