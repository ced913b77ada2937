// PEM files as OpenSSL objects, with errors of one line that name the file. Private to edge/net: everything else sees
// tls_context.h only.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "edge/base/result.h"
#include "edge/base/time.h"

namespace holdfast {

struct OpensslDeleter {
    void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
    void operator()(X509* p) const { X509_free(p); }
    void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
    void operator()(SSL_SESSION* p) const { SSL_SESSION_free(p); }
};
template <typename T>
using OpensslPtr = std::unique_ptr<T, OpensslDeleter>;

inline constexpr std::size_t kPemBytesMax = 1u << 20;  // of one file

// All certificates of a file, at least one, in their order.
Result<std::vector<OpensslPtr<X509>>> read_certificates(const std::string& path);
Result<OpensslPtr<EVP_PKEY>> read_private_key(const std::string& path);

// Puts the chain of `certificate_path` and its key into `context`: the pair must belong together, and the leaf must be
// within its dates at `now`. The leaf's end comes back.
Result<WallTime> use_certificate(SSL_CTX* context, const std::string& certificate_path, const std::string& key_path,
                                 WallTime now);
// Trusts the CAs of a file.
Result<bool> use_ca_file(SSL_CTX* context, const std::string& path);

// What both sides have in common: versions, ciphers, modes. `server` picks the method.
Result<OpensslPtr<SSL_CTX>> make_tls_context(bool server);

// ALPN, as it stands in the handshake: the protocol's length, then its name.
inline constexpr unsigned char kAlpnHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

}  // namespace holdfast
