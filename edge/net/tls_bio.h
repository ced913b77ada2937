// How OpenSSL sees a TlsStream: it reads from a view of the bytes at hand and writes into one string that all TLS
// streams of the thread share, so that an idle connection holds no buffer.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>

#include <string>
#include <string_view>

namespace holdfast {

// Reads take from the front of `*in`, which outlives the BIO; writes append to tls_outgoing().
BIO* make_tls_bio(std::string_view* in);
// Empty between calls of a TlsStream.
std::string& tls_outgoing();

// Records that OpenSSL may still read in the call that runs. Once it is over it finds nothing, as if no more had come.
struct TlsShare {
    int records = 0;
    bool over = false;
};
TlsShare& tls_share();

// The reason of the oldest error in OpenSSL's queue, and the queue emptied. "" when there is none.
std::string take_openssl_error();
// Errors that somebody else on this thread left would be taken for those of the next call. Looking costs a fraction of
// clearing.
inline void forget_openssl_errors() {
    if (ERR_peek_error() != 0) ERR_clear_error();
}

}  // namespace holdfast
